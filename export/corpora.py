"""The corpora in their official layouts: which file holds whom, saying what, in which emotion.

First station of the line. Every corpus codes speaker and emotion in its file names, so a loader is a pattern and an
explicit table of labels. The audio suffix does not matter: a copy in another container keeps the official stems.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from export.errors import ExportError

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".opus", ".ogg", ".mp3", ".aif", ".aiff"})


@dataclass(frozen=True, slots=True)
class Layout:
    """How one corpus names its files.

    Attributes:
        name: of the corpus, and of its folder.
        pattern: of a file's stem, with groups `speaker` and `label` and, where the corpus says so, `sentence` and
            `intensity`.
        labels: code in the name -> label; None for a label that no model here knows, which is skipped and counted.
        licence: of the recordings, as their publishers state it.
        speakers: code in the name -> speaker, where the two differ.
        duplicates: stems of recordings that were published twice; where a copy was re-encoded, the bytes hide it.
    """

    name: str
    pattern: re.Pattern[str]
    labels: MappingProxyType[str, str | None]
    licence: str
    speakers: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))
    duplicates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording of one speaker. `digest` is the SHA-1 of the file, the name of its content."""

    path: Path
    corpus: str
    speaker: str
    label: str
    sentence: str
    intensity: str
    licence: str
    digest: str

    @property
    def person(self) -> str:
        """Corpus and speaker: what no split may have on both sides."""
        return f"{self.corpus}/{self.speaker}"


@dataclass(frozen=True, slots=True)
class Corpus:
    """The usable clips of one corpus, sorted by path, and how many were left out for which reason."""

    name: str
    licence: str
    clips: tuple[Clip, ...]
    skipped: MappingProxyType[str, int]


# RAVDESS' `calm` is the actors' second baseline; a calm caller is to be called neutral, so it is merged into neutral.
# TESS' `ps` is "pleasant surprise". EmoDB's boredom has no counterpart in the other corpora.
LAYOUTS = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            Layout(
                name="tess",
                pattern=re.compile(r"(?P<speaker>OAF|OA|YAF)_(?P<sentence>[a-z]+)_(?P<label>[a-z]+)", re.IGNORECASE),
                labels=MappingProxyType({label: label for label in LABELS[:-1]} | {"ps": "surprise"}),
                licence="CC BY-NC-ND 4.0",
                speakers=MappingProxyType({"OA": "OAF"}),  # `OA_bite_neutral.wav` lacks a letter
            ),
            Layout(
                name="ravdess",
                pattern=re.compile(
                    r"03-01-(?P<label>\d\d)-(?P<intensity>\d\d)-(?P<sentence>\d\d)-\d\d-(?P<speaker>\d\d)"
                ),
                labels=MappingProxyType(
                    {
                        "01": "neutral",
                        "02": "neutral",
                        "03": "happy",
                        "04": "sad",
                        "05": "angry",
                        "06": "fear",
                        "07": "disgust",
                        "08": "surprise",
                    }
                ),
                licence="CC BY-NC-SA 4.0",
                duplicates=frozenset({"03-01-03-01-02-02-07"}),  # of 03-01-03-01-02-01-07
            ),
            Layout(
                name="emodb",
                pattern=re.compile(r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<label>[A-Z])[a-z]"),
                labels=MappingProxyType(
                    {
                        "W": "angry",
                        "L": None,
                        "E": "disgust",
                        "A": "fear",
                        "F": "happy",
                        "N": "neutral",
                        "T": "sad",
                    }
                ),
                licence="free for research; CC BY 4.0 by second-hand sources",
            ),
            Layout(
                name="emovo",
                pattern=re.compile(r"(?P<label>[a-z]{3})-(?P<speaker>[fm]\d)-(?P<sentence>[a-z]\d)"),
                labels=MappingProxyType(
                    {
                        "rab": "angry",
                        "dis": "disgust",
                        "pau": "fear",
                        "gio": "happy",
                        "neu": "neutral",
                        "tri": "sad",
                        "sor": "surprise",
                    }
                ),
                licence="free for research; CC BY-NC-SA 4.0 by second-hand sources",
            ),
            Layout(
                name="nemo",
                pattern=re.compile(r"(?P<speaker>[A-Z]{2}\d)_(?P<label>[a-z]+)_(?P<sentence>\d+)"),
                labels=MappingProxyType(
                    {
                        "anger": "angry",
                        "fear": "fear",
                        "happiness": "happy",
                        "neutral": "neutral",
                        "sadness": "sad",
                        "surprised": "surprise",
                    }
                ),
                licence="CC BY-NC-SA 4.0",
            ),
        )
    }
)


