"""Figures of a run: over all folds together, and nothing fitted on the clips that are measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.accuracy.figures import ScoredClips, by_fold, calibrated, figures_of, interval, surest_half

LABELS = ("angry", "happy", "neutral")
SENTIMENTS = ("negative", "positive", "neutral")


def scored_clips(count: int = 240, *, by_corpus: bool = False, seed: int = 0) -> ScoredClips:
    """Clips of two corpora, eight speakers, four folds."""
    rng = np.random.default_rng(seed)
    person = np.arange(count) % 8
    return ScoredClips(
        truth=rng.integers(0, 3, count),
        fold=person // 2,
        person=person,
        corpus=person // 4,
        labels=LABELS,
        sentiments=SENTIMENTS,
        by_corpus=by_corpus,
    )


def log_probs(own: ScoredClips, *, right: float = 0.7, sharp: float = 4.0, seed: int = 1) -> np.ndarray:
    """Answers of which about so many are right."""
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(len(own.truth)) < right, own.truth, rng.integers(0, 3, len(own.truth)))
    scores = sharp * np.eye(3)[said] + rng.standard_normal((len(said), 3)) * 0.1
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


ALL = np.ones(240, dtype=bool)


def test_a_clip_without_an_answer_is_an_error():
    own = scored_clips()
    probs = np.eye(3)[own.truth]
    heard = ALL.copy()
    heard[:24] = False
    found = figures_of(probs, heard, own)
    assert found["accuracy"] == pytest.approx(0.9)
    assert found["ece"] == 0  # of the answers alone
    assert figures_of(probs, ~ALL, own)["uar"] == 0


def test_corpora_weigh_the_same_where_they_are_the_folds():
    own = scored_clips(by_corpus=True)
    probs = np.eye(3)[np.where(own.corpus == 0, own.truth, (own.truth + 1) % 3)]
    keep = (own.corpus == 0) | (np.arange(240) % 16 < 6)
    part = dataclasses.replace(
        own, **{name: getattr(own, name)[keep] for name in ("truth", "fold", "person", "corpus")}
    )
    assert figures_of(probs[keep], ALL[keep], part)["uar"] == 0.5
    assert figures_of(probs[keep], ALL[keep], dataclasses.replace(part, by_corpus=False))["uar"] > 0.6


def test_each_fold_has_the_temperature_of_the_others():
    own = scored_clips()
    scores = log_probs(own)
    found = calibrated({"clean": scores}, {"clean": ALL}, own, temperature=1.0)
    other = dataclasses.replace(own, truth=np.where(own.fold == 0, (own.truth + 1) % 3, own.truth))
    again = calibrated({"clean": scores}, {"clean": ALL}, other, temperature=1.0)
    here = own.fold == 0
    np.testing.assert_array_equal(found["clean"][here], again["clean"][here])  # its own labels decide nothing
    assert np.abs(found["clean"][~here] - again["clean"][~here]).max() > 1e-3
    one_fold = dataclasses.replace(own, fold=np.zeros_like(own.fold))
    alone = calibrated({"clean": scores}, {"clean": ALL}, one_fold, temperature=1.0)
    np.testing.assert_allclose(alone["clean"], np.exp(scores))


def test_a_whole_corpus_calibrates_the_other():
    own = dataclasses.replace(scored_clips(by_corpus=True), fold=scored_clips().corpus)
    right = log_probs(own, right=1.0)
    scores = np.where(own.corpus[:, None] == 0, right, log_probs(own, right=0.34))
    found = calibrated({"clean": scores}, {"clean": ALL}, own, temperature=1.0)
    sure = found["clean"].max(axis=1)
    assert sure[own.corpus == 0].mean() < 0.6 < 0.9 < sure[own.corpus == 1].mean()


def test_anger_is_told_from_the_rest_fold_by_fold():
    own = scored_clips()
    scores = np.zeros((240, 3))
    scores[:, 0] = np.where(own.truth == 0, 0.9, 0.1)
    scores[own.fold == 0, 0] -= 0.85  # the same order in each fold, another one over all of them
    assert figures_of(scores, ALL, own)["anger_auc"] == 1.0
    assert figures_of(-scores, ALL, own)["anger_auc"] == 0.0
    assert figures_of(scores, ALL, dataclasses.replace(own, fold=np.zeros_like(own.fold)))["anger_auc"] < 1.0


def test_where_nobody_is_angry_there_is_no_figure_of_anger():
    own = scored_clips()
    happy = dataclasses.replace(own, truth=np.ones_like(own.truth))
    assert "anger_auc" not in figures_of(np.eye(3)[happy.truth], ALL, happy)
    other = dataclasses.replace(own, labels=("calm", "happy", "sad"))
    assert "anger_auc" not in figures_of(np.eye(3)[own.truth], ALL, other)


def test_an_interval_is_that_of_speakers():
    own = scored_clips()
    half = own.person < 4  # some people always, the others never
    low, high = interval(half, own)
    assert low < 0.3 < 0.7 < high
    alike = np.arange(240) % 16 < 8  # everybody half of the time
    narrow = interval(alike, own)
    assert high - low > 3 * (narrow[1] - narrow[0])
    assert interval(half, own) == (low, high)


def test_the_surest_half_are_the_answers_with_the_highest_confidence():
    truth = np.array([0, 1, 0, 1])
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
    assert surest_half(probs, np.ones(4, bool), truth) == 1.0
    assert surest_half(probs, np.array([False, True, True, True]), truth) == 1.0


def test_each_fold_has_figures_of_its_own():
    own = scored_clips()
    probs = {"clean": np.eye(3)[np.where(own.fold == 1, own.truth, (own.truth + 1) % 3)]}
    found = by_fold(probs, {"clean": ALL}, own, ["a", "b", "c", "d"])
    assert {name: figures["clean"]["uar"] for name, figures in found.items()} == {"a": 0, "b": 1, "c": 0, "d": 0}
