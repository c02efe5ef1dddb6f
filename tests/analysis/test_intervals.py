"""Intervals hold the truth as often as they say, and know that values of one call depend on each other."""

from __future__ import annotations

import numpy as np
import pytest

from sertag.analysis import intervals


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits, tries = 0, 150
    for _ in range(tries):
        of_calls = rng.normal(0.5, 0.2, 60)
        values = (of_calls[:, None] + rng.normal(0, 0.05, (60, 5))).ravel()
        found = intervals.mean(values.tolist(), np.repeat(np.arange(60), 5).astype(str).tolist())
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.5 <= found.high
    assert 0.89 <= hits / tries <= 0.99


def test_values_of_one_call_tell_less_than_as_many_calls() -> None:
    values = [float(index // 10 % 2) for index in range(200)]
    by_call = intervals.mean(values, [str(index // 10) for index in range(200)])
    alone = intervals.mean(values, [str(index) for index in range(200)])
    assert by_call.low is not None
    assert alone.low is not None
    assert by_call.low < alone.low - 0.05
    right = [value > 0 for value in values]
    effect = intervals.design_effect(right, [str(index // 10) for index in range(200)])
    assert effect == pytest.approx(10, rel=0.1)
    assert intervals.design_effect(right, [str(index) for index in range(200)]) == pytest.approx(1, abs=0.02)


def test_the_same_values_have_the_same_interval() -> None:
    values, calls = [0.1, 0.5, 0.9, 0.4], ["a", "b", "b", "c"]
    assert intervals.mean(values, calls) == intervals.mean(values, calls)


def test_one_call_has_no_interval() -> None:
    assert intervals.mean([0.5, 0.7], ["a", "a"]) == intervals.Estimate(0.6, None, None)


def test_wilson_is_that_of_the_textbook() -> None:
    found = intervals.wilson(81 / 263, 263)  # Newcombe (1998), table I
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.wilson(0, 20).low == 0
    assert intervals.share([True] * 20, ["a"] * 20).low == pytest.approx(intervals.wilson(1, 1).low)
