"""What training clips are made to sound like: seeded, bounded, of the right length, whatever the clip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.audio.effects import KINDS, PITCH_SEMITONES, SHIFT_S, SNR_DB, SPEEDS, augment
from tests.conftest import speech_like

librosa = pytest.importorskip("librosa", reason="the extra `export` is not installed")

RATE_HZ = 22050
SEEDS = st.integers(0, 2**32)

pytestmark = pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")  # librosa on clips of under a frame


def changed(samples: np.ndarray, kind: str, *, seed: int = 1, rate_hz: int = RATE_HZ) -> np.ndarray:
    return augment(samples, kind=kind, rate_hz=rate_hz, rng=np.random.default_rng(seed))


def tone(seconds: float, *, hz: float = 440.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def loudest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * RATE_HZ))
    return float(spectrum.argmax() / 8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 10, 100, 2047, RATE_HZ])
def test_any_clip_stays_sound(kind, count):
    """A clip of ten samples, silence or full scale must not end a training of hours."""
    noise = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    for samples in (np.zeros(count, np.float32), noise, np.ones(count, np.float32)):
        before = samples.copy()
        found = changed(samples, kind)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert np.abs(found).max() <= 1
        shortest, longest = (count / speed for speed in SPEEDS[::-1]) if kind == "speed" else (count, count)
        assert max(1, np.floor(shortest)) <= len(found) <= np.ceil(longest)
        np.testing.assert_array_equal(samples, before)  # what was decoded once is changed in several ways


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind):
    samples = speech_like(1.0, rate_hz=RATE_HZ)
    np.testing.assert_array_equal(changed(samples, kind), changed(samples, kind))
    other = changed(samples, kind, seed=2)
    assert len(other) != len(changed(samples, kind)) or np.abs(other - changed(samples, kind)).max() > 1e-3
    assert len(other) != len(samples) or np.abs(other - samples).max() > 1e-3


@given(seed=SEEDS, level=st.floats(1e-4, 0.2))
def test_noise_is_ten_to_thirty_db_under_the_clip(seed, level):
    samples = (level * np.sin(np.arange(8000))).astype(np.float32)
    noise = changed(samples, "noise", seed=seed) - samples
    snr_db = 10 * np.log10(np.mean(samples**2) / np.mean(noise**2))
    assert SNR_DB[0] - 0.5 < snr_db < SNR_DB[1] + 0.5
    assert np.abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.1  # white


def test_silence_stays_silence():
    assert not changed(np.zeros(8000, np.float32), "noise").any()


@given(seed=SEEDS, count=st.integers(1, 30000))
def test_a_shift_loses_nothing(seed, count):
    samples = np.arange(1, count + 1, dtype=np.float32) / count
    found = changed(samples, "shift", seed=seed)
    start = int(found.argmin())  # where the first sample went
    np.testing.assert_array_equal(np.roll(found, -start), samples)
    if count > 2 * SHIFT_S * RATE_HZ:
        assert min(start, count - start) <= round(SHIFT_S * RATE_HZ)


@pytest.mark.parametrize("seed", range(6))
def test_pitch_changes_and_length_does_not(seed):
    samples = tone(1.0)
    found = changed(samples, "pitch", seed=seed)
    drawn = np.random.default_rng(seed).uniform(*PITCH_SEMITONES)
    assert len(found) == len(samples)
    assert 12 * np.log2(loudest_hz(found) / 440) == pytest.approx(drawn, abs=0.15)


@pytest.mark.parametrize("seed", range(6))
def test_speed_changes_and_pitch_does_not(seed):
    samples = tone(1.0)
    found = changed(samples, "speed", seed=seed)
    drawn = np.random.default_rng(seed).uniform(*SPEEDS)
    assert len(found) == pytest.approx(len(samples) / drawn, abs=1)
    assert loudest_hz(found) == pytest.approx(440, abs=4)
