"""A simulated telephone line: band, colour of the handset, noise, level and codec; and codecs alone.

Samples are float32 (n,) in [-1, 1] at 8 kHz; levels are dBFS of the mean square. A `Line` is drawn once for a call and
every clip of that call goes through it, because statistics of a channel mean something only if the line stays the same.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
import soundfile

from sertag.records import FloatArray

LINE_HZ = 8000
# Container and coding in libsndfile's words, and its compression level where that is not its default.
CODECS: dict[str, tuple[str, str, float | None]] = {
    "µ-law": ("WAV", "ULAW", None),  # ITU-T G.711
    "A-law": ("WAV", "ALAW", None),
    "GSM 06.10": ("WAV", "GSM610", None),  # full rate
    "Opus": ("OGG", "OPUS", 0.98),  # about 12 kbit/s a channel
    "MP3": ("MP3", "MPEG_LAYER_III", None),
}
LINE_CODECS = ("µ-law", "A-law", "GSM 06.10")


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ITU-T G.712 passes 300 to 3400 Hz; real edges vary from set to set."""

    low_hz: float  # edges of the band, where 3 dB are lost
    high_hz: float
    order: int  # steepness of both edges, as of a Butterworth filter
    tilt_db: float  # rise or fall of the handset's response per octave
    level_dbfs: float  # what the call's speech is brought to
    snr_db: float  # speech over noise
    noise_slope_db: float  # colour of the noise per octave: 0 white, -3 pink, -6 brown
    hum_db: float  # 100 Hz hum and its harmonics over the noise; the upper harmonics pass the band
    codec: str  # one of `LINE_CODECS`


def draw_line(rng: np.random.Generator) -> Line:
    """Draw one line at random; every second call is nearly free of noise."""
    return Line(
        low_hz=float(rng.uniform(150, 400)),
        high_hz=float(rng.uniform(3000, 3700)),
        order=int(rng.integers(3, 9)),
        tilt_db=float(rng.uniform(-2, 3)),
        level_dbfs=float(rng.uniform(-36, -14)),
        snr_db=float(rng.uniform(32, 50) if rng.random() < 0.5 else rng.uniform(8, 32)),
        noise_slope_db=float(rng.uniform(-6, 1)),
        hum_db=float(rng.uniform(-30, 6)),
        codec=str(rng.choice(LINE_CODECS, p=(0.4, 0.3, 0.3))),
    )


def transmit(samples: FloatArray, *, line: Line, speech_dbfs: float, rng: np.random.Generator) -> FloatArray:
    """Send one clip, n >= 1, over a line; clipped to full scale where the line is too loud.

    `speech_dbfs` is the level of the call that the clip belongs to, which the line brings to its own level; loud and
    soft clips of one call keep their distance.

    >>> rng = np.random.default_rng(1)
    >>> transmit(np.zeros(800, np.float32), line=draw_line(rng), speech_dbfs=-30, rng=rng).shape
    (800,)
    """
    gain = 10 ** ((line.level_dbfs - speech_dbfs) / 20)
    noise_rms = 10 ** ((line.level_dbfs - line.snr_db) / 20)
    received = samples * gain + _noise(len(samples), line, rng) * noise_rms
    return recode(_pass_band(received, line), codec=line.codec)


def over_a_line(samples: FloatArray, *, digest: str, seed: int) -> FloatArray:
    """Send a clip over a line of its own, drawn from a seed and its hexadecimal digest, not from other clips."""
    rng = np.random.default_rng([seed, int(digest[:15], 16)])
    return transmit(samples, line=draw_line(rng), speech_dbfs=level_dbfs(samples), rng=rng)


def recode(samples: FloatArray, *, codec: str) -> FloatArray:
    """Through a codec of `CODECS` and back, as long as before; what is over full scale is clipped.

    >>> recode(np.zeros(321, np.float32), codec="GSM 06.10").shape
    (321,)
    """
    (form, subtype, level), memory = CODECS[codec], io.BytesIO()
    clipped = np.clip(samples, -1, 1).astype(np.float32)
    soundfile.write(memory, clipped, LINE_HZ, format=form, subtype=subtype, compression_level=level)
    memory.seek(0)
    decoded, _ = soundfile.read(memory, dtype="float32")
    return np.pad(decoded, (0, max(0, len(samples) - len(decoded))))[: len(samples)].astype(np.float32)


def level_dbfs(samples: FloatArray) -> float:
    """Mean square in dBFS, at least -90."""
    return 10 * math.log10(max(1e-9, float(np.mean(np.square(samples, dtype=np.float64)))))


def _noise(count: int, line: Line, rng: np.random.Generator) -> FloatArray:
    """Coloured noise with hum, mean square 1 before the hum."""
    size = scipy.fft.next_fast_len(count, real=True)
    spectrum = scipy.fft.rfft(rng.standard_normal(size))
    octaves = np.log2(np.maximum(scipy.fft.rfftfreq(size, 1 / LINE_HZ), 50.0) / 1000)
    noise = scipy.fft.irfft(spectrum * 10 ** (line.noise_slope_db * octaves / 20), size)[:count]
    noise /= max(1e-9, float(np.sqrt(np.mean(noise**2))))
    time_s = np.arange(count) / LINE_HZ
    hum = sum(np.sin(2 * np.pi * 100 * k * time_s + rng.uniform(0, 2 * np.pi)) / k for k in range(1, 8))
    return np.asarray(noise + hum * 10 ** (line.hum_db / 20), dtype=np.float32)


def _pass_band(samples: FloatArray, line: Line) -> FloatArray:
    size = scipy.fft.next_fast_len(len(samples) + LINE_HZ // 10, real=True)  # 100 ms of zeros against wrapping round
    freqs_hz = np.maximum(scipy.fft.rfftfreq(size, 1 / LINE_HZ), 1.0)
    low = 1 / np.sqrt(1 + (line.low_hz / freqs_hz) ** (2 * line.order))
    high = 1 / np.sqrt(1 + (freqs_hz / line.high_hz) ** (4 * line.order))
    tilt = 10 ** (line.tilt_db * np.log2(np.maximum(freqs_hz, 100.0) / 1000) / 20)
    spectrum = scipy.fft.rfft(samples, size) * (low * high * tilt)
    return np.asarray(scipy.fft.irfft(spectrum, size)[: len(samples)], dtype=np.float32)
