"""Which clips there are: corpora in their official layouts and data of one's own, with what was left out and why.

The first stage of every training. Labels are the corpora's own; `relabel` turns them into a model's.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from export.corpora import own_data
from export.corpora.clips import Clip, Corpus, CorpusBuilder, described, files_of
from export.corpora.labels import KNOWN, canonical, mapping, refuse_idle
from export.corpora.layouts import LAYOUTS, Layout
from export.corpora.own_data import UNACTED
from export.errors import ExportError
from sertag.text import display_name

_NAMED_PLACE = re.compile(r"(?P<name>\w[\w.-]*)=(?P<place>.+)", re.DOTALL)
_LOSSLESS = frozenset({".wav", ".flac", ".aif", ".aiff"})


def find_corpora(places: Sequence[str]) -> tuple[Corpus, ...]:
    """Load what the command line names, one corpus a name: those of `LAYOUTS`, `ordinary`, then the others.

    Each place is a folder that holds folders named like corpora, or `NAME=FOLDER`, or `NAME=FILE.csv`. With a name of
    `LAYOUTS` that is the corpus, `ordinary` is speech that nobody acted, any other name is data of one's own; case and
    hyphens do not matter. Other folders beside corpora are passed over. An ExportError where a place holds nothing, a
    name is given twice, a recording is in two corpora, or a corpus is not as it must be.
    """
    roots: dict[str, Path] = {}
    for place in places:
        for name, root in _expand(place):
            if name in roots:
                found = f"{display_name(str(roots[name]))} and {display_name(str(root))}"
                raise ExportError(f"corpus {name} is given twice: {found}; leave one out", code="bad_data")
            roots[name] = root
    official = [load(roots[name], name=name) for name in LAYOUTS if name in roots]
    unacted = [own_data.load_unacted(roots[name], name=name) for name in UNACTED if name in roots]
    own = [own_data.load(roots[name], name=name) for name in sorted(roots.keys() - {*LAYOUTS, *UNACTED})]
    _refuse_shared([*official, *unacted, *own])
    return (*official, *unacted, *own)


def load(root: Path, *, name: str) -> Corpus:
    """The clips of a corpus of `LAYOUTS` under its folder, each recording once.

    Identical ones and second files of a name are left out, of two containers the lossy one; so are the known mistakes
    of the corpus. An ExportError for a label that the corpus does not have, a folder that contradicts a name, a
    recording under two labels that is no known mistake, or no clip at all.
    """
    layout = LAYOUTS[name]
    builder = CorpusBuilder()
    names: set[str] = set()
    for path in sorted(files_of(root, builder), key=lambda path: (path.suffix.lower() not in _LOSSLESS, path)):
        clip = _clip(path, layout)
        if clip is None:
            builder.skip(path, reason="name not of this corpus")
        elif path.stem in layout.oddities:
            builder.skip(path, reason=layout.oddities[path.stem])
        elif (official := f"{clip.speaker} {path.stem}") in names:
            builder.skip(path, reason="second file of the same name")
        elif builder.add(clip):
            names.add(official)
    corpus = builder.corpus(name)
    if not corpus.clips:
        left_out = f"no clip named as in {name}, left out: {described(corpus.skipped)}"
        found = left_out if root.is_dir() else "is no folder"
        expected = f"expected files such as {layout.example}, to be had from {layout.source} ({layout.licence})"
        message = f"{display_name(str(root))}: {found}; {expected}; data of your own takes another name"
        raise ExportError(message, code="no_data")
    return corpus


def relabel(
    corpora: Sequence[Corpus], *, onto: tuple[str, ...], label_map: Mapping[str, str] = MappingProxyType({})
) -> tuple[Corpus, ...]:
    """Give clips the labels of a model, as `export.corpora.labels.mapping` has them.

    Clips whose label has no counterpart are left out, counted and named. An ExportError for a label that is not known,
    one in `label_map` that no clip has, a corpus without any clip left, or one class only.
    """
    refuse_idle(label_map, found={clip.label for corpus in corpora for clip in corpus.clips})
    found = tuple(_relabelled(corpus, onto, label_map) for corpus in corpora)
    labels = {clip.label for corpus in found for clip in corpus.clips}
    if len(labels) == 1:
        message = f"every clip of {', '.join(corpus.name for corpus in found)} counts as {labels.pop()}, one class only"
        advice = f"expected two or more of {', '.join(onto)}; add clips of others"
        raise ExportError(f"{message}, {advice}", code="one_class")
    return found


def _expand(place: str) -> list[tuple[str, Path]]:
    """Names and where they lie."""
    named = _NAMED_PLACE.fullmatch(place)
    if named and not Path(place).is_dir():
        return [(_official_name(named["name"]), Path(named["place"]))]
    folder = Path(place)
    shown = display_name(place)
    if not folder.is_dir():
        raise ExportError(f"{shown}: no such folder, expected a folder, NAME=FOLDER or NAME=FILE.csv", code="no_data")
    inside = [(_official_name(path.name), path) for path in sorted(folder.iterdir()) if path.is_dir()]
    found = [(name, path) for name, path in inside if name in LAYOUTS]
    if not found:
        advice = f"if it is one of these give its name, as in tess={shown}, if it is data of yours any other name"
        raise ExportError(f"no folder named {', '.join(LAYOUTS)} under {shown}; {advice}", code="no_data")
    return found


def _official_name(name: str) -> str:
    """`CREMA-D` is `crema_d`; a name of no corpus stays as it is."""
    plain = name.lower().replace("-", "_")
    return plain if plain in (*LAYOUTS, *UNACTED) else name


def _clip(path: Path, layout: Layout) -> Clip | None:
    """What a path says, without the digest; None where it is not named as in this corpus."""
    name = layout.pattern.fullmatch(path.stem)
    folder = layout.folder.fullmatch(path.parent.name) if layout.folder else None
    if name is None or not (name["speaker"] or folder):
        return None
    said = (folder.groupdict() if folder else {}) | {key: value for key, value in name.groupdict().items() if value}
    if said["label"] not in layout.labels:
        known = ", ".join(layout.labels)
        message = f"{display_name(str(path))}: {layout.name} has no label {said['label']!r}, expected one of {known}"
        raise ExportError(f"{message}; correct the name or take the file away", code="unknown_label")
    speaker, label = layout.speakers.get(said["speaker"], said["speaker"]), layout.labels[said["label"]]
    around = folder.groupdict() if folder else {}
    around_label = canonical(around.get("label", ""))
    # A file in the folder of another speaker or emotion was moved or renamed: nobody can tell which is right.
    if around.get("speaker", speaker) != speaker or (around_label in KNOWN and around_label != label):
        found = f"its name says {speaker}, {label}, its folder {path.parent.name}"
        advice = "compare with the original and put it right, or take the file away"
        raise ExportError(f"{display_name(str(path))}: {display_name(found)}; {advice}", code="mixed_labels")
    intensity = layout.intensities.get(said.get("intensity", ""), "")
    return Clip(path, layout.name, speaker, label, said.get("sentence", ""), intensity, layout.licence, digest="")


def _refuse_shared(corpora: Sequence[Corpus]) -> None:
    """A recording in two corpora would be learnt from in one and tested in the other."""
    first: dict[str, Clip] = {}
    shared = []
    for clip in (clip for corpus in corpora for clip in corpus.clips):
        other = first.setdefault(clip.digest, clip)
        if other is not clip:
            shared.append((other, clip))
    if shared:
        one, other = shared[0]
        paths = f"{display_name(str(one.path))} and {display_name(str(other.path))}"
        message = f"{len(shared)} recordings are in {one.corpus} and again in {other.corpus}, {paths} for one"
        raise ExportError(f"{message}; take the copies away, or name only one of the two", code="overlap")


def _relabelled(corpus: Corpus, onto: tuple[str, ...], label_map: Mapping[str, str]) -> Corpus:
    own = {clip.label for clip in corpus.clips}
    try:
        counts_as = mapping(own, onto=onto, label_map=label_map)
    except ExportError as error:
        raise ExportError(f"{corpus.name}: {error}", code=error.code) from error
    kept = corpus.without(
        {clip.path: f"label {clip.label} has no counterpart" for clip in corpus.clips if counts_as[clip.label] is None}
    )
    if not kept.clips:
        message = f"{corpus.name} has {', '.join(sorted(own))}, the model only {', '.join(onto)}: no clip is left"
        raise ExportError(f"{message}; name what a label counts as with --map FOUND=LABEL", code="no_data")
    clips = tuple(dataclasses.replace(clip, label=counts_as[clip.label] or "") for clip in kept.clips)
    return dataclasses.replace(kept, clips=clips)
