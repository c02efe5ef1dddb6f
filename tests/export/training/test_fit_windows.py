"""The training of one network on invented windows: what counts how much, what it learns, and that it can go on."""

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

from export.corpora.clips import Clip
from export.corpora.own_data import NO_SPEECH, ORDINARY
from export.errors import ExportError
from export.features.clip_windows import CLEAN, PHONE, Windows
from export.features.material import UNACTED_SHARE, UNKNOWN, SoftTargets, clip_weights
from export.recipes.base import Recipe
from export.training import fit_windows as module
from export.training import loop
from export.training.fit_windows import begin, with_offsets
from export.training.loop import Answers, Epoch, Fitted, predict, run_epochs
from tests.training import small_phone, untraced

LABELS = ("angry", "happy", "neutral")
RECIPE = dataclasses.replace(small_phone(), labels=LABELS, batch=16, learning_rate=0.1, mixup=0.0, label_smoothing=0.0)
FRAMES, COLUMNS = 4, 5
Data = tuple[tuple[Clip, ...], dict[str, Windows]]


def clip(number: int, *, corpus: str = "a", speaker: str = "s", source: str = "") -> Clip:
    return Clip(Path(f"{number}.wav"), corpus, speaker, "", "", "", "", f"{number:040x}", source=source)


class StopError(Exception):
    """Somebody pulled the plug."""


def crowd() -> tuple[list[Clip], np.ndarray]:
    """Four speakers of a corpus who are angry or happy, ordinary speech of two sources, and noise."""
    clips, truth = [], []
    for speaker in "wxyz":
        for label in (0, 0, 0, 1):
            clips.append(clip(len(clips), speaker=speaker))
            truth.append(label)
    for source, people in (("books", 1), ("lines", 9)):
        for person in range(people):
            clips.append(clip(len(clips), corpus=ORDINARY, source=source, speaker=f"{source}{person}"))
            truth.append(2)
    for _ in range(6):
        clips.append(clip(len(clips), corpus=NO_SPEECH, source="hiss"))
        truth.append(UNKNOWN)
    return clips, np.array(truth)


def test_labels_weigh_the_root_of_their_speakers_however_many_clips_they_have():
    clips, truth = crowd()
    weights = clip_weights(clips, truth, np.arange(len(clips)))
    acted = np.array([own.corpus == "a" for own in clips])
    assert weights[acted & (truth == 0)].sum() == pytest.approx(weights[acted & (truth == 1)].sum())
    fewer = clip_weights(clips, truth, np.flatnonzero(~acted | (truth == 1) | (np.arange(len(clips)) < 4)))
    assert fewer[truth == 1].sum() == pytest.approx(2 * fewer[:4][truth[:4] == 0].sum())  # four speakers against one
    books, lines = (np.array([own.source == name for own in clips]) for name in ("books", "lines"))
    assert weights[lines].sum() == pytest.approx(3 * weights[books].sum())


def test_ordinary_speech_has_its_share_and_noise_none():
    clips, truth = crowd()
    weights = clip_weights(clips, truth, np.arange(len(clips)))
    ordinary = np.array([own.corpus == ORDINARY for own in clips])
    assert weights[ordinary].sum() / weights.sum() == pytest.approx(UNACTED_SHARE)
    assert not weights[truth == UNKNOWN].any()
    assert weights[truth != UNKNOWN].mean() == pytest.approx(1.0)
    alone = clip_weights(clips, truth, np.flatnonzero(ordinary))
    assert not alone[~ordinary].any()
    assert alone[ordinary].mean() == pytest.approx(1.0)


def test_who_is_not_learnt_from_weighs_nothing():
    clips, truth = crowd()
    members = np.arange(0, len(clips), 2)
    weights = clip_weights(clips, truth, members)
    assert not np.delete(weights, members).any()
    assert (weights[members][truth[members] != UNKNOWN] > 0).all()


