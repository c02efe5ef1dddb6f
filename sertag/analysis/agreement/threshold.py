"""Finds the least confidence for a wanted precision, from verdicts of listeners on their own calls.

Thresholds are tried in steps of 0.01, and the lowest is chosen that reaches the precision on the verdicts above it. Its
interval comes from the same choice on resampled calls (`intervals`). Verdicts can only raise a threshold, because
`uncertain` windows and rows have no emotion to judge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.analysis import intervals
from sertag.analysis.agreement.verdicts import Judged

LEAST_CALLS = 10  # with fewer calls, the interval is too narrow to be trusted
LEAST_VERDICTS = 20  # above the threshold
_HALF_WIDTH = 0.1  # widest half of an interval of precision for which a threshold is recommended
_STEPS = np.arange(101) / 100

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold, or why there is none.

    Attributes:
        wanted: wanted precision.
        value: the least confidence; None if it is unknown or does not exist.
        low: 2.5th percentile of the thresholds of resampled calls.
        high: 97.5th percentile; None if these do not reach the precision.
        precision: precision at `value`, with its interval; if `value` is None, the best at any threshold, or None.
        verdicts: number of verdicts above `value`.
        more_verdicts: number of missing verdicts; 0 if there are enough.
        more_calls: number of further calls that need verdicts.
        reached: whether the answers reach the precision without a threshold.
    """

    wanted: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    precision: intervals.Estimate | None = None
    verdicts: int = 0
    more_verdicts: int = 0
    more_calls: int = 0
    reached: bool = False


def find_threshold(judged: Sequence[Judged], wanted: float, *, lowest: float) -> Threshold:
    """Find the least confidence for a precision.

    Args:
        judged: the verdicts.
        wanted: share of right answers among those above the threshold, 0 to 1.
        lowest: lowest confidence of any answer in the tables, about the threshold of the run.
    """
    more_verdicts, more_calls = missing(judged, wanted)
    if more_verdicts or more_calls:
        return Threshold(wanted, more_verdicts=more_verdicts, more_calls=more_calls)
    right, count = _above(judged)
    value = float(_lowest(right.sum(axis=0)[None], count.sum(axis=0)[None], wanted)[0])
    if math.isinf(value):
        return Threshold(wanted, precision=_best(judged))
    weights = list(intervals.resampled(len(count)))
    found = np.concatenate([_lowest(one @ right, one @ count, wanted) for one in weights])
    low, high = np.percentile(found, intervals.PERCENTILES, method="nearest")
    above = [one for one in judged if one.confidence >= value]
    precision = intervals.share([one.right for one in above], [one.call for one in above])
    upper = None if math.isinf(high) else float(high)
    reached = value <= lowest
    return Threshold(wanted, value, float(low), upper, precision, len(above), reached=reached)


def missing(judged: Sequence[Judged], wanted: float) -> tuple[int, int]:
    """Number of further verdicts, and of further calls, to know a precision within 0.1.

    The sample size for a share by the normal approximation, times the design effect of the verdicts.

    >>> missing([], 0.8)
    (62, 10)
    """
    right, calls = [one.right for one in judged], [one.call for one in judged]
    effect = intervals.design_effect(right, calls) if judged else 1.0
    spread = max(wanted * (1 - wanted), 0.05)  # otherwise a precision of 1 would need no verdicts
    needed = math.ceil(effect * spread * (intervals.Z / _HALF_WIDTH) ** 2)
    return max(0, needed - len(judged)), max(0, LEAST_CALLS - len(set(calls)))


def _above(judged: Sequence[Judged]) -> tuple[_Floats, _Floats]:
    """Right verdicts and all verdicts of each call at or above each step, float64 (calls, steps)."""
    confidence = np.array([one.confidence for one in judged])
    above = (confidence[:, None] >= _STEPS[None, :] - 1e-9).astype(np.float64)
    calls = [one.call for one in judged]
    right, _ = intervals.by_call(above * np.array([one.right for one in judged])[:, None], calls)
    count, _ = intervals.by_call(above, calls)
    return right, count


def _lowest(right: _Floats, count: _Floats, wanted: float) -> _Floats:
    """The lowest step that reaches a precision, float64 (samples,); inf if none does."""
    enough = count >= LEAST_VERDICTS
    reached = enough & (right >= wanted * count - 1e-9)
    return np.where(reached.any(axis=1), _STEPS[reached.argmax(axis=1)], np.inf)


def _best(judged: Sequence[Judged]) -> intervals.Estimate | None:
    """The best precision that any threshold reaches."""
    right, count = (part.sum(axis=0) for part in _above(judged))
    enough = count >= LEAST_VERDICTS
    if not enough.any():
        return None
    step = _STEPS[int(np.where(enough, right / np.maximum(count, 1), -1).argmax())]
    above = [one for one in judged if one.confidence >= step - 1e-9]
    return intervals.share([one.right for one in above], [one.call for one in above])
