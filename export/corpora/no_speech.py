"""Recordings in which nobody speaks, from which a network learns that not everything loud is speech.

Music on hold, typing, engines and the sounds of computers come from packages of free software, signals and noises are
made here. What is written is a folder with a `manifest.csv`, which `export.corpora.own_data` reads as `no_speech`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from export.audio.clip_file import read_clip
from export.audio.noise import traffic
from export.corpora.clips import CorpusBuilder, files_of
from export.corpora.own_data import COLUMNS, MANIFEST, NO_SPEECH
from export.errors import ExportError
from sertag.records import FloatArray

_RATE_HZ = 16000
_MOST_FILES, _MOST_S = 60, 60.0  # of one source and of one file: no source is to weigh more than all others
_SYNTHESISED_S, _PER_KIND = 12.0, 10
_COUNT = round(_SYNTHESISED_S * _RATE_HZ)


class Source(NamedTuple):
    """Recordings of one origin, their folder and licence."""

    name: str
    folder: Path
    licence: str


def collect(sources: Sequence[Source], *, out: Path, seed: int = 1) -> int:
    """Write the corpus `no_speech`: a folder of FLAC files with their manifest; returns how many.

    Folders are walked recursively, of many files evenly chosen ones are taken. The seed is that of what is synthesised.
    An ExportError where a source holds no recording, or one that cannot be decoded.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for source, licence, number, samples in [*_recorded(sources), *_synthesised(seed)]:
        path = f"{source}-{number}.flac"
        soundfile.write(out / path, samples, _RATE_HZ, subtype="PCM_16")
        rows.append((path, NO_SPEECH, source, NO_SPEECH, licence, source, NO_SPEECH))
    with (out / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return len(rows)


def _recorded(sources: Sequence[Source]) -> Iterator[tuple[str, str, int, FloatArray]]:
    for source in sources:
        files = sorted(files_of(source.folder, CorpusBuilder()))
        if not files:
            raise ExportError(f"{source.folder}: no recording, expected some of {source.name}", code="no_data")
        for number, path in enumerate(files[:: -(-len(files) // _MOST_FILES)]):
            samples = read_clip(path, rate_hz=_RATE_HZ)[: round(_MOST_S * _RATE_HZ)]
            yield source.name, source.licence, number, samples


def _synthesised(seed: int) -> Iterator[tuple[str, str, int, FloatArray]]:
    rng = np.random.default_rng(seed)
    for kind in (_tones, _keys, _hiss, _street):
        for number in range(_PER_KIND):
            samples = kind(rng)
            loud = (samples * (rng.uniform(0.05, 0.5) / np.abs(samples).max())).astype(np.float32)
            yield kind.__name__.strip("_"), "CC0", number, loud


def _tones(rng: np.random.Generator) -> FloatArray:
    """Ringing, busy and comfort tones: one or two frequencies, on and off."""
    time_s = np.arange(_COUNT) / _RATE_HZ
    period_s, share = rng.uniform(0.2, 5.0), rng.uniform(0.2, 0.8)
    tone = sum(np.sin(2 * np.pi * hz * time_s) for hz in rng.uniform(300, 1500, size=int(rng.integers(1, 3))))
    return np.asarray(tone * (time_s % period_s < share * period_s) + 1e-4 * rng.standard_normal(_COUNT))


def _keys(rng: np.random.Generator) -> FloatArray:
    """Pairs of tones as of a dialling telephone (ITU-T Q.23)."""
    low, high = (697, 770, 852, 941), (1209, 1336, 1477)
    pieces: list[FloatArray] = []
    while sum(len(piece) for piece in pieces) < _COUNT:
        time_s = np.arange(round(rng.uniform(0.06, 0.3) * _RATE_HZ)) / _RATE_HZ
        pair = np.sin(2 * np.pi * rng.choice(low) * time_s) + np.sin(2 * np.pi * rng.choice(high) * time_s)
        pieces += [pair, np.zeros(round(rng.uniform(0.05, 0.6) * _RATE_HZ))]
    return np.concatenate(pieces)


def _hiss(rng: np.random.Generator) -> FloatArray:
    """Noise that comes and goes, as of breath, wind and bad lines."""
    swell = np.interp(np.arange(_COUNT), np.linspace(0, _COUNT, 25), rng.uniform(0, 1, 25) ** 3)
    return np.asarray(rng.standard_normal(_COUNT) * swell)


def _street(rng: np.random.Generator) -> FloatArray:
    return traffic(_COUNT, rate_hz=_RATE_HZ, rng=rng)
