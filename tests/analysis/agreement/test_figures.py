"""Agreement, confusion and reliability are those that were put in."""

from __future__ import annotations

import pytest

from sertag.analysis.agreement.figures import agreement, calibration_error, confusion, reliability
from sertag.analysis.agreement.verdicts import Judged

JUDGED = [
    *(Judged(f"{index}", "angry", 0.85, "angry" if index % 4 else "happy") for index in range(40)),
    *(Judged(f"{index}", "sad", 1.0, "sad") for index in range(10)),
    *(Judged(f"{index}", "sad", 0.55, None) for index in range(10)),
]


def test_agreement_has_an_interval() -> None:
    found = agreement(JUDGED)
    assert found.value == pytest.approx(40 / 60)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 40 / 60 < found.high


def test_confusion_counts_what_listeners_heard() -> None:
    assert confusion(JUDGED) == {"angry": {"angry": 30, "happy": 10}, "sad": {"another": 10, "sad": 10}}


def test_reliability_by_bins() -> None:
    low, middle, high = reliability(JUDGED)
    assert [(one.low, one.high, one.count, one.right.value) for one in (low, middle, high)] == [
        (0.5, 0.6, 10, 0.0),
        (0.8, 0.9, 40, 0.75),
        (0.9, 1.0, 10, 1.0),
    ]
    assert middle.right.low == pytest.approx(0.598, abs=1e-3)  # Wilson's interval of 30 out of 40
    assert calibration_error([low, middle, high]) == pytest.approx((10 * 0.55 + 40 * 0.1 + 10 * 0.0) / 60)


def test_verdicts_of_one_call_are_worth_less() -> None:
    together = [Judged(str(index // 10), "sad", 0.85, "sad" if index // 10 % 4 else "calm") for index in range(40)]
    apart = [Judged(str(index), "sad", 0.85, "sad" if index // 10 % 4 else "calm") for index in range(40)]
    wide, narrow = reliability(together)[0].right, reliability(apart)[0].right
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low - 0.1
