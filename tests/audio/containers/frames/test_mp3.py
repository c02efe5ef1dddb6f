"""All frames of an MP3 are found, whatever lies around and between them."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest

from sertag.audio.containers.frames.mp3 import mpeg_layout
from tests.audio_files import encoded, tones


def frame(*, second: int = 0xFB, third: int = 0x90, fourth: int = 0x64, size: int) -> bytes:
    return bytes([0xFF, second, third, fourth]) + bytes(size - 4)


@pytest.mark.parametrize(
    ("second", "third", "size"),
    [
        (0xFB, 0x90, 417),  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz
        (0xFB, 0x92, 418),  # the same, padded
        (0xF3, 0x88, 288),  # MPEG-2 layer III, 64 kbit/s, 16 kHz
        (0xE3, 0x48, 288),  # MPEG-2.5 layer III, 32 kbit/s, 8 kHz
        (0xFD, 0x84, 384),  # MPEG-1 layer II, 128 kbit/s, 48 kHz
        (0xFF, 0x14, 32),  # MPEG-1 layer I, 32 kbit/s, 48 kHz
    ],
)
def test_frame_lengths(second: int, third: int, size: int) -> None:
    frames = frame(second=second, third=third, size=size) * 5
    layout = mpeg_layout(io.BytesIO(frames), start=0, size_bytes=len(frames))
    assert layout is not None
    assert layout.pieces == (range(0, 5 * size),)
    assert (layout.declared_ratio, layout.notes) == (1, ())


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_real_files_are_one_run(rate_hz: int, channels: int) -> None:
    content = encoded(tones(3, rate_hz=rate_hz, channels=channels), rate_hz=rate_hz, format="MP3")
    layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
    assert layout is not None
    assert sum(len(piece) for piece in layout.pieces) == len(content)
    assert (layout.declared_ratio, layout.notes) == (1, ())


def test_junk_between_frames_is_left_out_and_counted() -> None:
    content = b"junk" + frame(size=417) * 4 + b"\xff\xfb\xf0 torn" + frame(size=417) * 4 + b"end"
    layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
    assert layout is not None
    assert layout.pieces == (range(4, 1672), range(1680, 3348))
    assert "8 bytes in its middle" in layout.notes[0].message
    assert layout.end == 3348


def test_a_cut_frame_is_left_out_and_told() -> None:
    content = frame(size=417) * 4 + frame(size=417)[:100]
    layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
    assert layout is not None
    assert layout.pieces == (range(0, 1668),)
    assert [note.message for note in layout.notes] == ["it ends inside a frame"]


def test_frames_of_another_kind_do_not_continue_a_recording() -> None:
    content = frame(size=417) * 4 + frame(second=0xF3, third=0x88, size=288) * 4
    layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
    assert layout is not None
    assert (layout.pieces, layout.end) == ((range(0, 1668),), 1668)
    following = mpeg_layout(io.BytesIO(content), start=layout.end, size_bytes=len(content))
    assert following is not None
    assert following.pieces == (range(1668, len(content)),)


@pytest.mark.parametrize("container", [b"RIFF\0\0\0\0WAVEfmt ", b"fLaC\0\0\0\x22", b"OggS\0\x02"])
def test_a_recording_ends_where_another_one_begins(container: bytes) -> None:
    frames = frame(size=417) * 4
    content = frames + container + bytes(100) + frames
    layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
    assert layout is not None
    assert (layout.pieces, layout.end) == ((range(0, 1668),), 1668)


def test_frames_of_several_bit_rates_get_a_tag_with_their_number() -> None:
    content = frame(size=417) * 4 + frame(third=0xA0, size=522) * 3 + frame(size=417) * 2
    layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
    assert layout is not None
    tag, run = layout.pieces
    assert run == range(0, len(content))
    assert isinstance(tag, bytes)
    assert tag[:4] == b"\xff\xfb\x10\x64"  # the smallest frame of that kind that has room for a tag
    assert len(tag) == 104
    assert tag[36:52] == b"Xing\0\0\0\x03" + (9).to_bytes(4, "big") + (len(content) + 104).to_bytes(4, "big")


@pytest.mark.parametrize(("second", "third", "longer", "size"), [(0xFD, 0x84, 0x94, 384), (0xFF, 0x14, 0x24, 32)])
def test_layers_without_tags_are_for_the_second_decoder(second: int, third: int, longer: int, size: int) -> None:
    lengths = {0x94: 480, 0x24: 64}
    content = frame(second=second, third=third, size=size) * 4
    content += frame(second=second, third=longer, size=lengths[longer]) * 4
    layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
    assert layout is not None
    assert (layout.pieces, layout.prefers_av) == ((range(0, len(content)),), True)


def test_chance_is_no_mp3() -> None:
    for content in (np.random.default_rng(0).bytes(1 << 20), b"\xff" * (1 << 20), bytes(1 << 20), b"", b"\xff\xfb\x90"):
        assert mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content)) is None


def test_long_runs_of_ones_are_passed_quickly() -> None:
    content = frame(size=417) * 4 + b"\xff" * (16 << 20)
    before_s = time.process_time()
    assert mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content)) is not None
    assert time.process_time() - before_s < 5  # byte by byte it would be half a minute


def test_crumbs_are_no_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gap makes another run, and runs take memory."""
    monkeypatch.setattr("sertag.audio.containers.frames.mp3._MOST_RUNS", 50)
    crumb = frame(second=0xF3, third=0x18, size=36) * 4 + b"crumbs"
    for count, found in ((50, True), (52, False)):
        content = crumb * count
        layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
        assert (layout is not None) == found


@pytest.mark.parametrize("place", [*range(36, 64)])
@pytest.mark.parametrize("size", [24, 48])
def test_a_tag_without_room_is_none(place: int, size: int) -> None:
    """As a fuzzer wrote one: behind the place where tags are, or in a recording that ends in it."""
    third = {24: 0x14, 48: 0x34}[size]  # MPEG-2 layer III, 8 and 24 kbit/s, 24 kHz
    content = bytearray(frame(second=0xF3, third=third, size=size) * 4)
    content[place : place + 16] = (b"Xing" + bytes([0, 0, 0, 3]) + bytes([0, 0, 0, 9]) * 2)[: len(content) - place]
    layout = mpeg_layout(io.BytesIO(content), start=0, size_bytes=len(content))
    assert layout is None or sum(len(piece) for piece in layout.pieces) <= len(content)
