"""Which clips can be used at all: every one is decoded once, and what is not speech of some length is left out.

The decoder is the tagger's own, so no later stage meets a clip that it cannot decode. A truncated clip stays: what is
left of it is speech under its label, as the tagger would score it; it is counted and named in `Corpus.flawed`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from joblib import Parallel, delayed

import sertag
from export.cache import cache_bytes
from export.corpora.clips import Corpus, described
from export.errors import ExportError
from export.progress import Report
from sertag.audio.decode import open_audio
from sertag.errors import DecodeError

CACHE_FILE = "usable.json"
TRUNCATED = "truncated, what is left of it is used"

_EMPTY = frozenset({"empty_file", "no_samples"})
_FEW = 200  # clips that are decoded before workers have started


class Verdict(NamedTuple):
    """What decoding a clip has shown: its length, whether more was promised, and the decoder's error code, if any."""

    duration_s: float
    truncated: bool
    error_code: str = ""


def drop_unusable(
    corpora: Sequence[Corpus], *, cache: Path, jobs: int, least_s: float, report: Report
) -> tuple[Corpus, ...]:
    """Leave out what cannot be decoded, is empty or shorter than `least_s`, which is one frame or more.

    A small file in `cache` holds what is known of each content. Clips that failed are tried again each time, since a
    decoder or the right to read them may have come meanwhile.

    Returns:
        The corpora less those clips, which are counted and named; truncated clips stay and are named in `flawed`. All
        have their durations.

    Raises:
        ExportError: the cache cannot be written, or no clip of a corpus is left.
    """
    place = cache / CACHE_FILE
    known = _read(place)
    new = {clip.digest: clip for corpus in corpora for clip in corpus.clips if clip.digest not in known}
    verdicts = dict(known)
    work = (delayed(examine)(clip.path) for clip in new.values())
    answers = Parallel(n_jobs=jobs if len(new) > _FEW else 1, return_as="generator")(work)
    for number, (digest, verdict) in enumerate(zip(new, answers, strict=True), start=1):
        verdicts[digest] = verdict
        report("decoding", number / len(new))
    sound = {digest: verdict[:2] for digest, verdict in sorted(verdicts.items()) if not verdict.error_code}
    if len(sound) > len(known):
        cache_bytes(place, json.dumps({"sertag": sertag.__version__, "clips": sound}).encode())
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


def _judged(corpus: Corpus, verdicts: Mapping[str, Verdict], least_s: float) -> Corpus:
    reasons = {clip.path: reason for clip in corpus.clips if (reason := _reason(verdicts[clip.digest], least_s))}
    kept = corpus.without(reasons)
    if not kept.clips:
        message = f"{corpus.name}: no clip can be used, left out: {described(kept.skipped)}"
        raise ExportError(f"{message}; `sertag` tells what is wrong with a file", code="no_data")
    truncated = tuple(str(clip.path) for clip in kept.clips if verdicts[clip.digest].truncated)
    flawed = {**corpus.flawed, **({TRUNCATED: truncated} if truncated else {})}
    clips = tuple(dataclasses.replace(clip, duration_s=verdicts[clip.digest].duration_s) for clip in kept.clips)
    return dataclasses.replace(kept, clips=clips, flawed=MappingProxyType(flawed))


def _reason(verdict: Verdict, least_s: float) -> str:
    if verdict.error_code:
        return "empty" if verdict.error_code in _EMPTY else f"cannot be decoded ({verdict.error_code})"
    return f"shorter than {least_s:g} s" if verdict.duration_s < least_s else ""


def _read(place: Path) -> dict[str, Verdict]:
    """What is known of contents; nothing where the file is not there, torn, or of another version."""
    try:
        document = json.loads(place.read_bytes())
        if document["sertag"] != sertag.__version__:
            return {}
        return {digest: Verdict(float(s), bool(truncated)) for digest, (s, truncated) in document["clips"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
