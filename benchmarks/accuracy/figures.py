"""Figures of one run of a suite: the answers of all its folds together, float64 (n, k), beside the truth, int64 (n,).

Nothing that decides an answer is fitted on the clips it is about: a fold has the temperature of the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.arrays import Ints, Probs
from export.evaluation.calibration import cross_fit, equal_weights
from export.evaluation.metrics import area_under_curve, calibration_error, sentiment_uar, uar
from sertag.model.calibration import softmax
from sertag.records import BoolArray

ANGRY = "angry"
_DRAWS = 1000  # of the bootstrap
_COVERAGE = 95  # percent of the draws that an interval holds


@dataclass(frozen=True, slots=True)
class ScoredClips:
    """All tested clips of a run, n of them."""

    truth: Ints  # int64 (n,)
    fold: Ints  # int64 (n,), as are the next two: number of what each clip belongs to
    person: Ints
    corpus: Ints
    labels: tuple[str, ...]
    sentiments: tuple[str, ...]  # of each label
    by_corpus: bool  # each corpus weighs the same, else each clip

    @property
    def groups(self) -> Ints:
        """What figures are the mean over: corpora, or everything together."""
        return self.corpus if self.by_corpus else np.zeros_like(self.corpus)


def calibrated(
    log_probs: dict[str, Probs], answered: dict[str, BoolArray], tested: ScoredClips, *, temperature: float
) -> dict[str, Probs]:
    """Probabilities by condition, each fold with the temperature of the others; one fold alone has the one given."""
    times, together = len(log_probs), np.concatenate(list(log_probs.values()))
    fold, truth = np.tile(tested.fold, times), np.tile(tested.truth, times)
    weights = np.tile(equal_weights(tested.groups), times) * np.concatenate(list(answered.values()))
    if len(np.unique(fold)) > 1:
        pooled = cross_fit(together, truth, folds=fold, weights=weights)
    else:
        pooled = softmax(together / temperature)
    return dict(zip(log_probs, np.split(pooled, times), strict=True))


def figures_of(probs: Probs, answered: BoolArray, tested: ScoredClips) -> dict[str, Any]:
    """Figures of one condition; a clip without an answer is an error."""
    right = (probs.argmax(axis=1) == tested.truth) & answered
    groups = [tested.groups == group for group in np.unique(tested.groups)]
    low, high = interval(right, tested)
    found = {
        "uar": float(np.mean([uar(right[own], tested.truth[own]) for own in groups])),
        "uar_low": low,
        "uar_high": high,
        "accuracy": float(np.mean([right[own].mean() for own in groups])),
    }
    if answered.any():
        weights = equal_weights(tested.groups) * answered
        found["ece"] = calibration_error(probs, tested.truth, weights=weights)
        found["uar_of_the_surest_half"] = surest_half(probs, answered, tested.truth)
    if len(tested.labels) > len(set(tested.sentiments)):
        found["sentiment_uar"] = sentiment_uar(probs, tested.truth, answered, sentiments=tested.sentiments)
    return {name: round(value, 4) for name, value in found.items()} | _anger(probs, answered, tested)


def interval(right: BoolArray, tested: ScoredClips) -> tuple[float, float]:
    """Where UAR lies in 95 % of the draws of as many speakers, with replacement, from those who were tested."""
    rng = np.random.default_rng(0)
    draws = []
    for group in np.unique(tested.groups):
        own = tested.groups == group
        draws.append(uar_draws(right[own], tested.truth[own], tested.person[own], rng=rng))
    return middle(np.mean(draws, axis=0))


def uar_draws(right: BoolArray, truth: Ints, person: Ints, *, rng: np.random.Generator) -> Probs:
    """UAR of as many speakers as there are, drawn again and again with replacement, float64 (draws,)."""
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
    return uar(probs[half].argmax(axis=1) == truth[half], truth[half])


def by_fold(probs: dict[str, Probs], answered: dict[str, BoolArray], tested: ScoredClips, names: Sequence[str]) -> Any:
    """UAR and accuracy of each fold by condition."""
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for condition, own in probs.items():
        right = (own.argmax(axis=1) == tested.truth) & answered[condition]
        for number, name in enumerate(names):
            here = tested.fold == number
            figures = {"uar": uar(right[here], tested.truth[here]), "accuracy": float(right[here].mean())}
            found[name][condition] = {key: round(value, 4) for key, value in figures.items()}
    return found


def _anger(probs: Probs, answered: BoolArray, tested: ScoredClips) -> dict[str, float]:
    """How well anger is told from the rest, mean of folds; nothing where nobody is angry or all are."""
    if ANGRY not in tested.labels:
        return {}
    angry, score = tested.truth == tested.labels.index(ANGRY), probs[:, tested.labels.index(ANGRY)]
    folds = (answered & (tested.fold == fold) for fold in np.unique(tested.fold))
    aucs = [auc for own in folds if (auc := area_under_curve(score[own], angry[own])) is not None]
    return {"anger_auc": round(float(np.mean(aucs)), 4)} if aucs else {}
