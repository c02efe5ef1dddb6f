"""A model file from anywhere: what it could do is seen before anything of it runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from sertag.errors import ModelError
from sertag.model import onnx_file
from sertag.model.onnx_file import read_metadata
from tests.onnx_models import tiny_spec, write_model

WEIGHT = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")


def proto(*nodes: onnx.NodeProto, weights: list[onnx.TensorProto] | None = None, **more: object) -> onnx.ModelProto:
    """A model that adds something to its input."""
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    given_back = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    add = [helper.make_node("Add", ["x", "w"], ["y"])]
    graph = helper.make_graph(list(nodes) or add, "g", [taken], [given_back], initializer=weights or [WEIGHT])
    model = helper.make_model(graph, **more)
    helper.set_model_props(model, {"key": "value"})
    return model


def external(location: str = "secret.bin") -> onnx.TensorProto:
    """A tensor whose values are in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def vast(*dims: int) -> onnx.TensorProto:
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=bytes(16))


def sparse() -> onnx.ModelProto:
    model = proto()
    values, indices = (
        numpy_helper.from_array(np.ones(1, np.float32), "s"),
        numpy_helper.from_array(np.zeros(1, np.int64)),
    )
    model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=values, indices=indices, dims=[30_000, 30_000]))
    return model


def in_a_loop(node: onnx.NodeProto, weights: list[onnx.TensorProto] | None = None) -> onnx.ModelProto:
    """What is hidden in the body of a loop inside a loop."""
    for level in range(2):
        body = helper.make_graph([node], "body", [], [], initializer=weights if level == 0 else [])
        node = helper.make_node("Loop", ["n", "c"], ["y"], body=body)
    return proto(node)


def refusal(content: bytes) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read_metadata(content, source="a\x1b.onnx")
    message = str(caught.value)
    assert message.startswith(r"a\x1b.onnx: ")
    assert message.isprintable()
    return caught.value


def test_metadata_are_read(tmp_path: Path) -> None:
    assert read_metadata(proto().SerializeToString(), source="x") == {"key": "value"}
    content = write_model(tmp_path / "m.onnx", tiny_spec()).read_bytes()
    expected = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    assert read_metadata(content, source="x") == expected


@pytest.mark.parametrize(
    "model",
    [
        proto(weights=[external()]),
        proto(weights=[external("/etc/passwd")]),
        proto(weights=[external("../../x")]),
        proto(weights=[TensorProto(name="w", dims=[4], data_type=1, data_location=TensorProto.EXTERNAL)]),
        proto(helper.make_node("Constant", [], ["y"], value=external())),
        proto(helper.make_node("Constant", [], ["y"], values=[external()])),
        in_a_loop(helper.make_node("Constant", [], ["y"], value=external())),
        in_a_loop(helper.make_node("Identity", ["w"], ["y"]), weights=[external()]),
    ],
)
def test_a_file_that_points_at_other_files_is_refused(model: onnx.ModelProto) -> None:
    error = refusal(model.SerializeToString())
    assert error.code == "external_data"
    assert "keeps 1 tensor(s) in other files" in str(error)


def test_external_data_without_the_mark_of_it_are_refused() -> None:
    tensor = external()
    tensor.data_location = TensorProto.DEFAULT
    assert refusal(proto(weights=[tensor]).SerializeToString()).code == "external_data"


@pytest.mark.parametrize(
    "model",
    [
        proto(helper.make_node("Evil", ["x"], ["y"], domain="my.ops")),
        in_a_loop(helper.make_node("Evil", ["x"], ["y"], domain="my.ops")),
    ],
)
def test_an_operator_that_nobody_brings_is_refused(model: onnx.ModelProto) -> None:
    error = refusal(model.SerializeToString())
    assert error.code == "custom_operator"
    assert "my.ops:Evil" in str(error)


def test_an_operator_that_the_file_itself_defines_is_fine() -> None:
    body = [helper.make_node("Identity", ["a"], ["b"])]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 1)]
    function = helper.make_function("my.ops", "Plain", ["a"], ["b"], body, opsets[:1])
    model = proto(helper.make_node("Plain", ["x"], ["y"], domain="my.ops"), functions=[function], opset_imports=opsets)
    assert read_metadata(model.SerializeToString(), source="x")


@pytest.mark.parametrize(
    "content",
    [
        proto(weights=[vast(1 << 40)]).SerializeToString(),
        proto(weights=[vast(1 << 31, 1 << 31)]).SerializeToString(),
        proto(weights=[vast(-1)]).SerializeToString(),
        proto(helper.make_node("Constant", [], ["y"], value=vast(100_000, 100_000))).SerializeToString(),
        sparse().SerializeToString(),
        b"",
        b"\xff" * 100,
        b"not a model at all, but a text of some length",
        b"\x3a" + b"\xff" * 9 + b"\x01",  # a graph of 2^63 bytes
        b"\x08\x08",  # a version and no graph
    ],
)
def test_what_is_no_model_or_larger_than_its_file_is_refused(content: bytes) -> None:
    assert refusal(content).code == "bad_model"


def test_a_tensor_without_values_is_fine() -> None:
    model = proto(weights=[TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 10, 0, 4])])
    assert read_metadata(model.SerializeToString(), source="x")


def nested(depth: int) -> bytes:
    """Graphs in attributes of nodes in graphs, down and down."""
    content = b""
    for _ in range(depth):
        for field in (6, 5, 1):  # graph in attribute, attribute in node, node in graph
            content = bytes([field << 3 | 2]) + varint(len(content)) + content
    return b"\x3a" + varint(len(content)) + content


def varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def test_depth_does_no_harm() -> None:
    assert read_metadata(nested(3000), source="x") == {}


def test_looking_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "_MOST_FIELDS", 1000)
    assert "more than 1,000 fields" in str(refusal(b"\x08\x01" * 2000))
    dims = b"\x0a" + varint(2000) + b"\x01" * 2000
    tensor = b"\x2a" + varint(len(dims)) + dims
    assert "more than 1,000 fields" in str(refusal(b"\x3a" + varint(len(tensor)) + tensor))


@settings(max_examples=200, deadline=None)
@given(
    data=st.data(),
    start=st.sampled_from([proto(), sparse(), proto(weights=[external()])]).map(lambda m: m.SerializeToString()),
)
def test_any_bytes_are_read_or_refused(data: st.DataObject, start: bytes) -> None:
    content = bytearray(start)
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=9)
    ):
        content[place] = byte
    with suppress(ModelError):
        read_metadata(bytes(content), source="x")


def test_what_passes_holds_no_external_tensor_for_onnx_either() -> None:
    """Both readers of the format see the same tensors, however the bytes are arranged."""
    content = proto().SerializeToString()
    hidden = proto(weights=[external()]).SerializeToString()
    for both in (content + hidden, hidden + content):  # a message that comes twice is one
        names = [tensor.data_location for tensor in onnx.load_from_string(both).graph.initializer]
        assert TensorProto.EXTERNAL in names
        assert refusal(both).code == "external_data"
