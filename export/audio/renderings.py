"""How a clip of a studio sounds in a call: what networks for calls are shown besides the clip as it is.

A rendering is drawn from the content of the clip and a seed, so it is the same for every recipe. The speaker talks a
little faster or slower, and somewhere in a stretch of the call that is as long as a window; what the line adds is there
before and after.
"""

from __future__ import annotations

import numpy as np
import soxr

from export.audio.codecs import CODECS, LINE_HZ, recode
from export.audio.noise import traffic, with_noise
from export.audio.telephone import draw_line, level_dbfs, transmit
from sertag.records import FloatArray

NOISY_LINE = "noisy_line"
STRETCH_S = 3.1  # a window and what resampling may take
SPEEDS = (0.88, 1.12)
_SNR_DB = (8.0, 25.0)  # of the street
_STORED = 0.7  # share of the calls that the archive codes


def noisy_line(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """From a street over a telephone line into an archive that may code it: float32 (n,) -> (m,), both at 8 kHz.

    >>> noisy_line(np.ones(800, np.float32), np.random.default_rng(1)).shape
    (24800,)
    """
    rng.random()  # decides nothing any more; without it all renderings, and all figures, would be others
    snr_db = float(rng.uniform(*_SNR_DB))
    stored_as = str(rng.choice(list(CODECS))) if rng.random() < _STORED else None
    call, loud_dbfs = _in_a_call(samples, rng), level_dbfs(samples)
    street = traffic(len(call), rate_hz=LINE_HZ, rng=rng)
    noisy = with_noise(call, street, noise_rms=10 ** ((loud_dbfs - snr_db) / 20))
    received = transmit(noisy, line=draw_line(rng), speech_dbfs=loud_dbfs, rng=rng)
    return received if stored_as is None else recode(received, codec=stored_as)


def _in_a_call(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """At another speed, and with silence around that fills a window."""
    spoken = soxr.resample(samples, LINE_HZ * float(rng.uniform(*SPEEDS)), LINE_HZ).astype(np.float32)
    room = max(0, round(STRETCH_S * LINE_HZ) - len(spoken))
    before = int(rng.uniform(0, room))
    return np.pad(spoken, (before, room - before))
