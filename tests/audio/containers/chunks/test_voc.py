"""The blocks of VOC files: where their samples are, however they are cut up and whatever their sizes say."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from sertag.audio.containers.chunks.voc import voc_layout
from sertag.audio.containers.layout import Layout
from sertag.audio.decode import open_audio
from sertag.records import Problem
from tests.audio_files import tones

HEAD = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x0114, 0x111F)
SAMPLES = np.round(tones(3)[:, 0] * 32767).astype("<i2")


def block(kind: int, body: bytes, *, size: int | None = None) -> bytes:
    return bytes([kind]) + (len(body) if size is None else size).to_bytes(3, "little") + body


def new_sound(rate_hz: int = 8000, channels: int = 1, codec: int = 4, bits: int = 16) -> bytes:
    return struct.pack("<IBBHI", rate_hz, bits, channels, codec, 0)


def voc(*sizes: int | None, samples: np.ndarray = SAMPLES, end: bytes = b"\0", blocks: int = 24) -> bytes:
    """A file of blocks of 2,000 bytes; `sizes` are those that the first blocks claim."""
    pieces = [part.tobytes() for part in np.array_split(samples, blocks)]
    claimed = [*sizes, *[None] * len(pieces)]
    bodies = [new_sound() + pieces[0], *pieces[1:]]
    kinds = [9, *[2] * (len(pieces) - 1)]
    return HEAD + b"".join(block(*two, size=size) for *two, size in zip(kinds, bodies, claimed)) + end  # noqa: B905


def measure(content: bytes) -> Layout:
    return voc_layout(io.BytesIO(content), start=0, size_bytes=len(content))


def heard(tmp_path: Path, content: bytes) -> tuple[np.ndarray, int, Problem | None]:
    path = tmp_path / "call.voc"
    path.write_bytes(content)
    with open_audio(str(path)) as audio:
        return np.concatenate(list(audio.blocks(rate_hz=audio.rate_hz)), axis=1), audio.rate_hz, audio.problem


def test_heads_of_further_blocks_are_no_samples(tmp_path: Path) -> None:
    found, rate_hz, problem = heard(tmp_path, voc())
    assert (rate_hz, problem) == (8000, None)
    assert np.array_equal(np.round(found[0] * 32768).astype("<i2"), SAMPLES)


@pytest.mark.parametrize("end", [b"", b"\0", b"\0" * 700, b"\0" + b"TAG" + bytes(125)])
def test_ends_of_a_whole_file(tmp_path: Path, end: bytes) -> None:
    found, _, problem = heard(tmp_path, voc(end=end))
    assert (found.shape[1], problem) == (24_000, None)


def test_what_follows_the_end_mark_is_named(tmp_path: Path) -> None:
    found, _, problem = heard(tmp_path, voc() + b"unknown" * 100)
    assert found.shape[1] == 24_000
    assert problem is not None
    assert problem.code == "trailing_data"


@pytest.mark.parametrize("sizes", [(1500,), (2019,), (2500,), (10_000,), (None, None, 7), (None, 0), (0,)])
def test_behind_a_wrong_size_the_next_blocks_are_found(tmp_path: Path, sizes: tuple[int | None, ...]) -> None:
    found, _, problem = heard(tmp_path, voc(*sizes))
    assert np.array_equal(np.round(found[0] * 32768).astype("<i2"), SAMPLES)
    assert problem is not None
    assert problem.code == "stale_header"
    assert "wrong size" in problem.message


def test_a_little_that_is_no_block_behind_the_last_one_is_named(tmp_path: Path) -> None:
    found, _, problem = heard(tmp_path, voc(end=b"\xee" * 5000))
    assert found.shape[1] == 24_000
    assert problem is not None
    assert problem.message.split(": ", 1)[1].startswith("5000 bytes behind its end")


@pytest.mark.parametrize(("size", "code"), [(12, None), (0, None), (0xFFFFFF, None), (20_000, "stale_header")])
def test_one_block_is_read_to_the_end_of_the_file(tmp_path: Path, size: int, code: str | None) -> None:
    found, _, problem = heard(tmp_path, voc(size, blocks=1, end=b""))
    assert found.shape[1] == 24_000
    assert (problem and problem.code) == code


@pytest.mark.parametrize("size", [0xFFFFFF, 700_000])
def test_quiet_samples_are_not_taken_for_blocks(tmp_path: Path, size: int) -> None:
    quiet = np.random.default_rng(3).integers(-9, 10, 200_000).astype("<i2")
    content = voc(size, samples=quiet, end=b"", blocks=1)
    samples, _, problem = heard(tmp_path, content)
    assert samples.shape[1] == len(quiet)
    assert (problem is None) == (size == 0xFFFFFF)


def test_a_cut_file_gives_what_is_left_and_says_so(tmp_path: Path) -> None:
    whole = voc(blocks=1)
    found, _, problem = heard(tmp_path, whole[: len(whole) // 2])
    assert found.shape[1] == pytest.approx(12_000, abs=20)
    assert problem is not None
    assert problem.code == "truncated"
    assert "announces 3.000 s" in problem.message


def test_joined_files_are_all_read(tmp_path: Path) -> None:
    found, _, problem = heard(tmp_path, voc() + voc(blocks=5) + voc(blocks=1, end=b""))
    assert (found.shape[1], problem) == (72_000, None)


def test_blocks_of_silence_are_silence(tmp_path: Path) -> None:
    sound = block(9, new_sound() + SAMPLES.tobytes())
    silence = block(3, struct.pack("<HB", 3999, 131))  # 4,000 samples of 8,000 a second
    found, _, problem = heard(tmp_path, HEAD + silence + sound + silence + block(2, SAMPLES.tobytes()) + b"\0")
    assert (found.shape[1], problem) == (56_000, None)
    assert not found[0, :4000].any()
    assert not found[0, 28_000:32_000].any()


def test_silence_takes_no_memory() -> None:
    sound = block(9, new_sound(0xFFFFFFFF, 255) + bytes(100))
    content = HEAD + sound + block(3, b"\xff\xff\x83") * 50_000 + sound + b"\0"
    layout = measure(content)
    assert len(layout.pieces) < 3_000_000
    assert len({id(piece) for piece in layout.pieces if isinstance(piece, bytes)}) < 10


def test_notes_marks_and_loops_are_passed(tmp_path: Path) -> None:
    extra = block(4, b"\1\0") + block(5, b"a call\0") + block(6, b"\2\0")
    sound = block(9, new_sound() + SAMPLES.tobytes())
    found, _, problem = heard(tmp_path, HEAD + extra + sound + block(7, b"") + b"\0")
    assert (found.shape[1], problem) == (24_000, None)


@pytest.mark.parametrize(
    "note", [block(8, struct.pack("<HBB", 65_536 - 32_000, 4, 0), size=999), block(5, b"a call\0", size=999)]
)
def test_wrong_sizes_of_blocks_without_sound_cost_nothing(tmp_path: Path, note: bytes) -> None:
    content = voc()
    found, _, problem = heard(tmp_path, content[:26] + note + content[26:])
    assert found.shape[1] == 24_000
    assert problem is not None
    assert problem.code == "stale_header"


@pytest.mark.parametrize(
    ("blocks", "rate_hz", "channels"),
    [
        (block(1, bytes([131, 0]) + b"\x90" * 16_000), 8000, 1),
        (block(8, struct.pack("<HBB", 65_536 - 16_000, 0, 1)) + block(1, b"\0\0" + b"\x90" * 16_000), 8000, 2),
        (block(9, new_sound(11_025, 2, 0, 8) + b"\x90" * 16_000), 11_025, 2),
        (block(9, new_sound(8000, 1, 6, 8) + b"\x90" * 16_000), 8000, 1),
        (block(9, new_sound(8000, 2, 7, 8) + b"\x90" * 16_000), 8000, 2),
    ],
)
def test_rates_channels_and_codecs(tmp_path: Path, blocks: bytes, rate_hz: int, channels: int) -> None:
    found, own_hz, problem = heard(tmp_path, HEAD + blocks + b"\0")
    assert (own_hz, found.shape, problem) == (rate_hz, (channels, 16_000 // channels), None)


@pytest.mark.parametrize("codec", [1, 2, 3])
def test_packed_samples_are_for_the_second_decoder(tmp_path: Path, codec: int) -> None:
    pytest.importorskip("av")
    packed = np.random.default_rng(codec).bytes(8000)
    content = HEAD + block(1, bytes([131, codec]) + packed) + block(2, packed) + b"\0"
    found, rate_hz, problem = heard(tmp_path, content)
    assert (rate_hz, problem) == (8000, None)
    assert found.shape[1] == pytest.approx(16_000 * (codec + 1), abs=20)  # of 2.6 bits three are a byte


def test_blocks_of_another_rate_are_named(tmp_path: Path) -> None:
    other = block(9, new_sound(16_000) + SAMPLES.tobytes()) + b"\0"
    found, _, problem = heard(tmp_path, voc(end=b"") + other)
    assert found.shape[1] == 24_000
    assert problem is not None
    assert problem.code == "trailing_data"


def test_files_cut_anywhere_are_no_error() -> None:
    content = HEAD + block(3, b"\1\0\x83") + block(8, bytes(4)) + block(9, new_sound() + bytes(10)) + b"\0"
    for count in range(len(content)):
        assert 0 <= measure(content[:count]).end <= max(26, count)
