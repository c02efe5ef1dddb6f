"""The threshold that is found gives the precision that was wanted, also on calls that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from sertag.analysis.agreement.threshold import LEAST_CALLS, find_threshold, missing
from sertag.analysis.agreement.verdicts import Judged


def verdicts(calls: int, *, each: int = 5, seed: int = 0) -> list[Judged]:
    """An honest model: a confidence of 0.7 is right in 70 of 100 cases."""
    rng = np.random.default_rng(seed)
    confidences = rng.uniform(0.4, 1, (calls, each))
    right = rng.uniform(0, 1, (calls, each)) < confidences
    return [
        Judged(str(call), "sad", round(float(confidences[call, index]), 4), "sad" if right[call, index] else None)
        for call in range(calls)
        for index in range(each)
    ]


@pytest.mark.parametrize("wanted", [0.75, 0.8, 0.9])
def test_the_precision_holds_for_new_calls(wanted: float) -> None:
    found = find_threshold(verdicts(300), wanted, lowest=0.4)
    # Of confidences spread evenly from t to 1, the mean is (1 + t) / 2.
    assert found.value == pytest.approx(2 * wanted - 1, abs=0.06)
    new = [one.right for one in verdicts(2000, seed=1) if one.confidence >= found.value]
    assert np.mean(new) == pytest.approx(wanted, abs=0.03)
    assert found.low is not None
    assert found.low <= 2 * wanted - 1 <= (found.high or 1)
    assert found.precision is not None
    assert found.precision.value >= wanted
    assert (found.more_verdicts, found.more_calls, found.reached) == (0, 0, False)


def test_what_is_good_enough_need_not_change() -> None:
    found = find_threshold(verdicts(100), 0.5, lowest=0.4)
    assert found.reached
    assert found.verdicts == 500


def test_what_is_never_reached_says_how_far_it_gets() -> None:
    poor = [Judged(str(index), "sad", 0.9, "sad" if index % 2 else "calm") for index in range(200)]
    found = find_threshold(poor, 0.8, lowest=0.4)
    assert found.value is None
    assert found.precision is not None
    assert found.precision.value == 0.5


def test_too_few_verdicts_say_how_many_more() -> None:
    few = [Judged(str(index), "sad", 0.9, "sad" if index else None) for index in range(7)]
    found = find_threshold(few, 0.8, lowest=0.4)
    assert found.value is None
    assert found.more_verdicts == missing([], 0.8)[0] - 7 == 55
    assert found.more_calls == LEAST_CALLS - 7


def test_verdicts_of_few_calls_need_more_of_them() -> None:
    together = [Judged(str(index // 10), "sad", 0.9, "sad" if index // 10 % 2 else None) for index in range(120)]
    more_verdicts, more_calls = missing(together, 0.8)
    assert more_verdicts > 300
    assert more_calls == 0
    assert missing(together[:50], 0.8)[1] == 5
