"""Graphs of other people's making answer as they did, whatever stands around them; others are refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.errors import ExportError
from export.wrapping.classifier import Classifier
from export.wrapping.transformers_config import read_transformers
from export.wrapping.wrap import wrap
from sertag import Tagger
from sertag.model.session import load
from sertag.spec import FeatureSpec
from sertag.tagging.probe import check
from tests.conftest import RATE_HZ, speech_like

LABELS = ("anger", "Happiness", "neutral")
MFCC = FeatureSpec(kind="mfcc", framing="clip", rate_hz=8000, n_mfcc=13, n_mels=26)


Inputs = dict[str, tuple[int, list[Any]]]


def save(
    path: Path, nodes: list[Any], inputs: dict[str, tuple[int, list[Any]]], weights: dict[str, Any], **k: Any
) -> Path:
    """A graph with an output `logits` (w, 3)."""
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", k.pop("opset", 17))], ir_version=9)
    onnx.save(proto, path, **k)
    return path


def waveform_graph(path: Path, *, mask: bool = False, rank: int = 2, softmax: bool = False, **k: Any) -> Path:
    """Strided filters, their mean magnitude, a dense layer: what wav2vec2 is, small."""
    rng = np.random.default_rng(0)
    weights = {
        "row": np.array([0, 1, -1], dtype=np.int64),
        "filters": rng.standard_normal((8, 1, 40)).astype(np.float32) / 6,
        "dense": rng.standard_normal((8, 3)).astype(np.float32),
        "flat": np.array([-1, 8], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["input_values", "row"], ["x"]),
        helper.make_node("Conv", ["x", "filters"], ["y"], strides=[20]),
        helper.make_node("Abs", ["y"], ["z"]),
        helper.make_node("GlobalAveragePool", ["z"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "flat"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "dense"], ["scores"]),
    ]
    shape = ["batch", "samples"] if rank == 2 else ["batch", 1, "samples"]
    inputs: Inputs = {"input_values": (TensorProto.FLOAT, shape)}
    last = "scores"
    if mask:  # as wrong as can be where it is not all ones
        inputs["attention_mask"] = (TensorProto.INT64, ["batch", "samples"])
        weights["axes"] = np.array([1], dtype=np.int64)
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["kept"], ["share"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["scores", "share"], ["masked"]),
        ]
        last = "masked"
    kind = {"op_type": "Softmax", "axis": 1} if softmax else {"op_type": "Identity"}
    nodes.append(helper.make_node(inputs=[last], outputs=["logits"], **kind))
    return save(path, nodes, inputs, weights, **k)


def frames_graph(path: Path, shape: list[Any], *, time: int) -> Path:
    """The mean over time and a dense layer, for frames in any layout."""
    weights = {
        "dense": np.random.default_rng(0).standard_normal((13, 3)).astype(np.float32) / 50,
        "flat": np.array([-1, 13], dtype=np.int64),
    }
    nodes = [
        helper.make_node("ReduceMean", ["frames"], ["mean"], axes=[time], keepdims=0),
        helper.make_node("Reshape", ["mean", "flat"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "dense"], ["logits"]),
    ]
    return save(path, nodes, {"frames": (TensorProto.FLOAT, shape)}, weights)


def answers(graph: Path, feed: dict[str, Any]) -> np.ndarray:
    scores = onnxruntime.InferenceSession(str(graph)).run(None, feed)[0].astype(np.float64)
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("rank", [2, 3])
def test_waveforms_are_given_as_their_makers_give_them(tmp_path: Path, normalize: bool, mask: bool, rank: int) -> None:
    graph = waveform_graph(tmp_path / "theirs.onnx", mask=mask, rank=rank)
    model = wrap(graph, Classifier(LABELS, normalize=normalize), out=tmp_path / "m.onnx")
    samples = np.random.default_rng(2).normal(0.1, 0.2, (3, 48_000)).astype(np.float32)
    given = samples
    if normalize:  # as transformers does: one recording after the other
        given = np.stack([(x - x.mean()) / np.sqrt(x.var() + 1e-7) for x in samples])
    feed: dict[str, Any] = {"input_values": given if rank == 2 else given[:, None]}
    feed |= {"attention_mask": np.ones((3, 48_000), np.int64)} if mask else {}
    assert np.abs(model.raw(samples[..., None]) - answers(graph, feed)).max() < 1e-5
    assert model.spec.labels == ("angry", "happy", "neutral")


@pytest.mark.parametrize(
    ("shape", "time"), [(["b", 301, 13], 1), (["b", 13, "t"], 2), (["b", 1, 13, 301], 3), ([1, 301, 13, 1], 1)]
)
def test_frames_come_in_the_layout_of_the_graph(tmp_path: Path, shape: list[Any], time: int) -> None:
    graph = frames_graph(tmp_path / "theirs.onnx", shape, time=time)
    model = wrap(graph, Classifier(LABELS, features=MFCC), out=tmp_path / "m.onnx")
    assert model.spec.window_s == 3.0
    frames = np.random.default_rng(1).standard_normal((1, 301, 13)).astype(np.float32)
    turned = frames if time == 1 else frames.transpose(0, 2, 1)
    sizes = [1 if isinstance(size, str) else size for size in shape]
    feed = {"frames": turned.reshape([size if size != 1 else 1 for size in sizes[:-1]] + [-1])}
    assert np.abs(model.raw(frames) - answers(graph, feed)).max() < 1e-5


def test_the_file_is_sound_and_tags(tmp_path: Path) -> None:
    graph = waveform_graph(tmp_path / "theirs.onnx", softmax=True, opset=13)
    out = tmp_path / "m.onnx"
    wrap(graph, Classifier(LABELS, name="theirs", licence="theirs alone"), out=out)
    assert check(load(str(out))) == []
    import soundfile

    soundfile.write(tmp_path / "call.wav", speech_like(8.0), RATE_HZ)
    channel = Tagger(str(out)).tag(tmp_path / "call.wav").channels[0]
    assert sum(channel.probs) == pytest.approx(1)
    assert len(channel.segments) > 1


def test_weights_in_another_file_are_taken_in(tmp_path: Path) -> None:
    graph = waveform_graph(
        tmp_path / "theirs.onnx", save_as_external_data=True, location="weights.bin", size_threshold=1000
    )
    expected = answers(graph, {"input_values": np.full((1, 48_000), 0.1, np.float32)})
    wrap(graph, Classifier(LABELS), out=tmp_path / "m.onnx")
    (tmp_path / "weights.bin").unlink()
    model = load(str(tmp_path / "m.onnx"))
    assert model.raw(np.full((1, 48_000, 1), 0.1, np.float32)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (
            Classifier(("anger", "joy")),
            r"expected one float32 output of shape \(windows, 1 or 2\) for the labels",
        ),
        (Classifier(("angry", "zeal", "neutral")), "label zeal: is it positive, neutral or negative"),
        (Classifier(LABELS, features=MFCC), "a window is t times 13 numbers; say which axis is which"),
        (Classifier(LABELS, layout="w,t,c"), "say which axis is which"),
        (Classifier(LABELS, window_s=0.1, hop_s=0.1, layout="w,1"), "say which axis is which"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, classifier: Classifier, message: str) -> None:
    graph = waveform_graph(tmp_path / "theirs.onnx")
    with pytest.raises(ExportError, match=message):
        wrap(graph, classifier, out=tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_what_is_no_graph_or_takes_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"x\.onnx: is no ONNX file"):
        wrap(tmp_path / "x.onnx", Classifier(LABELS), out=tmp_path / "m.onnx")
    words = save(
        tmp_path / "w.onnx",
        [helper.make_node("Cast", ["ids"], ["logits"], to=1)],
        {"ids": (TensorProto.INT64, ["b", 3])},
        {},
    )
    with pytest.raises(ExportError, match=r"takes ids \(\?, 3\); expected one float32 input of sound"):
        wrap(words, Classifier(LABELS), out=tmp_path / "m.onnx")


# transformers' configuration


def configured(folder: Path, about: dict[str, Any], sound: dict[str, Any]) -> Classifier:
    (folder / "config.json").write_text(json.dumps(about))
    (folder / "preprocessor_config.json").write_text(json.dumps(sound))
    return read_transformers(folder / "config.json", folder / "preprocessor_config.json")


NAMED = {"id2label": {"10": "sad", "0": "ang", "1": "Happy"}, "_name_or_path": "lab/wav2vec2-ser"}


def test_labels_rate_and_normalisation_of_transformers(tmp_path: Path) -> None:
    found = configured(
        tmp_path,
        NAMED,
        {"sampling_rate": 8000, "do_normalize": False, "feature_extractor_type": "Wav2Vec2FeatureExtractor"},
    )
    assert (found.labels, found.normalize, found.name) == (("ang", "Happy", "sad"), False, "wav2vec2-ser")
    assert (found.features.kind, found.features.rate_hz) == ("waveform", 8000)
    assert configured(tmp_path, NAMED, {}).normalize


@pytest.mark.parametrize(
    ("about", "sound", "message"),
    [
        (
            {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}},
            {},
            "id2label is LABEL_0, LABEL_1, expected two or more names",
        ),
        ({}, {}, "id2label is missing"),
        (NAMED | {"problem_type": "multi_label_classification"}, {}, "problem_type is multi_label_classification"),
        (NAMED, {"feature_extractor_type": "ASTFeatureExtractor"}, "feature_extractor_type is ASTFeatureExtractor"),
    ],
)
def test_what_transformers_do_otherwise_is_refused(
    tmp_path: Path, about: dict[str, Any], sound: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        configured(tmp_path, about, sound)


def test_labels_of_their_own_need_a_sentiment(tmp_path: Path) -> None:
    graph = waveform_graph(tmp_path / "theirs.onnx")
    own = Classifier(("calm", "zeal", "anger"), sentiment=MappingProxyType({"zeal": "positive"}))
    assert dict(wrap(graph, own, out=tmp_path / "m.onnx").spec.sentiment)["zeal"] == "positive"
