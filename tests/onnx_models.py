"""Tiny self-describing ONNX models: mean over time, one linear layer, softmax. Small enough to reason about."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sertag.spec import SPEC_KEY, FeatureSpec, ModelSpec, to_json

CALL_FEATURES = FeatureSpec(n_mfcc=13, floor_power=1e-9, normalisation="channel_speech")
PAPER_FEATURES = FeatureSpec(
    rate_hz=22050,
    framing="clip",
    n_fft=2048,
    win_length=2048,
    hop_length=512,
    n_mels=128,
    fmax_hz=11025.0,
    dynamic_range_db=80.0,
    pooling="mean",
)


@dataclass(frozen=True)
class SpeechOutput:
    """A second output: the probability of speech falls with the loudness of a window.

    Attributes:
        shape: `column` for (w, 1), `vector` for (w,), `row` for (1, w), which no model may have.
        loudest: mean of the first coefficient at which it is one half.
        sigmoid: False leaves the logit as it is, which is no probability.
        name: of the output.
        kind: of its numbers.
    """

    shape: str = "column"
    loudest: float = 0.0
    sigmoid: bool = True
    name: str = "speech"
    kind: int = TensorProto.FLOAT


def tiny_spec(features: FeatureSpec = CALL_FEATURES, **changes: object) -> ModelSpec:
    """A valid specification with three labels."""
    base = ModelSpec(
        name="tiny",
        version="1",
        features=features,
        window_s=4.0 if features.framing == "channel" else 3.0,
        hop_s=2.0,
        labels=("angry", "happy", "neutral"),
        sentiment=MappingProxyType({"angry": "negative", "happy": "positive", "neutral": "neutral"}),
    )
    return dataclasses.replace(base, **changes)


def write_model(
    path: Path,
    spec: ModelSpec,
    *,
    metadata: dict[str, str] | None = None,
    columns: int | None = None,
    outputs: int | None = None,
    softmax: bool = True,
    seed: int = 0,
    speech: SpeechOutput | None = None,
    windows: int | str = "w",
    dimensions: int | None = None,
) -> Path:
    """Write a model that averages its features over time and applies a random linear layer.

    `columns` and `outputs` make a graph that contradicts its specification; `metadata` replaces the embedded document;
    `speech` adds an output that tells speech from anything louder; `windows` is how many the graph takes at a time.
    Where the specification has dimensions, an output tells them; `dimensions` is another number of them.
    """
    rng = np.random.default_rng(seed)
    features = spec.features
    columns = columns or (1 if features.pooling == "mean" else features.n_coefficients)
    outputs = outputs or len(spec.labels) or 1
    weights = (rng.standard_normal((columns, outputs)) * 0.1).astype(np.float32)
    nodes, inputs = [], [helper.make_tensor_value_info("features", TensorProto.FLOAT, [windows, None, columns])]
    pooled = "features"
    if features.normalisation == "channel_speech":
        for name, size in (("channel_mean", columns), ("channel_std", columns), ("speech_frames", 1)):
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["w", size]))
        nodes += [
            helper.make_node("Unsqueeze", ["channel_mean", "axis"], ["mean3"]),
            helper.make_node("Sub", ["features", "mean3"], ["centred"]),
            helper.make_node("Add", ["channel_std", "one"], ["positive"]),
            helper.make_node("Unsqueeze", ["positive", "axis"], ["std3"]),
            helper.make_node("Div", ["centred", "std3"], ["normal"]),
            helper.make_node("Mul", ["speech_frames", "zero"], ["nothing"]),
        ]
        pooled = "normal"
    nodes += [
        helper.make_node("ReduceMean", [pooled], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax" if softmax else "Identity", ["logits"], ["probabilities"]),
    ]
    if features.normalisation == "channel_speech":
        nodes[-1].output[0] = "raw"
        nodes.append(helper.make_node("Add", ["raw", "nothing"], ["probabilities"]))
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
    ]
    result = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [windows, outputs])
    results = [result]
    if speech is not None:
        results.append(helper.make_tensor_value_info(speech.name, speech.kind, None))
        nodes += _speech_nodes(speech)
        constants.append(numpy_helper.from_array(np.eye(columns, 1, dtype=np.float32) * -0.2, "quietness"))
        constants.append(numpy_helper.from_array(np.array(0.2 * speech.loudest, np.float32), "loudest"))
    if count := len(spec.outputs) if dimensions is None else dimensions:
        results.append(helper.make_tensor_value_info("dimensions", TensorProto.FLOAT, [windows, count]))
        constants.append(numpy_helper.from_array((rng.standard_normal((columns, count)) * 0.01).astype("f4"), "scales"))
        nodes.append(helper.make_node("MatMul", ["mean", "scales"], ["dimensions"]))
    if not spec.labels:
        results.remove(result)
    graph = helper.make_graph(nodes, "tiny", inputs, results, initializer=constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {SPEC_KEY: to_json(spec)} if metadata is None else metadata)
    onnx.save(model, str(path))
    return path


def _speech_nodes(speech: SpeechOutput) -> list[onnx.NodeProto]:
    nodes = [
        helper.make_node("ReduceMean", ["features"], ["level"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["level", "quietness"], ["below"]),
        helper.make_node("Add", ["below", "loudest"], ["logit"]),
        helper.make_node("Sigmoid" if speech.sigmoid else "Identity", ["logit"], ["column"]),
        helper.make_node("Cast", ["column"], ["cast"], to=speech.kind),
    ]
    last = {
        "column": helper.make_node("Identity", ["cast"], [speech.name]),
        "vector": helper.make_node("Squeeze", ["cast", "axis"], [speech.name]),
        "row": helper.make_node("Transpose", ["cast"], [speech.name], perm=[1, 0]),
    }
    return [*nodes, last[speech.shape]]
