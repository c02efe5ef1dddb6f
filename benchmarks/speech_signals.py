"""Signals for `benchmarks.speed.speech_activity`: noises, a telephone, and what is on a line and is no speech.

All are float32 (n,) at 8 kHz in [-1, 1]; every generator of random numbers is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.signal

from sertag.records import FloatArray

RATE_HZ = 8000
_BAND_HZ = (300.0, 3400.0)
_BUSY_S, _DIAL_HZ, _BUSY_HZ, _RING_HZ = 0.5, (350, 440), (480, 620), (440, 480)  # ITU-T E.180, North America
_DTMF_LOW_HZ, _DTMF_HIGH_HZ = (697, 770, 852, 941), (1209, 1336, 1477)  # ITU-T Q.23


def band(samples: FloatArray) -> FloatArray:
    """The telephone's band alone."""
    sections = scipy.signal.butter(4, _BAND_HZ, btype="bandpass", fs=RATE_HZ, output="sos")
    return scipy.signal.sosfilt(sections, samples).astype(np.float32)


def mu_law(samples: FloatArray) -> FloatArray:
    """Quantise to 8 bits by the µ-law curve."""
    curve = np.sign(samples) * np.log1p(255 * np.abs(np.clip(samples, -1, 1))) / np.log(256)
    steps = np.round(curve * 127) / 127
    return (np.sign(steps) * np.expm1(np.abs(steps) * np.log(256)) / 255).astype(np.float32)


def at_level(samples: FloatArray, level_dbfs: float) -> FloatArray:
    """Scale to a mean square, clipped at full scale."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    gain = 10 ** (level_dbfs / 20) / np.sqrt(max(power, 1e-20))
    return np.clip(samples * gain, -1, 1).astype(np.float32)


def street(n: int, *, rng: np.random.Generator) -> FloatArray:
    """Traffic: noise falling 6 dB an octave from 200 Hz whose level wanders by some 4 dB over seconds."""
    low = scipy.signal.lfilter([1.0], [1.0, -np.exp(-2 * np.pi * 200 / RATE_HZ)], rng.standard_normal(n))
    points = rng.standard_normal(n // RATE_HZ + 2) * 4.0  # one a second
    level_db = np.interp(np.arange(n) / RATE_HZ, np.arange(len(points)), points)
    return (low * 10 ** (level_db / 20)).astype(np.float32)


def coloured(n: int, slope_db: float, *, rng: np.random.Generator) -> FloatArray:
    """Steady noise whose power changes by `slope_db` an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), 20.0)
    return np.fft.irfft(spectrum * (hz / 1000) ** (slope_db / 6.02), n).astype(np.float32)


def tones(n: int, *hz: float) -> FloatArray:
    """A sum of sines of equal strength."""
    time_s = np.arange(n) / RATE_HZ
    return np.sum([np.sin(2 * np.pi * f * time_s) for f in hz], axis=0).astype(np.float32)


def cadence(samples: FloatArray, on_off_s: tuple[float, ...]) -> FloatArray:
    """Switch a sound on and off by a repeated pattern of seconds."""
    place_s = np.arange(len(samples)) / RATE_HZ % sum(on_off_s)
    step = np.searchsorted(np.cumsum(on_off_s), place_s, side="right")
    return np.where(step % 2 == 0, samples, 0).astype(np.float32)


def dtmf(n: int, on_s: float, off_s: float, *, rng: np.random.Generator) -> FloatArray:
    """Digits dialled one after the other."""
    slot = round((on_s + off_s) * RATE_HZ)
    digits = [tones(slot, rng.choice(_DTMF_LOW_HZ), rng.choice(_DTMF_HIGH_HZ)) for _ in range(-(-n // slot))]
    return cadence(np.concatenate(digits)[:n], (on_s, off_s))


def hold_music(n: int, *, chord_s: float) -> FloatArray:
    """Chords of six harmonics a note at constant level, changing every `chord_s`."""
    roots_hz = (220.0, 174.6, 261.6, 196.0)
    chords = []
    for index in range(int(n / RATE_HZ / chord_s) + 1):
        notes = [roots_hz[index % 4] * ratio for ratio in (1, 1.26, 1.498)]
        partials = [tones(round(chord_s * RATE_HZ), note * k) / k for note in notes for k in range(1, 7)]
        chords.append(at_level(np.sum(partials, axis=0), -20))
    return np.concatenate(chords)[:n]


def not_speech(duration_s: float, *, rng: np.random.Generator) -> Iterator[tuple[str, FloatArray]]:
    """Everything that is on a line and must not be taken for speech, by name, at its own level."""
    n = round(duration_s * RATE_HZ)
    time_s = np.arange(n) / RATE_HZ
    yield "digital silence", np.zeros(n, dtype=np.float32)
    yield "DC", np.full(n, 0.3, dtype=np.float32)
    yield "50 Hz hum with harmonics", tones(n, 50, 100, 150, 250, 350)
    yield "tone 1 kHz", tones(n, 1000)
    yield "dial tone", tones(n, *_DIAL_HZ)
    yield "busy tone", cadence(tones(n, *_BUSY_HZ), (_BUSY_S, _BUSY_S))
    yield "reorder tone", cadence(tones(n, *_BUSY_HZ), (0.25, 0.25))
    yield "ring tone", cadence(tones(n, *_RING_HZ), (2.0, 4.0))
    yield "ring tone, double", cadence(tones(n, 400, 450), (0.4, 0.2, 0.4, 2.0))
    yield "ring tone, 400 Hz warbled at 16 Hz", cadence(tones(n, 384, 400, 416), (1.0, 2.0))
    yield "ring tone, 400 Hz by 25 Hz", cadence(tones(n, 375, 425), (1.0, 2.0))
    yield "tone 425 Hz, 1 s in 5 s", cadence(tones(n, 425), (1.0, 4.0))
    yield "DTMF 100/100 ms", dtmf(n, 0.1, 0.1, rng=rng)
    yield "DTMF 250/300 ms", dtmf(n, 0.25, 0.3, rng=rng)
    yield "sweep 300 to 3,000 Hz", np.sin(2 * np.pi * (300 * time_s + 45 * time_s**2)).astype(np.float32)
    for name, slope_db in (("white", 0.0), ("pink", -3.0), ("brown", -6.0), ("blue", 3.0)):
        yield f"{name} noise", coloured(n, slope_db, rng=rng)
    for on_off_s in ((0.5, 0.5), (2.0, 3.0), (7.0, 5.0)):
        yield f"noise {on_off_s[0]} s on, {on_off_s[1]} s off", cadence(coloured(n, 0.0, rng=rng), on_off_s)
    yield "noise that begins after 10 s", np.where(time_s > 10, coloured(n, 0.0, rng=rng), 0).astype(np.float32)
    yield "hold music, a chord a second", hold_music(n, chord_s=1.0)
    yield "hold music, four chords a second", hold_music(n, chord_s=0.25)
    clicks = np.zeros(n, dtype=np.float32)
    clicks[:: 3 * RATE_HZ // 2] = 1
    yield "clicks", clicks
