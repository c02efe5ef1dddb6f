"""A trained network to the one file that sertag runs: graph, specification and probe.

Refuses to write where ONNX Runtime does not reproduce Keras on real windows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.batches import Inputs, file_windows, statistics
from export.corpora import Clip
from export.dataset import VARIANTS, Dataset, as_version, log_mel, read_clip
from export.errors import ExportError
from sertag.model import Model
from sertag.probe import measure
from sertag.spec import SPEC_KEY, ModelSpec, to_json

if TYPE_CHECKING:
    import keras

OPSET = 17
LARGEST_DIFFERENCE = 1e-4  # of any probability
_INPUTS = ("features", "channel_mean", "channel_std", "speech_frames")


def convert(model: keras.Model, *, spec: ModelSpec, examples: Inputs, out: Path) -> Path:
    """Write a network as a model file.

    Args:
        model: trained; softmax inside, temperature not.
        spec: what the file says of itself; its probe is measured here.
        examples: real windows, the graph's inputs by name.
        out: the file.

    Returns:
        `out`.

    Raises:
        ExportError: Keras and ONNX Runtime differ by more than 1e-4, or a recurrent layer became a loop.
        ModelError: the graph contradicts the specification.
    """
    proto = to_onnx(model)
    loops = sorted({node.op_type for node in proto.graph.node} & {"Loop", "Scan", "If"})
    if loops:
        raise ExportError(f"{out}: the graph holds {', '.join(loops)}; give the LSTM a fixed length", code="slow_graph")
    _check_parity(model, proto.SerializeToString(), examples, out)
    _describe(proto, spec)
    probe = measure(Model(path=str(out), content=proto.SerializeToString()))
    _describe(proto, dataclasses.replace(spec, probe=probe))
    unfinished = out.with_suffix(".tmp")
    unfinished.write_bytes(proto.SerializeToString())
    unfinished.replace(out)
    return out


def to_onnx(model: keras.Model) -> Any:
    """The graph of a network with a dynamic number of windows, as an ONNX ModelProto.

    `tf2onnx.convert.from_keras` does not know Keras 3; an explicit function does the same.
    """
    import tensorflow as tf
    import tf2onnx

    names = [name for name in _INPUTS if name in model.input]
    signature = [tf.TensorSpec((None, *model.input[name].shape[1:]), tf.float32, name=name) for name in names]

    @tf.function(input_signature=signature)
    def answer(*inputs: Any) -> dict[str, Any]:
        return {"probabilities": model(dict(zip(names, inputs, strict=True)), training=False)}

    proto, _ = tf2onnx.convert.from_function(answer, input_signature=signature, opset=OPSET)
    return proto


def example_inputs(clips: Sequence[Clip], *, spec: ModelSpec, most: int = 32) -> Inputs:
    """Real windows for the comparison of Keras and ONNX Runtime: the graph's inputs by name.

    Args:
        clips: evenly sampled, at most `most` of them.
        spec: of the model.
        most: clips.
    """
    chosen = list(clips[:: max(1, len(clips) // most)][:most])
    frames = [log_mel(read_clip(clip.path, rate_hz=spec.features.rate_hz), spec=spec.features) for clip in chosen]
    version = as_version(frames, variant=VARIANTS[0], features=spec.features)
    dataset = Dataset(tuple(chosen), np.arange(len(chosen)), (version,), spec.features)
    sums = statistics(version, features=spec.features)
    parts = []
    for index in range(len(chosen)):
        windows, _ = file_windows(dataset, 0, index, frames=spec.window_frames, hop_frames=spec.window_frames)
        parts.append({"features": windows[:1], **sums.over(np.array([index]))})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _check_parity(model: keras.Model, content: bytes, examples: Inputs, out: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    expected = np.asarray(model(examples, training=False))
    found = session.run(None, {item.name: examples[item.name] for item in session.get_inputs()})[0]
    worst = float(np.abs(expected - found).max())
    if not worst <= LARGEST_DIFFERENCE:
        message = f"{out}: not written: Keras and ONNX Runtime differ by {worst:.2g}, expected {LARGEST_DIFFERENCE:g}"
        raise ExportError(message, code="not_reproduced")


def _describe(proto: Any, spec: ModelSpec) -> None:
    del proto.metadata_props[:]
    entry = proto.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, to_json(spec)
