"""Figures of a run: over all folds together, and nothing fitted on the clips that are measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn", reason="the extra `export` is not installed")

from benchmarks.accuracy.figures import calibrated, figures_of, interval, measure, surest_half

LABELS = ("angry", "happy", "neutral")
SENTIMENTS = dict(zip(LABELS, ("negative", "positive", "neutral"), strict=True))


def answers(*, by_corpus: bool = False, right: float = 0.7, seed: int = 0) -> pd.DataFrame:
    """Answers to clips of two corpora, eight speakers, four folds, of which about so many are right."""
    rng = np.random.default_rng(seed)
    truth, person = rng.integers(0, 3, 240), np.arange(240) % 8
    said = np.where(rng.random(240) < right, truth, rng.integers(0, 3, 240))
    scores = 4 * np.eye(3)[said] + rng.standard_normal((240, 3)) * 0.1
    table = pd.DataFrame(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)), columns=LABELS)
    group = person // 4 if by_corpus else 0
    return table.assign(condition="clean", fold=person // 2, person=person, group=group, truth=truth, answered=True)


def figures(own: pd.DataFrame, said: np.ndarray, **options: Any) -> dict[str, Any]:
    """Figures of answers that are certain: a label each."""
    probs = pd.DataFrame(np.eye(3)[said], columns=LABELS, index=own.index)
    return figures_of(own.assign(right=(said == own["truth"]) & own["answered"]), probs, sentiments=SENTIMENTS)


def test_a_clip_without_an_answer_is_an_error():
    own = answers()
    heard = own.assign(answered=np.arange(240) >= 24)
    found = figures(heard, heard["truth"])
    assert found["accuracy"] == pytest.approx(0.9)
    assert found["ece"] == 0  # of the answers alone
    assert figures(own.assign(answered=False), own["truth"])["uar"] == 0


def test_corpora_weigh_the_same_where_they_are_the_folds():
    own = answers(by_corpus=True)
    part = own[(own["group"] == 0) | (np.arange(240) % 16 < 6)]
    said = np.where(part["group"] == 0, part["truth"], (part["truth"] + 1) % 3)
    assert figures(part, said)["uar"] == 0.5
    assert figures(part.assign(group=0), said)["uar"] > 0.6


def test_each_fold_has_the_temperature_of_the_others():
    own = answers()
    here = (own["fold"] == 0).to_numpy()
    found = calibrated(own, LABELS, temperature=1.0).to_numpy()
    other = own.assign(truth=np.where(here, (own["truth"] + 1) % 3, own["truth"]))
    again = calibrated(other, LABELS, temperature=1.0).to_numpy()
    np.testing.assert_array_equal(found[here], again[here])  # its own labels decide nothing
    assert np.abs(found[~here] - again[~here]).max() > 1e-3
    alone = calibrated(own.assign(fold=0), LABELS, temperature=1.0)
    np.testing.assert_allclose(alone, np.exp(own[[*LABELS]]))


def test_a_whole_corpus_calibrates_the_other():
    right, wrong = answers(by_corpus=True, right=1.0), answers(by_corpus=True, right=0.34)
    own = right.where(right["group"] == 0, wrong).astype(right.dtypes)
    sure = calibrated(own.assign(fold=own["group"]), LABELS, temperature=1.0).max(axis=1)
    assert sure[own["group"] == 0].mean() < 0.6 < 0.9 < sure[own["group"] == 1].mean()


def of_anger(own: pd.DataFrame, score: np.ndarray) -> float:
    """Anger AUC of scores."""
    probs = pd.DataFrame({label: score if label == "angry" else 0.0 for label in LABELS}, index=own.index)
    return figures_of(own.assign(right=True), probs, sentiments=SENTIMENTS)["anger_auc"]


def test_anger_is_told_from_the_rest_fold_by_fold():
    own = answers()
    score = np.where(own["truth"] == 0, 0.9, 0.1) - 0.85 * (own["fold"] == 0)  # one order a fold, another over all
    assert of_anger(own, score) == 1.0
    assert of_anger(own, -score) == 0.0
    assert of_anger(own.assign(fold=0), score) < 1.0


def test_where_nobody_is_angry_there_is_no_figure_of_anger():
    own = answers()
    assert "anger_auc" not in figures(own.assign(truth=1), np.ones(240, int))
    calm = own.rename(columns={"angry": "calm"})
    found = measure(calm, sentiments={"calm": "neutral", "happy": "positive", "neutral": "neutral"}, temperature=1.0)
    assert "anger_auc" not in found["conditions"]["clean"]


def test_an_interval_is_that_of_speakers():
    own = answers()
    half = own.assign(right=own["person"] < 4)  # some people always, the others never
    low, high = interval(half)
    assert low < 0.3 < 0.7 < high
    narrow = interval(own.assign(right=np.arange(240) % 16 < 8))  # everybody half of the time
    assert high - low > 3 * (narrow[1] - narrow[0])
    assert interval(half) == (low, high)


def test_the_surest_half_are_the_answers_with_the_highest_confidence():
    truth = np.array([0, 1, 0, 1])
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
    assert surest_half(probs, np.ones(4, bool), truth) == 1.0
    assert surest_half(probs, np.array([False, True, True, True]), truth) == 1.0


def test_each_fold_and_condition_has_figures_of_its_own():
    own = answers()
    said = np.where(own["fold"] == 1, own["truth"], (own["truth"] + 1) % 3)
    own[[*LABELS]] = np.log(np.eye(3)[said] * 0.9 + 0.03)
    both = pd.concat([own, own.assign(condition="phone", truth=said)], ignore_index=True)
    found = measure(both.assign(fold=both["fold"].map(dict(enumerate("abcd")))), sentiments=SENTIMENTS, temperature=1.0)
    assert {name: own["clean"]["uar"] for name, own in found["folds"].items()} == {"a": 0, "b": 1, "c": 0, "d": 0}
    assert found["conditions"]["phone"]["accuracy"] == 1
