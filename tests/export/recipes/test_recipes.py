"""Every recipe as its authors describe it, trained for one epoch, converted, and heard by sertag as it was trained."""

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

from export.conversion.onnx import convert, example_inputs
from export.corpora.clips import Clip
from export.corpora.labels import LABELS, SENTIMENTS
from export.corpora.loading import find_corpora, relabel
from export.evaluation.calibration import scale
from export.evaluation.predict_clips import Line, tag_clip
from export.features.call_frames import Preparation, prepare
from export.features.clip_windows import CLEAN, PHONE, Job, prepare_clips
from export.features.file_windows import file_windows
from export.recipes import RECIPES, lstm_masked, phone
from export.recipes.base import Recipe, Task, restrict_labels
from export.training.experiment import LINES_SEED, Experiment, Trial, experiment_for
from export.training.fit_clip import answers
from export.training.splits import splits
from sertag.model import Model, Prediction, load
from sertag.pipeline import tag_file
from sertag.pitch import OCTAVES, VOICING
from sertag.records import AudioFile, Options, Statistics
from tests.training import untraced

WHOLE_CLIP = Options("mix", min_confidence=0.0)
CLOSE = 1e-4
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
    "phone": "Concatenate, AveragePooling1D, Concatenate, Conv1D 64, BatchNormalization, ReLU, Conv1D 96, "
    "BatchNormalization, ReLU, Conv1D 128, BatchNormalization, ReLU, Bidirectional LSTM 64, Dense 32, Dense 1, "
    "Softmax, GlobalMaxPooling1D, Concatenate, Dense 64, Dense 7",
}
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


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "phone"])
def test_a_network_is_made_as_its_authors_describe_it(name):
    model = untrained(name)
    assert ", ".join(told(layer) for layer in model.layers) == LAYERS[name]
    assert model.input_shape == ((None, 65, 40) if name in SEQUENCES else (None, 40, 1))
    assert model.output_shape == (None, len(RECIPES[name].labels))


def test_the_default_model_is_made_as_its_docstring_says():
    recipe = RECIPES["phone"]
    model = recipe.build(task_for(recipe, frames=400, columns=16))
    members = {
        "member_lstm": LAYERS["phone"],
        "member_functionals": "Concatenate, Concatenate, BatchNormalization, Dropout 0.1, Dense 96, Dropout 0.3, "
        "Dense 96, Dropout 0.3, Dense 7",
    }
    for member, described in members.items():
        own = keras.Model(model.input, model.get_layer(member).output)
        known = [layer for layer in own.layers if type(layer).__module__.startswith("keras.src.layers")]
        assert ", ".join(told(layer) for layer in known if not isinstance(layer, layers.InputLayer)) == described
    shapes = {name: tensor.shape for name, tensor in model.input.items()}
    assert shapes == {
        "features": (None, 400, 16),
        "channel_mean": (None, 16),
        "channel_std": (None, 16),
        "speech_frames": (None, 1),
    }
    assert model.output_shape == (None, 7)


def test_members_of_the_default_model_learn_apart_and_answer_together():
    keras.utils.set_random_seed(1)
    model = RECIPES["phone"].build(task_for(RECIPES["phone"], frames=40, columns=16))
    taught = phone.apart(model)
    rng = np.random.default_rng(1)
    inputs = {
        "features": rng.standard_normal((3, 40, 16)).astype(np.float32) * 5,
        "channel_mean": rng.standard_normal((3, 16)).astype(np.float32),
        "channel_std": np.full((3, 16), 3, np.float32),
        "speech_frames": np.full((3, 1), 500, np.float32),
    }
    inputs["features"][:, :, VOICING] = rng.random((3, 40))
    answers = np.asarray(taught(inputs))
    assert answers.shape == (3, 2, 7)
    np.testing.assert_allclose(answers.sum(axis=2), 1, atol=1e-5)
    assert np.abs(answers[:, 0] - answers[:, 1]).max() > 1e-3
    together = np.sqrt(answers[:, 0] * answers[:, 1])
    np.testing.assert_allclose(np.asarray(model(inputs)), together / together.sum(axis=1, keepdims=True), atol=1e-5)
    assert {id(weight) for weight in taught.weights} == {id(weight) for weight in model.weights}
    given = layers.Input((5,))
    alone = keras.Model(given, layers.Dense(3, activation="softmax")(given))
    assert phone.apart(alone).output_shape == (None, 1, 3)


