"""Networks of other people's making as model files: what stands around a graph becomes part of it.

Sertag gives a graph windows (w, t, c) and expects probabilities (w, k), dimensions (w, d), or both. A wrapped graph
does the rest inside: the layout of its input, what transformers' feature extractors do outside, attention masks, states
and softmax. The answers are those of the original graph: that is tried on windows of noise before the file is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from export.conversion.keras_file import SUFFIXES, load_model
from export.conversion.onnx import describe, described_again, to_onnx
from export.corpora.labels import SENTIMENT, canonical
from export.errors import ExportError
from export.wrapping.classifier import Classifier
from export.wrapping.graph_ends import (
    NORMALIZE_EPSILON,
    Ends,
    Reading,
    column_axis,
    filled,
    frame_shape,
    put_between,
    target_shape,
)
from export.wrapping.log_mel import log_mel_frames
from export.wrapping.reading import readings
from export.wrapping.sound import describe_input, inputs_of
from sertag.errors import ModelError
from sertag.model.calibration import softmax
from sertag.model.session import Model
from sertag.records import FloatArray
from sertag.spec import SPEC_KEY, ModelSpec, to_json
from sertag.storage.atomic_output import Output
from sertag.tagging.probe import measure

LARGEST_DIFFERENCE = 1e-5  # of any probability, and of the largest number of a dimension
LARGEST_BYTES = 2**31 - 2**20  # what a protocol buffer may have

_TRIED_WINDOWS = 4


def wrap(
    graph: Path, classifier: Classifier, *, out: Path, calibrate: Callable[[Model], ModelSpec] | None = None
) -> Model:
    """Write a graph as a model file.

    Args:
        graph: ONNX, weights in files beside it are taken in; or a network of Keras, which is converted first.
        classifier: what is known of it.
        out: the file.
        calibrate: makes the calibrated specification of the model; None if it is not calibrated.

    Returns:
        The model as it was written.

    Raises:
        ExportError: the graph cannot be read or is over 2 GB; its inputs or outputs are not those of a classifier of
            these labels; the written graph does not answer as the original does.
        ModelError: sertag cannot run it.
        OutputError: the file cannot be written.
    """
    proto = _load(graph)
    entry, masks, others = inputs_of(proto, classifier, graph)
    axes, classifier = describe_input(entry, classifier, graph)
    spec = _spec(classifier)
    ends = Ends(
        entry=entry,
        axes=axes,
        shape=_shape_of_windows(spec),
        readings=readings(proto, classifier, graph),
        labels=len(spec.labels),
        masks=masks,
        inputs=others,
        normalize=classifier.normalize,
        log_mel=classifier.log_mel,
    )
    windows = _noise(ends.shape)
    raw = run_original(proto.SerializeToString(), original_feeds(windows, ends), ends.readings, graph)
    ends = dataclasses.replace(ends, readings=_with_scores(ends.readings, raw))
    model, content = _built(proto, ends, spec, windows, expected_answers(raw, ends.readings), out)
    if calibrate is not None:
        content = described_again(content, calibrate(model))
        model = Model(path=str(out), content=content)
    with Output(str(out)) as target:
        target.write(content)
    return model


def original_feeds(windows: FloatArray, ends: Ends) -> list[dict[str, Any]]:
    """What the original graph is given for windows (w, t, c), one by one, as those who made it would do it."""
    if ends.normalize:
        centred = windows - windows.mean(axis=1, keepdims=True)
        windows = centred / np.sqrt(centred.var(axis=1, keepdims=True) + NORMALIZE_EPSILON)
    time_first = ends.axes.index("t") < column_axis(ends.axes)
    shape = frame_shape(ends)
    feeds = []
    for window in windows:
        frames = window if ends.log_mel is None else log_mel_frames(window.T, spec=ends.log_mel)[0].T  # (t, c)
        values: FloatArray = frames if time_first else frames.T
        feed = {ends.entry.name: values.reshape(target_shape(ends.axes, shape, 1))}
        feed |= {mask.name: _ones(mask, shape[0]) for mask in ends.masks}
        feeds.append(feed | {item.name: filled(item, value, 1) for item, value in ends.inputs})
    return feeds


def run_original(
    content: bytes, feeds: Sequence[dict[str, Any]], read: Sequence[Reading], graph: Path
) -> list[FloatArray]:
    """What the original graph answers, float32 (w, n) for each output that is read."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    names = [one.output.name for one in read]
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        answers = [session.run(names, feed) for feed in feeds]
    except Exception as error:  # onnxruntime raises classes of its own
        shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds[0].items())
        said = " ".join(str(error).split())[:300]
        message = f"{graph}: cannot take a window as it was described ({shapes}): {said}"
        raise ExportError(message, code="bad_graph") from error
    found = []
    for one, output in zip(read, zip(*answers, strict=True), strict=True):
        sizes = {value.size for value in output}
        if sizes != {one.count}:
            message = (
                f"{graph}: output {one.output.name} has {sorted(sizes)} numbers for a window, expected {one.count}"
            )
            raise ExportError(message, code="bad_graph")
        found.append(np.stack([value.reshape(one.count) for value in output]))
    return found


