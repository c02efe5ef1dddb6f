"""What training clips are made to sound like, so that a network hears more than the recordings there are.

Samples are float32 (n,) in [-1, 1]. Pitch and speed are changed by librosa's phase vocoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sertag.records import FloatArray

SNR_DB = (10.0, 30.0)
SHIFT_S = 0.5
PITCH_SEMITONES = (-2.0, 2.0)
SPEEDS = (0.85, 1.15)


def augment(samples: FloatArray, *, kind: str, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """Change a clip, float32 (n,), n >= 1, by a random amount; `kind` is one of `KINDS`.

    Returns:
        float32, of another length only for `speed`.

    >>> augment(np.ones(8000, np.float32), kind="shift", rate_hz=8000, rng=np.random.default_rng(1)).shape
    (8000,)
    """
    changed = _CHANGES[kind](samples, rate_hz, rng)
    return np.clip(changed, -1, 1).astype(np.float32)


def _noise(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """White noise, 10 to 30 dB under the clip."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) / 10 ** (rng.uniform(*SNR_DB) / 10)
    return np.asarray(samples + np.sqrt(power) * rng.standard_normal(len(samples)))


def _shift(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """Earlier or later by up to half a second; what leaves at one end comes in at the other."""
    return np.roll(samples, round(rng.uniform(-SHIFT_S, SHIFT_S) * rate_hz))


def _pitch(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """Up or down by up to two semitones."""
    import librosa

    return np.asarray(librosa.effects.pitch_shift(samples, sr=rate_hz, n_steps=rng.uniform(*PITCH_SEMITONES)))


def _speed(samples: FloatArray, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """Faster or slower by up to 15 %, at the same pitch."""
    import librosa

    return np.asarray(librosa.effects.time_stretch(samples, rate=rng.uniform(*SPEEDS)))


_CHANGES: Mapping[str, Callable[[FloatArray, int, np.random.Generator], FloatArray]] = {
    "noise": _noise,
    "shift": _shift,
    "pitch": _pitch,
    "speed": _speed,
}
KINDS = tuple(_CHANGES)
