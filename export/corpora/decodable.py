"""Which clips can be used at all: every one is decoded once, and what is not speech of some length is left out.

The decoder is the tagger's own. A truncated clip stays: what is left of it is speech, as the tagger would score it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from export.audio.telephone import level_dbfs
from export.corpora.clips import Corpus, described
from export.errors import ExportError
from export.progress import Report
from sertag.audio.decode import open_audio
from sertag.errors import DecodeError

FLAW = "truncated, what is left of it is used"
OK, TRUNCATED = "ok", "truncated"  # the status of readable recordings; others have the decoder's error code

_EMPTY = frozenset({"empty_file", "no_samples"})
_FEW = 200  # clips that are decoded before workers have started


class Examined(NamedTuple):
    """What decoding a recording from start to end has shown; nothing but status and message where it cannot be read."""

    status: str
    message: str = ""
    duration_s: float | None = None
    rate_hz: int | None = None
    channels: int | None = None
    dc_offset: float | None = None  # share of full scale
    level_dbfs: float | None = None


def drop_unusable(corpora: Sequence[Corpus], *, jobs: int, least_s: float, report: Report) -> tuple[Corpus, ...]:
    """Leave out what cannot be decoded, is empty or shorter than `least_s`, which is one frame or more.

    The corpora less those clips, which are counted and named, with durations; truncated clips are named in `flawed`. An
    ExportError where no clip of a corpus is left.
    """
    paths = [clip.path for corpus in corpora for clip in corpus.clips]
    answers = Parallel(n_jobs=jobs if len(paths) > _FEW else 1, return_as="generator")(map(delayed(examine), paths))
    found: dict[Path, Examined] = {}
    for path, examined in zip(paths, answers, strict=True):
        found[path] = examined
        report("decoding", len(found) / len(paths))
    return tuple(_usable(corpus, found, least_s) for corpus in corpora)


def examine(path: Path) -> Examined:
    """Decode a recording at its own rate, mixed down to one channel.

    >>> examine(Path("no/such.wav")).status
    'not_found'
    """
    try:
        with open_audio(str(path)) as audio:
            samples = np.concatenate([block.mean(axis=0) for block in audio.blocks(rate_hz=audio.rate_hz)])
            status, message = (TRUNCATED, audio.problem.message) if audio.problem else (OK, "")
            offset, level = float(samples.mean(dtype=np.float64)), level_dbfs(samples)
            return Examined(status, message, audio.duration_s, audio.rate_hz, audio.channels, offset, level)
    except DecodeError as error:
        return Examined(error.code, str(error))


def _usable(corpus: Corpus, found: dict[Path, Examined], least_s: float) -> Corpus:
    kept = corpus.without({clip.path: why for clip in corpus.clips if (why := _reason(found[clip.path], least_s))})
    if not kept.clips:
        message = f"{corpus.name}: no clip can be used, left out: {described(kept.skipped)}"
        raise ExportError(f"{message}; `sertag` tells what is wrong with a file", code="no_data")
    truncated = tuple(str(clip.path) for clip in kept.clips if found[clip.path].status == TRUNCATED)
    flawed = {**corpus.flawed, **({FLAW: truncated} if truncated else {})}
    clips = tuple(dataclasses.replace(clip, duration_s=found[clip.path].duration_s or 0.0) for clip in kept.clips)
    return dataclasses.replace(kept, clips=clips, flawed=MappingProxyType(flawed))


def _reason(examined: Examined, least_s: float) -> str:
    if examined.duration_s is None:
        return "empty" if examined.status in _EMPTY else f"cannot be decoded ({examined.status})"
    return f"shorter than {least_s:g} s" if examined.duration_s < least_s else ""
