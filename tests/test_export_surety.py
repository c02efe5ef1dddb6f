"""Answers counted by their confidence: the counts add up, and the figures made of them are those of the clips."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.metrics import calibration_error, figures
from export.surety import BINS, Surety, from_plain, surety, to_plain

LABELS = ("angry", "happy", "sad")
# Whole numbers to be made probabilities: ties and the edges of bins, 1 among them, come often.
ANSWERS = st.lists(
    st.tuples(st.tuples(*[st.integers(0, 5)] * 3).filter(any), st.integers(0, 2)), min_size=1, max_size=40
)


def clips(answers: list[tuple[tuple[int, int, int], int]]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, 3) and truth (n,)."""
    odds = np.array([own for own, _ in answers], dtype=np.float64)
    return odds / odds.sum(axis=1, keepdims=True), np.array([truth for _, truth in answers], dtype=np.int64)


def two(confidence: list[float], right: list[int], truth: list[int] | None = None) -> Surety:
    """Of two labels, true is 0 unless said."""
    truth_of = np.array(truth or [0] * len(right))
    answer = np.where(right, truth_of, 1 - truth_of)
    sure = np.array(confidence)
    return surety(np.where(np.arange(2) == answer[:, None], sure[:, None], 1 - sure[:, None]), truth_of)


@given(answers=ANSWERS)
@settings(max_examples=100, deadline=None)
def test_the_counts_add_up_to_the_figures_of_the_clips(answers):
    probs, truth = clips(answers)
    found, expected = surety(probs, truth), figures(probs, truth, labels=LABELS)
    assert found.counts.shape == (BINS, 3, 2)
    assert found.counts.dtype == np.int64
    np.testing.assert_array_equal(found.counts.sum(axis=(0, 2)), np.bincount(truth, minlength=3))
    np.testing.assert_array_equal(found.counts[:, :, 1].sum(axis=0), np.diag(expected.confusion))
    assert found.confidence.sum() == pytest.approx(probs.max(axis=1).sum())
    assert found.uar_at(1.0) == pytest.approx(expected.uar)
    assert found.calibration_error == pytest.approx(expected.ece)
    assert found.calibration_error == pytest.approx(calibration_error(probs, truth, weights=np.ones(len(truth))))


@given(one=ANSWERS, other=ANSWERS)
@settings(max_examples=50, deadline=None)
def test_counts_of_two_folds_are_those_of_all_their_clips(one, other):
    found, expected = surety(*clips(one)) + surety(*clips(other)), surety(*clips(one + other))
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_allclose(found.confidence, expected.confidence)


@given(answers=ANSWERS)
@settings(max_examples=100, deadline=None)
def test_each_point_of_the_curve_is_the_uar_of_the_surest(answers):
    probs, truth = clips(answers)
    curve = surety(probs, truth).curve()
    bins = np.minimum((probs.max(axis=1) * BINS).astype(int), BINS - 1)
    expected = []
    for least in sorted(set(bins), reverse=True):
        kept = bins >= least
        expected.append((kept.mean(), figures(probs[kept], truth[kept], labels=LABELS).uar))
    assert [share for share, _ in curve] == pytest.approx([share for share, _ in expected])
    assert [uar for _, uar in curve] == pytest.approx([uar for _, uar in expected])
    assert all(np.diff([0.0, *(share for share, _ in curve)]) > 0)
    assert curve[-1][0] == 1.0


@given(answers=ANSWERS)
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_again(answers):
    found = surety(*clips(answers))
    plain = json.loads(json.dumps(to_plain(found)))
    again = from_plain(plain, labels=3)
    np.testing.assert_array_equal(again.counts, found.counts)
    np.testing.assert_allclose(again.confidence, found.confidence, atol=5e-5)
    assert len(plain) == np.count_nonzero(found.counts.sum(axis=(1, 2)))
    assert to_plain(again) == plain


def test_the_surest_share_lies_between_the_points_of_the_curve():
    found = two([0.95, 0.95, 0.75, 0.55], [1, 1, 0, 1], truth=[0, 1, 0, 1])
    assert found.curve() == [(0.5, 1.0), (0.75, 0.75), (1.0, 0.75)]
    assert [found.uar_at(share) for share in (0.1, 0.5, 0.625, 0.75, 1.0)] == pytest.approx([1, 1, 0.875, 0.75, 0.75])


def test_a_label_that_nobody_sure_has_is_left_out_of_the_curve():
    assert two([0.95, 0.55], [1, 0], truth=[0, 1]).curve() == [(0.5, 1.0), (1.0, 0.5)]


def test_reliability_has_a_point_for_each_coarse_bin_with_answers():
    low, high = two([0.61, 0.65, 0.95, 1.0], [1, 0, 1, 1]).reliability()
    assert (low.confidence, low.right, low.answers) == (pytest.approx(0.63), 0.5, 2)
    assert (high.confidence, high.right, high.answers) == (pytest.approx(0.975), 1.0, 2)


def test_boasting_is_a_calibration_error():
    assert two([0.9] * 10, [1, 0] * 5).calibration_error == pytest.approx(0.4)


def test_whoever_is_wholly_sure_is_in_the_last_bin():
    assert [row for row, *_ in to_plain(two([1.0, 0.999, 0.985, 0.5], [1, 1, 0, 1]))] == [60, 118, BINS - 1]


def test_without_an_answer_there_is_no_figure():
    nothing = from_plain([], labels=2)
    assert (nothing.curve(), nothing.reliability(), to_plain(nothing)) == ([], [], [])
    assert np.isnan(nothing.uar_at(0.5))
    assert nothing.calibration_error == 0.0
