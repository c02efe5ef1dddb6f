"""Every recipe as its authors describe it; one of each kind trained, converted, and heard by sertag as trained."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.corpora import emovo

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("tf2onnx", reason="the extra `export` is not installed")
pytest.importorskip("librosa", reason="the extra `export` is not installed")

import keras
import onnx
from keras import layers

from export.conversion.onnx import convert
from export.corpora.clips import Clip
from export.corpora.labels import LABELS, SENTIMENTS
from export.corpora.loading import find_corpora, relabel
from export.evaluation.calibration import scale
from export.evaluation.evaluate import tag_clips
from export.features.clip_windows import CLEAN, PHONE, Job, prepare_clips
from export.recipes import RECIPES, lstm, phone
from export.recipes.base import Recipe, Task, restrict_labels
from export.training.experiment import LINES_SEED, Experiment, Trial
from export.training.loop import predict
from export.training.splits import splits
from sertag.features.spectral.pitch import VOICING
from sertag.model.session import Model, Prediction, load
from sertag.records import AudioFile, Options, Statistics
from sertag.tagging.pipeline import tag_file
from tests.training import untraced

WHOLE_CLIP = Options("mix", min_confidence=0.0)
CLOSE = 1e-4
OF_ROWS = 3e-3  # of rows: no window rules a label out by more than 1e-3
TEMPERATURE = 0.1  # makes much of little, so that a network of one epoch tells clips apart

# What the network is made of, dropout and all, as the issue of each recipe and its docstring say.
LAYERS = {
    "lstm-mean-mfcc": "LSTM 256, Dropout 0.2, Dense 128, Dropout 0.2, Dense 64, Dropout 0.2, Dense 7",
    "lstm-mean-mfcc-sentiment": "LSTM 256, Dropout 0.2, Dense 128, Dropout 0.2, Dense 64, Dropout 0.2, Dense 3",
    "lstm-batchnorm": "LSTM 256, BatchNormalization, Dense 256, Dropout 0.2, Dense 128, Dropout 0.2, Dense 64, "
    "Dropout 0.2, Dense 32, Dropout 0.2, Dense 7",
    "bilstm": "Normalization, Bidirectional LSTM 64, Dropout 0.3, Bidirectional LSTM 32, Dropout 0.3, Dense 64, "
    "Dense 6",
    "lstm-masked": "Masking 0.0, LSTM 128, Dropout 0.3, Dense 7",
    "cnn-augmented": "Normalization, Conv1D 128, MaxPooling1D, Dropout 0.2, Conv1D 128, MaxPooling1D, Dropout 0.2, "
    "Conv1D 64, MaxPooling1D, Dropout 0.2, Flatten, Dense 32, Dropout 0.3, Dense 8",
    "lstm-augmented": "Normalization, LSTM 128, Dropout 0.3, Dense 64, Dropout 0.3, Dense 8",
}
TRAINED = ("cnn-augmented", "lstm-masked", "lstm-mean-mfcc-sentiment", "phone")  # one of each kind
FOR_CALLS = {"phone", "phone-deep"}
SEQUENCES = {"bilstm", "lstm-masked", "cnn-augmented", "lstm-augmented"}


def told(layer: layers.Layer) -> str:
    if isinstance(layer, layers.Bidirectional):
        return f"Bidirectional {told(layer.forward_layer)}"
    size = next(
        (getattr(layer, name) for name in ("units", "filters", "rate", "mask_value") if hasattr(layer, name)), None
    )
    return type(layer).__name__ + ("" if size is None else f" {size}")


def task_for(recipe: Recipe, *, frames: int, columns: int) -> Task:
    ones = np.ones(columns, np.float32)
    return Task(frames, columns, len(recipe.labels), mean=ones, std=2 * ones)


def untrained(name: str) -> keras.Model:
    recipe = RECIPES[name]
    frames, columns = (40, 1) if recipe.features.pooling == "mean" else (65, 40)
    return recipe.build(task_for(recipe, frames=frames, columns=columns))


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in FOR_CALLS])
def test_a_network_is_made_as_its_authors_describe_it(name):
    model = untrained(name)
    assert ", ".join(told(layer) for layer in model.layers) == LAYERS[name]
    assert model.input_shape == ((None, 65, 40) if name in SEQUENCES else (None, 40, 1))
    assert model.output_shape == (None, len(RECIPES[name].labels))


@pytest.mark.parametrize(("name", "frames", "columns"), [("phone", 300, 22), ("phone-deep", 30, 256)])
def test_networks_for_calls_say_what_is_felt_and_whether_anybody_speaks(name, frames, columns):
    keras.utils.set_random_seed(1)
    recipe = RECIPES[name]
    model = recipe.build(task_for(recipe, frames=frames, columns=columns))
    windows = np.random.default_rng(1).standard_normal((3, frames, columns)).astype(np.float32) * 5
    found = {output: np.asarray(value) for output, value in model(windows, training=False).items()}
    assert {output: value.shape for output, value in found.items()} == {"probabilities": (3, 7), "speech": (3, 1)}
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert ((found["speech"] >= 0) & (found["speech"] <= 1)).all()
    assert np.ptp(found["probabilities"], axis=0).max() > 1e-4  # windows differ


def test_the_level_of_a_window_says_nothing_to_the_light_model():
    keras.utils.set_random_seed(1)
    model = RECIPES["phone"].build(task_for(RECIPES["phone"], frames=300, columns=22))
    windows = np.random.default_rng(2).standard_normal((2, 300, 22)).astype(np.float32) * 5
    windows[:, :, VOICING] = 0.5
    louder = windows.copy()
    louder[:, :, 0] += 40
    plain, moved = (np.asarray(model(x, training=False)["probabilities"]) for x in (windows, louder))
    np.testing.assert_allclose(moved, plain, atol=1e-4)


def test_functionals_sum_up_voice_speech_motion_and_rhythm():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 2, (4, 50, 5)).astype(np.float32)
    voicing, sounding = rng.random((4, 50, 1)).astype(np.float32), np.ones((4, 50, 1), np.float32)
    sounding[1, 30:] = 0  # a pause
    voicing[3] = 0
    by_column = [value.transpose(0, 2, 1) for value in (x, voicing, sounding)]
    given = [layers.Input(value.shape[1:]) for value in by_column]
    found = keras.Model(given, phone._functionals(*given))(by_column)

    def mean_of(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return (weights * values).sum(axis=1) / (weights.sum(axis=1) + 5)

    expected = []
    for weights in (voicing, sounding):
        means = mean_of(x, weights)
        variances = mean_of(x**2, weights) - means**2
        expected += [means, np.sqrt(np.maximum(variances, 0) + 0.01)]
    for lag in (2, 8, 32):
        moved, voiced = x[:, lag:] - x[:, :-lag], np.minimum(voicing[:, lag:], voicing[:, :-lag])
        expected += [np.sqrt(mean_of(moved**2, voiced) + 0.01), mean_of(np.maximum(moved, 0), voiced)]
    spoken, changes = sounding.sum(axis=1), np.abs(np.diff(voicing, axis=1)).sum(axis=1)
    expected += [20 * changes / (spoken + 50), voicing.sum(axis=1) / (spoken + 20)]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "batch", "labels"),
    [
        ("lstm-mean-mfcc", 64, LABELS),
        ("lstm-mean-mfcc-sentiment", 64, SENTIMENTS),
        ("lstm-batchnorm", 64, LABELS),
        ("bilstm", 32, ("angry", "disgust", "fear", "happy", "neutral", "sad")),
        ("lstm-masked", 32, LABELS),
        ("cnn-augmented", 64, ("angry", "calm", "disgust", "fear", "happy", "neutral", "sad", "surprise")),
        ("lstm-augmented", 64, ("angry", "calm", "disgust", "fear", "happy", "neutral", "sad", "surprise")),
    ],
)
def test_settings_are_those_of_the_authors(name, batch, labels):
    recipe = RECIPES[name]
    assert (recipe.epochs, recipe.batch, recipe.labels, recipe.learning_rate) == (50, batch, labels, 1e-3)
    assert (recipe.window_s, recipe.offset_s) == (3.0, 0.5)
    own = recipe.features
    assert (own.rate_hz, own.n_mfcc, own.framing, own.dynamic_range_db) == (22050, 40, "clip", 80.0)
    assert own.pooling == ("none" if name in SEQUENCES else "mean")
    augmented = ("noise", "shift", "pitch", "speed") if name.endswith("augmented") else ()
    assert recipe.augmentations == augmented
    assert all(recipe.sentiment[label] in SENTIMENTS for label in labels)


def test_recipes_are_known_by_their_names():
    assert all(name == recipe.name for name, recipe in RECIPES.items())
    assert set(LAYERS) | FOR_CALLS == set(RECIPES)


@dataclass(frozen=True)
class Heard:
    """What the tagger gave a model of one clip, and the row that it made of the answers.

    `probs` is empty for a clip without enough speech.
    """

    clip: Clip
    features: list[np.ndarray]
    channels: list[Statistics | None]
    probs: np.ndarray


@dataclass(frozen=True)
class Run:
    """A recipe that was trained for an epoch, the same network as sertag loads it, and what it tagged."""

    experiment: Experiment
    trial: Trial
    model: Model
    graph: onnx.GraphProto
    heard: list[Heard]
    cache: Path

    @property
    def by_windows(self) -> bool:
        return self.experiment.recipe.features.framing == "channel"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return emovo(tmp_path_factory.mktemp("corpora") / "emovo")


@pytest.fixture(scope="module", params=TRAINED)
def run(request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    cache = corpus.parent / "cache"
    (found,) = relabel(find_corpora([f"emovo={corpus}"]), onto=RECIPES[request.param].labels)
    recipe = restrict_labels(RECIPES[request.param], {clip.label for clip in found.clips})
    if recipe.name in FOR_CALLS:
        recipe = dataclasses.replace(recipe, batch=32, augmentations=("noisy_line",))
    experiment = Experiment(found.clips, recipe=recipe, cache=cache, jobs=1)
    split = splits(experiment.clips, protocol="speakers", seed=1)[0]
    with untraced():
        trial = experiment.run(split, seed=1, epochs=1)
    spec = dataclasses.replace(experiment.spec, temperature=TEMPERATURE)
    network = recipe.ship(trial.fitted.model)
    examples = experiment.versions[CLEAN].features[:32].astype(np.float32)
    out = convert(network, spec=spec, examples=examples, out=tmp_path_factory.mktemp("model") / "m.onnx")
    model = load(str(out))
    heard = [hear(experiment.clips[index], model) for index in split.test]
    return Run(experiment, trial, model, onnx.load(out).graph, heard, cache)


def hear(clip: Clip, model: Model) -> Heard:
    features: list[np.ndarray] = []
    channels: list[Statistics | None] = []
    original = model.predict

    def predict(given: np.ndarray, *, statistics: Statistics | None = None) -> Prediction:
        features.append(np.array(given))
        channels.append(statistics)
        return original(given, statistics=statistics)

    model.predict = predict  # type: ignore[method-assign]
    try:
        (channel,) = tag_file(AudioFile(str(clip.path)), model=model, options=WHOLE_CLIP).channels
    finally:
        del model.predict
    return Heard(clip, features, channels, np.array(channel.probs))


def windows_of(run: Run) -> list[np.ndarray]:
    """What the network is trained and scored on, of each tested clip."""
    experiment = run.experiment
    clips = [heard.clip for heard in run.heard]
    job = Job(experiment.spec, LINES_SEED)
    data = prepare_clips(clips, augmentations=(), job=job, cache=run.cache, jobs=1)[CLEAN]
    return np.split(data.features, data.starts[1:-1])


def test_features_agree(run):
    compared = 0
    for heard, windows in zip(run.heard, windows_of(run), strict=True):
        if heard.features:
            kept = 1e-3 if run.by_windows else 0.0  # windows of calls are stored in half precision
            np.testing.assert_allclose(np.concatenate(heard.features), windows, atol=CLOSE, rtol=kept)
            compared += 1
        else:  # too little speech
            assert len(windows) == 0
    assert compared >= 3


def test_probabilities_agree(run):
    for heard in [heard for heard in run.heard if heard.features][:2]:
        (features,) = heard.features
        expected = predict(run.trial.fitted.model, features).probs
        np.testing.assert_allclose(run.model.raw(features), expected, atol=CLOSE)


def test_rows_agree(run):
    if run.by_windows:
        pytest.skip("its row is more than a mean of windows")
    scores = run.trial.scores[CLEAN]
    expected = scale(scores.log_probs, temperature=TEMPERATURE)
    answered = [len(heard.probs) > 0 for heard in run.heard]
    assert answered == scores.answered.tolist()
    rows = np.array([heard.probs for heard in run.heard if len(heard.probs)])
    np.testing.assert_allclose(rows, expected[answered], atol=OF_ROWS)
    assert np.ptp(rows, axis=0).max() > 10 * CLOSE  # clips differ, so a mix-up of clips would show
    assert np.ptp(rows, axis=1).max() > 10 * CLOSE  # and of labels


def test_rows_over_the_phone_agree(run):
    if run.by_windows:
        pytest.skip("its row is more than a mean of windows")
    scores = run.trial.scores[PHONE]
    expected = scale(scores.log_probs, temperature=TEMPERATURE)
    answers = tag_clips([heard.clip for heard in run.heard], model=run.model, phone=True, seed=LINES_SEED, jobs=1)
    for answer, answered, probs in zip(answers, scores.answered, expected, strict=True):
        assert bool(answer.probs) == answered
        if answered:
            np.testing.assert_allclose(answer.probs, probs, atol=OF_ROWS)


def test_the_graph_is_fast_and_small(run):
    kinds = {node.op_type for node in run.graph.node}
    assert not kinds & {"Loop", "Scan", "If"}
    recipe = run.experiment.recipe
    assert "LSTM" in kinds or recipe.name == "cnn-augmented"
    assert run.model.spec.labels == recipe.labels == tuple(sorted(recipe.labels))


def scaled_by(model: keras.Model) -> list[layers.Normalization]:
    return [layer for layer in model.layers if isinstance(layer, layers.Normalization)]


@pytest.mark.parametrize("name", ["bilstm", "cnn-augmented", "lstm-augmented"])
def test_scaling_is_inside_the_graph(name):
    recipe = RECIPES[name]
    rng = np.random.default_rng(1)
    mean, std = rng.uniform(-9, 9, 40).astype(np.float32), rng.uniform(1, 9, 40).astype(np.float32)
    windows = rng.standard_normal((3, 16, 40)).astype(np.float32)
    keras.utils.set_random_seed(1)
    plain = recipe.build(Task(16, 40, 4, mean=0 * mean, std=np.ones_like(std)))
    keras.utils.set_random_seed(1)
    scaled = recipe.build(Task(16, 40, 4, mean=mean, std=std))
    np.testing.assert_allclose(scaled(windows * std + mean), plain(windows), atol=1e-5)
    assert len(scaled_by(scaled)) == 1


def test_the_masked_recipe_ships_a_twin_that_answers_the_same():
    keras.utils.set_random_seed(1)
    model = untrained("lstm-masked")
    windows = (np.random.default_rng(1).standard_normal((66, 65, 40)) * 20).astype(np.float32)
    for length, window in enumerate(windows):  # from none to all of the frames
        window[length:] = 0
    windows[7, 3, :20] = 0  # a frame of a few zeros is heard all the same
    twin = lstm.unmasked(model)
    expected = np.asarray(model(windows, training=False))
    assert not any(isinstance(layer, layers.Masking) for layer in twin.layers)
    np.testing.assert_allclose(np.asarray(twin(windows, training=False)), expected, atol=1e-5)
    assert len(np.unique(expected.round(5), axis=0)) == 66  # each length has an answer of its own


def test_labels_without_clips_are_not_taught():
    assert restrict_labels(RECIPES["bilstm"], {"sad", "angry", "boredom"}).labels == ("angry", "sad")
