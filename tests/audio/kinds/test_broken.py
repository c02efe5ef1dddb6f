"""Recordings that are cut, unfinished or damaged, or whose header is stale: no second is lost without a note.

Where FFmpeg stops early, as at the end that a stale header gives, more than it plays is expected: the length is known
from how the file was made.
"""

from __future__ import annotations

import re
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sertag.errors import DecodeError
from tests.audio.kinds.recordings import (
    ALL,
    INDEXED,
    NEAR_S,
    OTHERS,
    SECONDS,
    STREAMS,
    WAVES,
    ffmpeg,
    heard,
    played_s,
    put,
    recording,
)

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed, it writes the files")
pytest.importorskip("av", reason="PyAV is not installed, the extra `av` brings it")

COARSE = {"ogg flac", "ogg opus", "ogg vorbis", "mkv vorbis", "tta"}  # a page or frame lasts about a second
NO_LENGTH = STREAMS | {"mp2", "mp3 vbr without tag", "avi pcm"}  # whose end looks like any other place


@pytest.mark.parametrize("kind", sorted(ALL.keys() - INDEXED - {"wavpack"}))
@pytest.mark.parametrize("share", [0.3, 0.77])
def test_a_cut_file_gives_what_is_left_and_says_what_is_missing(tmp_path: Path, kind: str, share: float) -> None:
    whole = recording(kind)
    seconds, channels, problem = heard(put(tmp_path, whole[: int(len(whole) * share)]))
    assert channels == 2
    assert seconds == pytest.approx(share * SECONDS, abs=1.0 if kind in COARSE else 0.3)
    if kind not in NO_LENGTH:
        assert problem is not None
        assert problem.code == "truncated"


@pytest.mark.parametrize("kind", sorted(INDEXED))
def test_a_file_without_its_index_is_refused_and_told_why(tmp_path: Path, kind: str) -> None:
    whole = recording(kind)
    with pytest.raises(DecodeError, match="CAF" if kind == "caf alac" else r"moov|index"):
        heard(put(tmp_path, whole[: int(len(whole) * 0.77)]))


def test_a_cut_wavpack_file_whose_only_block_is_cut_is_refused(tmp_path: Path) -> None:
    whole = recording("wavpack")
    with pytest.raises(DecodeError, match="holds no audio that can be decoded"):
        heard(put(tmp_path, whole[: int(len(whole) * 0.3)]))


def sized(content: bytes, name: bytes, size: int, *, width: int = 4, big: bool = False, counted: int = 0) -> bytes:
    """A chunked file with another size in the chunk of that name."""
    place = content.index(name) + (16 if width == 8 and name.startswith(b"data\xf3") else len(name))
    return content[:place] + (size + counted).to_bytes(width, "big" if big else "little") + content[place + width :]


HEADERS: dict[str, Callable[[bytes, int], bytes]] = {
    "wav pcm_s16le": lambda content, size: sized(content, b"data", size),
    "wav pcm_mulaw": lambda content, size: sized(content, b"data", size),
    "wav pcm_f32le": lambda content, size: sized(content, b"data", size),
    "wav adpcm_ms": lambda content, size: sized(content, b"data", size),
    "w64 pcm_s16le": lambda content, size: sized(content, b"data\xf3", size, width=8, counted=24),
    "au pcm_s16be": lambda content, size: content[:8] + struct.pack(">I", size) + content[12:],
    "au pcm_mulaw": lambda content, size: content[:8] + struct.pack(">I", size) + content[12:],
    "caf pcm_s16be": lambda content, size: sized(content, b"data", size + 4, width=8, big=True),
    "aiff pcm_s16be": lambda content, size: sized(content, b"SSND", size + 8, big=True),
}
# Of containers that do not say how much sound there is, sizes that are wrong and cost nothing.
WRONG: dict[str, Callable[[bytes], bytes]] = {
    "voc pcm_s16le": lambda content: content[:27] + (5000).to_bytes(3, "little") + content[30:],
    "voc pcm_u8": lambda content: content[:27] + (999).to_bytes(3, "little") + content[30:],
    "voc pcm_alaw": lambda content: content[:27] + b"\xff\xff\xff" + content[30:],
    "m4a aac": lambda content: grown(content, b"moov", -7),
    "m4a alac": lambda content: grown(content, b"moov", 7),
    "3gp aac": lambda content: grown(content, b"moov", -7),
    "mkv pcm": lambda content: without_sizes(content),
    "mkv opus": lambda content: without_sizes(content),
    "webm opus": lambda content: without_sizes(content),
    "ogg vorbis": lambda content: unplaced(content),
}


