"""Recordings of one's own, a folder a label or a manifest; and what nobody acted, which always has a manifest.

Either `DIR/angry/x.wav`, with `DIR/angry/SPEAKER/x.wav` where speakers are known, or a table with the columns `path`
and `label` and any of `speaker`, `sentence`, `intensity`, `licence`, `source` and `kind`; its paths are relative to it.
A `manifest.csv` inside the folder decides. Any label is allowed that could name a column. Ordinary speech, all of which
counts as neutral, and recordings in which nobody speaks are collected from many sources, with licences of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from export.corpora.clips import NO_AUDIO, Clip, Corpus, CorpusBuilder, described, files_of
from export.corpora.labels import canonical
from export.errors import ExportError
from sertag.audio.discover import AUDIO_SUFFIXES
from sertag.tables.delimited import read_cells
from sertag.text import display_name

MANIFEST = "manifest.csv"
NO_LICENCE = "not stated"
ORDINARY, NO_SPEECH = UNACTED = ("ordinary", "no_speech")
COLUMNS = ("path", "corpus", "speaker", "emotion", "license", "source", "kind")  # of the manifest of what nobody acted

_NEEDED = ("path", "label")
_OPTIONAL = ("speaker", "sentence", "intensity", "licence", "source", "kind")
_COLUMNS = f"{','.join(_NEEDED)} and, where known, {','.join(_OPTIONAL)}"
_EXPECTED = (
    "a folder a label (angry/x.wav, or angry/SPEAKER/x.wav), "
    f"or a {MANIFEST} whose first line is path,label and whose paths are relative to it"
)


def load(place: Path, *, name: str) -> Corpus:
    """Read a folder with a folder a label, a folder with a `manifest.csv`, or a manifest; each recording once.

    An ExportError or TableError for a manifest or label that cannot be understood, or clips of fewer than two labels.
    """
    manifest = place / MANIFEST if place.is_dir() else place
    builder = CorpusBuilder()
    if manifest.is_file():
        for clip, where in _listed(manifest, builder, name=name):
            builder.add(clip, said_in=where)
    elif place.is_dir():
        _add_folders(place, name, builder)
    else:
        raise ExportError(f"{_shown(place)}: no such file or folder, expected {_EXPECTED}", code="no_data")
    corpus = builder.corpus(name)
    labels = sorted({clip.label for clip in corpus.clips})
    if not labels:
        found = f"no clip, left out: {described(corpus.skipped)}"
        raise ExportError(f"{_shown(place)}: {found}; expected {_EXPECTED}", code="no_data")
    if len(labels) == 1:
        found = f"all {len(corpus.clips)} clips are labelled {labels[0]}, one class only"
        raise ExportError(f"{_shown(place)}: {found}; expected two or more in {_EXPECTED}", code="one_class")
    return corpus


def load_unacted(root: Path, *, name: str = ORDINARY) -> Corpus:
    """Read what nobody acted, each recording once; its licence names those of all sources.

    Rows of the manifest, in the folder or beside it, whose corpus is another one than `name` are passed over.
    """
    manifest = next((place for place in (root / MANIFEST, root.parent / MANIFEST) if place.is_file()), None)
    if manifest is None:
        raise _unusable(root, name, f"no {MANIFEST} in this folder or beside it")
    builder = CorpusBuilder()
    listed: set[Path] = set()
    for clip, where in _listed(manifest, builder, name=name, only=name):
        listed.add(clip.path.resolve())
        builder.add(clip, said_in=where)
    for path in files_of(root, builder):
        if path.resolve() not in listed:
            builder.skip(path, reason="not in the manifest")
    corpus = builder.corpus(name)
    if not corpus.clips:
        raise _unusable(manifest, name, f"none of the recordings of the corpus {name} that it lists is there")
    by_source: dict[str, list[str]] = {}
    for source, licence in sorted({(clip.source, clip.licence) for clip in corpus.clips}):
        by_source.setdefault(source, []).append(licence)
    licences = (f"{source}: {', '.join(own)}" for source, own in by_source.items())
    return dataclasses.replace(corpus, licence="; ".join(licences))


def _listed(
    manifest: Path, builder: CorpusBuilder, *, name: str, only: str | None = None
) -> Iterator[tuple[Clip, str]]:
    """The clips that a manifest lists, each with the place where that stands; the builder counts the other rows.

    Rows whose cell `corpus` is another one than `only` are passed over; all count if that is None.
    """
    for line, cells in _rows(manifest):
        if only not in (None, cells.get("corpus")):
            continue
        where = f"{_shown(manifest)}, line {line}"
        label = _label(cells["label"], where=where)
        if not cells["path"]:
            raise ExportError(f"{where}: the path is empty, expected a file relative to the manifest", code="bad_data")
        path = manifest.parent / cells["path"]
        if path.suffix.lower() not in AUDIO_SUFFIXES:
            builder.skip(f"{path} (line {line})", reason=NO_AUDIO)
        elif not path.is_file():
            builder.skip(f"{path} (line {line})", reason="no such file")
        else:
            known = {column: cells.get(column, "") for column in _OPTIONAL}
            known["licence"] = known["licence"] or NO_LICENCE
            clip = Clip(path=path, corpus=name, label=label, digest="", duration_s=0.0, **known)
            yield clip, f"{where} ({display_name(cells['path'])})"


def _add_folders(root: Path, name: str, builder: CorpusBuilder) -> None:
    for path in files_of(root, builder):
        parts = path.relative_to(root).parts
        if any(part.startswith(".") for part in parts):  # also what macOS leaves in archives, `__MACOSX/._x.wav`
            builder.skip(path, reason="hidden")
        elif len(parts) == 1:
            builder.skip(path, reason="not in a folder of a label")
        else:
            label = _label(parts[0], where=f"folder {_shown(root / parts[0])}")
            speaker = parts[1] if len(parts) > 2 else ""
            builder.add(Clip(path, name, speaker, label, "", "", NO_LICENCE, digest=""))


def _rows(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the line on which each row ends, and its cells by column."""
    lines = read_cells(str(manifest), expected=f"the columns {_COLUMNS}")
    lines = [(line, stripped) for line, cells in lines if any(stripped := [cell.strip() for cell in cells])]
    if not lines:
        raise ExportError(f"{_shown(manifest)}: is empty, expected the columns {_COLUMNS}", code="bad_data")
    columns = _columns(lines[0][1], manifest)
    for line, cells in lines[1:]:
        if len(cells) != len(columns):
            found = f"found {len(cells)} cells, expected {len(columns)} as in the first line"
            advice = "put a cell that holds a comma in double quotes"
            raise ExportError(f"{_shown(manifest)}, line {line}: {found}; {advice}", code="bad_data")
        yield line, dict(zip(columns, cells, strict=True))


