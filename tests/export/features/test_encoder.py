"""A frozen encoder: run, found, and cut out of a model that it stands in front of."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("onnx", reason="the extra `export` is not installed")

import onnx
from onnx import TensorProto, helper, numpy_helper

from export.conversion.onnx import behind
from export.errors import ExportError
from export.features import encoder
from export.features.encoder import FRAMES, Encoder, cut_out, find_encoder
from tests.encoders import log_mel, write_encoder
from tests.onnx_models import tiny_spec, write_model

COLUMNS = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "e.onnx", columns=COLUMNS)


def network() -> onnx.ModelProto:
    """Mean over time and a softmax, as a network that takes frames."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    weights = np.random.default_rng(3).standard_normal((COLUMNS, 3)).astype(np.float32)
    takes = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["w", 2, COLUMNS])
    gives = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["w", 3])
    graph = helper.make_graph(nodes, "network", [takes], [gives], [numpy_helper.from_array(weights, "weights")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_batches_do_not_show(place):
    run = Encoder.load(place)
    windows = log_mel(19)
    found = run.run(windows)
    assert (found.dtype, found.shape) == (np.float16, (19, run.steps, COLUMNS))
    alone = np.concatenate([run.run(window[None]) for window in windows])
    np.testing.assert_allclose(found.astype(float), alone.astype(float), atol=0.15)  # 8 bits are scaled by batch
    assert run.run(windows[:0]).shape == (0, run.steps, COLUMNS)


def test_an_encoder_is_cut_out_of_the_model_that_it_stands_in_front_of(place, tmp_path):
    whole = behind(place, network())
    (tmp_path / "m.onnx").write_bytes(whole.SerializeToString())
    assert [item.name for item in whole.graph.input] == ["features"]
    assert [item.name for item in whole.graph.output] == ["probabilities"]
    found = Encoder(cut_out(tmp_path / "m.onnx"))
    np.testing.assert_array_equal(found.run(log_mel(5)), Encoder.load(place).run(log_mel(5)))


def test_a_model_without_an_encoder_and_a_file_that_is_none_are_one_error(tmp_path):
    plain = write_model(tmp_path / "m.onnx", tiny_spec())
    with pytest.raises(ExportError, match=f"its graph has no {FRAMES}, so there is no encoder in it; give phone-deep"):
        cut_out(plain)
    (tmp_path / "e.onnx").write_text("something else")
    with pytest.raises(
        ExportError, match=r"e\.onnx: not a usable encoder: .*; make it with `python -m export encoder`"
    ):
        Encoder.load(tmp_path / "e.onnx")


def test_the_encoder_is_the_one_that_is_named_or_that_of_the_bundled_model(place, tmp_path, monkeypatch):
    assert find_encoder(place, cache=tmp_path / "none") == place
    assert not (tmp_path / "none").exists()
    model = tmp_path / "phone-deep.onnx"
    model.write_bytes(behind(place, network()).SerializeToString())

    class File:
        path, sha256 = str(model), "0123456789abcdef"

    monkeypatch.setattr(encoder, "describe", lambda name: {"phone-deep": File}[name])
    found = find_encoder(None, cache=tmp_path / "cache")
    assert found == tmp_path / "cache" / "encoder-0123456789ab.onnx"
    np.testing.assert_array_equal(Encoder.load(found).run(log_mel(2)), Encoder.load(place).run(log_mel(2)))
    monkeypatch.setattr(encoder, "cut_out", lambda model: pytest.fail("it was there already"))
    assert find_encoder(None, cache=tmp_path / "cache") == found
