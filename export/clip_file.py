"""A changed clip as a file, since the tagger takes files, and how a clip is tagged: as one recording."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import soundfile

from sertag.records import FloatArray, Options

WHOLE_CLIP = Options(channels="mix", min_confidence=0.0)


@contextmanager
def clip_file(samples: FloatArray, *, rate_hz: int, subtype: Literal["PCM_16", "FLOAT"]) -> Iterator[Path]:
    """Write a clip to a WAV file that is gone afterwards.

    Args:
        samples: float32 (n,) or (n, channels).
        rate_hz: of the samples.
        subtype: what telephones give, or what loses nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "clip.wav"
        soundfile.write(place, samples, rate_hz, subtype=subtype)
        yield place
