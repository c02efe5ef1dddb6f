"""Samples to WAV and FLAC files of 16 bits, by libsndfile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, Literal

import numpy as np
import soundfile

from sertag.errors import OutputError
from sertag.records import FloatArray
from sertag.text import plural

Kind = Literal["WAV", "FLAC"]

_FULL_SCALE = 32768  # what libsndfile divides by where it reads 16 bits, so that those come back as they were


def write_recording(stream: BinaryIO, blocks: Iterable[FloatArray], *, kind: Kind, rate_hz: int, channels: int) -> None:
    """Write a recording.

    Args:
        stream: seekable; the file is written from its position on.
        blocks: float32 (channels, n) each, in [-1, 1].
        kind: of file.
        rate_hz: sample rate.
        channels: how many.

    Raises:
        OutputError: such a file cannot have that rate or so many channels.

    >>> import io
    >>> file = io.BytesIO()
    >>> write_recording(file, [np.zeros((1, 800), np.float32)], kind="WAV", rate_hz=8000, channels=1)
    >>> len(file.getvalue())
    1644
    """
    shape = {"samplerate": rate_hz, "channels": channels, "format": kind, "subtype": "PCM_16"}
    try:
        with soundfile.SoundFile(stream, "w", **shape) as file:
            for block in blocks:
                whole = np.rint(block.T * np.float32(_FULL_SCALE))  # (n, channels)
                file.write(np.clip(whole, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16))
    except soundfile.LibsndfileError as error:
        found = f"{plural(channels, 'channel')} at {rate_hz} Hz"
        raise OutputError(f"{found} cannot be written as {kind}; choose another suffix", code="cannot_write") from error
