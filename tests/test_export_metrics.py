"""Figures and calibration on predictions whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from export.calibration import answered, choose_threshold, cross_fit, equal_weights, fit_temperature, scale
from export.metrics import calibration_error, figures

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


def test_calibration_error_of_boasting():
    probs = np.tile([0.9, 0.1], (10, 1))
    truth = np.array([0, 1] * 5)
    assert calibration_error(probs, truth, weights=np.ones(10)) == pytest.approx(0.4)


def test_temperature_finds_how_much_too_sure():
    log_probs, truth = draw(4000, sharpness=2.5, seed=1)
    temperature = fit_temperature(log_probs, truth, weights=np.ones(len(truth)))
    assert temperature == pytest.approx(2.5, rel=0.1)
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


def test_threshold_lets_through_what_was_asked_for():
    confidence = np.random.default_rng(1).random(1000)
    threshold = choose_threshold(confidence, coverage=0.75, weights=np.ones(1000))
    assert np.mean(confidence >= threshold) == pytest.approx(0.75, abs=0.002)
    kept = answered(confidence, folds=np.arange(1000) % 4, weights=np.ones(1000), coverage=0.75)
    assert kept.mean() == pytest.approx(0.75, abs=0.03)


def test_a_small_corpus_weighs_as_much_as_a_large_one():
    groups = np.array([0] * 90 + [1] * 10)
    weights = equal_weights(groups)
    assert weights[groups == 0].sum() == pytest.approx(weights[groups == 1].sum())
    assert weights.sum() == pytest.approx(100)
