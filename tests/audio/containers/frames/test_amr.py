"""Frames of AMR are followed to where they stop being frames."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest

from sertag.audio.containers.frames.amr import amr_layout
from sertag.audio.containers.layout import Layout
from tests.audio_files import id3_tag

NARROW, WIDE = b"#!AMR\n", b"#!AMR-WB\n"
RNG = np.random.default_rng(7)


def talk(count: int, *, wide: bool = False) -> bytes:
    """Frames of 12.2 kbit/s, of 23.85 kbit/s in a wide band, whose bits are random."""
    head, size = (0x44, 60) if wide else (0x3C, 31)
    return b"".join(bytes([head]) + RNG.bytes(size) for _ in range(count))


def pause(count: int) -> bytes:
    return b"\x7c" * count


def measure(content: bytes) -> Layout:
    return amr_layout(io.BytesIO(content), start=0, size_bytes=len(content))


def seconds(content: bytes) -> float:
    """How long what a decoder is shown would last."""
    layout = measure(content)
    shown = b"".join(content[p.start : p.stop] if isinstance(p, range) else p for p in layout.pieces)
    sizes = {0x3C: 32, 0x44: 61 if shown.startswith(WIDE) else 6, 0x7C: 1, 0x04: 13}
    position, count = len(WIDE if shown.startswith(WIDE) else NARROW), 0
    while position < len(shown):
        position += sizes[shown[position]]
        count += 1
    assert position == len(shown)
    return count / 50


@pytest.mark.parametrize("content", [NARROW + talk(50) + pause(50), WIDE + talk(80, wide=True) + pause(20)])
@pytest.mark.parametrize(
    ("behind", "named"),
    [(b"", 0), (id3_tag(3000), 3010), (b"TAG" + bytes(125), 0), (bytes(3), 3), (bytes(90), 0), (b"\xff" * 99, 99)],
)
def test_what_follows_is_no_sound(content: bytes, behind: bytes, named: int) -> None:
    layout = measure(content + behind)
    assert seconds(content + behind) == 2
    assert (layout.end, layout.notes) == (len(content), ())
    assert len(content + behind) - layout.end >= named


@pytest.mark.parametrize("filler", [bytes(3100), b"\xff" * 3100])
def test_much_filler_is_named_because_no_head_says_how_long_it_is(filler: bytes) -> None:
    content = NARROW + talk(50)
    (note,) = measure(content + filler).notes
    assert (note.code, note.message) == ("truncated", "3100 empty bytes follow its last frame, room for 1.938 s")
    assert seconds(content + filler) == 1


def test_junk_behind_is_at_most_a_few_frames() -> None:
    whole = NARROW + talk(200)
    for seed in range(20):
        layout = measure(whole + np.random.default_rng(seed).bytes(40_000))
        assert len(whole) <= layout.end < len(whole) + 300


@pytest.mark.parametrize("junk", [bytes(320), b"\xff" * 320, b"c" * 320])
@pytest.mark.parametrize("wide", [False, True])
def test_damage_becomes_as_much_silence_as_it_lasts(junk: bytes, wide: bool) -> None:
    frames = talk(100, wide=wide)
    size = len(frames) // 100
    damaged = frames[: 40 * size] + (junk * 2)[: 10 * size] + frames[50 * size :]
    content = (WIDE if wide else NARROW) + damaged
    assert sum(map(len, measure(content).pieces)) > 0
    layout = measure(content)
    assert [note.code for note in layout.notes] == ["truncated"]
    assert f"{10 * size} bytes in its middle are damaged and became 0.20 s of silence" in layout.notes[0].message
    assert len(layout.pieces) == 4
    assert layout.pieces[2] == b"\x7c" * 10


def test_lost_bytes_cost_a_few_frames() -> None:
    frames = talk(200)
    content = NARROW + frames[:3210] + frames[3277:]
    layout = measure(content)
    assert layout.end == len(content)
    gap = layout.pieces[3].start - layout.pieces[1].stop  # type: ignore[union-attr]
    assert 0 < gap < 100


def test_a_recording_ends_where_the_next_one_begins() -> None:
    first, second = NARROW + talk(50), WIDE + talk(50, wide=True)
    layout = measure(first + second)
    assert (layout.end, layout.notes) == (len(first), ())


@pytest.mark.parametrize("level", [0x78, 0x7C])
def test_samples_of_a_recording_behind_are_no_frames(level: int) -> None:
    """Quiet samples of eight bits look like frames without anything."""
    first = NARROW + talk(50)
    second = b"RIFF\0\0\0\0WAVEfmt " + bytes([level]) * 20_000 + talk(20)
    assert measure(first + second).end == len(first)
    assert measure(first + b"\xff" + bytes([level]) * 20_000).end == len(first)


def test_a_cut_frame_is_told() -> None:
    layout = measure((NARROW + talk(50))[:-10])
    assert [note.message for note in layout.notes] == ["it ends inside a frame"]


def test_several_channels_are_left_to_decoders() -> None:
    content = b"#!AMR_MC1.0\n" + bytes(4) + talk(50)
    assert measure(content).pieces == ()


def test_crumbs_and_cuts_are_no_error() -> None:
    content = NARROW + b"\x3c" + bytes(31) + b"\xff" * 50
    for count in range(5, len(content)):
        assert measure(content[:count]).end <= count


def test_long_damage_is_passed_quickly() -> None:
    for junk in (RNG.bytes(4 << 20), b"\x04" * (4 << 20), bytes(16 << 20)):
        before_s = time.process_time()
        measure(NARROW + talk(50) + junk + b"\xff" + talk(50))
        assert time.process_time() - before_s < 5
