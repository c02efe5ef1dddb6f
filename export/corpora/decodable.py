"""Which clips can be used at all: every one is decoded once, and what is not speech of some length is left out.

The decoder is the tagger's own. A truncated clip stays: what is left of it is speech, as the tagger would score it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from joblib import Parallel, delayed

from export.corpora.clips import Corpus, described
from export.errors import ExportError
from export.progress import Report
from sertag.audio.decode import open_audio
from sertag.errors import DecodeError

TRUNCATED = "truncated, what is left of it is used"

_EMPTY = frozenset({"empty_file", "no_samples"})
_FEW = 200  # clips that are decoded before workers have started


class Verdict(NamedTuple):
    """What decoding a clip has shown: its length, whether more was promised, and the decoder's error code, if any."""

    duration_s: float
    truncated: bool
    error_code: str = ""


def drop_unusable(corpora: Sequence[Corpus], *, jobs: int, least_s: float, report: Report) -> tuple[Corpus, ...]:
    """Leave out what cannot be decoded, is empty or shorter than `least_s`, which is one frame or more.

    The corpora less those clips, which are counted and named, with durations; truncated clips are named in `flawed`. An
    ExportError where no clip of a corpus is left.
    """
    paths = [clip.path for corpus in corpora for clip in corpus.clips]
    answers = Parallel(n_jobs=jobs if len(paths) > _FEW else 1, return_as="generator")(map(delayed(examine), paths))
    verdicts: dict[Path, Verdict] = {}
    for path, verdict in zip(paths, answers, strict=True):
        verdicts[path] = verdict
        report("decoding", len(verdicts) / len(paths))
    return tuple(_judged(corpus, verdicts, least_s) for corpus in corpora)


def examine(path: Path) -> Verdict:
    """Decode a recording from start to end.

    >>> examine(Path("no/such.wav"))
    Verdict(duration_s=0.0, truncated=False, error_code='not_found')
    """
    try:
        with open_audio(str(path)) as audio:
            for _ in audio.blocks(rate_hz=audio.rate_hz):
                pass
            return Verdict(audio.duration_s, audio.problem is not None)
    except DecodeError as error:
        return Verdict(0.0, False, error.code)


def _judged(corpus: Corpus, verdicts: dict[Path, Verdict], least_s: float) -> Corpus:
    kept = corpus.without({c.path: reason for c in corpus.clips if (reason := _reason(verdicts[c.path], least_s))})
    if not kept.clips:
        message = f"{corpus.name}: no clip can be used, left out: {described(kept.skipped)}"
        raise ExportError(f"{message}; `sertag` tells what is wrong with a file", code="no_data")
    truncated = tuple(str(clip.path) for clip in kept.clips if verdicts[clip.path].truncated)
    flawed = {**corpus.flawed, **({TRUNCATED: truncated} if truncated else {})}
    clips = tuple(dataclasses.replace(clip, duration_s=verdicts[clip.path].duration_s) for clip in kept.clips)
    return dataclasses.replace(kept, clips=clips, flawed=MappingProxyType(flawed))


def _reason(verdict: Verdict, least_s: float) -> str:
    if verdict.error_code:
        return "empty" if verdict.error_code in _EMPTY else f"cannot be decoded ({verdict.error_code})"
    return f"shorter than {least_s:g} s" if verdict.duration_s < least_s else ""
