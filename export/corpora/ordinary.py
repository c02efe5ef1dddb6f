"""Ordinary speech, which nobody acted: callers, read sentences, commands, prompts; all of it counts as neutral.

Used by `export.corpora.loading.find_corpora`. The clips are collected from many sources, so a `manifest.csv`, in the
folder or beside it, says of each where it is from, what kind of speech it is and which licence it has.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from export.corpora.builder import CorpusBuilder, files_of
from export.corpora.clips import Corpus
from export.corpora.own_data import MANIFEST, listed_clips
from export.errors import ExportError
from sertag.names import display_name

NAME = "ordinary"


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
    manifest = next((place for place in (root / MANIFEST, root.parent / MANIFEST) if place.is_file()), None)
    if manifest is None:
        raise _unusable(root, f"no {MANIFEST} in this folder or beside it")
    builder = CorpusBuilder()
    listed: set[Path] = set()
    for clip, where in listed_clips(manifest, builder, name=NAME, only=NAME):
        listed.add(clip.path.resolve())
        builder.add(clip, said_in=where)
    for path in files_of(root, builder):
        if path.resolve() not in listed:
            builder.skip(str(path), reason="not in the manifest")
    corpus = builder.corpus(NAME, licence="")
    if not corpus.clips:
        raise _unusable(manifest, f"none of the recordings of the corpus {NAME} that it lists is there")
    by_source: dict[str, set[str]] = {}
    for clip in corpus.clips:
        by_source.setdefault(clip.source, set()).add(clip.licence)
    licences = (f"{source}: {', '.join(sorted(own))}" for source, own in sorted(by_source.items()))
    return dataclasses.replace(corpus, licence="; ".join(licences))


def _unusable(place: Path, found: str) -> ExportError:
    columns = "path, corpus, speaker, emotion, license, source, kind"
    expected = f"expected a {MANIFEST} with the columns {columns}, and rows of the corpus {NAME}"
    message = f"{display_name(str(place))}: {found}; {expected}; data of your own takes another name"
    return ExportError(message, code="no_data")
