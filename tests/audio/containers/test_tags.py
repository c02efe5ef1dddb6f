"""Tags and filler around recordings are passed, and nothing else is."""

from __future__ import annotations

import io
import time

import pytest

from sertag.audio.containers.tags import skip_filler, skip_tags, trim
from tests.audio_files import id3_tag

ITEMS = b"\x05\0\0\0\0\0\0\0Title\0title"


def ape(*, header: bool) -> bytes:
    """An APE tag with one item."""
    size = (len(ITEMS) + 32).to_bytes(4, "little")

    def block(flags: int) -> bytes:
        return (
            b"APETAGEX" + (2000).to_bytes(4, "little") + size + (1).to_bytes(4, "little") + flags.to_bytes(4, "little")
        )

    mark = 1 << 31 if header else 0
    foot = block(mark) + bytes(8)
    return (block(mark | 1 << 29) + bytes(8) if header else b"") + ITEMS + foot


ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
LYRICS = b"LYRICSBEGININD0000200000042LYRICS200"


def skipped(content: bytes, position: int = 0) -> int:
    return skip_tags(io.BytesIO(content), position, len(content))


@pytest.mark.parametrize(
    "tag",
    [
        id3_tag(300),
        id3_tag(300) + id3_tag(5),
        b"ID3\x04\x00\x10" + bytes([0, 0, 0, 4]) + bytes(4) + b"3DI" + bytes(7),
        ape(header=True),
        LYRICS,
        ID3V1,
        ape(header=True) + LYRICS + ID3V1,
    ],
)
def test_tags_are_passed_before_and_behind(tag: bytes) -> None:
    assert skipped(tag + b"rest of it" * 20) == len(tag)
    assert skipped(b"sound" + tag, 5) == 5 + len(tag)


def test_ape_tags_of_the_first_version_stand_at_the_end() -> None:
    assert skipped(b"sound" + ape(header=False), 5) == 5 + len(ape(header=False))
    assert skipped(b"sound" + ape(header=False) + ID3V1, 5) == 5 + len(ape(header=False)) + 128


@pytest.mark.parametrize("content", [b"RIFF", b"", b"ID3", b"TAGalog is a language\1\2\3" * 20, b"ID3\xff" + bytes(20)])
def test_what_is_no_tag_stays(content: bytes) -> None:
    assert skipped(content) == 0


def test_tags_without_end_are_not_followed() -> None:
    tags = id3_tag(0) * 100_000
    start_s = time.monotonic()
    assert skipped(tags) < len(tags)
    assert time.monotonic() - start_s < 1


@pytest.mark.parametrize("filler", [b"\0", b"\xff"])
@pytest.mark.parametrize("count", [1, 65_536, 200_000])
def test_filler_is_passed(filler: bytes, count: int) -> None:
    content = b"ab" + filler * count + b"c"
    assert skip_filler(io.BytesIO(content), 2, len(content)) == 2 + count
    assert skip_filler(io.BytesIO(content), 0, len(content)) == 0
    assert skip_filler(io.BytesIO(content[:-1]), 2, len(content) - 1) == 2 + count


@pytest.mark.parametrize(
    "behind", [b"", ID3V1, ape(header=True), ape(header=False) + ID3V1, bytes(5000), bytes(600) + ID3V1]
)
def test_what_stands_behind_is_trimmed(behind: bytes) -> None:
    content = b"sound" * 100 + behind
    assert trim(io.BytesIO(content), 0, len(content)) == 500


def test_a_few_zeros_belong_to_the_sound() -> None:
    content = b"sound" + bytes(100)
    assert trim(io.BytesIO(content), 0, len(content)) == 105
