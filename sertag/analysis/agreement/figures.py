"""Agreement with listeners, confusion, and reliability: whether 80 % confidence means 80 % right answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sertag.analysis import intervals
from sertag.analysis.agreement.verdicts import Judged

ANOTHER = "another"  # the listener heard another emotion and did not write which
_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Verdicts on answers of similar confidence.

    Attributes:
        low: lower bound of the confidence.
        high: upper bound, exclusive.
        count: number of verdicts.
        confidence: mean confidence.
        right: share of right answers, with Wilson's interval for the effective number of verdicts
            (`intervals.design_effect`).
    """

    low: float
    high: float
    count: int
    confidence: float
    right: intervals.Estimate


def agreement(judged: Sequence[Judged]) -> intervals.Estimate:
    """Share of right answers, with an interval by bootstrap over calls."""
    return intervals.share([one.right for one in judged], [one.call for one in judged])


def confusion(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Counts by emotion of sertag and by emotion that listeners heard, both sorted by name.

    >>> confusion([Judged("a", "sad", 0.9, "calm"), Judged("a", "sad", 0.5, None)])
    {'sad': {'another': 1, 'calm': 1}}
    """
    counts = Counter((one.emotion, one.truth or ANOTHER) for one in judged)
    found: dict[str, dict[str, int]] = {}
    for (emotion, truth), count in sorted(counts.items()):
        found.setdefault(emotion, {})[truth] = count
    return found


def reliability(judged: Sequence[Judged]) -> list[Bin]:
    """Bins of confidence of width 0.1, without empty ones (reliability diagram, DeGroot and Fienberg, 1983)."""
    bins: dict[int, list[Judged]] = {}
    for one in judged:
        bins.setdefault(min(int(one.confidence * _BINS), _BINS - 1), []).append(one)
    found = []
    for number, own in sorted(bins.items()):
        right, calls = [one.right for one in own], [one.call for one in own]
        estimate = intervals.wilson(sum(right) / len(own), len(own) / intervals.design_effect(right, calls))
        confidence = sum(one.confidence for one in own) / len(own)
        found.append(Bin(number / _BINS, (number + 1) / _BINS, len(own), confidence, estimate))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error (Naeini et al., 2015): mean distance of confidence and share of right ones."""
    count = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.right.value) for one in bins) / count
