"""Agreement with listeners, confusion, and reliability: whether a confidence of 80 % is right in 80 of 100 cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sertag.analysis import intervals
from sertag.analysis.agreement.verdicts import Judged

ANOTHER = "another"  # what the listener heard was not written down
_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Verdicts on answers of about the same confidence.

    Attributes:
        low: least confidence.
        high: the next bin begins here.
        count: of verdicts.
        confidence: mean.
        right: share, with Wilson's interval for as many verdicts as they are worth (`intervals.design_effect`).
    """

    low: float
    high: float
    count: int
    confidence: float
    right: intervals.Estimate


def agreement(judged: Sequence[Judged]) -> intervals.Estimate:
    """Share of verdicts that are right, with an interval by bootstrap over calls."""
    return intervals.share([one.right for one in judged], [one.call for one in judged])


def confusion(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Emotion that sertag gave to what listeners heard to how often, both in order of their names.

    >>> confusion([Judged("a", "sad", 0.9, "calm"), Judged("a", "sad", 0.5, None)])
    {'sad': {'another': 1, 'calm': 1}}
    """
    counts = Counter((one.emotion, one.truth or ANOTHER) for one in judged)
    found: dict[str, dict[str, int]] = {}
    for (emotion, truth), count in sorted(counts.items()):
        found.setdefault(emotion, {})[truth] = count
    return found


def reliability(judged: Sequence[Judged]) -> list[Bin]:
    """Bins of confidence, a tenth wide, that hold verdicts (DeGroot and Fienberg, 1983)."""
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
    """The expected calibration error (Naeini et al., 2015): how far confidence and share of right ones are apart."""
    count = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.right.value) for one in bins) / count
