"""The boxes of MP4 files: what is missing, and where the next file begins."""

from __future__ import annotations

import io

import pytest

from sertag.audio.containers.layout import Layout
from sertag.audio.containers.packets.mp4 import mp4_layout


def box(name: bytes, body: bytes = b"") -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + name + body


def large_box(name: bytes, body: bytes) -> bytes:
    return (1).to_bytes(4, "big") + name + (16 + len(body)).to_bytes(8, "big") + body


def measure(content: bytes, start: int = 0) -> Layout:
    return mp4_layout(io.BytesIO(content), start=start, size_bytes=len(content))


TYPE, INDEX, SOUND = box(b"ftyp", b"M4A "), box(b"moov", bytes(50)), box(b"mdat", bytes(500))


@pytest.mark.parametrize(
    "content", [TYPE + INDEX + SOUND, TYPE + SOUND + INDEX, TYPE + large_box(b"mdat", b"x") + INDEX]
)
def test_a_whole_file(content: bytes) -> None:
    assert (measure(content).end, measure(content).damaged) == (len(content), "")


@pytest.mark.parametrize("wrong_by", [-9, -7, -1, 1, 7, 16])
def test_a_size_that_is_a_little_wrong_is_corrected(wrong_by: int) -> None:
    wrong = (len(INDEX) + wrong_by).to_bytes(4, "big") + INDEX[4:]
    content = TYPE + wrong + SOUND
    layout = measure(content)
    shown = b"".join(content[p.start : p.stop] if isinstance(p, range) else p for p in layout.pieces)
    assert (shown, layout.damaged) == (TYPE + INDEX + SOUND, "")


def test_the_size_of_a_large_box_stands_elsewhere() -> None:
    content = TYPE + large_box(b"moov", bytes(50)) + b"\0\0\0" + SOUND
    assert measure(content).pieces == ()


def test_a_recorder_that_was_stopped_has_not_written_the_index() -> None:
    for sound in (SOUND, SOUND[:100], b"\0\0\0\0mdat" + bytes(400)):
        assert "before it wrote the index (moov)" in measure(TYPE + sound).damaged


def test_a_cut_index() -> None:
    assert "20 bytes of it are missing" in measure(TYPE + SOUND + INDEX[:-20]).damaged


def test_pieces_of_a_recording_need_their_beginning() -> None:
    piece = box(b"styp", b"msdh") + box(b"moof", bytes(20)) + SOUND
    assert "without the beginning" in measure(piece).damaged
    assert measure(TYPE + INDEX + piece + piece).damaged == ""


@pytest.mark.parametrize("first", [TYPE + INDEX + SOUND, TYPE + INDEX + box(b"moof") + SOUND + box(b"mfra")])
def test_the_next_file_begins_with_its_type(first: bytes) -> None:
    content = first + TYPE + INDEX + SOUND
    assert measure(content).end == len(first)
    assert measure(content, start=len(first)).end == len(content)


def test_what_is_no_box_is_not_part_of_it() -> None:
    assert measure(TYPE + INDEX + SOUND + b"\x01\x02\x03\x04\x05\x06\x07\x08 and so on").end == len(
        TYPE + INDEX + SOUND
    )