def grown(content: bytes, name: bytes, count: int) -> bytes:
    """An MP4 file with its index in front, and a box of another size; FFmpeg writes the index behind."""
    with tempfile.TemporaryDirectory() as folder:
        path = put(Path(folder), content)
        content = ffmpeg("-i", str(path), "-c", "copy", "-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "pipe:1")
    place = content.index(name) - 4
    size = int.from_bytes(content[place : place + 4], "big") + count
    return content[:place] + size.to_bytes(4, "big") + content[place + 4 :]


def without_sizes(content: bytes) -> bytes:
    """A Matroska file whose segment and clusters have sizes of zero."""
    changed = bytearray(content)
    for match in re.finditer(rb"\x18\x53\x80\x67|\x1f\x43\xb6\x75(?=[^\x53])", content):
        width = 9 - content[match.end()].bit_length()
        changed[match.end() : match.end() + width] = (1 << 7 * width).to_bytes(width, "big")
    return bytes(changed)


def unplaced(content: bytes) -> bytes:
    """An Ogg file whose last page has no position, with the checksum of that."""
    place = content.rindex(b"OggS")
    page = (
        content[place : place + 6] + b"\xff" * 8 + content[place + 14 : place + 22] + bytes(4) + content[place + 26 :]
    )
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    return content[:place] + page[:22] + checksum.to_bytes(4, "little") + page[26:]


@pytest.mark.parametrize("kind", WRONG)
def test_sizes_that_are_wrong_cost_nothing(tmp_path: Path, kind: str) -> None:
    seconds, channels, problem = heard(put(tmp_path, WRONG[kind](recording(kind))))
    assert channels == 2
    assert seconds == pytest.approx(SECONDS, abs=NEAR_S)
    assert problem is None or problem.code in {"stale_header", "truncated"}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_size_of_zero_is_what_recorders_leave_that_were_stopped(tmp_path: Path, kind: str) -> None:
    assert heard(put(tmp_path, HEADERS[kind](recording(kind), 0))) == (pytest.approx(SECONDS, abs=NEAR_S), 2, None)


@pytest.mark.parametrize("kind", HEADERS)
def test_what_was_recorded_behind_a_stale_size_is_read_and_named(tmp_path: Path, kind: str) -> None:
    whole = recording(kind)
    seconds, _, problem = heard(put(tmp_path, HEADERS[kind](whole, len(whole) // 4 // 256 * 256)))
    assert seconds == pytest.approx(SECONDS, abs=NEAR_S)
    assert problem is not None
    assert problem.code == "stale_header"


@pytest.mark.parametrize("kind", HEADERS)
def test_more_than_there_is_is_announced(tmp_path: Path, kind: str) -> None:
    whole = recording(kind)
    seconds, _, problem = heard(put(tmp_path, HEADERS[kind](whole, 2 * len(whole))))
    assert seconds == pytest.approx(SECONDS, abs=NEAR_S)
    assert problem is not None
    assert problem.code == "truncated"
    assert f"announces {2 * SECONDS:.0f}" in problem.message or "announces 12" in problem.message


@pytest.mark.parametrize("kind", sorted(HEADERS.keys() - {"caf pcm_s16be", "w64 pcm_s16le"}))
@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFF0])
def test_placeholders_are_no_announcement(tmp_path: Path, kind: str, size: int) -> None:
    assert heard(put(tmp_path, HEADERS[kind](recording(kind), size))) == (pytest.approx(SECONDS, abs=NEAR_S), 2, None)


@pytest.mark.parametrize("kind", WAVES)
def test_what_is_not_understood_behind_the_end_is_named(tmp_path: Path, kind: str) -> None:
    whole_s, _, _ = heard(put(tmp_path, recording(kind)))
    seconds, _, problem = heard(put(tmp_path, recording(kind) + b"\x01?unknown\x02" * 50))
    assert seconds == pytest.approx(whole_s, abs=0.01)
    assert problem is not None
    assert problem.code == "trailing_data"


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
@pytest.mark.parametrize("sizes", [bytes(28), b"\xff" * 24 + bytes(4)])
def test_unfinished_long_files(tmp_path: Path, magic: bytes, sizes: bytes) -> None:
    plain = recording("wav pcm_s16le")
    form = plain[plain.index(b"fmt ") :][:24]
    data = plain[plain.index(b"data") + 8 :]
    content = (
        magic + b"\xff" * 4 + b"WAVE" + b"ds64" + struct.pack("<I", 28) + sizes + form + b"data\xff\xff\xff\xff" + data
    )
    assert heard(put(tmp_path, content)) == (SECONDS, 2, None)


@pytest.mark.parametrize(
    "kind", sorted(OTHERS.keys() - {"mov pcm", "mkv pcm", "avi pcm", "mp2", "tta", "adts aac", "ac3"})
)
def test_damage_keeps_the_clock(tmp_path: Path, kind: str) -> None:
    whole = bytearray(recording(kind))
    place = len(whole) * 3 // 5
    whole[place : place + 400] = np.random.default_rng(5).bytes(400)
    path = put(tmp_path, bytes(whole))
    seconds, _, problem = heard(path)
    if kind in {"mp3 cbr", "mp3 vbr", "mp3 vbr without tag", "wavpack"}:
        assert seconds >= played_s(path) - NEAR_S
    else:
        assert seconds == pytest.approx(SECONDS, abs=NEAR_S + 0.1)
    assert problem is None or problem.code in {"truncated", "gaps"}
