"""The training of one network on invented windows: what it sees, what it keeps, and that interruptions do not show."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")

import keras
from keras import Input, Sequential, layers

from export.errors import ExportError
from export.features.clip_windows import CLEAN, PHONE, Windows
from export.recipes import RECIPES
from export.recipes.base import Recipe, Task
from export.training.experiment import clip_scores
from export.training.fit_clip import begin
from export.training.loop import Epoch, Fitted, predict, run_epochs
from export.training.splits import Split
from tests.limits import largest_file
from tests.training import untraced

FRAMES, COLUMNS, LABELS = 6, 3, ("a", "b", "c")
CLIPS = 40
SPLIT = Split("the last", np.arange(24), np.arange(24, 32), np.arange(32, 40), leaking=False, speaker_independent=True)
TRUTH = np.arange(CLIPS) % len(LABELS)


def build(task: Task) -> keras.Model:
    """Everything that has a state of its own: dropout, batch normalisation, weights."""
    return Sequential(
        [
            Input((task.frames, task.columns), name="features"),
            layers.Normalization(mean=task.mean, variance=np.square(task.std)),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(task.labels, activation="softmax"),
        ]
    )


RECIPE = Recipe("tiny", "", "", "", build, RECIPES["bilstm"].features, labels=LABELS, epochs=5, batch=8)


def windows(seed: int = 0, *, level: float = 1.0) -> Windows:
    """One window a clip, whose label can be told; the third clip has two, the fifth none."""
    rng = np.random.default_rng(seed)
    counts = np.ones(CLIPS, dtype=np.int64)
    counts[[2, 4]] = 2, 0
    of_clip = np.repeat(np.arange(CLIPS), counts)
    features = rng.standard_normal((len(of_clip), FRAMES, COLUMNS)) + 2 * np.eye(3)[TRUTH[of_clip]][:, None] * level
    speech_s = rng.uniform(0.5, 2, len(of_clip))
    return Windows(features.astype(np.float32), np.concatenate([[0], np.cumsum(counts)]), speech_s)


def data(**augmented: Windows) -> dict[str, Windows]:
    return {CLEAN: windows(), PHONE: windows(1), **augmented}


def train(
    material: dict[str, Windows] | None = None,
    *,
    split: Split = SPLIT,
    recipe: Recipe = RECIPE,
    seed: int = 1,
    epochs: int = 3,
    finished: Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    model, run_epoch = begin(material or data(), split.train, split.validation, truth=TRUTH, recipe=recipe, seed=seed)
    with tempfile.TemporaryDirectory() as folder, untraced():
        place = finished or Path(folder) / "t.npz"
        return run_epochs(model, run_epoch, epochs=epochs, patience=recipe.patience, finished=place, report=report)


def same(one: Fitted, other: Fitted) -> bool:
    weights = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    return one.history == other.history and all(np.array_equal(a, b) for a, b in weights)


@pytest.fixture(scope="module")
def undisturbed() -> Fitted:
    return train(epochs=4)


def test_it_learns_what_can_be_told(undisturbed):
    assert [epoch.epoch for epoch in undisturbed.history] == [1, 2, 3, 4]
    fitted = train(epochs=6, recipe=dataclasses.replace(RECIPE, learning_rate=0.1, batch=16))
    own = windows()
    probs = predict(fitted.model, own.features[own.rows_of(SPLIT.test)]).probs
    found = clip_scores(own, probs, SPLIT.test)
    assert (found.log_probs.argmax(axis=1) == TRUTH[SPLIT.test]).mean() > 0.7  # by chance a third
    assert fitted.history[-1].loss < fitted.history[0].loss


def test_the_seed_decides_everything(undisturbed):
    assert same(undisturbed, train(epochs=4))
    assert not same(undisturbed, train(epochs=4, seed=2))


class StopError(Exception):
    """Somebody pulled the plug."""


def test_a_stopped_training_leaves_nothing_and_a_finished_one_is_told_again(tmp_path, undisturbed, monkeypatch):
    def stop(epoch: Epoch) -> None:
        raise StopError

    place = tmp_path / "training.npz"
    with pytest.raises(StopError):
        train(epochs=4, finished=place, report=stop)
    assert list(tmp_path.iterdir()) == []
    assert same(train(epochs=4, finished=place), undisturbed)
    told: list[Epoch] = []
    monkeypatch.setattr("export.training.fit_clip._run_epoch", lambda *_, **__: pytest.fail("an epoch was run"))
    assert same(train(epochs=4, finished=place, report=told.append), undisturbed)
    assert tuple(told) == undisturbed.history
    assert list(tmp_path.iterdir()) == [place]


def history(*merits: tuple[float, float]) -> tuple[list[Epoch], keras.Model]:
    """A training whose validation accuracy and loss are given, and a network whose only weight is the epoch."""
    epochs = [Epoch(number, 1.0, 0.5, loss, accuracy) for number, (accuracy, loss) in enumerate(merits, start=1)]
    model = Sequential([Input((1,)), layers.Dense(1, use_bias=False)])
    model.compile(optimizer="sgd", loss="mse")
    return epochs, model


def run(epochs: list[Epoch], model: keras.Model, place: Path, *, patience: int) -> Fitted:
    def run_epoch(number: int) -> Epoch:
        model.set_weights([np.array([[number]], np.float32)])
        return epochs[number - 1]

    return run_epochs(
        model,
        run_epoch,
        epochs=len(epochs),
        patience=patience,
        finished=place / "t.npz",
        report=lambda epoch: None,
    )


@pytest.mark.parametrize(
    ("merits", "patience", "kept", "trained"),
    [
        ([(0.2, 1.0), (0.6, 0.9), (0.4, 0.1)], 9, 2, 3),  # accuracy first
        ([(0.6, 1.0), (0.6, 0.7), (0.6, 0.8)], 9, 2, 3),  # of equal ones the least loss
        ([(0.6, 0.7), (0.6, 0.7)], 9, 1, 2),  # of equal ones the first
        ([(0.6, 0.7), (0.1, 1.0), (0.2, 1.0), (0.9, 0.1)], 2, 1, 3),  # patience ends it before the best
        ([(0.6, 0.7), (0.1, 1.0), (0.7, 1.0), (0.9, 0.1)], 2, 4, 4),  # each better one starts it again
    ],
)
def test_the_best_epoch_is_kept(tmp_path, merits, patience, kept, trained):
    fitted = run(*history(*merits), tmp_path, patience=patience)
    assert (fitted.kept, len(fitted.history)) == (kept, trained)
    assert fitted.model.get_weights()[0].item() == kept


def test_the_weights_are_those_of_the_epoch_that_was_kept(undisturbed):
    validation = windows().features[windows().starts[SPLIT.validation]]
    probs = predict(undisturbed.model, validation).probs
    told = undisturbed.history[undisturbed.kept - 1]
    right = probs.argmax(axis=1) == TRUTH[SPLIT.validation]
    loss = -np.log(probs[np.arange(len(validation)), TRUTH[SPLIT.validation]]).mean()
    assert (right.mean(), loss) == pytest.approx((told.val_accuracy, told.val_loss), abs=1e-5)
    assert told.val_accuracy == max(epoch.val_accuracy or 0 for epoch in undisturbed.history)


def test_without_validation_the_last_epoch_is_kept(tmp_path):
    epochs, model = history(*[(0.0, 0.0)] * 3)
    blind = [dataclasses.replace(epoch, val_accuracy=None, val_loss=None) for epoch in epochs]
    assert run(blind, model, tmp_path, patience=1).kept == 3
    assert str(blind[0]) == "epoch 1: loss 1.000, accuracy 0.500"
    assert str(epochs[0]) == "epoch 1: loss 1.000, accuracy 0.500; validation: loss 0.000, accuracy 0.000"


def seen_by_fit(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, np.ndarray]]:
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    original = keras.Sequential.fit

    def spy(self: keras.Model, features: np.ndarray, truth: np.ndarray, **options: object) -> object:
        seen.append((features, truth))
        return original(self, features, truth, **options)

    monkeypatch.setattr(keras.Sequential, "fit", spy)
    return seen


def clips_of(features: np.ndarray, source: Windows) -> list[int]:
    """Which clip each of the windows is the first one of, or -1."""
    first = {source.features[source.starts[clip]].tobytes(): clip for clip in range(CLIPS - 1)}
    return [first.get(window.tobytes(), -1) for window in features]


def test_an_epoch_shows_training_clips_alone_and_each_at_most_once(monkeypatch):
    seen = seen_by_fit(monkeypatch)
    train(epochs=3)
    orders = []
    for features, truth in seen:
        shown = clips_of(features, windows())
        assert len(set(shown)) == len(shown) == 16  # of 23 with speech, in batches of 8
        assert set(shown) <= set(SPLIT.train.tolist()) - {4}
        np.testing.assert_array_equal(truth, TRUTH[shown])
        orders.append(shown)
    assert orders[0] != orders[1] != orders[2]


def test_augmentations_are_mixed_with_the_clips_as_they_are(monkeypatch):
    seen = seen_by_fit(monkeypatch)
    noise = windows(2)
    shift = Windows(windows(3).features[:3], np.concatenate([[0, 1, 2, 3], np.full(37, 3)]), windows().speech_s[:3])
    recipe = dataclasses.replace(RECIPE, augmentations=("noise", "shift"), batch=23)
    train(data(noise=noise, shift=shift), recipe=recipe, epochs=8)
    shown = np.concatenate([features for features, _ in seen])
    counts = [sum(clip >= 0 for clip in clips_of(shown, source)) for source in (windows(), noise)]
    assert sum(counts) + sum(window.tobytes() in {own.tobytes() for own in shift.features} for window in shown) == len(
        shown
    )
    assert shown.any(axis=(1, 2)).all()  # a version without speech is never drawn
    assert 0.35 < counts[0] / len(shown) < 0.65  # the clip as it is weighs like each augmentation that is there


def task_of(material: dict[str, Windows]) -> Task:
    """What a network would be built for."""
    tasks: list[Task] = []

    def note(task: Task) -> keras.Model:
        tasks.append(task)
        raise StopError

    with pytest.raises(StopError):
        train(material, recipe=dataclasses.replace(RECIPE, build=note))
    return tasks[0]


def test_scaling_is_that_of_training_clips_without_their_padding():
    clean = windows()
    clean.features[:, :, 1] *= 10
    clean.features[:, :, 2] += 100
    clean.features[::2, 4:] = 0  # half of the clips end after four frames
    clean.features[clean.starts[24] :] += 1e6  # neither validation nor test clips may be looked at
    task = task_of({CLEAN: clean, PHONE: clean})
    _, heard = clean.first_of(SPLIT.train)
    frames = clean.features[clean.starts[heard]].reshape(-1, COLUMNS)
    frames = frames[frames.any(axis=1)]
    np.testing.assert_allclose(task.mean, frames.mean(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(task.std, frames.std(axis=0), rtol=1e-4)
    assert (task.frames, task.columns, task.labels) == (FRAMES, COLUMNS, len(LABELS))
    assert task.mean.dtype == task.std.dtype == np.float32


def test_a_column_that_never_changes_is_not_divided_by_nothing():
    clean = windows()
    clean.features[:, :, 0] = 7
    task = task_of({CLEAN: clean, PHONE: clean})
    assert task.std[0] > 0


def test_answers_do_not_depend_on_their_number(undisturbed):
    features = np.concatenate([windows(seed).features for seed in range(8)])
    assert len(features) > 256
    whole = predict(undisturbed.model, features).probs
    np.testing.assert_allclose(predict(undisturbed.model, features[:5]).probs, whole[:5], atol=1e-6)
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_nothing_to_learn_from_or_to_choose_by_is_refused(part):
    split = dataclasses.replace(SPLIT, **{part: np.array([4])})  # which has no speech
    with pytest.raises(
        ExportError, match=r"clips with speech to learn from and .* to choose the epoch by.*give more data"
    ) as caught:
        train(split=split)
    assert caught.value.code == "no_data"


def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(tmp_path):
    place = tmp_path / "training.npz"
    with largest_file(1000), pytest.raises(ExportError, match=r"training.npz: cannot keep .*make room") as caught:
        train(epochs=1, finished=place)
    assert caught.value.code == "cannot_cache"
    assert list(tmp_path.iterdir()) == []
