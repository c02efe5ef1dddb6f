"""Which outputs of a graph say what: which has the labels, which the dimensions, and what its numbers are."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.wrapping.classifier import Classifier, Scores
from export.wrapping.graph_ends import Reading, sizes_of

_PASSING = frozenset(
    "Identity Reshape Squeeze Unsqueeze Flatten Cast QuantizeLinear DequantizeLinear Transpose Slice Gather".split()
)
_LINEAR = frozenset("Gemm MatMul Add Sub Conv BatchNormalization FusedGemm QLinearMatMul QGemm".split())


def readings(proto: Any, classifier: Classifier, graph: Path) -> list[Reading]:
    """How the outputs of a graph are read.

    Raises:
        ExportError: none, or several, can hold what there should be; or its numbers are not known, or are no
            probabilities of which label is true.
    """
    outputs = _candidates(proto, classifier, graph)
    found = []
    if classifier.labels:
        count = len(classifier.labels)
        fits = [count, 1] if count == 2 else [count]
        output, width = _only(outputs, fits, f"labels {', '.join(classifier.labels)}", graph)
        outputs = [item for item in outputs if item is not output]
        found.append(Reading(output, width, True, classifier.scores or _scores(proto, output.name, width, graph)))
    if classifier.dimensions:
        count = len(classifier.dimensions)
        names = ", ".join(one.name for one in classifier.dimensions)
        output, width = _only(outputs, [count], f"dimensions {names}", graph)
        found.append(Reading(output, width, False))
    return found


def _candidates(proto: Any, classifier: Classifier, graph: Path) -> list[Any]:
    from onnx import TensorProto

    outputs = list(proto.graph.output)
    if unknown := [name for name in classifier.read if name not in {item.name for item in outputs}]:
        message = f"{graph}: has no output {', '.join(unknown)}; it has {_shown(outputs)}"
        raise ExportError(message, code="bad_graph")
    if classifier.read:
        outputs = [item for item in outputs if item.name in classifier.read]
    return [item for item in outputs if item.type.tensor_type.elem_type == TensorProto.FLOAT]


def _only(outputs: list[Any], counts: list[int], what: str, graph: Path) -> tuple[Any, int]:
    """The output with one of these numbers of values for a window."""
    fitting = [(item, count) for count in counts for item in outputs if _fits(item, count)]
    if len(fitting) == 1:
        return fitting[0]
    expected = f"expected one float32 output of shape (windows, {' or '.join(map(str, sorted(counts)))}) for the {what}"
    if fitting:
        advice = "; which one? Name it, as in --read " + fitting[0][0].name
    else:
        advice = "; embeddings, transcripts and answers for every frame are no answer for a window"
    raise ExportError(f"{graph}: returns {_shown(outputs)}; {expected}{advice}", code="bad_graph")


def _fits(item: Any, count: int) -> bool:
    if not item.type.tensor_type.HasField("shape"):
        return False
    sizes = sizes_of(item)
    if len(sizes) < 2:
        return len(sizes) == 1 and count == 1
    if len(sizes) == 2:
        return sizes[1] in (0, count)
    return 0 not in sizes[1:] and prod(sizes[1:]) == count and sizes.count(count) >= 1


def _scores(proto: Any, name: str, count: int, graph: Path) -> Scores | None:
    """What the numbers of an output are, by the node that makes them; None where that has to be tried.

    Raises:
        ExportError: several labels may be true at once; or one number is of an unknown kind.
    """
    operator = _maker(proto, name)
    if operator == "Sigmoid" and count > 1:
        found = f"{graph}: output {name} has a sigmoid for each label, so several may be true at once"
        raise ExportError(f"{found}; expected probabilities of which one is true (softmax)", code="bad_graph")
    if operator in ("Softmax", "Sigmoid"):
        return "probabilities"
    if operator in _LINEAR or operator == "LogSoftmax":
        return "logits"
    if count > 1:
        return None
    found = f"{graph}: output {name} is one number a window, made by {operator or 'nothing'}"
    raise ExportError(f"{found}; say what it is, with --scores logits or --scores probabilities", code="bad_graph")


def _maker(proto: Any, name: str) -> str:
    """The operator that computes an output, behind those that only pass numbers on."""
    nodes = {output: node for node in proto.graph.node for output in node.output}
    while name in nodes and nodes[name].op_type in _PASSING:
        name = nodes[name].input[0]
    return nodes[name].op_type if name in nodes else ""


def _shown(outputs: list[Any]) -> str:
    sizes = {item.name: ", ".join(str(size or "?") for size in sizes_of(item)) for item in outputs}
    return "; ".join(f"{name} ({shape})" for name, shape in sizes.items()) or "nothing of float32"
