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
from export.training import fit_windows
from export.training.experiment import Experiment, Scores, _calibrated, clip_scores
from export.training.loop import predict
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
    batch=16,
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
    told: list[tuple[str, float]] = []
    Experiment(clips, recipe=PHONE, cache=cache, jobs=1, report=lambda *what: told.append(what))
    assert told[-1] == ("features of phone", 1.0)


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
def test_a_trial_scores_the_test_clips_in_both_conditions(clips, tmp_path, recipe):
    told: list[str] = []
    experiment = Experiment(clips, recipe=recipe, cache=tmp_path, jobs=1, report=lambda what, share: told.append(what))
    split = splits(experiment.clips, protocol="speakers", seed=1)[1]
    with untraced():
        trial = experiment.run(split, seed=1, epochs=1)
    assert [epoch.epoch for epoch in trial.fitted.history] == [trial.fitted.kept] == [1]
    assert told[-1] == f"training: {trial.fitted.history[0]}"
    assert len(list(tmp_path.glob("trained-*.npz"))) == 1
    assert tuple(trial.scores) == CONDITIONS
    for scores in trial.scores.values():
        assert scores.log_probs.shape == (len(split.test), len(LABELS))
        np.testing.assert_allclose(np.exp(scores.log_probs[scores.answered]).sum(axis=1), 1, atol=0.05)
    assert 0.1 <= trial.temperature <= 10
    assert 0 < trial.min_confidence <= 1
    validated = trial.fitted.history[0].val_loss is not None
    assert validated == (recipe is TINY)  # the length of a training for calls is fixed beforehand


def test_labels_seed_and_length_of_a_training_are_those_that_are_asked_for(clips, cache, monkeypatch):
    experiment = Experiment(clips, recipe=PHONE, cache=cache, jobs=1)
    asked: list[tuple[int, int, tuple[str, ...]]] = []

    def note(*_: object, recipe: Recipe, seed: int, epochs: int, **__: object) -> None:
        asked.append((seed, epochs, recipe.labels))
        raise InterruptedError

    monkeypatch.setattr(fit_windows, "begin", note)
    split = splits(experiment.clips, protocol="random", seed=1)[0]
    for epochs in (None, 3):
        with pytest.raises(InterruptedError):
            experiment.run(split, seed=7, epochs=epochs)
    assert asked == [(7, 1, LABELS), (7, 3, LABELS)]


def test_few_windows_are_learnt_for_more_epochs_where_the_recipe_says_so(clips, cache):
    def asked(**settings: int) -> int:
        experiment = Experiment(clips, recipe=dataclasses.replace(PHONE, **settings), cache=cache, jobs=1)
        return experiment.epochs(np.arange(len(clips)))

    assert asked(epochs=4, epochs_of_few=8, batch=256) == 8
    assert asked(epochs=4, epochs_of_few=8, batch=1) == 4  # full batches
    assert asked(epochs=4, batch=256) == 4


def test_another_training_is_not_taken_for_this_one(clips, cache):
    def key(recipe: Recipe = TINY, own: tuple[Clip, ...] = clips, seed: int = 1, epochs: int | None = None) -> str:
        members = np.arange(len(own))
        experiment = Experiment(own, recipe=recipe, cache=cache, jobs=1)
        return experiment.key(members[3:], members[:3], seed=seed, epochs=epochs)

    batch = dataclasses.replace(TINY, batch=5)
    assert len({key(), key(seed=2), key(batch), key(own=clips[1:]), key(PHONE), key(epochs=9)}) == 6
    assert key(dataclasses.replace(TINY, claim="100 %")) == key() == key(epochs=TINY.epochs)


WINDOWS = Windows(np.zeros((4, 1, 1), np.float32), np.array([0, 2, 2, 3, 4]), np.array([1.0, 3.0, 2.0, 2.0]))
MEMBERS = np.array([2, 0, 1])


@pytest.mark.parametrize("geometric", [False, True])
def test_a_clip_is_the_mean_of_its_windows_weighted_by_speech(geometric):
    probs = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]])
    found = clip_scores(WINDOWS, probs, MEMBERS, geometric=geometric)
    np.testing.assert_array_equal(found.answered, [True, True, False])
    mean = np.exp(np.average(np.log(probs[1:]), axis=0, weights=[1, 3])) if geometric else [0.5, 0.5]
    np.testing.assert_allclose(np.exp(found.log_probs[:2]), [[0.1, 0.9], mean])
    assert not found.log_probs[2].any()
    np.testing.assert_array_equal(WINDOWS.clip_of, [0, 0, 2, 3])


def test_clips_without_any_window_have_no_answer(clips, tmp_path):
    silent = Windows(np.zeros((0, 0, 0), np.float32), np.zeros(5, np.int64), np.zeros(0))
    answers = predict(build(Task(4, 8, 3, np.zeros(8, np.float32), np.ones(8, np.float32))), silent.features)
    found = clip_scores(silent, answers.probs, np.arange(4))
    assert found.log_probs.shape == (4, 3)
    assert not found.answered.any()


def scores(log_probs: list[list[float]], answered: list[bool]) -> Scores:
    return Scores(np.log(np.array(log_probs)), np.array(answered))


def test_calibration_is_that_of_the_validation_clips_with_an_answer():
    sure, unsure = [0.9, 0.1], [0.6, 0.4]
    validation = {
        "clean": scores([sure, sure, unsure], [True, True, True]),
        "phone": scores([unsure, sure, [1.0, 1e-9]], [True, True, False]),
    }
    temperature, floor = _calibrated(validation, np.array([0, 1, 0]))
    log_probs, labels = np.log([sure, sure, unsure, unsure, sure]), np.array([0, 1, 0, 0, 1])
    assert temperature == pytest.approx(fit_temperature(log_probs, labels, weights=np.ones(5)))
    confidence = scale(log_probs, temperature=temperature).max(axis=1)
    assert floor in confidence
    answered = confidence >= floor
    assert (labels == 0)[answered].mean() >= 0.6 or answered.sum() == np.isclose(confidence, confidence.max()).sum()


def test_a_recipe_for_calls_refuses_to_learn_from_nothing(clips, cache):
    experiment = Experiment(clips, recipe=PHONE, cache=cache, jobs=1)
    nobody = np.array([], dtype=np.int64)
    split = Split("x", nobody, np.array([1]), np.array([2]), leaking=False, speaker_independent=False)
    with pytest.raises(ExportError, match="no clip with speech to learn from") as caught:
        experiment.run(split, seed=1)
    assert caught.value.code == "no_data"