def _columns(head: list[str], manifest: Path) -> list[str]:
    columns = ["licence" if cell.lower() == "license" else cell.lower() for cell in head]
    if "label" not in columns:
        columns = ["label" if column == "emotion" else column for column in columns]
    known = [column for column in columns if column in (*_NEEDED, *_OPTIONAL)]
    if not set(_NEEDED) <= set(known) or len(set(known)) < len(known):
        found = f"found the columns {display_name(', '.join(head))}, expected each once: {_COLUMNS}"
        raise ExportError(f"{_shown(manifest)}, line 1: {found}", code="bad_data")
    return columns


def _label(text: str, *, where: str) -> str:
    label = canonical(text)
    if not label.isidentifier():
        message = f"{where}: label {text!r}, expected letters, digits and underscores that begin with a letter"
        raise ExportError(f"{message}, such as angry, because labels name columns; rename it", code="bad_label")
    return label


def _shown(path: Path) -> str:
    return display_name(str(path))


def _unusable(place: Path, name: str, found: str) -> ExportError:
    expected = f"expected a {MANIFEST} with the columns {', '.join(COLUMNS)}, and rows of the corpus {name}"
    message = f"{display_name(str(place))}: {found}; {expected}; data of your own takes another name"
    return ExportError(message, code="no_data")