def separable(*, each: int = 12, level: float = 3.0, seed: int = 0) -> tuple[Data, np.ndarray]:
    """Clips of one to three windows whose label, and whether anybody speaks, can be told from their columns."""
    rng = np.random.default_rng(seed)
    truth = np.array([label for label in (0, 1, 2, UNKNOWN) for _ in range(each)])
    clips = tuple(
        clip(number, corpus=NO_SPEECH if label == UNKNOWN else "a", speaker=f"s{number % 4}")
        for number, label in enumerate(truth)
    )
    versions = {}
    for name in (CLEAN, PHONE):
        counts = rng.integers(1, 4, len(truth))
        counts[0] = 0  # too little speech for a window
        of_clip = np.repeat(truth, counts)
        features = rng.standard_normal((len(of_clip), FRAMES, COLUMNS)) + level * np.eye(COLUMNS)[of_clip][:, None]
        starts = np.concatenate([[0], np.cumsum(counts)])
        versions[name] = Windows(features.astype(np.float16), starts, np.full(len(of_clip), 1.0))
    return (clips, versions), truth


def train(
    data: Data,
    truth: np.ndarray,
    *,
    members: np.ndarray | None = None,
    recipe: Recipe = RECIPE,
    seed: int = 1,
    epochs: int = 6,
    soft: SoftTargets | None = None,
    finished: Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    members = np.arange(len(truth)) if members is None else members
    with untraced(), tempfile.TemporaryDirectory() as folder:
        model, run_epoch, offsets = begin(
            *data, members, truth=truth, recipe=recipe, seed=seed, epochs=epochs, soft=soft or {}
        )
        place = finished or Path(folder) / "t.npz"
        fitted = run_epochs(model, run_epoch, epochs=epochs, patience=epochs, finished=place, report=report)
        return dataclasses.replace(fitted, model=with_offsets(fitted.model, offsets))


def answers(fitted: Fitted, data: Data) -> tuple[Answers, np.ndarray]:
    with untraced():
        return predict(fitted.model, data[1][PHONE].features), data[1][PHONE].clip_of


@pytest.fixture(scope="module")
def learnt() -> Fitted:
    """From the separable clips, as they are."""
    return train(*separable())


def test_what_can_be_told_apart_is_learnt(learnt):
    data, truth = separable()
    assert len(learnt.history) == learnt.kept == 6
    assert learnt.history[-1].loss < 0.3 * learnt.history[0].loss
    found, clip_of = answers(learnt, data)
    own = truth[clip_of]
    assert (found.probs.argmax(axis=1) == own)[own != UNKNOWN].mean() > 0.95
    assert found.speech[own != UNKNOWN].mean() > 0.85 > 0.15 > found.speech[own == UNKNOWN].mean()
    assert found.probs[own == UNKNOWN].max(axis=1).mean() < found.probs[own != UNKNOWN].max(axis=1).mean()


def test_what_is_said_of_windows_does_not_depend_on_how_many_there_are(monkeypatch):
    data, truth = separable(each=4)
    fitted = train(data, truth, epochs=1)
    windows = data[1][CLEAN].features
    with untraced():
        monkeypatch.setattr(loop, "_PREDICT_ROWS", 4)
        whole, some, none = (predict(fitted.model, windows[:count]) for count in (9, 5, 0))
    np.testing.assert_allclose(whole.probs[:5], some.probs, atol=1e-6)
    np.testing.assert_allclose(whole.speech[:5], some.speech, atol=1e-6)
    assert (none.probs.shape, none.speech.shape) == ((0, 3), (0,))


@pytest.mark.parametrize(("mixup", "exchange"), [(0.0, False), (0.3, True)])
def test_a_training_that_is_finished_is_told_again_and_not_made_again(tmp_path, mixup, exchange):
    data, truth = separable(each=4)
    recipe = dataclasses.replace(RECIPE, mixup=mixup, exchanged_columns=COLUMNS * exchange)
    first = train(data, truth, recipe=recipe, epochs=2, finished=tmp_path / "t.npz")
    told: list[Epoch] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("export.training.fit_windows._run_epoch", lambda *_, **__: pytest.fail("an epoch was run"))
        again = train(data, truth, recipe=recipe, epochs=2, finished=tmp_path / "t.npz", report=told.append)
    assert again.history == first.history == tuple(told)
    for one, other in zip(again.model.get_weights(), first.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_to_a_trained_network_all_labels_are_equally_likely():
    (clips, versions), truth = separable(each=8, level=0.0)  # only how often labels are can be learnt
    rare = tuple(clip(number, speaker=own.speaker if truth[number] else "s") for number, own in enumerate(clips))
    data = (rare, versions)  # one speaker is angry, four are happy, four neutral
    members = np.flatnonzero(truth != UNKNOWN)
    fitted = train(data, truth, members=members, recipe=dataclasses.replace(RECIPE, learning_rate=0.02))
    found, clip_of = answers(fitted, data)
    assert np.abs(found.probs[truth[clip_of] != UNKNOWN].mean(axis=0) - 1 / 3).max() < 0.08


@pytest.mark.parametrize("exchange", [False, True])
def test_a_voice_that_only_the_angry_have_is_no_anger_where_speakers_are_exchanged(exchange):
    """Two speakers are angry, another one is happy; mood and voice can be told from columns of their own."""
    rng = np.random.default_rng(3)
    truth = np.array([2, 2] * 8 + [0] * 40 + [1] * 40)
    speaker = np.array([number // 2 for number in range(16)] + [number % 2 for number in range(40)] + [2] * 40)
    voices = 5.0 * rng.standard_normal((8, COLUMNS)) * [0, 0, 1, 1, 1]
    clips = tuple(clip(number, speaker=f"s{own}") for number, own in enumerate(speaker))
    moods = 2.0 * np.eye(COLUMNS)[[0, 1]]
    features = voices[speaker][:, None] + 0.3 * rng.standard_normal((len(truth), FRAMES, COLUMNS))
    for label in (0, 1):
        features[truth == label] += moods[label]
    windows = Windows(features.astype(np.float16), np.arange(len(truth) + 1), np.ones(len(truth)))
    recipe = dataclasses.replace(RECIPE, exchanged_columns=COLUMNS * exchange)
    model = train((clips, {CLEAN: windows, PHONE: windows}), truth, recipe=recipe, epochs=6).model
    strangers = voices[3:][:, None, None] + moods[None, :, None]  # others in both moods
    tested = np.broadcast_to(strangers, (5, 2, FRAMES, COLUMNS)).reshape(10, FRAMES, COLUMNS)
    with untraced():
        found = predict(model, tested.astype(np.float16)).probs
    right = (found.argmax(axis=1) == np.tile([0, 1], 5)).mean()
    assert right >= 0.9 if exchange else right <= 0.7


@pytest.mark.parametrize(("each", "batch", "shown"), [(12, 256, 16), (12, 8, 8), (400, 256, 66), (400, 32, 32)])
def test_few_windows_are_shown_in_small_batches(each, batch, shown, monkeypatch):
    data, truth = separable(each=each)
    sizes: list[int] = []

    def one_batch(material: object, rows: np.ndarray, *rest: object, **options: object) -> None:
        sizes.append(len(rows))
        raise StopError

    monkeypatch.setattr(module, "window_batch", one_batch)
    with pytest.raises(StopError):
        train(data, truth, recipe=dataclasses.replace(RECIPE, batch=batch))
    assert sizes == [pytest.approx(shown, abs=2)]  # how many windows a clip has is drawn


def test_another_seed_is_another_training():
    data, truth = separable(each=4)
    one, other = (train(data, truth, seed=seed, epochs=1).model.get_weights() for seed in (1, 2))
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(one, other, strict=True))


def test_a_teacher_pulls_where_it_says_something(learnt):
    data, truth = separable()
    says = np.zeros((len(truth), 3))
    says[truth == 0] = [0.0, 1.0, 0.0]  # takes the angry for happy, and says nothing of others
    taught = train(data, truth, soft={CLEAN: says, PHONE: says})
    (plain, clip_of), (pulled, _) = answers(learnt, data), answers(taught, data)
    angry, happy = truth[clip_of] == 0, truth[clip_of] == 1
    assert plain.probs[angry, 0].mean() > 0.9
    # Half of what is learnt of the angry is happy, so happy is three times as frequent as angry, which is divided out.
    assert pulled.probs[angry, 0].mean() == pytest.approx(0.75, abs=0.1)
    assert pulled.probs[angry, 1].mean() == pytest.approx(0.25, abs=0.1)
    assert pulled.probs[happy, 1].mean() > 0.9


def test_without_speech_there_is_nothing_to_learn():
    data, truth = separable(each=4)
    for members in (np.flatnonzero(truth == UNKNOWN), np.array([0]), np.zeros(0, dtype=np.int64)):
        with pytest.raises(ExportError, match="no clip with speech to learn from; give more data") as caught:
            train(data, truth, members=members)
        assert caught.value.code == "no_data"
