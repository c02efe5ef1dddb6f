"""The least confidence from which on answers are right as often as is wanted, on the calls of those who judged them.

Thresholds are tried in steps of 0.01. Chosen is the lowest that reaches the precision on the verdicts above it; how far
that can be chance is found by choosing again on calls drawn with replacement (`intervals`). A threshold can only be
raised by verdicts: what is `uncertain` has no emotion that could be right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.analysis import intervals
from sertag.analysis.agreement.verdicts import Judged

LEAST_CALLS = 10  # with fewer, an interval over calls is too narrow to be believed
LEAST_VERDICTS = 20  # above a threshold
_HALF_WIDTH = 0.1  # of the interval of a precision that is worth a setting
_STEPS = np.arange(101) / 100

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A least confidence, or why there is none.

    Attributes:
        wanted: precision.
        value: the least confidence; None where it is not known or does not exist.
        low: 2.5th percentile of the least confidences of resampled calls.
        high: 97.5th percentile; None where it is not reached in them.
        precision: at `value`, with its interval; without `value` the best at any threshold, or None.
        verdicts: above `value`.
        more_verdicts: how many are missing; 0 where there are enough.
        more_calls: how many calls are missing for verdicts.
        reached: the answers are good enough as they are.
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
        judged: verdicts.
        wanted: share of right ones among the answers that are left, 0 to 1.
        lowest: least confidence of any answer in the tables, which is about the threshold of the run.
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
    """How many more verdicts, and in how many more calls, a precision needs to be known to 0.1.

    The size of a sample for a share by the normal approximation, times the design effect of the verdicts.

    >>> missing([], 0.8)
    (62, 10)
    """
    right, calls = [one.right for one in judged], [one.call for one in judged]
    effect = intervals.design_effect(right, calls) if judged else 1.0
    spread = max(wanted * (1 - wanted), 0.05)  # a precision of 1 would need no verdict at all
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
    """The lowest step that reaches a precision, inf where none does, (samples,)."""
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
