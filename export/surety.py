"""What a confidence is worth: answers counted by how sure they were, and every figure that is made of the counts.

Counts of several folds and seeds can be added, which their figures cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from export.dataset import Ints
from export.metrics import Probs

BINS = 120  # of equal width from 0 to 1, a multiple of those of the calibration error
_COARSE = 15  # Guo et al. 2017, arXiv 1706.04599


@dataclass(frozen=True, slots=True)
class Surety:
    """Answers by confidence.

    Attributes:
        counts: int64 (BINS, k, 2), by confidence, true label, and whether the answer is wrong (0) or right (1).
        confidence: float64 (BINS,), its sum.
    """

    counts: Ints
    confidence: Probs

    def __add__(self, other: Surety) -> Surety:
        return Surety(self.counts + other.counts, self.confidence + other.confidence)

    @property
    def calibration_error(self) -> float:
        """Mean distance between confidence and share of right answers over 15 bins of equal width."""
        return float(sum(abs(point.confidence - point.right) * point.answers for point in self.reliability())) / max(
            1, int(self.counts.sum())
        )

    def reliability(self) -> list[Reliability]:
        """Confidence and share of right answers in each of 15 bins that has answers, the least sure first."""
        counts = self.counts.reshape(_COARSE, -1, *self.counts.shape[1:]).sum(axis=(1, 2))  # (bins, 2)
        confidence = self.confidence.reshape(_COARSE, -1).sum(axis=1)
        return [
            Reliability(float(total / own.sum()), float(own[1] / own.sum()), int(own.sum()))
            for own, total in zip(counts, confidence, strict=True)
            if own.any()
        ]

    def curve(self) -> list[tuple[float, float]]:
        """Share of the clips that are answered, from the surest on, and UAR of these answers; least coverage first."""
        points: list[tuple[float, float]] = []
        total = self.counts.sum()
        for counts in np.cumsum(self.counts[::-1], axis=0):  # (k, 2)
            answers = counts.sum(axis=1)
            coverage = float(answers.sum() / total) if total else 0.0
            if answers.any() and (not points or coverage > points[-1][0]):
                occurs = answers > 0
                points.append((coverage, float((counts[occurs, 1] / answers[occurs]).mean())))
        return points

    def uar_at(self, coverage: float) -> float:
        """UAR of the surest share of the clips, between the points of the curve; nan without any answer."""
        points = self.curve()
        shares, uars = [share for share, _ in points], [uar for _, uar in points]
        return float(np.interp(coverage, shares, uars)) if points else float("nan")


@dataclass(frozen=True, slots=True)
class Reliability:
    """One bin: mean confidence, share of right answers, number of answers."""

    confidence: float
    right: float
    answers: int


def surety(probs: Probs, truth: Ints) -> Surety:
    """Count answers by their confidence.

    Args:
        probs: float64 (n, k).
        truth: int64 (n,).

    >>> found = surety(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1]))
    >>> found.calibration_error, found.uar_at(1.0)
    (0.0, 0.5)
    """
    confidence, answer = probs.max(axis=1), probs.argmax(axis=1)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    counts = np.zeros((BINS, probs.shape[1], 2), dtype=np.int64)
    np.add.at(counts, (bins, truth, (answer == truth).astype(np.int64)), 1)
    return Surety(counts, np.bincount(bins, weights=confidence, minlength=BINS).astype(np.float64))


def to_plain(found: Surety) -> list[list[float]]:
    """For JSON: of each bin that has answers its number, its sum of confidence, and wrong and right by label."""
    rows = [int(row) for row in np.flatnonzero(found.counts.any(axis=(1, 2)))]
    return [[row, round(float(found.confidence[row]), 4), *found.counts[row].ravel().tolist()] for row in rows]


def from_plain(plain: list[list[float]], *, labels: int) -> Surety:
    """What `to_plain` wrote, of a network with so many labels."""
    counts, confidence = np.zeros((BINS, labels, 2), dtype=np.int64), np.zeros(BINS)
    for row, total, *own in plain:
        counts[int(row)] = np.reshape(own, (labels, 2))
        confidence[int(row)] = total
    return Surety(counts, confidence)
