"""Figures of merit, from probabilities and true labels alone.

UAR is the mean over classes of the recall of each (unweighted average recall); ECE the expected calibration error over
15 bins of equal width (Guo et al. 2017, arXiv 1706.04599). Probabilities are float64 (n, k), truth int64 (n,).

A figure that is not defined is left out, never 0: recall and F1 of a class that does not occur, precision of a class
that was never predicted. F1 is 2 TP / (2 TP + FP + FN), so a class that occurs and was never predicted has F1 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.arrays import Ints, Probs

_BINS = 15


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures over some clips; shares are 0 to 1.

    Attributes:
        clips: how many.
        chance: UAR of guessing, one over the number of classes that occur.
        uar, accuracy, ece: see the module.
        recall: of each class that occurs, by label.
        confusion: rows are truth, columns prediction, both in the order of the labels.
        precision: of each class that was predicted, by label.
        f1: of each class that occurs, by label.
        macro_f1: its mean over them.
    """

    clips: int
    chance: float
    uar: float
    accuracy: float
    ece: float
    recall: dict[str, float]
    confusion: list[list[int]]
    precision: dict[str, float]
    f1: dict[str, float]
    macro_f1: float


def figures(probs: Probs, truth: Ints, *, labels: tuple[str, ...]) -> Figures:
    """Measure predictions against the truth.

    Args:
        probs: float64 (n, k), n >= 1.
        truth: int64 (n,), 0 to k - 1.
        labels: k of them.

    >>> figures(np.eye(2), np.array([0, 1]), labels=("sad", "happy")).uar
    1.0
    """
    confusion = count_confusion(probs.argmax(axis=1), truth, classes=len(labels))
    right, actual, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    occurs, named = np.flatnonzero(actual), np.flatnonzero(predicted)
    recall = right[occurs] / actual[occurs]
    f1 = 2 * right[occurs] / (actual + predicted)[occurs]
    return Figures(
        clips=len(truth),
        chance=1 / len(occurs),
        uar=float(recall.mean()),
        accuracy=float(right.sum() / len(truth)),
        ece=calibration_error(probs, truth, weights=np.ones(len(truth))),
        recall=_by_label(recall, occurs, labels),
        confusion=confusion.tolist(),
        precision=_by_label(right[named] / predicted[named], named, labels),
        f1=_by_label(f1, occurs, labels),
        macro_f1=float(f1.mean()),
    )


def count_confusion(predicted: Ints, truth: Ints, *, classes: int) -> Ints:
    """Count clips, int64 (classes, classes): rows are truth, columns prediction.

    >>> count_confusion(np.array([1, 1]), np.array([0, 1]), classes=2).tolist()
    [[0, 1], [0, 1]]
    """
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    return confusion


def merit(confusion: Ints, unanswered: Ints) -> tuple[float, float]:
    """UAR and accuracy of counted clips; those without an answer count as errors.

    Args:
        confusion: int64 (k, k), rows are truth.
        unanswered: int64 (k,), of each class.

    >>> merit(np.array([[3, 1], [0, 4]]), np.array([0, 4]))
    (0.625, 0.5833333333333334)
    """
    right, total = np.diag(confusion), confusion.sum(axis=1) + unanswered
    occurs = total > 0
    return float((right[occurs] / total[occurs]).mean()), float(right.sum() / total.sum())


def sentiment_uar(probs: Probs, truth: Ints, answered: npt.NDArray[np.bool_], *, sentiments: Sequence[str]) -> float:
    """UAR of the sentiment that rows have, which is that of the most probable label.

    Args:
        probs: float64 (n, k).
        truth: int64 (n,).
        answered: bool (n,); what has no answer counts as an error.
        sentiments: k of them, of each label.

    >>> told = np.array([[0.6, 0.4, 0.0], [0.0, 0.0, 1.0]])
    >>> sentiment_uar(told, np.array([1, 0]), np.ones(2, bool), sentiments=("negative", "negative", "positive"))
    0.5
    """
    names = sorted(set(sentiments))
    of_label = np.array([names.index(sentiment) for sentiment in sentiments])
    told, right = of_label[probs.argmax(axis=1)], of_label[truth]
    confusion = count_confusion(told[answered], right[answered], classes=len(names))
    return merit(confusion, np.bincount(right[~answered], minlength=len(names)))[0]


def calibration_error(probs: Probs, truth: Ints, *, weights: Probs) -> float:
    """Mean distance between the confidence of a bin and the share of it that is right.

    Args:
        probs: float64 (n, k).
        truth: int64 (n,).
        weights: float64 (n,), of each prediction.

    >>> calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1]), weights=np.ones(4))
    0.0
    """
    confidence = probs.max(axis=1)
    right = probs.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=weights * (confidence - right), minlength=_BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def area_under_curve(scores: Probs, positive: npt.NDArray[np.bool_]) -> float:
    """Share of the pairs of a positive and another clip in which the positive one scores higher; ties count half.

    Args:
        scores: float64 (n,).
        positive: bool (n,), with both kinds.

    >>> area_under_curve(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    import scipy.stats

    ranks = scipy.stats.rankdata(scores)[positive].sum()
    count = int(positive.sum())
    return float((ranks - count * (count + 1) / 2) / (count * (len(scores) - count)))


def false_alarms(scores: Probs, positive: npt.NDArray[np.bool_], calm: npt.NDArray[np.bool_], *, found: float) -> float:
    """Share of calm clips that score as high as it takes to find a share of the positive ones.

    Args:
        scores: float64 (n,).
        positive: bool (n,), with some clips.
        calm: likewise.
        found: share of the positive ones, over 0 and up to 1.

    >>> false_alarms(
    ...     np.array([0.9, 0.4, 0.5, 0.1]), np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 1], bool), found=1.0
    ... )
    0.5
    """
    ranked = np.sort(scores[positive])[::-1]
    threshold = ranked[math.ceil(found * len(ranked)) - 1]
    return float((scores[calm] >= threshold).mean())


def _by_label(values: Probs, members: Ints, labels: tuple[str, ...]) -> dict[str, float]:
    return {labels[label]: float(value) for label, value in zip(members, values, strict=True)}
