"""Figures and calibration on predictions whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.evaluation.calibration import (
    choose_threshold,
    cross_fit,
    equal_weights,
    fit_line,
    fit_priors,
    fit_temperature,
    scale,
)
from export.evaluation.metrics import (
    area_under_curve,
    calibration_error,
    figures,
    sentiment_uar,
    uar,
)

LABELS = ("angry", "happy", "sad")


def draw(count: int, *, sharpness: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (n, 3) that claim to be `sharpness` times as sure as they may, and truth drawn honestly."""
    rng = np.random.default_rng(seed)
    honest = rng.standard_normal((count, 3)) * 2
    honest -= np.log(np.exp(honest).sum(axis=1, keepdims=True))
    truth = np.array([rng.choice(3, p=np.exp(row)) for row in honest])
    claimed = honest * sharpness
    return claimed - np.log(np.exp(claimed).sum(axis=1, keepdims=True)), truth


def test_uar_counts_classes_and_accuracy_counts_clips():
    probs = np.eye(3)[[0, 0, 0, 0, 1]]
    found = figures(probs, np.array([0, 0, 0, 1, 1]), labels=LABELS)
    assert found.accuracy == pytest.approx(4 / 5)
    assert found.uar == pytest.approx((1 + 1 / 2) / 2)
    assert found.chance == pytest.approx(1 / 2)  # nobody is sad
    assert found.recall == {"angry": 1.0, "happy": 0.5}
    assert found.confusion == [[3, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_figures_that_are_not_defined_are_left_out():
    probs = np.eye(3)[[0, 0, 0, 2]]
    found = figures(probs, np.array([0, 0, 1, 1]), labels=LABELS)  # happy is never said, and nobody is sad
    assert found.precision == {"angry": pytest.approx(2 / 3), "sad": 0.0}
    assert found.recall == {"angry": 1.0, "happy": 0.0}
    assert found.f1 == {"angry": pytest.approx(0.8), "happy": 0.0}
    assert found.macro_f1 == pytest.approx(0.4)


def test_a_clip_without_an_answer_is_an_error_but_no_claim():
    probs, truth = np.array([[0.7, 0.2, 0.1], [0.0, 0.0, 0.0], [0.1, 0.8, 0.1]]), np.array([0, 0, 1])
    found = figures(probs, truth, labels=LABELS, answered=np.array([True, False, True]))
    assert (found.unanswered, found.recall) == (1, {"angry": 0.5, "happy": 1.0})
    assert found.confusion == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert found.ece == pytest.approx(np.mean([1 - 0.7, 1 - 0.8]))
    nobody = figures(probs, truth, labels=LABELS, answered=np.zeros(3, bool))
    assert (nobody.uar, nobody.ece, nobody.unanswered) == (0.0, 0.0, 3)


def test_calibration_error_of_boasting():
    probs = np.tile([0.9, 0.1], (10, 1))
    truth = np.array([0, 1] * 5)
    assert calibration_error(probs, truth, weights=np.ones(10)) == pytest.approx(0.4)


@pytest.mark.parametrize("sharpness", [2.5, 40])
def test_temperature_finds_how_much_too_sure(sharpness):
    log_probs, truth = draw(4000, sharpness=sharpness, seed=1)
    temperature = fit_temperature(log_probs, truth, weights=np.ones(len(truth)))
    assert temperature == pytest.approx(sharpness, rel=0.1)
    honest = calibration_error(scale(log_probs, temperature=temperature), truth, weights=np.ones(len(truth)))
    assert honest < 0.03 < calibration_error(np.exp(log_probs), truth, weights=np.ones(len(truth)))


def test_a_fold_never_sees_its_own_temperature():
    log_probs, truth = draw(3000, sharpness=1.0, seed=2)
    folds = np.repeat([0, 1, 2], 1000)
    log_probs[folds == 2] *= 8  # one fold boasts; it must not be able to correct itself
    log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
    probs = cross_fit(log_probs, truth, folds=folds, weights=np.ones(3000))
    expected = scale(
        log_probs[folds == 2],
        temperature=fit_temperature(log_probs[folds != 2], truth[folds != 2], weights=np.ones(2000)),
    )
    np.testing.assert_allclose(probs[folds == 2], expected)


def test_threshold_makes_the_answers_as_right_as_was_asked_for():
    log_probs, truth = draw(4000, sharpness=1.0, seed=3)
    probs = np.exp(log_probs)
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == truth
    assert right.mean() < 0.8
    threshold = choose_threshold(confidence, right, accuracy=0.8, weights=np.ones(4000))
    assert right[confidence >= threshold].mean() == pytest.approx(0.8, abs=0.002)


def test_a_threshold_that_cannot_be_reached_answers_almost_nothing():
    confidence = np.linspace(0.1, 0.9, 9)
    assert choose_threshold(confidence, np.zeros(9, bool), accuracy=0.5, weights=np.ones(9)) == pytest.approx(0.9)


def test_a_small_corpus_weighs_as_much_as_a_large_one():
    groups = np.array([0] * 90 + [1] * 10)
    weights = equal_weights(groups)
    assert weights[groups == 0].sum() == pytest.approx(weights[groups == 1].sum())
    assert weights.sum() == pytest.approx(100)


@pytest.mark.parametrize("shift", [[0.0, 0.0, 0.0], [1.0, -0.5, -0.5], [-2.0, 1.5, 0.5]])
def test_priors_that_are_wrong_by_a_known_shift_are_found_again(shift):
    log_probs, truth = draw(20000, sharpness=1.0, seed=4)
    found = fit_priors(log_probs - np.array(shift), truth, weights=np.ones(20000), strength=0.0)
    np.testing.assert_allclose(found, shift, atol=0.1)
    assert found.sum() == pytest.approx(0.0, abs=1e-9)


def test_priors_are_those_of_the_mixture_that_the_weights_make():
    log_probs, truth = draw(20000, sharpness=1.0, seed=5)
    weights = np.where(truth == 2, 8.0, 1.0)  # the last label is eight times as frequent
    found = fit_priors(log_probs, truth, weights=weights, strength=0.0)
    np.testing.assert_allclose(found - found[0], [0.0, 0.0, np.log(8)], atol=0.1)
    drawn = fit_priors(log_probs, truth, weights=weights, strength=10.0)
    assert np.abs(drawn).max() < 0.1 * np.abs(found).max()


def test_a_line_makes_scores_probabilities_with_both_sides_as_likely():
    rng = np.random.default_rng(6)
    margin = 2 * rng.standard_normal(20000)
    positive = rng.random(20000) < 1 / (1 + np.exp(-margin))
    scores = 1 / (1 + np.exp(-(margin - 1.0) / 3.0))
    slope, offset = fit_line(scores, positive)
    assert (slope, offset) == (pytest.approx(3.0, rel=0.1), pytest.approx(1.0, abs=0.1))
    rare = positive & (rng.random(20000) < 0.1)
    kept = rare | ~positive
    assert fit_line(scores[kept], rare[kept]) == (pytest.approx(3.0, rel=0.15), pytest.approx(1.0, abs=0.15))


@pytest.mark.parametrize("scores", [[0.5, 0.5, 0.5, 0.5], [0.9, 0.8, 0.2, 0.1], [0.0, 0.0, 1.0, 1.0]])
def test_a_line_through_scores_that_tell_nothing_or_the_opposite_still_has_a_slope(scores):
    slope, offset = fit_line(np.array(scores), np.array([False, False, True, True]))
    assert 0.01 <= slope <= 100
    assert -100 <= offset <= 100


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_the_area_under_the_curve_is_the_share_of_pairs_in_order(clips):
    scores, angry = np.array([score / 9 for score, _ in clips]), np.array([own for _, own in clips])
    if angry.all() or not angry.any():
        assert area_under_curve(scores, angry) is None
        return
    pairs = [(one > other) + (one == other) / 2 for one in scores[angry] for other in scores[~angry]]
    assert area_under_curve(scores, angry) == pytest.approx(np.mean(pairs))


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=40))
def test_uar_is_the_mean_recall_of_the_labels_that_occur(clips):
    recalls = [np.mean([right for label, right in clips if label == own]) for own in range(3) if own in dict(clips)]
    right, truth = np.array([right for _, right in clips]), np.array([label for label, _ in clips])
    assert uar(right, truth) == pytest.approx(np.mean(recalls))


SENTIMENTS = ("negative", "positive", "neutral", "negative")  # of angry, happy, neutral and sad


def test_the_sentiment_is_that_of_the_most_likely_label():
    truth = np.array([0, 3, 1, 2])
    probs = np.array([[0.3, 0.4, 0.1, 0.2], [0.9, 0, 0.1, 0], [0.1, 0.8, 0, 0.1], [0.2, 0.2, 0.4, 0.2]])
    expected = (1 / 2 + 1 + 1) / 3  # sad for angry is right
    assert sentiment_uar(probs, truth, np.ones(4, bool), sentiments=SENTIMENTS) == pytest.approx(expected)


def test_a_clip_without_an_answer_has_the_wrong_sentiment():
    probs, truth = np.eye(4)[[0, 1, 2, 3]], np.array([0, 1, 2, 3])
    heard = np.array([True, True, True, False])
    assert sentiment_uar(probs, truth, heard, sentiments=SENTIMENTS) == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert sentiment_uar(probs, truth, ~heard, sentiments=SENTIMENTS) == pytest.approx((1 / 2 + 0 + 0) / 3)
