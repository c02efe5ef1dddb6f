"""Stand-ins of real networks: what was difficult in each, at its names, ranks and opsets, with random weights.

Which networks these are, and that the real ones answer as they do elsewhere, is in docs/models.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.errors import ExportError
from export.wrapping.classifier import Classifier
from export.wrapping.log_mel import LogMel, log_mel_frames
from export.wrapping.wrap import wrap
from sertag.model.session import load
from sertag.spec import Dimension, FeatureSpec
from sertag.tagging.probe import check
from tests.export.wrapping.test_wrap import configured
from tests.export_command import run_export

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
QUALITY = tuple(Dimension(name, 1, 5) for name in ("signal", "background", "overall"))
TWO = {"labels": ("calm", "angry")}
MEAN_MFCC = FeatureSpec(kind="mfcc", framing="clip", rate_hz=8000, n_mfcc=13, n_mels=26, pooling="mean")

# `WhisperFeatureExtractor(feature_size=80, chunk_length=8)` of transformers 5.24, by numpy, of the sound in `sweep`.
WHISPER = {
    (0, 0): 1.0591695308685303,
    (3, 0): 1.2456002235412598,
    (10, 20): 0.39285993576049805,
    (20, 100): 1.076539158821106,
    (40, 120): -0.7036311626434326,
    (50, 251): -0.6545387506484985,
    (79, 799): -0.7036311626434326,
}


def graph(path: Path, nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], **k: Any) -> Path:
    """A graph; inputs and outputs are shapes of float32, or pairs of a type and a shape."""

    def infos(items: dict[str, Any]) -> list[Any]:
        pairs = {name: item if isinstance(item, tuple) else (FLOAT, item) for name, item in items.items()}
        return [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in pairs.items()]

    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in k.get("weights", {}).items()]
    made = helper.make_graph(nodes, "theirs", infos(inputs), infos(outputs), weights)
    made.value_info.extend(infos(k.get("sizes", {})))
    proto = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", k.get("opset", 17))], ir_version=k.get("ir", 8)
    )
    onnx.save(proto, path)
    return path


def original(path: Path, feed: dict[str, Any]) -> Any:
    return onnxruntime.InferenceSession(str(path)).run(None, feed)[0]


def noise(*shape: int, seed: int = 3) -> Any:
    return np.random.default_rng(seed).normal(0.02, 0.2, shape).astype(np.float32)


def dense(rows: int, columns: int, *, seed: int = 5) -> Any:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32) / np.sqrt(rows).astype(
        np.float32
    )


# DNSMOS: opset 12, ir 7, names with a colon, a fixed length, three numbers that are no labels


def test_a_network_of_dimensions_with_a_fixed_length(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["input_1", "w"], ["Identity:0"])]
    weights = {"w": dense(14_416, 3)}
    place = graph(
        tmp_path / "mos.onnx",
        nodes,
        {"input_1": ["N", 14_416]},
        {"Identity:0": ["N", 3]},
        weights=weights,
        opset=12,
        ir=7,
    )
    model = wrap(place, Classifier(dimensions=QUALITY), out=tmp_path / "m.onnx")
    assert (model.spec.window_s, model.spec.labels, model.spec.outputs) == (0.901, (), QUALITY)
    samples = noise(3, 14_416)
    assert model.predict(samples[..., None]).dimensions == pytest.approx(
        original(place, {"input_1": samples}), abs=1e-5
    )
    assert check(load(str(tmp_path / "m.onnx"))) == []


# Silero VAD: two branches with constants of their own that take the input from outside, states, a scalar, one number


def recurrent(path: Path, *, states: int | str = "batch") -> Path:
    """The mean magnitude of filtered samples, plus the first number of a state; filters by rate."""

    def branch(name: str, seed: int) -> Any:
        filters = numpy_helper.from_array(noise(4, 1, 16, seed=seed), f"{name}_filters")
        row = numpy_helper.from_array(np.array([0, 1, -1]), f"{name}_row")
        nodes = [
            helper.make_node("Reshape", ["input", f"{name}_row"], [f"{name}_x"]),
            helper.make_node("Conv", [f"{name}_x", f"{name}_filters"], [f"{name}_y"], strides=[8]),
            helper.make_node("Abs", [f"{name}_y"], [f"{name}_z"]),
            helper.make_node("ReduceMean", [f"{name}_z"], [f"{name}_mean"], axes=[1, 2], keepdims=0),
            helper.make_node("Gather", ["h", "zero"], [f"{name}_h"], axis=0),
            helper.make_node("ReduceSum", [f"{name}_h", "one"], [f"{name}_state"], keepdims=0),
            helper.make_node("Add", [f"{name}_mean", f"{name}_state"], [f"{name}_sum"]),
            helper.make_node("Sigmoid", [f"{name}_sum"], [f"{name}_p"]),
            helper.make_node("Unsqueeze", [f"{name}_p", "one"], [f"{name}_out"]),
        ]
        out = helper.make_tensor_value_info(f"{name}_out", FLOAT, None)
        return helper.make_graph(nodes, name, [], [out], [filters, row])

    nodes = [
        helper.make_node("Equal", ["sr", "wide"], ["is_wide"]),
        helper.make_node("If", ["is_wide"], ["output"], then_branch=branch("a", 1), else_branch=branch("b", 2)),
        helper.make_node("Identity", ["h"], ["hn"]),
    ]
    weights = {"wide": np.array(16_000), "zero": np.array(0), "one": np.array([1])}
    inputs = {"input": ["batch", "sequence"], "sr": (INT64, []), "h": [2, states, 64]}
    outputs = {"output": ["batch", 1], "hn": [2, states, 64]}
    return graph(path, nodes, inputs, outputs, weights=weights, opset=13)


@pytest.mark.parametrize("states", ["batch", 1])
def test_states_and_branches(tmp_path: Path, states: int | str) -> None:
    place = recurrent(tmp_path / "vad.onnx", states=states)
    inputs = {"h": 0.0, "sr": 16_000.0}
    about = Classifier(**TWO, inputs=inputs, scores="probabilities", window_s=0.5, hop_s=0.5)
    model = wrap(place, about, out=tmp_path / "m.onnx")
    samples = noise(3, 8000)
    found = model.raw(samples[..., None])
    for one, probs in zip(samples, found, strict=True):
        feed = {"input": one[None], "sr": np.array(16_000), "h": np.zeros((2, 1, 64), np.float32)}
        second = original(place, feed)[0, 0]
        assert probs == pytest.approx([1 - second, second], abs=1e-6)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (
            {},
            r"takes input \(\?, \?\), sr \(\), h \(2, \?, 64\); expected one .* give the others a value",
        ),
        ({"inputs": {"h": 0, "sr": 16_000}}, "output output is one number a window, made by If; .*--scores"),
        ({"inputs": {"state": 0}}, "has no input state; it has input, sr, h"),
        ({"inputs": {"h": 0, "sr": 16_000}, "read": ("p",)}, r"has no output p; it has output \(\?, 1\); hn"),
    ],
)
def test_what_a_network_with_states_lacks_is_named(tmp_path: Path, about: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        wrap(recurrent(tmp_path / "vad.onnx"), Classifier(**TWO, **about), out=tmp_path / "m.onnx")


# Smart Turn, Whisper: frames of 8 s, 80 bands, columns before time, a sigmoid of one number


def of_frames(path: Path, last: str) -> Path:
    nodes = [
        helper.make_node("GlobalAveragePool", ["input_features"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["scores"]),
        helper.make_node(last, ["scores"], ["logits"]),
    ]
    weights = {"w": 3 * dense(80, 1)}
    return graph(
        path, nodes, {"input_features": ["s6", 80, 800]}, {"logits": ["s6", 1]}, weights=weights, opset=18, ir=10
    )


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("window_s", [2.5, 8.0])
@pytest.mark.parametrize("last", ["Sigmoid", "Identity"])
def test_frames_of_whisper_are_made_inside(tmp_path: Path, normalize: bool, window_s: float, last: str) -> None:
    place = of_frames(tmp_path / "turn.onnx", last)
    about = Classifier(**TWO, normalize=normalize, log_mel=LogMel(clip_s=8.0), window_s=window_s)
    model = wrap(place, about, out=tmp_path / "m.onnx")
    samples = noise(2, round(16_000 * window_s))
    given = samples
    if normalize:
        given = np.stack([(one - one.mean()) / np.sqrt(one.var() + 1e-7) for one in samples])
    raw = np.concatenate(
        [original(place, {"input_features": log_mel_frames(one[None], spec=about.log_mel)}) for one in given]
    )
    second = raw if last == "Sigmoid" else 1 / (1 + np.exp(-raw))
    assert model.raw(samples[..., None]) == pytest.approx(np.concatenate([1 - second, second], axis=1), abs=1e-5)


def sweep() -> Any:
    """A sound by a formula, float32 (n,), which falls silent."""
    time_s = np.arange(40_000) / 16_000
    return (0.3 * np.sin(2 * np.pi * (200 * time_s + 300 * time_s**2)) * np.exp(-time_s)).astype(np.float32)


def test_frames_are_those_of_transformers() -> None:
    frames = log_mel_frames(sweep()[None], spec=LogMel(clip_s=8.0))[0]
    assert frames.shape == (80, 800)
    assert [float(frames[place]) for place in WHISPER] == pytest.approx(list(WHISPER.values()), abs=2e-5)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"log_mel": LogMel(clip_s=30.0)}, "takes 800 frames, and the feature extractor makes 3000 of 30 s"),
        ({"log_mel": LogMel(clip_s=8.0), "window_s": 9.0}, "a window of 9 s is longer than a clip of the network"),
        ({"log_mel": LogMel(n_mels=128, clip_s=8.0)}, "a window is t times 128 numbers"),
    ],
)
def test_frames_of_another_network_are_refused(tmp_path: Path, about: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        wrap(of_frames(tmp_path / "turn.onnx", "Sigmoid"), Classifier(**TWO, **about), out=tmp_path / "m.onnx")


NAMED = {"id2label": {"0": "calm", "1": "angry"}}
WHISPERS = {"feature_extractor_type": "WhisperFeatureExtractor"}


def test_configurations_of_whisper_and_of_dimensions(tmp_path: Path) -> None:
    found = configured(tmp_path, NAMED, WHISPERS | {"feature_size": 128, "chunk_length": 8})
    assert (found.log_mel, found.normalize) == (LogMel(n_mels=128, clip_s=8.0), False)
    about = {"problem_type": "regression", "id2label": {"0": "arousal", "1": "dominance", "2": "valence"}}
    affect = configured(tmp_path, about, {})
    assert (affect.labels, [one.name for one in affect.dimensions]) == ((), ["arousal", "dominance", "valence"])
    with pytest.raises(ExportError, match=r"dither is 0\.1"):
        configured(tmp_path, NAMED, WHISPERS | {"dither": 0.1})
    with pytest.raises(ExportError, match=r"expected names of dimensions; .*--dimensions"):
        configured(tmp_path, {"problem_type": "regression", "id2label": {"0": "LABEL_0"}}, {})


# speech_embedding, Basic Pitch, sigmoids, several outputs


def outputs_of(path: Path, shapes: dict[str, list[int]], last: str = "Identity") -> Path:
    """Samples to outputs of any shapes, each made by the same operator."""
    nodes, weights = [], {}
    for name, shape in shapes.items():
        weights |= {f"{name}_w": dense(1600, int(np.prod(shape)), seed=len(nodes)), f"{name}_s": np.array([-1, *shape])}
        nodes += [
            helper.make_node("MatMul", ["x", f"{name}_w"], [f"{name}_1"]),
            helper.make_node(last, [f"{name}_1"], [f"{name}_2"]),
            helper.make_node("Reshape", [f"{name}_2", f"{name}_s"], [name]),
        ]
    named = {name: ["n", *shape] for name, shape in shapes.items()}
    return graph(path, nodes, {"x": ["n", 1600]}, named, weights=weights)


@pytest.mark.parametrize(
    ("shapes", "last", "about", "message"),
    [
        ({"e": [1, 1, 96]}, "Identity", TWO, r"returns e \(\?, 1, 1, 96\); expected one .*embeddings, transcripts"),
        ({"notes": [172, 88]}, "Identity", {"dimensions": QUALITY}, r"returns notes \(\?, 172, 88\)"),
        ({"y": [2]}, "Sigmoid", TWO, "a sigmoid for each label, so several may be true at once"),
        ({"y": [2], "z": [2]}, "Identity", TWO, "which one. Name it, as in --read y"),
    ],
)
def test_outputs_without_a_meaning_are_refused(
    tmp_path: Path, shapes: dict[str, list[int]], last: str, about: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        wrap(outputs_of(tmp_path / "g.onnx", shapes, last), Classifier(**about), out=tmp_path / "m.onnx")


def test_labels_and_dimensions_of_two_outputs(tmp_path: Path) -> None:
    place = outputs_of(tmp_path / "g.onnx", {"hidden": [7], "scores": [2], "affect": [1, 1, 3]})
    about = Classifier(**TWO, dimensions=tuple(map(Dimension, ("arousal", "dominance", "valence"))))
    model = wrap(place, about, out=tmp_path / "m.onnx")
    samples = noise(2, 1600)
    found = model.predict(samples[..., None])
    _, scores, affect = onnxruntime.InferenceSession(str(place)).run(None, {"x": samples})
    grown = np.exp(scores.astype(np.float64))
    assert found.probs == pytest.approx(grown / grown.sum(axis=1, keepdims=True), abs=1e-5)
    assert found.dimensions == pytest.approx(affect.reshape(2, 3), abs=1e-5)


def test_one_of_several_outputs_is_read(tmp_path: Path) -> None:
    place = outputs_of(tmp_path / "g.onnx", {"y": [2], "z": [2]})
    samples = noise(2, 1600)
    found = [wrap(place, Classifier(**TWO, read=(name,)), out=tmp_path / f"{name}.onnx") for name in ("y", "z")]
    first, second = (model.raw(samples[..., None]) for model in found)
    assert np.abs(first - second).max() > 0.01


# A mask of frames, a graph that mixes the windows of a batch


def test_a_mask_of_frames_is_as_long_as_there_are_frames(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["m"], to=FLOAT),
        helper.make_node("Unsqueeze", ["m", "two"], ["m3"]),
        helper.make_node("Mul", ["frames", "m3"], ["masked"]),
        helper.make_node("ReduceMean", ["masked"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["y"]),
    ]
    inputs = {"frames": ["b", "t", 13], "attention_mask": (INT64, ["b", "t"])}
    weights = {"two": np.array([2]), "w": dense(13, 2) / 50}
    place = graph(tmp_path / "g.onnx", nodes, inputs, {"y": ["b", 2]}, weights=weights)
    mfcc = FeatureSpec(kind="mfcc", framing="clip", rate_hz=8000, n_mfcc=13, n_mels=26)
    model = wrap(place, Classifier(**TWO, features=mfcc), out=tmp_path / "m.onnx")
    frames = noise(2, 301, 13)
    scores = original(place, {"frames": frames, "attention_mask": np.ones((2, 301), np.int64)}).astype(np.float64)
    assert model.raw(frames)[:, 1] == pytest.approx(1 / (1 + np.exp(scores[:, 0] - scores[:, 1])), abs=1e-5)


def test_a_graph_that_mixes_windows_is_given_one_at_a_time(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["of_all"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "of_all"], ["d"]),
        helper.make_node("Add", ["x", "d"], ["e"]),
        helper.make_node("MatMul", ["e", "w"], ["y"]),
    ]
    place = graph(
        tmp_path / "g.onnx", nodes, {"x": ["b", 13]}, {"y": ["b", 2]}, weights={"w": dense(13, 2)}, sizes={"d": [1, 13]}
    )
    model = wrap(place, Classifier(**TWO, features=MEAN_MFCC), out=tmp_path / "m.onnx")
    batch = noise(3, 13, 1)
    alone = np.concatenate([model.raw(one[None]) for one in batch])
    assert model.raw(batch) == pytest.approx(alone, abs=1e-7)


# A network of Keras, .h5, means of MFCC


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_network_of_keras_is_wrapped(tmp_path: Path, suffix: str) -> None:
    layers = [keras.Input((13, 1)), keras.layers.Conv1D(4, 5, padding="same"), keras.layers.Activation("relu")]
    network = keras.Sequential(
        [*layers, keras.layers.Flatten(), keras.layers.Dense(3), keras.layers.Activation("softmax")]
    )
    network.save(tmp_path / f"n{suffix}")
    about = Classifier(("angry", "happy", "neutral"), features=MEAN_MFCC, window_s=2.0)
    model = wrap(tmp_path / f"n{suffix}", about, out=tmp_path / "m.onnx")
    assert model.spec.window_s == 2.0
    batch = noise(3, 13, 1)
    expected = keras.ops.convert_to_numpy(network(batch, training=False))
    assert model.raw(batch) == pytest.approx(expected, abs=1e-5)


# As a user types it


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--dimensions", "arousal:1"], 2, "'arousal:1' is not NAME, NAME:LEAST:MOST or NAME:LEAST:MOST:UNIT"),
        (["--dimensions", "arousal:5:1"], 1, "outputs.arousal.least"),
        (["--labels", "calm,angry", "--input", "state"], 2, "'state' is not NAME=NUMBER"),
        (["--dimensions", "a,b,c", "--calibrate", "x=nowhere"], 2, "fits confidences of labels, and there are none"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, options: list[str], code: int, message: str) -> None:
    place = outputs_of(tmp_path / "g.onnx", {"y": [3]})
    result = run_export("wrap", place, "--out", tmp_path / "m.onnx", *options)
    assert result.exit_code == code
    assert message in " ".join(result.output.split())


def test_dimensions_have_units(tmp_path: Path) -> None:
    place = outputs_of(tmp_path / "g.onnx", {"y": [2]})
    options = ["--dimensions", "arousal:1:7, quality:1:5:MOS", "--name", "affect"]
    result = run_export("wrap", place, "--out", tmp_path / "m.onnx", *options)
    assert result.exit_code == 0, result.output
    assert load(str(tmp_path / "m.onnx")).spec.outputs == (
        Dimension("arousal", 1, 7),
        Dimension("quality", 1, 5, "MOS"),
    )
