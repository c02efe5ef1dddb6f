"""How clips are split: what weights are fitted on, what says when to stop, what is tested; settings of a training.

`speakers` and `corpora` test people whom the network was not trained on. `random` puts the same people on both sides,
as many projects do, and is called leaking wherever its figures appear. scikit-learn's `StratifiedGroupKFold` may leave
a part empty or put the two speakers of a small corpus into one, and other draws would void every measured figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from export.arrays import Ints
from export.corpora.clips import Clip
from export.corpora.own_data import UNACTED
from export.errors import ExportError

Protocol = Literal["speakers", "random", "corpora"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

CROSS_VALIDATED = "cross-validated"

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
_FEW_SPEAKERS = 10  # up to here every speaker is a fold
_FOLDS, _RAVDESS_FOLDS, _USUAL_FOLDS = 5, 6, 4  # the last of cross-validations


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the result of a training besides recipe and clips."""

    protocol: Literal["speakers", "random", "corpora", "cross-validated"] = "speakers"  # how clips are split
    fold: int = 0  # which of the protocol's parts is tested
    folds: int | None = None  # parts of the cross-validation; 4, or the number of speakers if that is smaller, if None
    folds_by: Literal["speaker", "corpus"] = "speaker"  # whose clips are all in one part
    seed: int = 1  # of the split and of the training
    epochs: int | None = None  # most of them; the recipe's if None
    counts_as: tuple[tuple[str, str], ...] = ()  # what each label of the corpora became
    name: str = ""  # of the model, which rows show; the recipe's if empty
    version: str = "1"  # of the model


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

    One for `random`, one a speaker or fold for `speakers` (RAVDESS: actor modulo 6), one a corpus for `corpora`. An
    ExportError where a speaker is not known, or there is only one, or only one corpus.
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


def folds_of(clips: Sequence[Clip], *, settings: Settings) -> Ints:
    """The fold in which each clip is scored, int64 (n,); an ExportError if nothing would be left to learn from.

    What nobody acted goes by its source, so that none is learnt from where it is scored.
    """
    acted = [clip for clip in clips if clip.corpus not in UNACTED]
    if settings.folds_by == "corpus":
        names = sorted({clip.corpus for clip in acted})
        if len(names) < 2:
            found = f"{names[0]} is the only corpus: nothing is left to learn from"
            raise ExportError(f"{found}; give another corpus, or take --folds-by speaker", code="bad_folds")
        count, fold_of = len(names), {clip.digest: names.index(clip.corpus) for clip in acted}
    else:
        count = settings.folds or max(2, min(_USUAL_FOLDS, len({clip.person for clip in acted})))
        dealt = assign_folds(acted, folds=count, seed=settings.seed)
        fold_of = {clip.digest: int(fold) for clip, fold in zip(acted, dealt, strict=True)}
    sources = sorted({(clip.corpus, clip.source) for clip in clips if clip.digest not in fold_of})
    by_source = {source: number % count for number, source in enumerate(sources)}
    return np.array([fold_of.get(c.digest, by_source.get((c.corpus, c.source), 0)) for c in clips], dtype=np.int64)


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
