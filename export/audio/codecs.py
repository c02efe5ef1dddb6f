"""Codecs of libsndfile, through which samples go and come back as a listener would hear them.

Samples are float32 (n,) at 8 kHz, in [-1, 1].
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import soundfile

from sertag.records import FloatArray

LINE_HZ = 8000  # of telephones, where codecs are used


@dataclass(frozen=True, slots=True)
class Codec:
    """A container and what is stored in it, in libsndfile's words; `level` is its compression level."""

    form: str
    subtype: str
    level: float | None = None


CODECS: Mapping[str, Codec] = {
    "µ-law": Codec("WAV", "ULAW"),  # ITU-T G.711
    "A-law": Codec("WAV", "ALAW"),
    "GSM 06.10": Codec("WAV", "GSM610"),  # full rate
    "Opus": Codec("OGG", "OPUS", 0.98),  # about 12 kbit/s a channel
    "MP3": Codec("MP3", "MPEG_LAYER_III"),
}


def recode(samples: FloatArray, *, codec: str) -> FloatArray:
    """Through a codec and back.

    Args:
        samples: float32 (n,), n >= 1; what is over full scale is clipped.
        codec: a name out of `CODECS`.

    Returns:
        float32 (n,): what a codec puts behind the end is cut off, what it leaves out there is silence.

    >>> recode(np.zeros(321, np.float32), codec="GSM 06.10").shape
    (321,)
    """
    own, memory = CODECS[codec], io.BytesIO()
    clipped = np.clip(samples, -1, 1).astype(np.float32)
    soundfile.write(memory, clipped, LINE_HZ, format=own.form, subtype=own.subtype, compression_level=own.level)
    memory.seek(0)
    decoded, _ = soundfile.read(memory, dtype="float32")
    return np.pad(decoded, (0, max(0, len(samples) - len(decoded))))[: len(samples)].astype(np.float32)
