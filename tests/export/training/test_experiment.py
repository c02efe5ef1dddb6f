"""Experiments: the same record whether a network looks at cut clips or is shown windows of calls."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from tests.corpora import clips_of, emovo

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")

import keras
from keras import Input, Sequential, layers

from export.corpora.clips import Clip
from export.errors import ExportError
from export.evaluation.calibration import fit_temperature, scale
from export.features.clip_windows import CONDITIONS, Windows
from export.features.material import UNKNOWN
from export.recipes.base import Recipe, Task
from export.training.experiment import Experiment, Trial, _trial, clip_scores
from export.training.fit_clip import Scores
from export.training.fit_windows import Answers
from export.training.loop import Epoch, Fitted
from export.training.splits import Split, splits
from sertag.spec import FeatureSpec
from tests.training import small_phone, untraced

LABELS = ("angry", "happy", "neutral", "sad")
SEQUENCE = FeatureSpec(framing="clip", n_fft=256, hop_length=256, n_mels=20, n_mfcc=8, dynamic_range_db=80.0)


def build(task: Task) -> keras.Model:
    return Sequential(
        [
            Input((task.frames, task.columns), name="features"),
            layers.Normalization(mean=task.mean, variance=np.square(task.std)),
            layers.GlobalAveragePooling1D(),
            layers.Dense(task.labels, activation="softmax"),
        ]
    )


TINY = Recipe(
    "tiny",
    "",
    "",
    "",
    build,
    SEQUENCE,
    window_s=1.0,
    offset_s=0.2,
    labels=LABELS,
    epochs=2,
    batch=4,
    augmentations=("noise",),
)
PHONE = dataclasses.replace(small_phone(), labels=LABELS)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    return clips_of(f"emovo={emovo(tmp_path_factory.mktemp('corpora') / 'emovo')}")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_who_says_nothing_has_no_label(clips, cache):
    silent = [dataclasses.replace(clips[0], label="no_speech"), *clips[1:]]
    experiment = Experiment(silent, recipe=PHONE, cache=cache, jobs=1)
    assert experiment.truth[0] == UNKNOWN
    assert (experiment.truth[1:] != UNKNOWN).all()


def test_the_progress_is_told(clips, cache):
    told: list[tuple[int, int]] = []
    Experiment(clips, recipe=PHONE, cache=cache, jobs=1, report=lambda *counts: told.append(counts))
    assert told[-1] == (len(clips), len(clips))


@pytest.mark.parametrize("recipe", [TINY, PHONE], ids=["clip", "channel"])
def test_clips_and_truth_belong_together(clips, cache, recipe):
    experiment = Experiment(clips, recipe=recipe, cache=cache, jobs=1)
    assert sorted(experiment.clips, key=lambda clip: clip.path) == sorted(clips, key=lambda clip: clip.path)
    assert [LABELS[index] for index in experiment.truth] == [clip.label for clip in experiment.clips]
    assert experiment.spec.labels == LABELS
    assert experiment.spec.sentiment["happy"] == "positive"
    assert (experiment.spec.window_s, experiment.spec.offset_s) == (recipe.window_s, recipe.offset_s)
    assert experiment.spec.features == recipe.features


@pytest.mark.parametrize("recipe", [TINY, PHONE], ids=["clip", "channel"])
def test_a_trial_scores_the_test_clips_in_both_conditions(clips, cache, tmp_path, recipe):
    experiment = Experiment(clips, recipe=recipe, cache=cache, jobs=1)
    split = splits(experiment.clips, protocol="speakers", seed=1)[1]
    told: list[Epoch] = []
    place = tmp_path / "t.npz"
    with untraced():
        trial = experiment.run(split, seed=1, epochs=1, checkpoint=place, report=told.append)
    assert (trial.epochs, trial.kept, trial.history) == (1, 1, tuple(told))
    assert place.exists()
    assert tuple(trial.scores) == CONDITIONS
    for scores in trial.scores.values():
        assert scores.log_probs.shape == (len(split.test), len(LABELS))
        np.testing.assert_allclose(np.exp(scores.log_probs[scores.answered]).sum(axis=1), 1, atol=0.05)
    assert 0.1 <= trial.temperature <= 10
    assert 0 < trial.min_confidence <= 1
    validated = trial.history[0].val_loss is not None
    assert validated == (recipe is TINY)  # the length of a training for calls is fixed beforehand


def test_labels_seed_and_length_of_a_training_are_those_that_are_asked_for(clips, cache, monkeypatch):
    experiment = Experiment(clips, recipe=PHONE, cache=cache, jobs=1)
    asked: list[tuple[int, int, tuple[str, ...]]] = []

    def note(*_: object, recipe: Recipe, seed: int, epochs: int, **__: object) -> Fitted:
        asked.append((seed, epochs, recipe.labels))
        raise InterruptedError

    monkeypatch.setattr("export.training.experiment.fit_windows", note)
    split = splits(experiment.clips, protocol="random", seed=1)[0]
    for epochs in (None, 3):
        with pytest.raises(InterruptedError):
            experiment.run(split, seed=7, epochs=epochs)
    assert asked == [(7, 1, LABELS), (7, 3, LABELS)]


def test_a_clip_is_the_mean_of_its_windows_weighted_by_speech():
    windows = Windows(np.zeros((4, 1, 1), np.float32), np.array([0, 2, 2, 3, 4]), np.array([1.0, 3.0, 2.0, 2.0]))
    probs = np.array([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9]])
    members = np.array([2, 0, 1])
    rows = windows.rows_of(members)
    found = clip_scores(windows, Answers(probs[[2, 0, 1]], np.ones(3)), rows, members)
    np.testing.assert_array_equal(found.answered, [True, True, False])
    np.testing.assert_allclose(np.exp(found.log_probs[:2]), [[0.1, 0.9], [0.5, 0.5]])
    np.testing.assert_array_equal(windows.clip_of, [0, 0, 2, 3])


def scores(log_probs: np.ndarray, answered: list[bool]) -> Scores:
    return Scores(np.log(np.array(log_probs)), np.array(answered))


def test_calibration_is_that_of_the_inner_clips_with_an_answer():
    sure, unsure = [0.9, 0.1], [0.6, 0.4]
    validation = {
        "clean": scores([sure, sure, unsure], [True, True, True]),
        "phone": scores([unsure, sure, [1.0, 1e-9]], [True, True, False]),
    }
    truth = np.array([0, 1, 0])
    test = {"clean": scores([sure], [True])}
    fitted = Fitted(None, (Epoch(1, 1.0, 0.5), Epoch(2, 1.0, 0.5)), kept=2)
    trial: Trial = _trial(fitted, validation=validation, truth=truth, test=test)
    log_probs, labels = np.log([sure, sure, unsure, unsure, sure]), np.array([0, 1, 0, 0, 1])
    assert trial.temperature == pytest.approx(fit_temperature(log_probs, labels, weights=np.ones(5)))
    confidence = scale(log_probs, temperature=trial.temperature).max(axis=1)
    assert trial.min_confidence in confidence
    answered = confidence >= trial.min_confidence
    assert (labels == 0)[answered].mean() >= 0.6 or answered.sum() == np.isclose(confidence, confidence.max()).sum()
    assert (trial.epochs, trial.kept) == (2, 2)
    assert trial.scores is test


def test_a_recipe_for_calls_refuses_to_learn_from_nothing(clips, cache):
    experiment = Experiment(clips, recipe=PHONE, cache=cache, jobs=1)
    nobody = np.array([], dtype=np.int64)
    split = Split("x", nobody, np.array([1]), np.array([2]), leaking=False, speaker_independent=False)
    with pytest.raises(ExportError, match="no clip with speech to learn from") as caught:
        experiment.run(split, seed=1)
    assert caught.value.code == "no_data"
