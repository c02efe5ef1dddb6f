"""Frames are found behind junk, and not in it."""

from __future__ import annotations

import io

import numpy as np
import pytest

from sertag.audio.containers.frames.sync import find_frames

ADTS = bytes([0xFF, 0xF1, 0x50, 0x80, 25, 0x1F, 0xFC]) + bytes(193)  # AAC of 44.1 kHz and two channels, 200 bytes
AC3 = b"\x0b\x77\0\0" + bytes([0x1C, 0x40]) + bytes(1530)  # 48 kHz, 384 kbit/s, 1,536 bytes
EAC3 = b"\x0b\x77" + (0x100).to_bytes(2, "big") + bytes([0x3F, 0x86]) + bytes(508)  # 257 words
PACKET = b"G" + bytes(187)
JUNK = np.random.default_rng(3).bytes(20_000)


def found(content: bytes) -> int | None:
    return find_frames(io.BytesIO(content), 0, min(len(content), 1 << 16))


@pytest.mark.parametrize("frame", [ADTS, AC3, EAC3, PACKET])
@pytest.mark.parametrize("count", [0, 1, 50, 1000, 20_000])
def test_frames_behind_junk(frame: bytes, count: int) -> None:
    assert found(JUNK[:count] + frame * 8) == count


@pytest.mark.parametrize("frame", [ADTS, AC3, EAC3, PACKET])
def test_too_few_frames_prove_nothing(frame: bytes) -> None:
    assert found(JUNK[:500] + frame + JUNK[:5000]) is None
    assert found(JUNK[:500] + frame) is None


def test_frames_of_different_kinds_prove_nothing() -> None:
    other = ADTS[:2] + b"\x4c" + ADTS[3:]
    assert found((ADTS + other) * 2 + JUNK[:1000]) is None


def test_chance_is_no_stream() -> None:
    for seed in range(30):
        assert found(np.random.default_rng(seed).bytes(100_000)) is None
    for byte in (b"\xff", b"G", b"\x0b", b"\0"):
        assert found(byte * 700) is None
