"""Clips of a studio as they sound in a call: length, level, place, and that a seed decides everything."""

from __future__ import annotations

import numpy as np
import pytest

from export.audio.effects import CALL_SPEEDS as SPEEDS
from export.audio.effects import STRETCH_S, _in_a_call, noisy_line
from export.audio.telephone import LINE_HZ
from tests.conftest import speech_like


def clip(seconds: float = 1.5, *, level: float = 0.2) -> np.ndarray:
    return speech_like(seconds, seed=1, level=level).astype(np.float32)


def test_a_short_clip_becomes_a_stretch_that_fills_a_window():
    for seed in range(4):
        found = noisy_line(clip(), np.random.default_rng(seed))
        assert found.dtype == np.float32
        assert len(found) == pytest.approx(STRETCH_S * LINE_HZ, rel=0.01)
        assert np.isfinite(found).all()
        assert 0 < np.abs(found).max() <= 1


def test_a_long_clip_keeps_all_of_itself():
    found = noisy_line(clip(5.0), np.random.default_rng(1))
    assert 5.0 * LINE_HZ / SPEEDS[1] * 0.98 <= len(found) <= 5.0 * LINE_HZ / SPEEDS[0] * 1.02


def test_the_seed_decides_everything():
    one, again, other = (noisy_line(clip(), np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert one.shape != other.shape or np.abs(one - other).max() > 1e-3


def test_the_place_is_heard_before_and_after_the_speaker():
    for seed in range(6):
        found = noisy_line(clip(), np.random.default_rng(seed))
        assert np.count_nonzero(found) > 0.9 * len(found)  # no digital silence around the speaker


def test_the_speaker_is_somewhere_in_the_stretch_at_some_speed():
    speech = clip(1.0)
    begins, lengths = [], []
    for seed in range(20):
        found = np.flatnonzero(np.abs(_in_a_call(speech, np.random.default_rng(seed))) > 1e-4)
        begins.append(found[0] / LINE_HZ)
        lengths.append((found[-1] - found[0]) / LINE_HZ)
    assert min(begins) < 0.6 < 1.4 < max(begins) < STRETCH_S
    assert 0.85 < min(lengths) < 0.97 < 1.03 < max(lengths) < 1.2


def test_silence_stays_quiet():
    found = noisy_line(np.zeros(LINE_HZ, np.float32), np.random.default_rng(1))
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 0.5
