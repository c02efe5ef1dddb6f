"""How clips are split into those that weights are fitted on, those that choose when to stop, and those that are tested.

`speakers` and `corpora` test people whom the network was not trained on. `random` does what many projects do, puts the
same people on both sides, and is called leaking wherever its figures appear.

Who of many speakers is in which part, and who validates, is dealt here: scikit-learn's `StratifiedGroupKFold` may leave
a part empty or put the two speakers of a small corpus into one, and other draws than these would void every figure that
was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from export.arrays import Ints
from export.corpora.clips import Clip
from export.errors import ExportError

Protocol = Literal["speakers", "random", "corpora"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
_FEW_SPEAKERS = 10  # up to here every speaker is a fold
_FOLDS, _RAVDESS_FOLDS = 5, 6


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of clips, int64, ascending, no clip in two of them."""

    name: str  # of what is tested
    train: Ints  # what weights are fitted on
    validation: Ints  # what chooses the epoch and calibrates
    test: Ints  # what is measured
    leaking: bool  # a speaker of the test is among those trained on
    speaker_independent: bool  # no speaker of `validation` is among those trained on


def splits(clips: Sequence[Clip], *, protocol: Protocol, seed: int) -> list[Split]:
    """All splits of a protocol; the seed is that of everything drawn.

    Returns:
        One for `random`, one a speaker or fold for `speakers` (RAVDESS: actor modulo 6), one a corpus for `corpora`.

    Raises:
        ExportError: a speaker is not known, or there is only one, or only one corpus.
    """
    rng = np.random.default_rng(seed)
    if protocol == "random":
        order = rng.permutation(len(clips))
        tests = {"20 % of the clips": np.sort(order[: max(1, round(TEST_SHARE * len(clips)))])}
    elif protocol == "corpora":
        tests = _each_once([clip.corpus for clip in clips], "corpus")
    else:
        tests = _each_once(_speaker_folds(clips, seed=seed), "speaker")
    return [_split(clips, name, test, rng) for name, test in tests.items()]


def assign_folds(clips: Sequence[Clip], *, folds: int, seed: int) -> Ints:
    """The fold in which each clip is tested, int64 (n,): speakers are dealt, so nobody is in two of them.

    Each corpus goes on where the one before stopped, so that the two speakers of a small corpus do not meet in a fold
    and no fold is much larger than another. An ExportError where there are fewer speakers than folds.
    """
    rng = np.random.default_rng(seed)
    corpora: dict[str, set[str]] = {}
    for clip in clips:
        corpora.setdefault(clip.corpus, set()).add(clip.person)
    dealt = [str(person) for corpus in sorted(corpora) for person in rng.permutation(sorted(corpora[corpus]))]
    if not 2 <= folds <= len(dealt):
        found = f"{folds} folds with {len(dealt)} speakers: expected one speaker or more in each of two or more folds"
        advice = "take fewer --folds" if len(dealt) > 1 else "give clips of others, or take --protocol random"
        raise ExportError(f"{found}; {advice}", code="bad_folds")
    fold_of = {person: index % folds for index, person in enumerate(dealt)}
    return np.array([fold_of[clip.person] for clip in clips], dtype=np.int64)


def refuse_unknown_speakers(clips: Sequence[Clip]) -> None:
    """Folds by speaker need to know all of them: two clips without a name may be of one person, or of two."""
    unknown = [clip for clip in clips if not clip.speaker]
    if unknown:
        found = f"{len(unknown)} of {len(clips)} clips have no speaker, {unknown[0].path} for one"
        advice = "name them in a manifest (path,label,speaker) or in folders label/speaker, or take --protocol random"
        raise ExportError(f"{found}; {advice}, whose figures say nothing about new speakers", code="no_speaker")


def _speaker_folds(clips: Sequence[Clip], *, seed: int) -> list[str]:
    """The name of the fold in which each clip is tested."""
    refuse_unknown_speakers(clips)
    corpora = {clip.corpus for clip in clips}
    if corpora == {"ravdess"}:
        return [f"actors modulo {_RAVDESS_FOLDS} is {int(clip.speaker) % _RAVDESS_FOLDS}" for clip in clips]
    if len({clip.person for clip in clips}) <= _FEW_SPEAKERS:
        return [clip.speaker if len(corpora) == 1 else clip.person for clip in clips]
    return [f"speakers, part {fold + 1} of {_FOLDS}" for fold in assign_folds(clips, folds=_FOLDS, seed=seed)]


def _each_once(groups: Sequence[str], what: str) -> dict[str, Ints]:
    """Indices of the clips of each group, by its name."""
    names, number = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        advice = "give more data, or take --protocol random, whose figures say nothing about new speakers"
        raise ExportError(f"only one {what}, {names[0]}: nobody is left to test; {advice}", code="one_group")
    return {str(name): np.flatnonzero(number == index) for index, name in enumerate(names)}


def _split(clips: Sequence[Clip], name: str, test: Ints, rng: np.random.Generator) -> Split:
    rest = np.setdiff1d(np.arange(len(clips)), test)
    people, tested = ({clips[index].person for index in part} for part in (rest, test))
    known = all(clip.speaker for clip in clips)
    strangers = len(people) >= 3 and known and not tested & people
    if strangers:
        order = rng.permutation(sorted(people))
        kept = set(order[: max(1, round(VALIDATION_SHARE * len(people)))])
        validation = np.array([index for index in rest if clips[index].person in kept], dtype=np.int64)
    else:
        validation = np.sort(rng.permutation(rest)[: max(1, round(VALIDATION_SHARE * len(rest)))])
    leaking = bool(tested & people) or not known
    return Split(name, np.setdiff1d(rest, validation), validation, test, leaking, strangers)
