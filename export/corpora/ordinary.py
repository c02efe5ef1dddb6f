"""Ordinary speech, which nobody acted: callers, read sentences, commands, prompts; all of it counts as neutral.

Used by `export.corpora.loading.find_corpora`. The clips are collected from many sources, so a `manifest.csv`, in the
folder or beside it, says of each where it is from, what kind of speech it is and which licence it has.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from export.corpora.builder import Harvest, files_of
from export.corpora.clips import Clip, Corpus
from export.corpora.labels import canonical
from export.errors import ExportError
from sertag.names import display_name

NAME = "ordinary"
MANIFEST = "manifest.csv"

_COLUMNS = ("path", "corpus", "speaker", "emotion", "license", "source", "kind")


def load(root: Path) -> Corpus:
    """Read ordinary speech.

    Args:
        root: its folder; the manifest lies in it or beside it, and has the columns path (relative to the manifest),
            corpus (`ordinary` for these clips), speaker, emotion, license, source and kind.

    Returns:
        Its clips, each recording once; the licence of the corpus names those of all sources.

    Raises:
        ExportError: no manifest, one without these columns, a recording under two labels, or no clip at all.
    """
    harvest = Harvest()
    listed: set[Path] = set()
    for place, row in _rows(root):
        listed.add(place.resolve())
        if not place.is_file():
            harvest.skip(str(place), reason="no such file")
            continue
        clip = Clip(
            path=place,
            corpus=NAME,
            speaker=row["speaker"],
            label=canonical(row["emotion"]),
            sentence="",
            intensity="",
            licence=row["license"],
            digest="",
            source=row["source"],
            kind=row["kind"],
        )
        harvest.take(clip)
    for path in files_of(root, harvest):
        if path.resolve() not in listed:
            harvest.skip(str(path), reason="not in the manifest")
    found = harvest.corpus(NAME, licence="")
    if not found.clips:
        raise _unusable(root, f"none of {len(listed)} listed recordings is there")
    by_source: dict[str, set[str]] = {}
    for clip in found.clips:
        by_source.setdefault(clip.source, set()).add(clip.licence)
    licences = (f"{source}: {', '.join(sorted(own))}" for source, own in sorted(by_source.items()))
    return Corpus(NAME, "; ".join(licences), found.clips, found.skipped)


def _rows(root: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Where each clip lies, and its cells by column."""
    for manifest in (root / MANIFEST, root.parent / MANIFEST):
        if manifest.is_file():
            break
    else:
        raise _unusable(root, f"no {MANIFEST} in this folder or beside it")
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := set(_COLUMNS) - set(reader.fieldnames or ()):
            raise _unusable(manifest, f"lacks the columns {', '.join(sorted(missing))}")
        for row in reader:
            if row["corpus"] == NAME:
                yield manifest.parent / row["path"], row


def _unusable(place: Path, found: str) -> ExportError:
    expected = f"expected a {MANIFEST} with the columns {', '.join(_COLUMNS)}, and rows of the corpus {NAME}"
    message = f"{display_name(str(place))}: {found}; {expected}; data of your own takes another name"
    return ExportError(message, code="no_data")
