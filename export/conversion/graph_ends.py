"""Nodes around a graph of other people's making, in ONNX' textual form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OPSET = 17  # of graphs that do not say theirs
NORMALIZE_EPSILON = 1e-7  # of transformers' Wav2Vec2FeatureExtractor

_KINDS = {1: "float", 6: "int32", 7: "int64", 9: "bool"}  # of masks, by their numbers in TensorProto


@dataclass(frozen=True, slots=True)
class Ends:
    """What is put around a graph: normalisation in front, a softmax over so many labels behind."""

    normalize: bool
    softmax: bool
    labels: int


def put_between(
    proto: Any, entry: Any, masks: list[Any], output: Any, *, axes: list[str], shape: tuple[int, int], spec: Ends
) -> Any:
    """The graph between nodes that make its input of windows (w, t, c) and, for scores, a softmax."""
    from onnx import compose, parser

    head = f'<ir_version: {proto.ir_version}, opset_import: ["" : {_opset(proto)}]>'
    front = parser.parse_model(head + _front_text(entry, masks, axes, shape, normalize=spec.normalize))
    inner = compose.add_prefix(proto, "inner_", rename_nodes=False)
    _take_opsets(front, inner)
    names = {"sound": f"inner_{entry.name}"} | {f"mask_{n}": f"inner_{mask.name}" for n, mask in enumerate(masks)}
    whole = compose.merge_models(front, inner, io_map=list(names.items()), outputs=[f"inner_{output.name}"])
    if spec.softmax:
        count = sizes_of(entry)[0] or "W"
        text = f"back (float[{count},{spec.labels}] scores) => (float[{count},{spec.labels}] probabilities)"
        back = parser.parse_model(f"{head} {text} {{ probabilities = Softmax <axis = 1> (scores) }}")
        _take_opsets(back, inner)
        whole = compose.merge_models(whole, back, io_map=[(f"inner_{output.name}", "scores")])
    return whole


def _take_opsets(proto: Any, other: Any) -> None:
    del proto.opset_import[:]
    proto.opset_import.extend(other.opset_import)


def _opset(proto: Any) -> int:
    return next((item.version for item in proto.opset_import if item.domain in ("", "ai.onnx")), OPSET)


def _front_text(entry: Any, masks: list[Any], axes: list[str], shape: tuple[int, int], *, normalize: bool) -> str:
    """Nodes in front of the graph, in ONNX' textual form, of operators that all opsets have in this form."""
    frames, columns = shape
    count = sizes_of(entry)[0] or "W"
    target = target_shape(axes, shape, -1)
    outputs = [f"float[{','.join(['W', *map(str, target[1:])])}] sound"]
    lines, current = [], "features"
    if normalize:
        lines += [
            f"row = Constant <value = int64[3] {{-1, 1, {frames}}}> ()",
            "flat = Reshape(features, row)",
            "mean = GlobalAveragePool(flat)",
            "centred = Sub(flat, mean)",
            "squares = Mul(centred, centred)",
            "variance = GlobalAveragePool(squares)",
            f"epsilon = Constant <value = float[1] {{{NORMALIZE_EPSILON:.9f}}}> ()",
            "raised = Add(variance, epsilon)",
            "deviation = Sqrt(raised)",
            "normalized = Div(centred, deviation)",
        ]
        current = "normalized"
    if axes.index("t") > column_axis(axes):
        lines.append(f"turned = Transpose <perm = [0, 2, 1]> ({current})")
        current = "turned"
    lines += [
        f"target = Constant <value = int64[{len(target)}] {{{', '.join(map(str, target))}}}> ()",
        f"sound = Reshape({current}, target)",
    ]
    if masks:
        lines += [
            f"plain = Constant <value = int64[2] {{-1, {frames * columns}}}> ()",
            "plane = Reshape(features, plain)",
            "sizes = Shape(plane)",
        ]
    for number, mask in enumerate(masks):
        kind = _KINDS[mask.type.tensor_type.elem_type]
        lines.append(f"mask_{number} = ConstantOfShape <value = {kind}[1] {{1}}> (sizes)")
        outputs.append(f"{kind}[W,{frames * columns}] mask_{number}")
    body = "\n".join(lines)
    return f"front (float[{count},{frames},{columns}] features) => ({', '.join(outputs)}) {{\n{body}\n}}"


def sizes_of(item: Any) -> list[int]:
    """The axes of an input or output, 0 where the size is open."""
    return [axis.dim_value for axis in item.type.tensor_type.shape.dim]


def column_axis(axes: list[str]) -> int:
    """Where the columns stand among the axes; behind all where a window has one column."""
    return axes.index("c") if "c" in axes else len(axes)


def target_shape(axes: list[str], window: tuple[int, ...], count: int) -> list[int]:
    """The shape that the graph takes for `count` windows (t, c)."""
    sizes = {"w": count, "t": window[0], "c": window[1], "1": 1}
    return [sizes[axis] for axis in axes]
