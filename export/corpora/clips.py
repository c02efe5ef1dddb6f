"""Labelled recordings and corpora of them: what training and evaluation work on."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from export.errors import ExportError
from sertag.audio.decode import open_audio
from sertag.audio.discover import AUDIO_SUFFIXES, discover
from sertag.errors import DecodeError
from sertag.text import display_name

NO_AUDIO = "no audio suffix"

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
    flawed: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))  # likewise, but kept

    def without(self, reasons: Mapping[Path, str]) -> Corpus:
        """The same corpus less the clips of some paths, each with the reason why it is left out."""
        skipped = {reason: list(names) for reason, names in self.skipped.items()}
        for clip in self.clips:
            if clip.path in reasons:
                skipped.setdefault(reasons[clip.path], []).append(str(clip.path))
        clips = tuple(clip for clip in self.clips if clip.path not in reasons)
        return dataclasses.replace(self, clips=clips, skipped=_frozen(skipped))


class CorpusBuilder:
    """Clips of one corpus while they are collected: each recording once, and never under two labels."""

    def __init__(self) -> None:
        self._clips: list[Clip] = []
        self._skipped: dict[str, list[str]] = {}
        self._seen: dict[str, tuple[Clip, str]] = {}  # digest -> first clip, and where that is said

    def skip(self, name: Path | str, *, reason: str) -> bool:
        """Count and name what is no clip."""
        self._skipped.setdefault(reason, []).append(str(name))
        return False

    def add(self, clip: Clip, *, said_in: str = "") -> bool:
        """Add a clip, less its digest, unless it is empty, cannot be read or is there; those are counted and named.

        `said_in` is where its label stands. An ExportError where the same recording has another label elsewhere.
        """
        try:
            content = clip.path.read_bytes()
        except OSError as error:
            return self.skip(clip.path, reason=f"cannot be read ({error.strerror})")
        if not content:
            return self.skip(clip.path, reason="empty")
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        where = said_in or display_name(str(clip.path))
        first, first_where = self._seen.setdefault(digest, (clip, where))
        if first is clip:
            self._clips.append(dataclasses.replace(clip, digest=digest))
            return True
        if first.label != clip.label and _is_recording(clip.path):
            found = f"{first_where} is {first.label} and {where} is {clip.label}, but the recording is the same"
            raise ExportError(f"{found}; keep the one whose label is right", code="mixed_labels")
        return self.skip(clip.path, reason="identical recording" if first.label == clip.label else "no recording")

    def corpus(self, name: str) -> Corpus:
        """What was collected, under the licences of the clips; it may be nothing."""
        clips = tuple(sorted(self._clips, key=lambda clip: clip.path))
        licence = "; ".join(sorted({clip.licence for clip in clips}))
        return Corpus(name, licence, clips, skipped=_frozen(self._skipped))


def files_of(root: Path, builder: CorpusBuilder) -> Iterator[Path]:
    """The files under a folder that are audio by suffix; all others are left out with a reason."""
    for file in discover([str(root)], include=("*",)):
        if file.problem is not None:
            builder.skip(file.path, reason=f"cannot be read ({file.problem.code})")
        elif Path(file.path).suffix.lower() not in AUDIO_SUFFIXES:
            builder.skip(file.path, reason=NO_AUDIO)
        else:
            yield Path(file.path)


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


def _frozen(skipped: Mapping[str, Iterable[str]]) -> Mapping[str, tuple[str, ...]]:
    """Reasons and names that nobody changes any more."""
    return MappingProxyType({reason: tuple(names) for reason, names in skipped.items()})


def _is_recording(path: Path) -> bool:
    """False for headers without samples and saved error pages, which are the same under any label."""
    try:
        open_audio(str(path)).close()
    except DecodeError:
        return False
    return True
