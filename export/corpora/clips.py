"""Labelled recordings and corpora of them: what training and evaluation work on."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from export.errors import ExportError
from sertag.text import display_name

_SHOWN = 3  # names in a message
_FORBIDS = re.compile(r"\bNC\b|-NC-|\bGPL|non-?commercial|registration|not stated|unclear", re.IGNORECASE)
_ALLOWS = re.compile(r"CC[ -]BY|CC0|public domain|Apache|MIT|BSD|MPL|ODbL|free use", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording of one speaker. `digest` is the SHA-1 of the file, the name of its content.

    `speaker`, `sentence` and `intensity` are empty where they are not known, `source` and `kind` (telephone, read, …)
    where a corpus is of one source and kind; `duration_s` is 0 until the clip was decoded (`export.corpora.decodable`).
    """

    path: Path
    corpus: str
    speaker: str
    label: str
    sentence: str
    intensity: str
    licence: str
    digest: str
    source: str = ""
    kind: str = ""
    duration_s: float = 0.0

    @property
    def person(self) -> str:
        """Corpus and speaker: what no split may have on both sides."""
        return f"{self.corpus}/{self.speaker}"


@dataclass(frozen=True, slots=True)
class Corpus:
    """The usable clips of one corpus, sorted by path, and what was left out."""

    name: str
    licence: str
    clips: tuple[Clip, ...]
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))  # reason -> names
    flawed: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))  # of clips that stayed

    def without(self, reasons: Mapping[Path, str]) -> Corpus:
        """The same corpus less the clips of some paths, each with the reason why it is left out."""
        skipped = {reason: list(names) for reason, names in self.skipped.items()}
        for clip in self.clips:
            if clip.path in reasons:
                skipped.setdefault(reasons[clip.path], []).append(str(clip.path))
        clips = tuple(clip for clip in self.clips if clip.path not in reasons)
        return dataclasses.replace(self, clips=clips, skipped=frozen(skipped))


def allows_trade(licence: str) -> bool:
    """Whether a licence names one that allows commercial use and none that does not; no legal advice.

    >>> [allows_trade(text) for text in ("CC BY 4.0", "CC BY-NC-SA 4.0", "ODbL 1.0", "GPL-2+", "")]
    [True, False, True, False, False]
    """
    return bool(_ALLOWS.search(licence)) and not _FORBIDS.search(licence)


def open_only(corpora: Sequence[Corpus]) -> tuple[Corpus, ...]:
    """The corpora less the clips whose licences do not allow commercial use; an ExportError if nothing is left."""
    kept = []
    for corpus in corpora:
        forbidden = {c.path: "licence reserves commercial use" for c in corpus.clips if not allows_trade(c.licence)}
        rest = corpus.without(forbidden)
        if rest.clips:
            named = corpus.licence if not forbidden else "; ".join(sorted({clip.licence for clip in rest.clips}))
            kept.append(dataclasses.replace(rest, licence=named))
    if not kept:
        names = ", ".join(corpus.name for corpus in corpora)
        advice = "give corpora such as CREMA-D, or train without --open"
        raise ExportError(f"no licence of {names} allows commercial use; {advice}", code="no_data")
    return tuple(kept)


def data_hash(clips: Iterable[Clip]) -> str:
    """SHA-256 of clips: recordings, speakers and labels, in any order."""
    lines = sorted(f"{clip.digest} {clip.person} {clip.label}" for clip in clips)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def described(skipped: Mapping[str, tuple[str, ...]]) -> str:
    """What was left out, for a message: counts, reasons and some names.

    >>> described({"no audio suffix": ("a/readme.txt", "a/notes.txt")})
    '2 no audio suffix (a/readme.txt, a/notes.txt)'
    """
    parts = []
    for reason, names in skipped.items():
        shown = ", ".join(display_name(name) for name in names[:_SHOWN])
        parts.append(f"{len(names)} {reason} ({shown}{', ...' if len(names) > _SHOWN else ''})")
    return "; ".join(parts) or "nothing"


def frozen(skipped: Mapping[str, Iterable[str]]) -> Mapping[str, tuple[str, ...]]:
    """Reasons and names that nobody changes any more."""
    return MappingProxyType({reason: tuple(names) for reason, names in skipped.items()})
