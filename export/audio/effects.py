"""What training clips are made to sound like besides the clip as it is, so that a network hears more than there is.

Recipes of the field hear noise, shifts, another pitch and another speed, those for calls how a clip of a studio sounds
in a call. Everything is drawn from the content of the clip and a seed. Samples are float32 (n,) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import soxr

from export.audio.noise import traffic, with_noise
from export.audio.telephone import CODECS, LINE_HZ, draw_line, level_dbfs, recode, transmit
from sertag.records import FloatArray

SNR_DB = (10.0, 30.0)
SHIFT_S = 0.5
PITCH_SEMITONES = (-2.0, 2.0)
SPEEDS = (0.85, 1.15)

NOISY_LINE = "noisy_line"
STRETCH_S = 3.1  # a window and what resampling may take
CALL_SPEEDS = (0.88, 1.12)
_STREET_SNR_DB = (8.0, 25.0)
_STORED = 0.7  # share of the calls that the archive codes


def augment(samples: FloatArray, *, kind: str, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """Change a clip, n >= 1, by a random amount; `kind` is one of `KINDS`. Only `speed` changes the length.

    >>> augment(np.ones(8000, np.float32), kind="shift", rate_hz=8000, rng=np.random.default_rng(1)).shape
    (8000,)
    """
    changed = _CHANGES[kind](samples, rate_hz, rng)
    return np.clip(changed, -1, 1).astype(np.float32)


def noisy_line(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """From a street over a telephone line into an archive that may code it: float32 (n,) -> (m,), both at 8 kHz.

    The speaker talks a little faster or slower, somewhere in a stretch that is as long as a window.

    >>> noisy_line(np.ones(800, np.float32), np.random.default_rng(1)).shape
    (24800,)
    """
    rng.random()  # decides nothing any more; without it all renderings, and all figures, would be others
    snr_db = float(rng.uniform(*_STREET_SNR_DB))
    stored_as = str(rng.choice(list(CODECS))) if rng.random() < _STORED else None
    call, loud_dbfs = _in_a_call(samples, rng), level_dbfs(samples)
    street = traffic(len(call), rate_hz=LINE_HZ, rng=rng)
    noisy = with_noise(call, street, noise_rms=10 ** ((loud_dbfs - snr_db) / 20))
    received = transmit(noisy, line=draw_line(rng), speech_dbfs=loud_dbfs, rng=rng)
    return received if stored_as is None else recode(received, codec=stored_as)


def _in_a_call(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """At another speed, and with silence around that fills a window."""
    spoken = soxr.resample(samples, LINE_HZ * float(rng.uniform(*CALL_SPEEDS)), LINE_HZ).astype(np.float32)
    room = max(0, round(STRETCH_S * LINE_HZ) - len(spoken))
    before = int(rng.uniform(0, room))
    return np.pad(spoken, (before, room - before))


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
