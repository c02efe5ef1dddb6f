"""Networks of every kind that recipes are made of, converted: same answers, fast graph, all described; or refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import RATE_HZ, speech_like
from tests.encoders import log_mel, write_encoder
from tests.onnx_models import PAPER_FEATURES, tiny_spec

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("tf2onnx", reason="the extra `export` is not installed")

import keras
import onnx
from keras import Input, Model, Sequential, layers, ops

from export.conversion import keras_file
from export.conversion.onnx import convert
from export.conversion.provenance import TRAINED_ON_KEY, read_trained_on
from export.errors import ExportError
from export.features.clip_windows import tagged_windows
from export.features.encoder import Encoder, cut_out
from sertag.errors import ModelError, OutputError
from sertag.model.onnx_file import read_metadata
from sertag.model.session import load
from sertag.records import AudioFile, Options
from sertag.spec import FeatureSpec
from sertag.tagging.pipeline import tag_file
from sertag.tagging.probe import check

FEATURES = FeatureSpec(framing="clip", n_fft=256, hop_length=256, n_mels=20, n_mfcc=8, dynamic_range_db=80.0)
SPEC = tiny_spec(FEATURES, window_s=0.4, min_speech_s=0.1)
FRAMES, COLUMNS, LABELS = SPEC.window_frames, 8, 3
EXAMPLES = (np.random.default_rng(1).standard_normal((6, FRAMES, COLUMNS)) * 20).astype(np.float32)
MEAN, STD = np.linspace(-5, 5, COLUMNS, dtype=np.float32), np.linspace(10, 20, COLUMNS, dtype=np.float32)
DIGESTS = ("ab" * 20, "cd" * 20)
NO_LIMIT = Options(min_confidence=0.0)


def sequential(*middle: layers.Layer) -> Model:
    return Sequential([Input((FRAMES, COLUMNS)), *middle, layers.Dense(LABELS, activation="softmax")])


def batch_normalised() -> Model:
    """With moving statistics as training leaves them."""
    model = sequential(layers.LSTM(4), layers.BatchNormalization(), layers.Dense(6, "relu"), layers.Dropout(0.2))
    norm = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    norm.set_weights([np.full(4, value, np.float32) for value in (1.5, 0.2, -0.1, 0.3)])
    return model


def attention() -> Model:
    """Over the states of two layers, of scaled features."""
    features = Input((FRAMES, COLUMNS), name="any_name")
    states = layers.Normalization(mean=MEAN, variance=STD**2)(features)
    for units in (4, 3):
        states = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(states)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(states))
    return Model(features, layers.Dense(LABELS, activation="softmax")(ops.sum(states * weights, axis=1)))


def any_length() -> Model:
    norm = layers.Normalization()
    norm.adapt(EXAMPLES)
    return Sequential([Input((None, COLUMNS)), norm, layers.LSTM(4), layers.Dense(LABELS, activation="softmax")])


def convolutions() -> Model:
    return sequential(
        layers.Normalization(mean=MEAN, variance=STD**2),
        layers.Conv1D(4, 5, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling1D(2),
        layers.SpatialDropout1D(0.2),
        layers.Flatten(),
    )


NETWORKS: dict[str, Callable[[], Model]] = {
    "LSTM and batch normalisation": batch_normalised,
    "attention over bidirectional LSTM": attention,
    "convolutions": convolutions,
    "unrolled GRU": lambda: sequential(layers.GRU(3, unroll=True)),
    "any length, adapted normalisation": any_length,
}


def answers(model: Model, features: np.ndarray) -> np.ndarray:
    found = model(features, training=False)
    return keras.ops.convert_to_numpy(found["probabilities"] if isinstance(found, dict) else found)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_stored_network_answers_the_same_as_a_model_file(tmp_path, name):
    keras.utils.set_random_seed(1)
    model = NETWORKS[name]()
    keras_file.save(model, tmp_path / "n.keras", spec=SPEC, examples=EXAMPLES, digests=DIGESTS)
    stored = keras_file.load(tmp_path / "n.keras")
    out = convert(
        stored.model, spec=stored.spec, examples=stored.examples, digests=stored.digests, out=tmp_path / "n.onnx"
    )
    found = load(str(out))
    np.testing.assert_allclose(found.raw(EXAMPLES), answers(model, EXAMPLES), atol=1e-6)
    assert found.raw(EXAMPLES[:1]).shape == (1, LABELS)
    assert check(found) == []
    graph = onnx.load(out).graph
    assert [item.name for item in graph.input] == ["features"]
    assert not {node.op_type for node in graph.node} & {"Loop", "Scan", "If"}
    trained_on = read_trained_on(str(out))
    assert trained_on is not None
    assert all(digest in trained_on for digest in DIGESTS)


def unmasked(model: Model) -> Model:
    """The same network without mask: the LSTM runs on to the end, and its state after the last frame heard is taken."""
    frames = model.input_shape[1]
    features = Input(model.input_shape[1:], name="features")
    heard = ops.any(ops.not_equal(features, 0.0), axis=-1)  # (w, t)
    numbers = ops.where(heard, ops.arange(1, frames + 1), 0)
    last = ops.logical_and(heard, ops.equal(numbers, ops.max(numbers, axis=1, keepdims=True)))
    x = features
    for layer in model.layers:
        if isinstance(layer, layers.Masking):
            continue
        config = layer.get_config()
        twin = type(layer).from_config(
            config | {"return_sequences": True} if isinstance(layer, layers.LSTM) else config
        )
        x = twin(x)
        twin.set_weights(layer.get_weights())
        if isinstance(layer, layers.LSTM):
            x = ops.sum(x * ops.expand_dims(ops.cast(last, x.dtype), -1), axis=1)  # (w, units)
    return Model(features, x)


def test_a_masked_network_ships_as_a_twin_without_mask(tmp_path):
    keras.utils.set_random_seed(1)
    scaling = layers.Normalization(mean=MEAN, variance=STD**2)
    model = sequential(layers.Masking(0.0), scaling, layers.LSTM(5), layers.Dropout(0.3))
    padded = np.repeat(EXAMPLES[:1], FRAMES + 1, axis=0)
    for length, window in enumerate(padded):  # as long as its number says, none of it to all of it
        window[length:] = 0
    expected = answers(model, padded)
    assert len(np.unique(expected.round(6), axis=0)) == FRAMES + 1  # the length matters, so a wrong frame would show
    noisy = padded.copy()
    noisy[:, -1] = np.where(padded[:, -1] == 0, 1e-9, padded[:, -1])
    assert np.abs(answers(model, noisy) - expected).max() > 1e-3  # and padding is skipped, after scaling too
    twin = unmasked(model)
    keras_file.save(twin, tmp_path / "n.keras", spec=SPEC, examples=padded, digests=())
    stored = keras_file.load(tmp_path / "n.keras")
    np.testing.assert_allclose(answers(stored.model, padded), expected, atol=1e-6)
    out = convert(stored.model, spec=SPEC, examples=stored.examples, out=tmp_path / "n.onnx")
    np.testing.assert_allclose(load(str(out)).raw(padded), expected, atol=1e-6)
    assert "LSTM" in {node.op_type for node in onnx.load(out).graph.node}


def masked() -> Model:
    return sequential(layers.Masking(0.0), layers.LSTM(4))


def two_inputs() -> Model:
    pair = [Input((FRAMES, COLUMNS), name=name) for name in ("left", "right")]
    state = layers.Flatten()(layers.Concatenate()(pair))
    return Model(pair, layers.Dense(LABELS, activation="softmax")(state))


def with_size(frames: int, labels: int) -> Model:
    inputs = Input((frames, COLUMNS))
    return Model(inputs, layers.Dense(labels, activation="softmax")(layers.Flatten()(inputs)))


def with_error_function() -> Model:
    features = Input((FRAMES, COLUMNS))
    return Model(features, layers.Dense(LABELS, activation="softmax")(layers.Flatten()(ops.erfinv(ops.tanh(features)))))


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (masked, "slow_graph", r"n.onnx: not written: the graph holds Loop.*layers.LSTM, .*without Masking"),
        (lambda: sequential(layers.GRU(4)), "slow_graph", "or unroll=True"),
        (lambda: sequential(layers.LSTM(4, recurrent_dropout=0.2)), "slow_graph", "recurrent dropout"),
        (with_error_function, "no_operator", "n.onnx: not written: ONNX has no Erfinv"),
        (two_inputs, "bad_network", r"the network does not take windows .* as tiny has them"),
        (lambda: with_size(FRAMES, 5), "bad_network", r"returns \(5,\) for a window.*tiny, angry, happy, neutral"),
        (lambda: with_size(9, LABELS), "bad_network", rf"does not take windows \({FRAMES}, 8\)"),
    ],
)
def test_what_would_be_slow_or_wrong_is_not_written(tmp_path: Path, make: Callable[[], Model], code: str, message: str):
    out = tmp_path / "n.onnx"
    out.write_bytes(b"the old one")
    with pytest.raises(ExportError, match=message) as caught:
        convert(make(), spec=SPEC, examples=EXAMPLES, out=out)
    assert caught.value.code == code
    assert out.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [out]


def test_a_network_without_softmax_is_not_written(tmp_path):
    model = Sequential([Input((FRAMES, COLUMNS)), layers.Flatten(), layers.Dense(LABELS)])
    with pytest.raises(ModelError, match="softmax inside"):
        convert(model, spec=SPEC, examples=EXAMPLES, out=tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def test_answers_that_are_no_numbers_are_not_written(tmp_path):
    model = sequential(layers.Flatten())
    model.set_weights([np.full_like(value, np.nan) for value in model.get_weights()])
    with pytest.raises(ExportError, match="differ by nan"):
        convert(model, spec=SPEC, examples=EXAMPLES, out=tmp_path / "n.onnx")


def test_a_model_that_another_backend_runs_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(ExportError, match=r"Keras runs on jax.*KERAS_BACKEND=tensorflow python -m export convert"):
        convert(sequential(layers.Flatten()), spec=SPEC, examples=EXAMPLES, out=tmp_path / "n.onnx")


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*none/n.onnx"):
        convert(sequential(layers.Flatten()), spec=SPEC, examples=EXAMPLES, out=tmp_path / "none" / "n.onnx")


def test_where_nobody_knows_the_recordings_none_are_named(tmp_path):
    out = convert(sequential(layers.Flatten()), spec=SPEC, examples=EXAMPLES, digests=(), out=tmp_path / "n.onnx")
    assert TRAINED_ON_KEY not in read_metadata(out.read_bytes(), source="n.onnx")
    assert read_trained_on(str(out)) is None


def two_outputs() -> Model:
    """As networks for calls are: probabilities, and whether anybody speaks."""
    features = Input((FRAMES, COLUMNS), name="features")
    state = layers.GlobalAveragePooling1D()(features)
    speech = layers.Dense(1, activation="sigmoid", name="speech")(state)
    return Model(features, {"speech": speech, "probabilities": layers.Dense(LABELS, activation="softmax")(state)})


def test_a_network_may_tell_speech_from_everything_else(tmp_path):
    keras.utils.set_random_seed(1)
    model = two_outputs()
    keras_file.save(model, tmp_path / "n.keras", spec=SPEC, examples=EXAMPLES, digests=DIGESTS)
    stored = keras_file.load(tmp_path / "n.keras")
    out = convert(stored.model, spec=stored.spec, examples=stored.examples, out=tmp_path / "n.onnx")
    found = load(str(out)).predict(EXAMPLES)
    expected = model(EXAMPLES)
    np.testing.assert_allclose(load(str(out)).raw(EXAMPLES), expected["probabilities"], atol=1e-5)
    assert found.speech is not None
    np.testing.assert_allclose(found.speech, np.asarray(expected["speech"])[:, 0], atol=1e-5)
    assert check(load(str(out))) == []


def test_an_encoder_and_a_network_become_one_graph(tmp_path):
    front = write_encoder(tmp_path / "e.onnx", frames=40, columns=COLUMNS)
    run = Encoder.load(front)
    frames = run.run(log_mel(6, frames=40)).astype(np.float32)
    network = Sequential([Input(frames.shape[1:]), layers.LSTM(4), layers.Dense(LABELS, activation="softmax")])
    features = FeatureSpec(kind="log_mel", rate_hz=8000, framing="channel", n_fft=256, hop_length=80, n_mels=80)
    spec = tiny_spec(features, window_s=0.4, min_speech_s=0.1, hop_s=0.1)
    out = convert(network, spec=spec, examples=frames, digests=DIGESTS, out=tmp_path / "n.onnx", encoder=front)
    model = load(str(out))
    whole = model.raw(log_mel(6, frames=40))
    np.testing.assert_allclose(whole, answers(network, frames), atol=1e-3)  # frames are stored as float16
    assert check(model) == []
    assert read_trained_on(str(out)) is not None
    np.testing.assert_array_equal(Encoder(cut_out(out)).run(log_mel(3, frames=40)), run.run(log_mel(3, frames=40)))


def test_sertag_tags_with_a_converted_tutorial_model(tmp_path):
    spec = tiny_spec(PAPER_FEATURES, offset_s=0.5)
    own = tmp_path / "a.wav"
    soundfile.write(own, speech_like(4, seed=5), RATE_HZ, subtype="PCM_16")
    windows, _ = tagged_windows(own, spec=spec)
    model = Sequential([Input((40, 1)), layers.LSTM(8), layers.Dense(LABELS, activation="softmax")])
    out = convert(model, spec=spec, examples=windows, out=tmp_path / "n.onnx")
    (channel,) = tag_file(AudioFile(str(own)), model=load(str(out)), options=NO_LIMIT).channels
    expected = answers(model, windows)
    np.testing.assert_allclose(channel.segments[0].probs, expected[0], atol=1e-5)
