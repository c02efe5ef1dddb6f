"""Spliced files read as their pieces laid end to end, and opening never waits."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sertag.audio.decode import open_audio
from sertag.audio.streams import Spliced, Window, open_stream, read_at, size_on_disk
from sertag.errors import DecodeError

CONTENT = bytes(range(200))


@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=9),
            st.tuples(st.integers(0, 200), st.integers(0, 200)).map(lambda ends: range(min(ends), max(ends))),
        ),
        max_size=6,
    ),
    seek=st.integers(-300, 300),
    whence=st.sampled_from([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END]),
    count=st.integers(0, 300),
)
def test_a_spliced_file_reads_like_the_whole(pieces: list[range | bytes], seek: int, whence: int, count: int) -> None:
    whole = b"".join(piece if isinstance(piece, bytes) else CONTENT[piece.start : piece.stop] for piece in pieces)
    spliced = Spliced(io.BytesIO(CONTENT), pieces)
    assert spliced.read() == whole
    position = max(0, {io.SEEK_SET: 0, io.SEEK_CUR: len(whole), io.SEEK_END: len(whole)}[whence] + seek)
    assert spliced.seek(seek, whence) == spliced.tell() == position
    assert spliced.read(count) == whole[position : position + count]


def test_a_file_that_lost_its_end_reads_short() -> None:
    assert Spliced(io.BytesIO(b"abc"), [range(0, 10), b"tail"]).read() == b"abc"


def test_an_error_of_the_disk_reads_as_the_end() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    assert Spliced(Failing(CONTENT), [range(0, 10)]).read() == b""


def test_a_fifo_is_refused_without_touching_its_writer(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.wav"
    os.mkfifo(fifo)
    written = threading.Event()

    def write() -> None:
        with open(fifo, "wb"):
            written.set()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with pytest.raises(DecodeError) as caught:
        open_stream(str(fifo))
    assert caught.value.code == "not_a_file"
    assert not written.wait(0.2), "the writer must still wait for a real reader"
    with open(fifo, "rb"):
        writer.join(5)


def test_a_fifo_that_took_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regular = os.stat(__file__)
    os.mkfifo(tmp_path / "fifo.wav")
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path: regular)  # what it was when it was looked at
        with pytest.raises(DecodeError) as caught:
            open_stream(str(tmp_path / "fifo.wav"))
    assert caught.value.code == "not_a_file"


def test_the_size_is_that_of_now(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    with open_stream(str(tmp_path / "a")) as stream:
        os.truncate(tmp_path / "a", 1)
        assert size_on_disk(stream) == 1
    assert size_on_disk(io.BytesIO(b"123")) is None


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("place", [0, 1, 700, (1 << 20) - 2, (1 << 20) - 1, 1 << 20, (3 << 20) - 4])
def test_a_mark_is_found_wherever_it_lies(place: int) -> None:
    content = bytearray(3 << 20)
    content[place : place + 4] = b"mark"
    window = Window(io.BytesIO(bytes(content)), 3 << 20)
    assert window.find(b"mark", 0) == place
    assert window.find(b"mark", place) == place
    assert window.find(b"mark", place + 1) is None
    assert Window(io.BytesIO(bytes(content)), place + 3).find(b"mark", 0) is None


def test_many_marks_are_found_in_one_reading() -> None:
    stream = Counting((b"mark" + bytes(96)) * 30_000)
    window, position, found = Window(stream, 3_000_000), 0, 0
    while (place := window.find(b"mark", position)) is not None:
        position, found = place + 1, found + 1
    assert found == 30_000
    assert stream.count < 3_100_000


def test_nothing_stands_behind_where_a_file_can_end() -> None:
    assert read_at(io.BytesIO(b"0123"), 1 << 63, 4) == b""
    assert read_at(io.BytesIO(b"0123"), 1 << 90, 4) == b""


@pytest.mark.parametrize("size", [(1 << 63) - 20, (1 << 63) - 1, (1 << 64) - 30])
@pytest.mark.parametrize("mark", [b"desc", b"data"])
def test_a_chunk_that_claims_more_than_any_file_has_is_no_fault_of_ours(tmp_path: Path, mark: bytes, size: int) -> None:
    """Sizes of 64 bits add up to positions that no file has: read as far as it goes, or refused in our words."""
    path = tmp_path / "a.caf"
    soundfile.write(path, np.zeros(8000, np.float32), 8000, format="CAF", subtype="PCM_16")
    content = path.read_bytes()
    at = content.index(mark) + 4
    path.write_bytes(content[:at] + size.to_bytes(8, "big") + content[at + 8 :])
    with contextlib.suppress(DecodeError), open_audio(str(path)) as audio:
        assert all(np.isfinite(block).all() for block in audio.blocks(rate_hz=8000))
