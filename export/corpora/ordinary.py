"""What nobody acted: ordinary speech, all of which counts as neutral, and recordings in which nobody speaks.

The clips are collected from many sources, so a `manifest.csv`, in the folder or beside it, says of each where it is
from, what kind of speech it is and which licence it has.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from export.corpora.builder import CorpusBuilder, files_of
from export.corpora.clips import Corpus
from export.corpora.own_data import MANIFEST, listed_clips
from export.errors import ExportError
from sertag.text import display_name

NAME, NO_SPEECH = "ordinary", "no_speech"
UNACTED = (NAME, NO_SPEECH)
COLUMNS = ("path", "corpus", "speaker", "emotion", "license", "source", "kind")


def load(root: Path, *, name: str = NAME) -> Corpus:
    """Read such a corpus, each recording once; its licence names those of all sources.

    Rows of the manifest whose corpus is another one than `name` are passed over. An ExportError where there is no
    manifest, or no clip in it.
    """
    manifest = next((place for place in (root / MANIFEST, root.parent / MANIFEST) if place.is_file()), None)
    if manifest is None:
        raise _unusable(root, name, f"no {MANIFEST} in this folder or beside it")
    builder = CorpusBuilder()
    listed: set[Path] = set()
    for clip, where in listed_clips(manifest, builder, name=name, only=name):
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


def _unusable(place: Path, name: str, found: str) -> ExportError:
    expected = f"expected a {MANIFEST} with the columns {', '.join(COLUMNS)}, and rows of the corpus {name}"
    message = f"{display_name(str(place))}: {found}; {expected}; data of your own takes another name"
    return ExportError(message, code="no_data")