def find_corpora(places: Sequence[str]) -> tuple[Corpus, ...]:
    """Load the corpora that the command line names.

    Args:
        places: each `NAME=FOLDER`, or a folder that holds folders named like corpora.

    Returns:
        One corpus a name, in the order of `LAYOUTS`.

    Raises:
        ExportError: an unknown name, one named twice, or nothing found.
    """
    roots: dict[str, Path] = {}
    for place in places:
        for name, root in _expand(place):
            if name in roots:
                raise ExportError(f"corpus {name} is given twice: {roots[name]} and {root}", code="bad_data")
            roots[name] = root
    if not roots:
        raise ExportError(f"no folder named {', '.join(LAYOUTS)} under {', '.join(places)}", code="no_data")
    return tuple(load(roots[name], name=name) for name in LAYOUTS if name in roots)


def load(root: Path, *, name: str) -> Corpus:
    """Read one corpus' file names.

    Args:
        root: its folder, walked recursively.
        name: one of `LAYOUTS`.

    Returns:
        Its clips, and the skipped ones counted by reason; identical recordings are kept once.

    Raises:
        ExportError: a label that the corpus does not have, or no usable clip at all.
    """
    layout = LAYOUTS[name]
    clips: list[Clip] = []
    skipped: Counter[str] = Counter()
    seen: set[str] = set()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        reason = _reason_to_skip(path, layout)
        if not reason:
            clip = _clip(path, layout)
            reason = "identical recording" if clip.digest in seen else ""
            seen.add(clip.digest)
        if reason:
            skipped[reason] += 1
        else:
            clips.append(clip)
    if not clips:
        raise ExportError(f"{root}: no clip named as in {name}; skipped {dict(skipped)}", code="no_data")
    return Corpus(name=name, licence=layout.licence, clips=tuple(clips), skipped=MappingProxyType(dict(skipped)))


def _expand(place: str) -> list[tuple[str, Path]]:
    name, equals, folder = place.partition("=")
    if equals:
        if name not in LAYOUTS:
            raise ExportError(f"unknown corpus {name!r}, expected one of {', '.join(LAYOUTS)}", code="bad_data")
        return [(name, Path(folder))]
    return [(name, Path(place) / name) for name in LAYOUTS if (Path(place) / name).is_dir()]


def _reason_to_skip(path: Path, layout: Layout) -> str:
    if path.suffix.lower() not in AUDIO_SUFFIXES:
        return "no audio suffix"
    match = layout.pattern.fullmatch(path.stem)
    if match is None:
        return "name not of this corpus"
    code = match["label"]
    if code not in layout.labels:
        known = ", ".join(layout.labels)
        raise ExportError(f"{path}: {layout.name} has no label {code!r}, expected one of {known}", code="unknown_label")
    if path.stem in layout.duplicates:
        return "identical recording"
    return "" if layout.labels[code] else f"label {code} has no counterpart"


def _clip(path: Path, layout: Layout) -> Clip:
    found = layout.pattern.fullmatch(path.stem)
    groups = found.groupdict() if found else {}
    speaker = groups["speaker"].upper() if layout.name == "tess" else groups["speaker"]
    return Clip(
        path=path,
        corpus=layout.name,
        speaker=layout.speakers.get(speaker, speaker),
        label=layout.labels[groups["label"]] or "",
        sentence=groups.get("sentence") or "",
        intensity=groups.get("intensity") or "",
        licence=layout.licence,
        digest=hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest(),
    )
