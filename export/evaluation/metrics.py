"""Figures of merit, from probabilities float64 (n, k) and true labels int64 (n,); scikit-learn counts.

UAR is the mean over classes of the recall of each; ECE the expected calibration error over 15 bins of equal width (Guo
et al. 2017, arXiv 1706.04599). A figure that is not defined is left out, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from export.arrays import Ints, Probs
from sertag.records import BoolArray

_BINS = 15


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures over some clips; shares are 0 to 1."""

    clips: int
    chance: float  # UAR of guessing, one over the number of classes that occur
    uar: float
    accuracy: float
    ece: float  # of the clips with an answer
    recall: dict[str, float]  # of each class that occurs, by label
    confusion: list[list[int]]  # rows are truth, columns prediction, both in the order of the labels
    precision: dict[str, float]  # of each class that was predicted, by label
    f1: dict[str, float]  # of each class that occurs, by label
    macro_f1: float  # its mean over them
    unanswered: int  # clips without enough speech for an answer


def figures(probs: Probs, truth: Ints, *, labels: tuple[str, ...], answered: BoolArray | None = None) -> Figures:
    """Measure predictions against the truth, 0 to k - 1, of one clip or more; one without an answer is an error.

    >>> figures(np.eye(2), np.array([0, 1]), labels=("sad", "happy")).uar
    1.0
    """
    answered = np.ones(len(truth), dtype=np.bool_) if answered is None else answered
    predicted = np.where(answered, probs.argmax(axis=1), (truth + 1) % len(labels))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=range(len(labels)), zero_division=np.nan
    )
    occurs = support > 0
    return Figures(
        clips=len(truth),
        chance=1 / int(occurs.sum()),
        uar=float(recall[occurs].mean()),
        accuracy=float((predicted == truth).mean()),
        ece=calibration_error(probs, truth, weights=answered.astype(np.float64)) if answered.any() else 0.0,
        recall=_by_label(recall, occurs, labels),
        confusion=confusion_matrix(truth, predicted, labels=range(len(labels))).tolist(),
        precision=_by_label(precision, np.isin(range(len(labels)), predicted), labels),
        f1=_by_label(f1, occurs, labels),
        macro_f1=float(f1[occurs].mean()),
        unanswered=int((~answered).sum()),
    )


def uar(right: BoolArray, truth: Ints) -> float:
    """Mean recall over the labels that occur, of clips that were answered rightly or not.

    >>> uar(np.array([True, False, True]), np.array([0, 0, 1]))
    0.75
    """
    return float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))


def sentiment_uar(probs: Probs, truth: Ints, answered: BoolArray, *, sentiments: Sequence[str]) -> float:
    """UAR of the sentiment that rows have, which is that of the most probable label; no answer counts as an error.

    >>> told = np.array([[0.6, 0.4, 0.0], [0.0, 0.0, 1.0]])
    >>> sentiment_uar(told, np.array([1, 0]), np.ones(2, bool), sentiments=("negative", "negative", "positive"))
    0.5
    """
    of_label = np.unique(sentiments, return_inverse=True)[1]
    true = of_label[truth]
    return uar((of_label[probs.argmax(axis=1)] == true) & answered, true)


def calibration_error(probs: Probs, truth: Ints, *, weights: Probs) -> float:
    """Weighted mean distance between the confidence of a bin and the share of it that is right.

    >>> calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1]), weights=np.ones(4))
    0.0
    """
    confidence = probs.max(axis=1)
    right = probs.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=weights * (confidence - right), minlength=_BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def area_under_curve(scores: Probs, positive: BoolArray) -> float | None:
    """Share of the pairs of a positive and another clip in which the positive one scores higher; None without pairs.

    >>> area_under_curve(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    return float(roc_auc_score(positive, scores)) if positive.any() and not positive.all() else None


def _by_label(values: Probs, kept: BoolArray, labels: Sequence[str]) -> dict[str, float]:
    return {label: float(value) for label, value, keep in zip(labels, values, kept, strict=True) if keep}
