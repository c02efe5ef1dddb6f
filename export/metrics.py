"""Figures of merit, from probabilities and true labels alone.

UAR is the mean over classes of the recall of each (unweighted average recall); ECE the expected calibration error over
15 bins of equal width (Guo et al. 2017, arXiv 1706.04599). Probabilities are float64 (n, k), truth int64 (n,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.dataset import Ints

Probs = npt.NDArray[np.float64]

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
    """

    clips: int
    chance: float
    uar: float
    accuracy: float
    ece: float
    recall: dict[str, float]
    confusion: list[list[int]]


def figures(probs: Probs, truth: Ints, *, labels: tuple[str, ...]) -> Figures:
    """Measure predictions against the truth.

    >>> figures(np.eye(2), np.array([0, 1]), labels=("sad", "happy")).uar
    1.0
    """
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (truth, probs.argmax(axis=1)), 1)
    occurs = np.flatnonzero(confusion.sum(axis=1))
    recall = confusion[occurs, occurs] / confusion[occurs].sum(axis=1)
    return Figures(
        clips=len(truth),
        chance=1 / len(occurs),
        uar=float(recall.mean()),
        accuracy=float(np.trace(confusion) / len(truth)),
        ece=calibration_error(probs, truth, weights=np.ones(len(truth))),
        recall={labels[label]: float(value) for label, value in zip(occurs, recall, strict=True)},
        confusion=confusion.tolist(),
    )


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
