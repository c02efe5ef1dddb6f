"""Calibration for calls on invented windows: the mixture, the priors of ordinary speech, thresholds and rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from export.corpora.labels import LABELS
from export.evaluation import call_calibration
from export.evaluation.call_calibration import ORDINARY_SHARE, calibrate, mixture_weights, shifted
from export.evaluation.calls import row, simulate
from export.recipes.phone import RECIPE
from sertag.model.calibration import softmax
from sertag.tagging.segments import is_clear
from tests.pools import synthetic_pool

SPEC = RECIPE.bare_spec()
ANGRY, NEUTRAL = LABELS.index("angry"), LABELS.index("neutral")


@pytest.fixture(autouse=True)
def few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_calibration, "_CALLS", 12)


def test_the_mixture_is_that_of_a_call():
    pool = synthetic_pool()
    weights = mixture_weights(pool)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[pool.ordinary].sum() == pytest.approx(ORDINARY_SHARE)
    by_place = [weights[pool.place == place].sum() for place in range(4)]
    assert by_place == pytest.approx([0.2, 0.2, 0.3, 0.3])
    first = (pool.place == 0) & ~pool.ordinary
    assert weights[first & (pool.truth == ANGRY)].sum() == pytest.approx(0.2 / len(LABELS))


@pytest.mark.parametrize("ordinary", [True, False])
def test_where_there_is_one_kind_alone_it_is_all_of_the_mixture(ordinary):
    pool = synthetic_pool()
    own = pool.ordinary == ordinary
    part = type(pool)(*(getattr(pool, field.name)[own] for field in dataclasses.fields(pool)))
    assert mixture_weights(part).sum() == pytest.approx(1.0)


def false_emotions(log_probs: np.ndarray, pool: object, *, temperature: float, floor: float) -> float:
    probs = softmax(log_probs[pool.ordinary] / temperature)  # type: ignore[attr-defined]
    said = probs.max(axis=1) >= floor
    return float((said & (probs.argmax(axis=1) != NEUTRAL)).mean())


def test_ordinary_speech_is_called_less_than_before():
    pool = synthetic_pool(sharp=1.5, tilt=1.5)
    found = calibrate(pool, spec=SPEC, answers_right=0.6, seed=1)
    before = false_emotions(pool.log_probs, pool, temperature=1.0, floor=0.0)
    ready = shifted(pool, found.offsets)
    priors_alone = false_emotions(ready.log_probs, pool, temperature=1.0, floor=0.0)
    after = false_emotions(ready.log_probs, pool, temperature=found.temperature, floor=found.min_confidence)
    assert after <= priors_alone < 0.5 * before
    assert found.offsets[NEUTRAL] == found.offsets.max()
    assert found.offsets[ANGRY] == found.offsets.min()
    assert found.offsets.mean() == pytest.approx(0.0, abs=1e-9)


def test_answers_over_the_threshold_are_right_as_often_as_is_asked():
    pool = synthetic_pool(sharp=1.5)
    floors = []
    for wanted in (0.5, 0.8):
        found = calibrate(pool, spec=SPEC, answers_right=wanted, seed=1)
        probs = softmax(shifted(pool, found.offsets).log_probs / found.temperature)
        answer, weights = probs.argmax(axis=1), mixture_weights(pool)
        own = (probs.max(axis=1) >= found.min_confidence) & (answer != NEUTRAL)
        assert np.average((answer == pool.truth)[own], weights=weights[own]) >= wanted - 1e-6
        floors.append(found.min_confidence)
    assert floors[0] < floors[1]


def test_a_specification_takes_what_was_fitted():
    pool = synthetic_pool(sharp=2.0)
    found = calibrate(pool, spec=SPEC, answers_right=0.6, seed=1)
    spec = found.applied(SPEC)
    assert spec.temperature == pytest.approx(found.temperature, abs=1e-4)
    assert sum(spec.priors.values()) == pytest.approx(1.0, abs=1e-3)
    assert max(spec.priors, key=lambda name: spec.priors[name]) == "neutral"
    assert spec.attention[0] > 0
    assert spec.row_gain in call_calibration._GAINS
    anger = np.full((1, len(LABELS)), 0.01)
    anger[0, ANGRY], anger[0, LABELS.index("happy")] = 0.5, 0.4
    assert not is_clear(anger, spec=spec).any()
    assert calibrate(pool, spec=SPEC, answers_right=0.6, seed=1).applied(SPEC) == spec


def test_priors_are_those_of_the_mixture_drawn_a_little_together():
    pool = synthetic_pool()
    found = calibrate(pool, spec=SPEC, answers_right=0.6, seed=1)
    probs = softmax(shifted(pool, found.offsets).log_probs / found.temperature)
    mixture = mixture_weights(pool) @ probs
    assert np.log(found.priors / found.priors[NEUTRAL]) == pytest.approx(0.9 * np.log(mixture / mixture[NEUTRAL]))
    assert found.priors.sum() == pytest.approx(1.0)


def test_attention_tells_calls_with_a_stretch_from_those_without():
    pool = synthetic_pool(sharp=3.0)
    found = calibrate(pool, spec=SPEC, answers_right=0.6, seed=1)
    ready, spec = shifted(pool, found.offsets), found.applied(SPEC)
    medians = []
    for share in (0.0, 0.3):
        calls = simulate(ready, moods=[ANGRY], share=share, calls=12, rng=np.random.default_rng(9))
        medians.append(np.median([row(ready, call, spec=spec).attention for call in calls]))
    assert medians[0] < 0.5 < medians[1]


def test_without_ordinary_speech_labels_stay_as_likely_as_they_are():
    pool = synthetic_pool()
    own = ~pool.ordinary
    part = type(pool)(*(getattr(pool, field.name)[own] for field in dataclasses.fields(pool)))
    found = calibrate(part, spec=SPEC, answers_right=0.6, seed=1)
    np.testing.assert_array_equal(found.offsets, 0)
    assert (found.row_gain, found.attention) == (SPEC.row_gain, (1.0, 0.0))
