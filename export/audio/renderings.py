"""How a clip of a studio sounds in a call: what networks for calls are shown besides the clip as it is.

Stage of the training: corpora -> **renderings** -> windows. A rendering is drawn from the content of the clip and a
seed, so it is the same for every recipe. The speaker talks a little faster or slower, and somewhere in a stretch of the
call that is as long as a window; what the line adds is there before and after.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
import soxr

from export.audio.codecs import LINE_HZ, recode
from export.audio.scenes import draw_surroundings, surround
from export.audio.telephone import draw_line, level_dbfs, transmit
from sertag.records import FloatArray

STRETCH_S = 3.1  # a window and what resampling may take
SPEEDS = (0.88, 1.12)

Rendering = Callable[[FloatArray, np.random.Generator], FloatArray]


def noisy_line(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """From a noisy place over a telephone line into an archive that codes it: float32 (n,) -> (m,), both at 8 kHz.

    >>> noisy_line(np.ones(800, np.float32), np.random.default_rng(1)).shape
    (24800,)
    """
    place, loud_dbfs = draw_surroundings(rng), level_dbfs(samples)
    call = surround([_in_a_call(samples, rng)], place=place, speech_dbfs=loud_dbfs, rng=rng)[0]
    received = transmit(call, line=draw_line(rng), speech_dbfs=loud_dbfs, rng=rng)
    return received if place.stored_as is None else recode(received, codec=place.stored_as)


RENDERINGS: MappingProxyType[str, Rendering] = MappingProxyType({"noisy_line": noisy_line})


def _in_a_call(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """At another speed, and with silence around that fills a window."""
    spoken = soxr.resample(samples, LINE_HZ * float(rng.uniform(*SPEEDS)), LINE_HZ).astype(np.float32)
    room = max(0, round(STRETCH_S * LINE_HZ) - len(spoken))
    before = int(rng.uniform(0, room))
    return np.pad(spoken, (before, room - before))
