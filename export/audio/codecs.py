"""Codecs of libsndfile, through which samples go and come back as a listener would hear them.

Samples are float32 (n,) at 8 kHz, in [-1, 1].
"""

from __future__ import annotations

import io

import numpy as np
import soundfile

from sertag.records import FloatArray

LINE_HZ = 8000  # of telephones, where codecs are used
# Container and coding in libsndfile's words, and its compression level where that is not its default.
CODECS: dict[str, tuple[str, str, float | None]] = {
    "µ-law": ("WAV", "ULAW", None),  # ITU-T G.711
    "A-law": ("WAV", "ALAW", None),
    "GSM 06.10": ("WAV", "GSM610", None),  # full rate
    "Opus": ("OGG", "OPUS", 0.98),  # about 12 kbit/s a channel
    "MP3": ("MP3", "MPEG_LAYER_III", None),
}


def recode(samples: FloatArray, *, codec: str) -> FloatArray:
    """Through a codec of `CODECS` and back; what is over full scale is clipped.

    Returns:
        float32 (n,): what a codec puts behind the end is cut off, what it leaves out there is silence.

    >>> recode(np.zeros(321, np.float32), codec="GSM 06.10").shape
    (321,)
    """
    (form, subtype, level), memory = CODECS[codec], io.BytesIO()
    clipped = np.clip(samples, -1, 1).astype(np.float32)
    soundfile.write(memory, clipped, LINE_HZ, format=form, subtype=subtype, compression_level=level)
    memory.seek(0)
    decoded, _ = soundfile.read(memory, dtype="float32")
    return np.pad(decoded, (0, max(0, len(samples) - len(decoded))))[: len(samples)].astype(np.float32)