def test_functionals_sum_up_voice_speech_motion_and_rhythm_relative_to_the_channel():
    task = task_for(RECIPES["phone"], frames=50, columns=16)
    model = RECIPES["phone"].build(task)
    rng = np.random.default_rng(2)
    features = rng.normal(0, 2, (4, 50, 16)).astype(np.float32)
    features[:, :, VOICING] = rng.random((4, 50))
    features[1, 30:, 0] = -400  # a pause
    features[3, :, VOICING] = 0
    mean, std, count = rng.normal(0, 1, (4, 16)), 1 + rng.random((4, 16)), np.array([[0], [50], [1e3], [1e5]])
    given = {"features": features, "channel_mean": mean, "channel_std": std, "speech_frames": count}
    found = keras.Model(model.input, model.get_layer("functionals").output)(
        {name: value.astype(np.float32) for name, value in given.items()}
    )
    of_mean, of_std = count / (count + 200), count / (count + 500)
    centre = of_mean * mean + (1 - of_mean) * task.mean
    spread = np.sqrt(of_std * std**2 + (1 - of_std) * task.std**2 + 1e-3 * task.std**2)
    x = ((features - centre[:, None]) / spread[:, None]).clip(-6, 6)
    voicing = features[:, :, VOICING]
    pitch = voicing * x[:, :, OCTAVES].clip(-4, 4)
    columns = np.concatenate([x[:, :, :VOICING], pitch[:, :, None]], axis=2)
    sounding = np.ones((4, 50))
    sounding[1, 30:] = 0

    def mean_of(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return (weights[:, :, None] * values).sum(axis=1) / (weights.sum(axis=1, keepdims=True) + 5)

    expected = []
    for weights in (voicing, sounding):
        means = mean_of(columns[:, :, 1:], weights)  # the level of a recording says nothing
        variances = mean_of(columns[:, :, 1:] ** 2, weights) - means**2
        expected += [means, np.sqrt(np.maximum(variances, 0) + 0.01)]
    for lag in (2, 8, 32):
        moved, voiced = columns[:, lag:] - columns[:, :-lag], np.minimum(voicing[:, lag:], voicing[:, :-lag])
        expected += [np.sqrt(mean_of(moved**2, voiced) + 0.01), mean_of(np.maximum(moved, 0), voiced)]
    spoken, changes = sounding.sum(axis=1), np.abs(np.diff(voicing, axis=1)).sum(axis=1)
    expected.append(np.stack([20 * changes / (spoken + 50), voicing.sum(axis=1) / (spoken + 20)], axis=1))
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
    assert set(LAYERS) == set(RECIPES)


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


@pytest.fixture(scope="module", params=RECIPES)
def run(request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    cache = corpus.parent / "cache"
    (found,) = relabel(find_corpora([f"emovo={corpus}"]), onto=RECIPES[request.param].labels)
    recipe = restrict_labels(RECIPES[request.param], {clip.label for clip in found.clips})
    experiment = experiment_for(found.clips, recipe=recipe, cache=cache, jobs=1)
    split = splits(experiment.clips, protocol="speakers", seed=1)[0]
    with untraced(), pytest.MonkeyPatch.context() as patched:
        patched.setattr("export.training.fit_clip._PREDICT_ROWS", 16)  # all there are
        trial = experiment.run(split, seed=1, epochs=1)
    spec = dataclasses.replace(experiment.spec, temperature=TEMPERATURE)
    network = recipe.ship(trial.model)
    examples = example_inputs(experiment.clips, spec=spec)
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
    if run.by_windows:
        preparation = Preparation(experiment.recipe.features, LINES_SEED)
        dataset = prepare(experiment.clips, preparation=preparation, cache=run.cache, jobs=1)
        sizes = {"frames": experiment.spec.window_frames, "hop_frames": experiment.spec.window_frames // 2}
        return [file_windows(dataset, 0, dataset.clips.index(heard.clip), **sizes)[0] for heard in run.heard]
    clips = [heard.clip for heard in run.heard]
    job = Job(experiment.spec, LINES_SEED)
    data = prepare_clips(
        clips, augmentations=experiment.recipe.augmentations, job=job, cache=run.cache, jobs=1
    ).versions[CLEAN]
    return np.split(data.features, data.starts[1:-1])


def test_features_agree(run):
    compared = 0
    for heard, windows in zip(run.heard, windows_of(run), strict=True):
        if heard.features:
            np.testing.assert_allclose(np.concatenate(heard.features), windows, atol=CLOSE)
            compared += 1
        else:  # too little speech; the phone's training scores it all the same
            assert len(windows) == int(run.by_windows)
    assert compared >= 3


def answers_of(run: Run, heard: Heard) -> np.ndarray:
    """What the network that was trained says of the very windows that the tagger cut."""
    (features,), (statistics,) = heard.features, heard.channels
    if statistics is None:
        return answers(run.trial.model, features)
    columns = {"channel_mean": statistics.mean, "channel_std": statistics.std}
    columns["speech_frames"] = np.array([statistics.speech_frames], np.float32)
    channel = {name: np.repeat(row[None], len(features), axis=0) for name, row in columns.items()}
    return np.asarray(run.trial.model.predict({"features": features, **channel}, verbose=0))


def test_probabilities_agree(run):
    for heard in [heard for heard in run.heard if heard.features][:2]:
        found = run.model.raw(heard.features[0], statistics=heard.channels[0])
        np.testing.assert_allclose(found, answers_of(run, heard), atol=CLOSE)


def test_rows_agree(run):
    scores = run.trial.scores[CLEAN]
    expected = scale(scores.log_probs, temperature=TEMPERATURE)
    answered = [len(heard.probs) > 0 for heard in run.heard]
    assert run.by_windows or answered == scores.answered.tolist()
    rows = np.array([heard.probs for heard in run.heard if len(heard.probs)])
    np.testing.assert_allclose(rows, expected[answered], atol=CLOSE)
    assert np.ptp(rows, axis=0).max() > 10 * CLOSE  # clips differ, so a mix-up of clips would show
    assert np.ptp(rows, axis=1).max() > 10 * CLOSE  # and of labels


def test_rows_over_the_phone_agree(run):
    if run.by_windows:
        pytest.skip("is trained on lines of whole calls, not of single clips")
    scores = run.trial.scores[PHONE]
    expected = scale(scores.log_probs, temperature=TEMPERATURE)
    for heard, answered, probs in zip(run.heard, scores.answered, expected, strict=True):
        answer = tag_clip(heard.clip, model=run.model, line=Line(phone=True, seed=LINES_SEED))
        assert bool(answer.probs) == answered
        if answered:
            np.testing.assert_allclose(answer.probs, probs, atol=CLOSE)


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
    twin = lstm_masked.unmasked(model)
    expected = np.asarray(model(windows, training=False))
    assert not any(isinstance(layer, layers.Masking) for layer in twin.layers)
    np.testing.assert_allclose(np.asarray(twin(windows, training=False)), expected, atol=1e-5)
    assert len(np.unique(expected.round(5), axis=0)) == 66  # each length has an answer of its own


def test_labels_without_clips_are_not_taught():
    assert restrict_labels(RECIPES["bilstm"], {"sad", "angry", "boredom"}).labels == ("angry", "sad")
