"""Clips from files and to files: decoded as the tagger decodes them, and written because the tagger takes files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from export.errors import ExportError
from sertag.audio.decode import open_audio
from sertag.errors import DecodeError
from sertag.records import FloatArray, Options

WHOLE_CLIP = Options(channels="mix", min_confidence=0.0)


def read_channels(path: Path, *, rate_hz: int) -> FloatArray:
    """Decode a recording as the tagger does, float32 (channels, n); an ExportError where that is not possible."""
    try:
        with open_audio(str(path)) as audio:
            return np.concatenate(list(audio.blocks(rate_hz=rate_hz)), axis=1)
    except DecodeError as error:
        raise ExportError(f"{error}; take it away or repair it", code=error.code) from error


def read_clip(path: Path, *, rate_hz: int) -> FloatArray:
    """The same, mixed down to one channel: float32 (n,)."""
    return np.asarray(read_channels(path, rate_hz=rate_hz).mean(axis=0))


@contextmanager
def clip_file(samples: FloatArray, *, rate_hz: int, subtype: Literal["PCM_16", "FLOAT"]) -> Iterator[Path]:
    """A WAV file of samples, float32 (n,) or (n, channels), that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "clip.wav"
        soundfile.write(place, samples, rate_hz, subtype=subtype)
        yield place
