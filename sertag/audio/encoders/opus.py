"""Samples to Ogg with Opus, block by block: libsndfile crashes in one large write of a long recording."""

from __future__ import annotations

import io
from collections.abc import Iterable

import soundfile

from sertag.records import FloatArray

RATES_HZ = (8000, 12000, 16000, 24000, 48000)  # that Opus takes
_BLOCK = 4096
_COMPRESSION = 0.94  # libsndfile makes about 21 kbit/s a channel of it


def encode_opus(blocks: Iterable[FloatArray], *, rate_hz: int, channels: int) -> bytes:
    """A file of Ogg with Opus.

    Args:
        blocks: float32 (channels, n) each.
        rate_hz: one of `RATES_HZ`.
        channels: one or two.
    """
    buffer = io.BytesIO()
    settings = {"format": "OGG", "subtype": "OPUS", "compression_level": _COMPRESSION}
    with soundfile.SoundFile(buffer, "w", samplerate=rate_hz, channels=channels, **settings) as file:
        for block in blocks:
            for start in range(0, block.shape[1], _BLOCK):
                file.write(block[:, start : start + _BLOCK].T)
    return buffer.getvalue()