def expected_answers(raw: Sequence[FloatArray], read: Sequence[Reading]) -> dict[str, FloatArray]:
    """Probabilities and dimensions, float64, of what a graph returns."""
    found: dict[str, FloatArray] = {}
    for values, one in zip(raw, read, strict=True):
        exact = values.astype(np.float64)
        if not one.is_labels:
            found["dimensions"] = exact
            continue
        if one.count == 1:
            second = 1 / (1 + np.exp(-exact)) if one.scores == "logits" else exact
            found["probabilities"] = np.concatenate([1 - second, second], axis=1)
        else:
            found["probabilities"] = softmax(exact) if one.scores == "logits" else exact
    return found


def _load(graph: Path) -> Any:
    import onnx

    if graph.suffix in SUFFIXES:
        return to_onnx(load_model(graph))
    try:
        proto = onnx.load(graph)
    except Exception as error:  # onnx and protobuf raise classes of their own
        message = f"{graph}: is no ONNX file that can be read: {' '.join(str(error).split())[:200]}"
        raise ExportError(message, code="bad_graph") from error
    if proto.ByteSize() > LARGEST_BYTES:
        found = f"{graph}: has {proto.ByteSize() / 2**30:.1f} GB with its weights"
        raise ExportError(f"{found}; a model file has at most 2 GB, so quantise it first", code="too_large")
    return proto


def _built(
    proto: Any, ends: Ends, spec: ModelSpec, windows: FloatArray, expected: dict[str, FloatArray], out: Path
) -> tuple[Model, bytes]:
    """The model and its bytes: for any number of windows if its answers do not depend on it, else for one at a time.

    Graphs of samples take one at a time in any case: 16 at once are hardly faster on one thread, and need 16 times the
    memory, which is gigabytes for large ones.
    """
    problem: Exception | None = None
    for count in (1,) if spec.features.kind == "waveform" else ("W", 1):
        try:
            whole = put_between(proto, ends, windows=count)
            describe(whole, {SPEC_KEY: to_json(spec)})
            model = Model(path=str(out), content=whole.SerializeToString())
            found = model.predict(windows)
        except ModelError as error:
            problem = error
            continue
        except Exception as error:  # onnxruntime raises classes of its own where a batch cannot be computed
            problem = error
            continue
        given = {"probabilities": found.probs, "dimensions": found.dimensions}
        worst = max(_difference(given[name], values) for name, values in expected.items())
        if worst <= LARGEST_DIFFERENCE:
            describe(whole, {SPEC_KEY: to_json(dataclasses.replace(spec, probe=measure(model)))})
            content = whole.SerializeToString()
            return Model(path=str(out), content=content), content
        message = f"{out}: not written: it answers {worst:.2g} off the original graph, expected {LARGEST_DIFFERENCE:g}"
        problem = ExportError(f"{message} at most", code="not_reproduced")
    if isinstance(problem, ModelError | ExportError):
        raise problem
    message = (
        f"{out}: not written: what stands around the graph does not fit it: {' '.join(str(problem).split())[:300]}"
    )
    raise ExportError(message, code="bad_graph") from problem


def _difference(found: FloatArray, expected: FloatArray) -> float:
    """The largest difference; of dimensions, whose scale may be any, in parts of their largest number over 1."""
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


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
        min_speech_s=min(0.4, classifier.window_s),
        labels=labels,
        outputs=classifier.dimensions,
        sentiment=MappingProxyType(sentiment),
        licence=classifier.licence or "unknown: ask those who made the weights",
        training=MappingProxyType({"calibrated": False}),
    )


def _shape_of_windows(spec: ModelSpec) -> tuple[int, int]:
    if spec.features.pooling == "mean":
        return spec.features.n_coefficients, 1
    return spec.window_frames, spec.features.n_coefficients


def _noise(shape: tuple[int, int]) -> FloatArray:
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal((_TRIED_WINDOWS, *shape))).astype(np.float32)


def _ones(mask: Any, frames: int) -> FloatArray:
    from onnx import helper

    kind = helper.tensor_dtype_to_np_dtype(mask.type.tensor_type.elem_type)
    return np.ones((1, frames), dtype=kind)


def _with_scores(read: Sequence[Reading], raw: Sequence[FloatArray]) -> list[Reading]:
    """Numbers for labels whose kind the graph does not tell are probabilities if they are such for noise."""
    found = []
    for one, values in zip(read, raw, strict=True):
        if one.is_labels and one.scores is None:
            one = dataclasses.replace(one, scores="probabilities" if _is_probs(values) else "logits")
        found.append(one)
    return found


def _is_probs(answers: FloatArray) -> bool:
    return bool((answers >= 0).all() and np.allclose(answers.sum(axis=1), 1, atol=1e-4))
