"""How clips are split into those that are learnt from, those that choose when to stop, and those that are tested.

`speakers` and `corpora` test people that nobody learnt from. `random` does what many projects do, puts the same people
on both sides, and is called leaking wherever its figures appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from export.arrays import Ints
from export.corpora.clips import Clip
from export.errors import ExportError
from export.training.folds import assign_folds

Protocol = Literal["speakers", "random", "corpora"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

TEST_SHARE, INNER_SHARE = 0.2, 0.1
_FEW_SPEAKERS = 10  # up to here every speaker is a fold
_FOLDS = 5
_RAVDESS_FOLDS = 6


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of clips, int64, ascending, no clip in two of them.

    Attributes:
        name: of what is tested.
        learn: what weights are fitted on.
        inner: what chooses the epoch and calibrates.
        test: what is measured.
        leaking: a speaker of the test is among those learnt from.
        inner_strangers: no speaker of `inner` is among those learnt from.
    """

    name: str
    learn: Ints
    inner: Ints
    test: Ints
    leaking: bool
    inner_strangers: bool


def splits(clips: Sequence[Clip], *, protocol: Protocol, seed: int) -> list[Split]:
    """All splits of a protocol.

    Args:
        clips: of one corpus or several.
        protocol: see the module.
        seed: of what is drawn: the random halves, the dealing of many speakers over folds, the inner clips.

    Returns:
        One for `random`, one a speaker or fold for `speakers` (RAVDESS: actor modulo 6), one a corpus for `corpora`.

    Raises:
        ExportError: a speaker is not known, or there is only one, or only one corpus; the same recording on both sides.
    """
    rng = np.random.default_rng(seed)
    if protocol == "random":
        order = rng.permutation(len(clips))
        tests = {"20 % of the clips": np.sort(order[: max(1, round(TEST_SHARE * len(clips)))])}
    elif protocol == "corpora":
        tests = _by(clips, [clip.corpus for clip in clips], "corpus")
    else:
        tests = _by(clips, _speaker_folds(clips, seed=seed), "speaker")
    found = [_split(clips, name, test, rng) for name, test in tests.items()]
    for split in found:
        _refuse_overlap(clips, split)
    return found


def speakers_among_others(clips: Sequence[Clip], *, corpus: str, seed: int) -> list[Split]:
    """Each speaker of one corpus is tested once; learnt from are its other speakers and all other corpora.

    Args:
        clips: of several corpora.
        corpus: whose speakers are tested; none of them is among the inner clips.
        seed: of the dealing of inner clips.

    Raises:
        ExportError: see `splits`.
    """
    refuse_unknown_speakers(clips)
    rng = np.random.default_rng(seed)
    people = sorted({clip.person for clip in clips if clip.corpus == corpus})
    tests = {person: [index for index, clip in enumerate(clips) if clip.person == person] for person in people}
    found = [
        _split(clips, person, np.array(test, dtype=np.int64), rng, never_inner=frozenset(people))
        for person, test in tests.items()
    ]
    for split in found:
        _refuse_overlap(clips, split)
    return found


def refuse_unknown_speakers(clips: Sequence[Clip]) -> None:
    """Folds by speaker need to know all of them: two clips without a name may be of one person, or of two.

    Raises:
        ExportError: a speaker is not known.
    """
    unknown = [clip for clip in clips if not clip.speaker]
    if unknown:
        found = f"{len(unknown)} of {len(clips)} clips have no speaker, {unknown[0].path} for one"
        advice = "name them in a manifest (path,label,speaker) or in folders label/speaker, or take --protocol random"
        raise ExportError(f"{found}; {advice}, whose figures say nothing about strangers", code="no_speaker")


def _speaker_folds(clips: Sequence[Clip], *, seed: int) -> list[str]:
    """The name of the fold in which each clip is tested."""
    refuse_unknown_speakers(clips)
    if {clip.corpus for clip in clips} == {"ravdess"}:
        return [f"actors modulo {_RAVDESS_FOLDS} is {int(clip.speaker) % _RAVDESS_FOLDS}" for clip in clips]
    people = {clip.person for clip in clips}
    if len(people) <= _FEW_SPEAKERS:
        return [clip.speaker if len({clip.corpus for clip in clips}) == 1 else clip.person for clip in clips]
    return [f"speakers, part {fold + 1} of {_FOLDS}" for fold in assign_folds(clips, folds=_FOLDS, seed=seed)]


def _by(clips: Sequence[Clip], groups: list[str], what: str) -> dict[str, Ints]:
    names = sorted(set(groups))
    if len(names) < 2:
        advice = "give more data, or take --protocol random, whose figures say nothing about strangers"
        raise ExportError(f"only one {what}, {names[0]}: nobody is left to test; {advice}", code="one_group")
    chosen = np.array(groups)
    return {name: np.flatnonzero(chosen == name) for name in names}


def _split(
    clips: Sequence[Clip],
    name: str,
    test: Ints,
    rng: np.random.Generator,
    *,
    never_inner: frozenset[str] = frozenset(),
) -> Split:
    rest = np.setdiff1d(np.arange(len(clips)), test)
    people = sorted({clips[index].person for index in rest})
    tested = {clips[index].person for index in test}
    strangers = len(people) >= 3 and all(clip.speaker for clip in clips) and not tested & set(people)
    eligible = [index for index in rest if clips[index].person not in never_inner]
    if not eligible:
        raise ExportError(f"{name}: nobody is left to choose by; give other corpora too", code="one_group")
    if strangers:
        order = rng.permutation(sorted({clips[index].person for index in eligible}))
        kept = set(order[: max(1, round(INNER_SHARE * len(people)))])
        inner = np.array([index for index in rest if clips[index].person in kept], dtype=np.int64)
    else:
        inner = np.sort(rng.permutation(eligible)[: max(1, round(INNER_SHARE * len(rest)))])
    return Split(
        name=name,
        learn=np.setdiff1d(rest, inner),
        inner=inner,
        test=test,
        leaking=bool(tested & set(people)) or not all(clip.speaker for clip in clips),
        inner_strangers=strangers,
    )


def _refuse_overlap(clips: Sequence[Clip], split: Split) -> None:
    learnt = {clips[index].digest: clips[index] for index in (*split.learn, *split.inner)}
    both = [(learnt[clips[index].digest], clips[index]) for index in split.test if clips[index].digest in learnt]
    if both:
        known, tested = both[0]
        found = f"{len(both)} recordings are in the test half and outside it, {tested.path} and {known.path} for one"
        raise ExportError(f"{found}; take one copy away", code="overlap")
