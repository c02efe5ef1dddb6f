"""Figures of one run of a suite: the answers of all its folds together.

Probabilities are float64 (n, k), truth int64 (n,). Nothing that decides an answer is fitted on the clips it is about:
the temperature of a fold (a corpus, where corpora are the folds) comes from the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.arrays import Ints, Probs
from export.evaluation.calibration import cross_fit, equal_weights, scale
from export.evaluation.metrics import area_under_curve, calibration_error, count_confusion, sentiment_uar, uar_accuracy
from sertag.records import BoolArray

ANGRY = "angry"
_DRAWS = 1000  # of the bootstrap
_COVERAGE = 95  # percent of the draws that an interval holds


@dataclass(frozen=True, slots=True)
class ScoredClips:
    """All tested clips of a run, n of them.

    Attributes:
        truth: int64 (n,).
        fold, person, corpus: int64 (n,), numbers of what each clip belongs to.
        labels, sentiments: k of them.
        by_corpus: each corpus weighs the same, else each clip.
    """

    truth: Ints
    fold: Ints
    person: Ints
    corpus: Ints
    labels: tuple[str, ...]
    sentiments: tuple[str, ...]
    by_corpus: bool

    @property
    def groups(self) -> Ints:
        """What figures are the mean over: corpora, or everything together."""
        return self.corpus if self.by_corpus else np.zeros_like(self.corpus)


def calibrated(
    log_probs: dict[str, Probs], answered: dict[str, BoolArray], tested: ScoredClips
) -> dict[str, Probs] | None:
    """Probabilities by condition, each fold with the temperature of the others; None where there is one fold alone."""
    if len(np.unique(tested.fold)) < 2:
        return None
    heard = np.concatenate(list(answered.values()))
    times = len(log_probs)
    fold, truth = np.tile(tested.fold, times), np.tile(tested.truth, times)
    weights = np.tile(equal_weights(tested.groups), times) * heard
    pooled = cross_fit(np.concatenate(list(log_probs.values())), truth, folds=fold, weights=weights)
    return dict(zip(log_probs, np.split(pooled, times), strict=True))


def figures_of(probs: Probs, answered: BoolArray, tested: ScoredClips) -> dict[str, Any]:
    """Figures of one condition; a clip without an answer is an error."""
    confusion, unanswered = _counts(probs, answered, tested)
    merits = [uar_accuracy(c, u) for c, u in zip(confusion, unanswered, strict=True)]
    uar, accuracy = (float(np.mean(values)) for values in zip(*merits, strict=True))
    low, high = interval(probs, answered, tested)
    found = {"uar": uar, "uar_low": low, "uar_high": high, "accuracy": accuracy}
    if answered.any():
        weights = equal_weights(tested.groups) * answered
        found["ece"] = calibration_error(probs, tested.truth, weights=weights)
        found["uar_of_the_surest_half"] = surest_half(probs, answered, tested.truth)
    if len(tested.labels) > len(set(tested.sentiments)):
        found["sentiment_uar"] = sentiment_uar(probs, tested.truth, answered, sentiments=tested.sentiments)
    return {name: round(value, 4) for name, value in found.items()} | _anger(probs, answered, tested)


def interval(probs: Probs, answered: BoolArray, tested: ScoredClips) -> tuple[float, float]:
    """Where UAR lies in 95 % of the draws of as many speakers, with replacement, from those who were tested."""
    rng = np.random.default_rng(0)
    draws = []
    for group in np.unique(tested.groups):
        own = tested.groups == group
        right = (probs[own].argmax(axis=1) == tested.truth[own]) & answered[own]
        draws.append(uar_draws(right, tested.truth[own], tested.person[own], rng=rng))
    return middle(np.mean(draws, axis=0))


def uar_draws(right: BoolArray, truth: Ints, person: Ints, *, rng: np.random.Generator) -> Probs:
    """UAR of as many speakers as there are, drawn again and again with replacement, float64 (draws,).

    Args:
        right: bool (n,), whether each clip was answered rightly.
        truth: int64 (n,), its label.
        person: int64 (n,), who speaks.
        rng: of the draws.
    """
    people, number = np.unique(person, return_inverse=True)
    labels, label = np.unique(truth, return_inverse=True)
    hits, clips = np.zeros((len(people), len(labels))), np.zeros((len(people), len(labels)))
    np.add.at(hits, (number, label), right)
    np.add.at(clips, (number, label), 1)
    times = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=_DRAWS)  # (draws, people)
    total = times @ clips
    recall = np.divide(times @ hits, total, out=np.full_like(total, np.nan), where=total > 0)
    return np.asarray(np.nanmean(recall, axis=1))


def middle(draws: Probs) -> tuple[float, float]:
    """Between which values 95 % of the draws lie."""
    low, high = np.percentile(draws, [(100 - _COVERAGE) / 2, (100 + _COVERAGE) / 2])
    return float(low), float(high)


def surest_half(probs: Probs, answered: BoolArray, truth: Ints) -> float:
    """UAR of the half of the answers with the highest confidence."""
    order = np.argsort(-np.where(answered, probs.max(axis=1), -1.0), kind="stable")
    half = order[: max(1, int(answered.sum()) // 2)]
    confusion = count_confusion(probs[half].argmax(axis=1), truth[half], classes=probs.shape[1])
    return uar_accuracy(confusion, np.zeros(probs.shape[1], dtype=np.int64))[0]


def _counts(probs: Probs, answered: BoolArray, tested: ScoredClips) -> tuple[list[Ints], list[Ints]]:
    """Confusion and clips without an answer of each group."""
    classes = len(tested.labels)
    confusions, unanswered = [], []
    for group in np.unique(tested.groups):
        own, silent = answered & (tested.groups == group), ~answered & (tested.groups == group)
        confusions.append(count_confusion(probs[own].argmax(axis=1), tested.truth[own], classes=classes))
        unanswered.append(np.bincount(tested.truth[silent], minlength=classes))
    return confusions, unanswered


def _anger(probs: Probs, answered: BoolArray, tested: ScoredClips) -> dict[str, float]:
    """How well anger is told from the rest, mean of folds; nothing where nobody is angry or all are."""
    if ANGRY not in tested.labels:
        return {}
    angry, score = tested.truth == tested.labels.index(ANGRY), probs[:, tested.labels.index(ANGRY)]
    aucs = [
        area_under_curve(score[own], angry[own])
        for own in (answered & (tested.fold == fold) for fold in np.unique(tested.fold))
        if angry[own].any() and not angry[own].all()
    ]
    return {"anger_auc": round(float(np.mean(aucs)), 4)} if aucs else {}


def by_fold(probs: dict[str, Probs], answered: dict[str, BoolArray], tested: ScoredClips, names: Sequence[str]) -> Any:
    """UAR and accuracy of each fold by condition."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for number, name in enumerate(names):
        own = tested.fold == number
        found[name] = {}
        for condition, all_probs in probs.items():
            heard, silent = own & answered[condition], own & ~answered[condition]
            confusion = count_confusion(
                all_probs[heard].argmax(axis=1), tested.truth[heard], classes=len(tested.labels)
            )
            uar, accuracy = uar_accuracy(confusion, np.bincount(tested.truth[silent], minlength=len(tested.labels)))
            found[name][condition] = {"uar": round(uar, 4), "accuracy": round(accuracy, 4)}
    return found


def plain(log_probs: dict[str, Probs], *, temperature: float) -> dict[str, Probs]:
    """Probabilities by condition with one temperature for all."""
    return {name: scale(own, temperature=temperature) for name, own in log_probs.items()}
