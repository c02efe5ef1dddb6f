"""Classifiers of other people's making as model files: what stands around a graph becomes part of it.

Sertag gives a graph windows (w, t, c) and expects probabilities (w, k). A wrapped graph does the rest inside: the
layout of its input, the normalisation of the waveform that transformers' feature extractors do outside, attention masks
of ones, softmax. The answers are those of the original graph, which is proved on windows of noise before the file is
written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from export.conversion.graph_ends import NORMALIZE_EPSILON, Ends, column_axis, put_between, sizes_of, target_shape
from export.conversion.onnx import describe
from export.corpora.labels import SENTIMENT, canonical
from export.errors import ExportError
from sertag.model.calibration import softmax
from sertag.model.session import Model
from sertag.records import FloatArray
from sertag.spec import SPEC_KEY, FeatureSpec, ModelSpec, to_json
from sertag.storage.atomic_output import Output
from sertag.tagging.probe import measure

WAVEFORM = FeatureSpec(kind="waveform", framing="clip", rate_hz=16_000, fmax_hz=8_000.0)
LARGEST_DIFFERENCE = 1e-5  # of any probability
LARGEST_BYTES = 2**31 - 2**20  # what a protocol buffer may have

_TRIED_WINDOWS = 4


@dataclass(frozen=True, slots=True)
class Classifier:
    """What has to be known of a graph.

    Attributes:
        labels: in the order of its output, as its makers call them.
        features: how its input is made; the default is 16 kHz samples.
        window_s, hop_s: length of a window and default step; the length is the graph's where that is fixed.
        normalize: samples of each window are brought to mean 0 and variance 1 first.
        layout: order of the axes of its input, `w`, `t`, `c` and ones, as in `w,1,t`; None where the shape tells.
        sentiment: label to `positive`, `neutral` or `negative`, for labels that are not known here.
        name, licence: for rows and for people.
    """

    labels: tuple[str, ...]
    features: FeatureSpec = WAVEFORM
    window_s: float = 3.0
    hop_s: float = 2.0
    normalize: bool = False
    layout: str | None = None
    sentiment: Mapping[str, str] = field(default_factory=dict)
    name: str = "wrapped"
    licence: str = ""


def wrap(graph: Path, classifier: Classifier, *, out: Path) -> Model:
    """Write a graph as a model file.

    Args:
        graph: ONNX; weights in files beside it are taken in.
        classifier: what is known of it.
        out: the file.

    Returns:
        The model as it was written; it is not calibrated.

    Raises:
        ExportError: the graph cannot be read or is over 2 GB; its inputs or outputs are not those of a classifier of
            these labels; the written graph does not answer as the original does.
        ModelError: sertag cannot run it.
        OutputError: the file cannot be written.
    """
    proto = _load(graph)
    entry, masks = _inputs(proto, graph)
    axes, classifier = _layout(entry, classifier, graph)
    spec = _spec(classifier)
    shape = _shape_of_windows(spec)
    output = _output(proto, len(spec.labels), graph)
    windows = _noise(shape)
    feeds = _feeds(windows, entry.name, axes, masks, classifier)
    answers = _run(proto.SerializeToString(), output.name, feeds, graph)
    scores = not _is_probs(answers)
    ends = Ends(classifier.normalize, scores, len(spec.labels))
    proto = put_between(proto, entry, masks, output, axes=axes, shape=shape, spec=ends)
    describe(proto, {SPEC_KEY: to_json(spec)})
    probe = measure(Model(path=str(out), content=proto.SerializeToString()))
    describe(proto, {SPEC_KEY: to_json(dataclasses.replace(spec, probe=probe))})
    content = proto.SerializeToString()
    model = Model(path=str(out), content=content)
    expected = softmax(answers.astype(np.float64)) if scores else answers
    worst = float(np.abs(model.raw(windows) - expected).max())
    if not worst <= LARGEST_DIFFERENCE:
        found = f"{out}: not written: it answers {worst:.2g} off the original graph"
        raise ExportError(f"{found}, expected {LARGEST_DIFFERENCE:g} at most", code="not_reproduced")
    with Output(str(out)) as target:
        target.write(content)
    return model


def _load(graph: Path) -> Any:
    import onnx

    try:
        proto = onnx.load(graph)
    except Exception as error:  # onnx and protobuf raise classes of their own
        message = f"{graph}: is no ONNX file that can be read: {' '.join(str(error).split())[:200]}"
        raise ExportError(message, code="bad_graph") from error
    if proto.ByteSize() > LARGEST_BYTES:
        found = f"{graph}: has {proto.ByteSize() / 2**30:.1f} GB with its weights"
        raise ExportError(f"{found}; a model file has at most 2 GB, so quantise it first", code="too_large")
    return proto


def _inputs(proto: Any, graph: Path) -> tuple[Any, list[Any]]:
    """The input that takes sound, and masks of it."""
    from onnx import TensorProto

    constants = {item.name for item in proto.graph.initializer}
    inputs = [item for item in proto.graph.input if item.name not in constants]
    masks = [item for item in inputs if "mask" in item.name]
    others = [item for item in inputs if item not in masks]
    if len(others) != 1 or others[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        found = ", ".join(item.name for item in inputs)
        message = f"{graph}: takes {found}; expected one float32 input of sound and, perhaps, an attention mask"
        raise ExportError(message, code="bad_graph")
    return others[0], masks


def _layout(entry: Any, classifier: Classifier, graph: Path) -> tuple[list[str], Classifier]:
    """The axes of the input, and the classifier with the length of window that a fixed graph has."""
    sizes, columns = sizes_of(entry), classifier.features.n_coefficients
    axes = classifier.layout.split(",") if classifier.layout else _guess(sizes, columns)
    whole = len(axes) == len(sizes) and axes[0] == "w" and axes.count("t") == 1 and set(axes) <= {"w", "t", "c", "1"}
    if not whole or ("c" not in axes and columns > 1):
        shape = "(" + ", ".join(str(size or "?") for size in sizes) + ")"
        found = f"{graph}: input {entry.name} is {shape}, and a window is t times {columns} numbers"
        raise ExportError(f"{found}; say which axis is which, as in --layout w,c,t or w,1,t", code="bad_graph")
    frames = sizes[axes.index("t")]
    if frames:
        features = classifier.features
        hop = 1 if features.kind == "waveform" else features.hop_length
        count = frames if features.kind == "waveform" or features.framing == "channel" else frames - 1
        window_s = count * hop / features.rate_hz
        classifier = dataclasses.replace(classifier, window_s=window_s, hop_s=min(classifier.hop_s, window_s))
    return axes, classifier


def _guess(sizes: list[int], columns: int) -> list[str]:
    """Axes of an input whose shape tells."""
    if columns == 1:
        return {2: ["w", "t"], 3: ["w", "1", "t"] if sizes[-1] != 1 else ["w", "t", "1"]}.get(len(sizes), [])
    letters = ["c" if size == columns else "1" if size == 1 else "t" for size in sizes[1:]]
    return ["w", *letters]


def _spec(classifier: Classifier) -> ModelSpec:
    labels = tuple(map(canonical, classifier.labels))
    sentiment = {label: classifier.sentiment.get(label) or SENTIMENT.get(label, "") for label in labels}
    if unknown := [label for label, value in sentiment.items() if not value]:
        message = f"label {', '.join(unknown)}: is it positive, neutral or negative? Say it, as in --sentiment"
        raise ExportError(f"{message} {unknown[0]}=negative", code="unknown_label")
    return ModelSpec(
        name=classifier.name,
        version="1",
        features=classifier.features,
        window_s=classifier.window_s,
        hop_s=classifier.hop_s,
        labels=labels,
        sentiment=MappingProxyType(sentiment),
        licence=classifier.licence or "unknown: ask those who made the weights",
        training=MappingProxyType({"calibrated": False}),
    )


def _shape_of_windows(spec: ModelSpec) -> tuple[int, int]:
    if spec.features.pooling == "mean":
        return spec.features.n_coefficients, 1
    return spec.window_frames, spec.features.n_coefficients


def _output(proto: Any, labels: int, graph: Path) -> Any:
    """The output with one number a label."""
    from onnx import TensorProto

    floats = [item for item in proto.graph.output if item.type.tensor_type.elem_type == TensorProto.FLOAT]
    fitting = [item for item in floats if len(sizes_of(item)) == 2 and sizes_of(item)[1] in (0, labels)]
    if len(fitting) != 1:
        found = "; ".join(f"{item.name} {sizes_of(item)}" for item in proto.graph.output)
        message = f"{graph}: returns {found}; expected one output of shape (windows, {labels}), one number a label"
        raise ExportError(message, code="bad_graph")
    return fitting[0]


def _noise(shape: tuple[int, int]) -> FloatArray:
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal((_TRIED_WINDOWS, *shape))).astype(np.float32)


def _feeds(
    windows: FloatArray, name: str, axes: list[str], masks: list[Any], classifier: Classifier
) -> list[dict[str, Any]]:
    """What the original graph is given for windows, as those who made it would do it."""
    from onnx import helper

    if classifier.normalize:
        centred = windows - windows.mean(axis=1, keepdims=True)
        windows = centred / np.sqrt(centred.var(axis=1, keepdims=True) + NORMALIZE_EPSILON)
    feeds = []
    for window in windows:
        values: FloatArray = window if axes.index("t") < column_axis(axes) else window.T
        ones = {
            mask.name: np.ones(
                (1, window.shape[0]), dtype=helper.tensor_dtype_to_np_dtype(mask.type.tensor_type.elem_type)
            )
            for mask in masks
        }
        feeds.append({name: values.reshape(target_shape(axes, window.shape, 1)), **ones})
    return feeds


def _run(content: bytes, output: str, feeds: Sequence[dict[str, Any]], graph: Path) -> FloatArray:
    """What the original graph answers, float32 (w, k)."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        return np.concatenate([session.run([output], feed)[0] for feed in feeds])
    except Exception as error:  # onnxruntime raises classes of its own
        shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds[0].items())
        said = " ".join(str(error).split())[:300]
        message = f"{graph}: cannot take a window as it was described ({shapes}): {said}"
        raise ExportError(message, code="bad_graph") from error


def _is_probs(answers: FloatArray) -> bool:
    return bool((answers >= 0).all() and np.allclose(answers.sum(axis=1), 1, atol=1e-4))
