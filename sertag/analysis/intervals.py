"""Intervals for means and shares of values that are correlated, because several come from the same call.

All intervals are 95 % confidence intervals. For means, whole calls are resampled (the cluster bootstrap of Davison and
Hinkley, 1997, section 3.8, with the percentiles of Efron and Tibshirani, 1993, chapter 13), always with the same seed.
With few calls such intervals are too narrow (Cameron, Gelbach and Miller, 2008).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Z = 1.959964  # 97.5th percentile of the normal distribution
PERCENTILES = (2.5, 97.5)
RESAMPLES = 2000
SEED = 20_240_229

_BLOCK = 1 << 20  # weights in memory at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean or a share with its interval; `low` and `high` are None if no interval can be computed."""

    value: float
    low: float | None
    high: float | None


def mean(values: Sequence[float], calls: Sequence[str]) -> Estimate:
    """The mean of values, with an interval by bootstrap over calls.

    Args:
        values: at least one.
        calls: the call of each value.

    Returns:
        The mean; without an interval if all values are from one call.

    >>> mean([1.0, 1.0, 0.0], ["a", "a", "b"]).value.__round__(2)
    0.67
    """
    numbers = np.asarray(values, np.float64)
    sums, counts = by_call(numbers, calls)
    value = float(numbers.mean())
    if len(sums) < 2:
        return Estimate(value, None, None)
    means = np.concatenate([(weights @ sums) / (weights @ counts) for weights in resampled(len(sums))])
    low, high = np.percentile(means, PERCENTILES)
    return Estimate(value, float(low), float(high))


def share(right: Sequence[bool], calls: Sequence[str]) -> Estimate:
    """The share of true values, with an interval by bootstrap over calls.

    If all values are equal, the bootstrap cannot give an interval. Then it is Wilson's, with the number of calls as the
    sample size.

    >>> round(share([True] * 8, list("aabbccdd")).low, 3)
    0.51
    """
    if len(set(right)) == 1:
        return wilson(float(right[0]), len(set(calls)))
    return mean([float(one) for one in right], calls)


def wilson(value: float, count: float) -> Estimate:
    """A share with the score interval of Wilson (1927).

    Args:
        value: share, 0 to 1.
        count: effective sample size; smaller than the number of values if these are correlated (`design_effect`).

    >>> found = wilson(0.8, 61)
    >>> round(found.low, 3), round(found.high, 3)
    (0.683, 0.881)
    """
    scale = 1 + Z**2 / count
    middle = (value + Z**2 / (2 * count)) / scale
    half = Z / scale * math.sqrt(value * (1 - value) / count + Z**2 / (4 * count**2))
    return Estimate(value, max(0.0, middle - half), min(1.0, middle + half))


def design_effect(right: Sequence[bool], calls: Sequence[str]) -> float:
    """Design effect of verdicts that are clustered by call (Kish, 1965), at least 1.

    The variance of the share, estimated over calls (ratio estimator), divided by that of independent verdicts. This
    many times as many verdicts are needed as if each were from another call.
    """
    numbers = np.asarray(right, np.float64)
    sums, counts = by_call(numbers, calls)
    value, clusters = numbers.mean(), len(sums)
    if clusters < 2 or value in (0, 1):
        return 1.0
    residuals = sums - value * counts
    by_calls = clusters / (clusters - 1) * float((residuals**2).sum()) / len(numbers) ** 2
    return max(1.0, by_calls / float(value * (1 - value) / (len(numbers) - 1)))


def by_call(values: npt.NDArray[Any], calls: Sequence[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum and number of values in each call, float64 (calls, ...) and (calls,)."""
    _, index = np.unique(np.asarray(calls, dtype=object).astype(str), return_inverse=True)
    sums = np.zeros((int(index.max()) + 1, *values.shape[1:]))
    np.add.at(sums, index, values)
    return sums, np.bincount(index).astype(np.float64)


def resampled(calls: int) -> Iterator[npt.NDArray[np.float64]]:
    """Yields how often each call is drawn in `RESAMPLES` samples with replacement, float64 (some samples, calls)."""
    rng = np.random.default_rng(SEED)
    left, most = RESAMPLES, max(1, _BLOCK // calls)
    while left:
        size = min(left, most)
        yield rng.multinomial(calls, np.full(calls, 1 / calls), size=size).astype(np.float64)
        left -= size
