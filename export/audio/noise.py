"""What is heard beside a speaker: other people who talk at once, and traffic. Samples are float32 (n,)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft

from sertag.records import FloatArray

BABBLE_VOICES = 8
_SWELL_S, _SWELL_DB = 2, 6.0


def talk_at_once(voices: Sequence[FloatArray]) -> FloatArray:
    """Babble of the first voices, each float32 (n,), all as loud: float32 (m,), as long as the shortest of them.

    >>> talk_at_once([np.ones(5, np.float32), np.ones(3, np.float32)]).shape
    (3,)
    """
    chosen = [voice / max(1e-6, rms(voice)) for voice in voices[:BABBLE_VOICES]]
    length = min(len(voice) for voice in chosen)
    return np.asarray(np.sum([voice[:length] for voice in chosen], axis=0), dtype=np.float32)


def traffic(count: int, *, rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """Noise of a street, float32 (count,): it falls by 6 dB an octave and swells and fades over seconds.

    >>> traffic(80, rate_hz=8000, rng=np.random.default_rng(1)).shape
    (80,)
    """
    size = scipy.fft.next_fast_len(count, real=True)
    freqs_hz = np.maximum(scipy.fft.rfftfreq(size, 1 / rate_hz), 50.0)
    noise = scipy.fft.irfft(scipy.fft.rfft(rng.standard_normal(size)) / freqs_hz, size)[:count]
    turns_db = rng.uniform(-_SWELL_DB, _SWELL_DB, 2 + count // (_SWELL_S * rate_hz))
    level_db = np.interp(np.arange(count), _SWELL_S * rate_hz * np.arange(len(turns_db)), turns_db)
    return np.asarray(noise * 10 ** (level_db / 20), dtype=np.float32)


def with_noise(samples: FloatArray, noise: FloatArray, *, noise_rms: float) -> FloatArray:
    """Noise, float32 (n,), under samples, float32 (n,), brought to a root mean square of its own.

    >>> with_noise(np.zeros(2, np.float32), np.array([3, -3], np.float32), noise_rms=0.5).tolist()
    [0.5, -0.5]
    """
    return np.asarray(samples + noise_rms * noise / max(1e-6, rms(noise)), dtype=np.float32)


def rms(samples: FloatArray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
