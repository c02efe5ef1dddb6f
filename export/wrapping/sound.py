"""The inputs of a graph: which takes sound and in which layout, which are masks, and which get a value."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.wrapping.classifier import Classifier
from export.wrapping.graph_ends import KINDS, sizes_of


def inputs_of(proto: Any, classifier: Classifier, graph: Path) -> tuple[Any, list[Any], list[tuple[Any, float]]]:
    """The input that takes sound, masks of it, and the others with their values.

    Raises:
        ExportError: not one input is left for sound; a value is given for an input that is not there.
    """
    from onnx import TensorProto

    constants = {item.name for item in proto.graph.initializer}
    inputs = [item for item in proto.graph.input if item.name not in constants]
    names = [item.name for item in inputs]
    if unknown := [name for name in classifier.inputs if name not in names]:
        message = f"{graph}: has no input {', '.join(unknown)}; it has {', '.join(names)}"
        raise ExportError(message, code="bad_graph")
    others = [(item, classifier.inputs[item.name]) for item in inputs if item.name in classifier.inputs]
    masks = [item for item in inputs if "mask" in item.name and item.name not in classifier.inputs]
    known = [*masks, *(item for item, _ in others)]
    left = [item for item in inputs if item not in known]
    if len(left) != 1 or left[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        takes = f"{graph}: takes {_shown(left) or 'masks alone'}"
        message = f"{takes}; expected one float32 input of sound and, perhaps, an attention mask"
        advice = f"; give the others a value, as in --input {left[-1].name}=0" if len(left) > 1 else ""
        raise ExportError(message + advice, code="bad_graph")
    if odd := [item.name for item in known if item.type.tensor_type.elem_type not in KINDS]:
        raise ExportError(f"{graph}: input {', '.join(odd)} is of a type that is not known here", code="bad_graph")
    return left[0], masks, others


def describe_input(entry: Any, classifier: Classifier, graph: Path) -> tuple[list[str], Classifier]:
    """The axes of the input for sound, and the classifier with the length of window that a fixed graph has.

    Raises:
        ExportError: the shape of the input does not tell its axes, or is not what was said.
    """
    sizes, columns = sizes_of(entry), classifier.columns
    axes = classifier.layout.split(",") if classifier.layout else _guess(sizes, columns)
    whole = len(axes) == len(sizes) and axes[0] == "w" and axes.count("t") == 1 and set(axes) <= {"w", "t", "c", "1"}
    fits = whole and all(_agrees(axis, size, columns) for axis, size in zip(axes, sizes, strict=True))
    if not fits or ("c" not in axes and columns > 1):
        found = f"{graph}: input {entry.name} is {_shape(sizes)}, and a window is t times {columns} numbers"
        raise ExportError(f"{found}; say which axis is which, as in --layout w,c,t or w,1,t", code="bad_graph")
    frames = sizes[axes.index("t")]
    if classifier.log_mel is not None:
        _check_frames(classifier, frames, graph)
        return axes, classifier
    if frames and classifier.features.pooling != "mean":
        classifier = _with_window(classifier, frames)
    return axes, classifier


def _with_window(classifier: Classifier, frames: int) -> Classifier:
    features = classifier.features
    if features.kind == "waveform":
        window_s = frames / features.rate_hz
    else:
        count = frames if features.framing == "channel" else frames - 1
        window_s = count * features.hop_length / features.rate_hz
    return dataclasses.replace(classifier, window_s=window_s, hop_s=min(classifier.hop_s, window_s))


def _check_frames(classifier: Classifier, frames: int, graph: Path) -> None:
    log_mel = classifier.log_mel
    if log_mel is None:
        return
    if frames and frames != log_mel.frames:
        found = (
            f"{graph}: takes {frames} frames, and the feature extractor makes {log_mel.frames} of {log_mel.clip_s:g} s"
        )
        raise ExportError(f"{found}; are the two files of one network?", code="bad_graph")
    if classifier.window_s > log_mel.clip_s:
        found = f"{graph}: a window of {classifier.window_s:g} s is longer than a clip of the network"
        raise ExportError(f"{found}; expected --window {log_mel.clip_s:g} at most", code="bad_graph")


def _agrees(axis: str, size: int, columns: int) -> bool:
    """Whether an axis may have that size; 0 is any."""
    return size in {"w": (0, 1), "1": (0, 1), "c": (0, columns)}.get(axis, (size,))


def _guess(sizes: list[int], columns: int) -> list[str]:
    """Axes of an input whose shape tells."""
    if columns == 1:
        return {2: ["w", "t"], 3: ["w", "1", "t"] if sizes[-1] != 1 else ["w", "t", "1"]}.get(len(sizes), [])
    letters = ["c" if size == columns else "1" if size == 1 else "t" for size in sizes[1:]]
    return ["w", *letters]


def _shown(items: list[Any]) -> str:
    return ", ".join(f"{item.name} {_shape(sizes_of(item))}" for item in items)


def _shape(sizes: list[int]) -> str:
    return "(" + ", ".join(str(size or "?") for size in sizes) + ")"
