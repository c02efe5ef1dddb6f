"""Nodes around a graph of other people's making, in ONNX' textual form.

In front, the input is made of windows (w, t, c); behind, probabilities and dimensions are made of what it returns. The
operators are those that all opsets from 11 on have in the same form, because graphs of any age are taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from export.wrapping.log_mel import LogMel, log_mel_nodes

OPSET = 17  # of graphs that do not say theirs
NORMALIZE_EPSILON = 1e-7  # of transformers' Wav2Vec2FeatureExtractor
_PREFIX = "inner_"
KINDS = {1: "float", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "double"}  # by numbers of TensorProto


@dataclass(frozen=True, slots=True)
class Reading:
    """How one output of a graph is read.

    Attributes:
        output: its ValueInfoProto.
        count: numbers for each window.
        is_labels: whether it has the labels; otherwise the dimensions.
        scores: what numbers for labels are, `logits` or `probabilities`; None while that is not known.
    """

    output: Any
    count: int
    is_labels: bool
    scores: str | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """What is put around a graph.

    Attributes:
        entry: its input for sound, a ValueInfoProto.
        axes: of that input.
        shape: of a window, (t, c).
        masks: inputs that get ones for every frame.
        inputs: other inputs, and the value that each is filled with.
        normalize: bring samples to mean 0 and variance 1.
        log_mel: make Whisper's frames of samples.
        readings: of its outputs, one for labels and one for dimensions at most.
        labels: how many there are.
    """

    entry: Any
    axes: list[str]
    shape: tuple[int, int]
    readings: list[Reading]
    labels: int
    masks: list[Any] = field(default_factory=list)
    inputs: list[tuple[Any, float]] = field(default_factory=list)
    normalize: bool = False
    log_mel: LogMel | None = None


def put_between(proto: Any, ends: Ends, *, windows: int | str) -> Any:
    """The graph between its ends.

    Args:
        proto: ModelProto.
        ends: what is put around it.
        windows: how many it takes at a time; a name for any number.
    """
    from onnx import numpy_helper, parser

    text, constants = _front(ends, windows, opset=_opset(proto))
    front, back = parser.parse_graph(text), parser.parse_graph(_back(ends, windows))
    front.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    inner = _prefixed(proto)
    names = {"sound": _PREFIX + ends.entry.name}
    names |= {f"mask_{number}": _PREFIX + mask.name for number, mask in enumerate(ends.masks)}
    names |= {f"extra_{number}": _PREFIX + item.name for number, (item, _) in enumerate(ends.inputs)}
    names |= {_PREFIX + one.output.name: f"raw_{number}" for number, one in enumerate(ends.readings)}
    return _joined(front, inner, back, names)


def _joined(front: Any, inner: Any, back: Any, names: dict[str, str]) -> Any:
    """Three graphs as one; values on the left of `names` are those on the right.

    `onnx.compose.merge_models` loses constants that only a branch of an `If` uses.
    """
    from onnx import helper

    graph = inner.graph
    passed = {left: helper.make_node("Identity", [left], [right]) for left, right in names.items()}
    to_inner = [node for left, node in passed.items() if not left.startswith(_PREFIX)]
    from_inner = [node for left, node in passed.items() if left.startswith(_PREFIX)]
    nodes = [*front.node, *to_inner, *graph.node, *from_inner, *back.node]
    del graph.node[:], graph.input[:], graph.output[:]
    del graph.value_info[:]  # sizes that another number of windows has left there
    graph.node.extend(nodes)
    graph.input.extend(front.input)
    graph.output.extend(back.output)
    graph.initializer.extend(front.initializer)
    return inner


def _prefixed(proto: Any) -> Any:
    """The graph with other names for all of its values, so that none is one of the nodes around it.

    `onnx.compose.add_prefix` leaves the values that a branch of an `If` takes from outside.
    """
    from onnx import ModelProto

    inner = ModelProto()
    inner.CopyFrom(proto)
    graphs = [inner.graph]
    while graphs:
        graph = graphs.pop()
        for node in graph.node:
            node.input[:] = [_PREFIX + name if name else "" for name in node.input]
            node.output[:] = [_PREFIX + name if name else "" for name in node.output]
            for attribute in node.attribute:
                graphs += [attribute.g] if attribute.HasField("g") else attribute.graphs
        sparse = (item.values for item in graph.sparse_initializer)
        for item in (*graph.input, *graph.output, *graph.value_info, *graph.initializer, *sparse):
            item.name = _PREFIX + item.name
        del graph.quantization_annotation[:]  # of tools, by names
    return inner


def _opset(proto: Any) -> int:
    return next((item.version for item in proto.opset_import if item.domain in ("", "ai.onnx")), OPSET)


def _front(ends: Ends, windows: int | str, *, opset: int) -> tuple[str, dict[str, Any]]:
    """Nodes in front of the graph, and their constants."""
    frames, columns = ends.shape
    lines, current = _normalized(frames, opset) if ends.normalize else ([], "features")
    constants: dict[str, Any] = {}
    target = target_shape(ends.axes, frame_shape(ends), -1)
    if ends.log_mel is not None:
        lines += [f"long_row = Constant <value = int64[2] {{-1, {frames}}}> ()", f"flat = Reshape({current}, long_row)"]
        nodes, constants = log_mel_nodes(
            ends.log_mel, samples=frames, largest=reduced("ReduceMax", "all_of_clip", "largest", opset=opset)
        )
        lines, current = lines + nodes, "log_mel"
    if _turns(ends):
        lines.append(f"turned = Transpose <perm = [0, 2, 1]> ({current})")
        current = "turned"
    lines += [
        f"target = Constant <value = int64[{len(target)}] {{{', '.join(map(str, target))}}}> ()",
        f"sound = Reshape({current}, target)",
        "batch = Shape(features)",
        "first = Constant <value = int64[1] {0}> ()",
        "count = Gather <axis = 0> (batch, first)",
    ]
    outputs = [f"float[{','.join(['W', *map(str, target[1:])])}] sound"]
    for add in (_masks, _extras):
        more, declared = add(ends)
        lines += more
        outputs += declared
    body = "\n".join(lines)
    text = f"front (float[{windows},{frames},{columns}] features) => ({', '.join(outputs)}) {{\n{body}\n}}"
    return text, constants


def reduced(operator: str, value: str, result: str, *, opset: int) -> list[str]:
    """Nodes of a reduction over the second axis, which is given as an input since opset 18."""
    if opset < 18:
        return [f"{result} = {operator} <axes = [1], keepdims = 1> ({value})"]
    return [
        f"{result}_axis = Constant <value = int64[1] {{1}}> ()",
        f"{result} = {operator} <keepdims = 1> ({value}, {result}_axis)",
    ]


def _normalized(frames: int, opset: int) -> tuple[list[str], str]:
    """As transformers do it in single precision, with sums that are exact."""
    lines = [
        f"row = Constant <value = int64[2] {{-1, {frames}}}> ()",
        "one_row = Reshape(features, row)",
        "exact_row = Cast <to = 11> (one_row)",
        *reduced("ReduceMean", "exact_row", "exact_mean", opset=opset),
        "mean = Cast <to = 1> (exact_mean)",
        "centred = Sub(one_row, mean)",
        "exact_centred = Sub(exact_row, exact_mean)",
        "squares = Mul(exact_centred, exact_centred)",
        *reduced("ReduceMean", "squares", "exact_variance", opset=opset),
        "variance = Cast <to = 1> (exact_variance)",
        f"epsilon = Constant <value = float[1] {{{NORMALIZE_EPSILON:.9f}}}> ()",
        "raised = Add(variance, epsilon)",
        "deviation = Sqrt(raised)",
        "normalized_row = Div(centred, deviation)",
        f"column = Constant <value = int64[3] {{-1, {frames}, 1}}> ()",
        "normalized = Reshape(normalized_row, column)",
    ]
    return lines, "normalized"


def _masks(ends: Ends) -> tuple[list[str], list[str]]:
    """Ones for every frame that the graph takes."""
    frames = frame_shape(ends)[0]
    lines, outputs = [], []
    if ends.masks:
        lines = [f"each = Constant <value = int64[1] {{{frames}}}> ()", "sizes = Concat <axis = 0> (count, each)"]
    for number, mask in enumerate(ends.masks):
        kind = KINDS[mask.type.tensor_type.elem_type]
        lines.append(f"mask_{number} = ConstantOfShape <value = {kind}[1] {{1}}> (sizes)")
        outputs.append(f"{kind}[W,{frames}] mask_{number}")
    return lines, outputs


def _extras(ends: Ends) -> tuple[list[str], list[str]]:
    """Other inputs, each filled with its value; their open axes are as long as there are windows."""
    lines, outputs = [], []
    for number, (item, value) in enumerate(ends.inputs):
        kind, sizes = KINDS[item.type.tensor_type.elem_type], sizes_of(item)
        shown = f"{value:g}" if "float" in kind or kind == "double" else f"{int(value)}"
        if not sizes:
            lines.append(f"extra_{number} = Constant <value = {kind} {{{shown}}}> ()")
        else:
            parts = []
            for place, size in enumerate(sizes):
                parts.append("count" if not size else f"size_{number}_{place}")
                if size:
                    lines.append(f"{parts[-1]} = Constant <value = int64[1] {{{size}}}> ()")
            lines.append(f"shape_{number} = Concat <axis = 0> ({', '.join(parts)})")
            lines.append(f"extra_{number} = ConstantOfShape <value = {kind}[1] {{{shown}}}> (shape_{number})")
        outputs.append(f"{kind}[{','.join(str(size or 'W') for size in sizes)}] extra_{number}")
    return lines, outputs


def _back(ends: Ends, windows: int | str) -> str:
    """Nodes behind the graph: probabilities and dimensions of its outputs."""
    lines, inputs, outputs = [], [], []
    for number, one in enumerate(ends.readings):
        sizes = [str(size or f"r{number}{place}") for place, size in enumerate(sizes_of(one.output))]
        inputs.append(f"float[{','.join(sizes)}] raw_{number}")
        name = "probabilities" if one.is_labels else "dimensions"
        target = f"answer_{number}" if one.is_labels else name
        lines += [
            f"plain_{number} = Constant <value = int64[2] {{-1, {one.count}}}> ()",
            f"{target} = Reshape(raw_{number}, plain_{number})",
        ]
        if one.is_labels:
            lines += _probabilities(target, one)
        width = ends.labels if one.is_labels else one.count
        outputs.append(f"float[{windows},{width}] {name}")
    body = "\n".join(lines)
    return f"back ({', '.join(inputs)}) => ({', '.join(outputs)}) {{\n{body}\n}}"


def _probabilities(answer: str, one: Reading) -> list[str]:
    """One number is that of the second of two labels."""
    if one.count > 1:
        operator = "Softmax <axis = 1>" if one.scores == "logits" else "Identity"
        return [f"probabilities = {operator}({answer})"]
    operator = "Sigmoid" if one.scores == "logits" else "Identity"
    return [
        f"second = {operator}({answer})",
        "whole = Constant <value = float[1] {1}> ()",
        "other = Sub(whole, second)",
        "probabilities = Concat <axis = 1> (other, second)",
    ]


def _turns(ends: Ends) -> bool:
    """Whether the graph takes the axes of frames in the other order than they are made."""
    time_first = ends.axes.index("t") < column_axis(ends.axes)
    return time_first if ends.log_mel is not None else not time_first


def frame_shape(ends: Ends) -> tuple[int, int]:
    """Frames and columns of a window as the graph takes it."""
    return ends.shape if ends.log_mel is None else (ends.log_mel.frames, ends.log_mel.n_mels)


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


def filled(item: Any, value: float, count: int) -> Any:
    """An input that is no sound, for `count` windows, as numpy."""
    from onnx import helper

    kind = helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type)
    return np.full([size or count for size in sizes_of(item)], value, dtype=kind)
