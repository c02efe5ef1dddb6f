from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.errors import ModelError, SpecError
from sertag.model import session as model_module
from sertag.model.session import DEFAULT_MODEL, Model, bundled, load
from sertag.records import Statistics
from sertag.spec import SPEC_KEY, FeatureSpec, to_json
from tests.onnx_models import CALL_FEATURES, SpeechOutput, tiny_spec, write_model

STATISTICS = Statistics(np.full(13, -3, np.float32), np.full(13, 2, np.float32), 250)


def windows(count: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((count, 400, 13)) * 20).astype(np.float32)


@pytest.fixture(scope="module")
def sharper(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model whose temperature of a half squares its probabilities."""
    path = tmp_path_factory.mktemp("models") / "sharper.onnx"
    return load(str(write_model(path, tiny_spec(temperature=0.5))))


def refusal(path: Path | str, kind: type[ModelError], code: str) -> str:
    with pytest.raises(ModelError) as caught:
        load(str(path))
    assert type(caught.value) is kind
    assert caught.value.code == code
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_file_is_loaded_and_described(tiny_model: Path) -> None:
    model = load(str(tiny_model))
    assert model.spec == tiny_spec()
    assert model.path == str(tiny_model)
    assert model.sha256 == hashlib.sha256(tiny_model.read_bytes()).hexdigest()


def test_the_default_model_is_in_the_package() -> None:
    names = bundled()
    assert names == sorted(names)
    assert DEFAULT_MODEL in names
    model = load()
    assert model.spec.name == DEFAULT_MODEL
    assert Path(model.path).name == f"{DEFAULT_MODEL}.onnx"
    assert load(model.path).sha256 == model.sha256  # workers load it by its path


def test_a_bundled_name_wins_over_a_file(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(DEFAULT_MODEL).write_bytes(tiny_model.read_bytes())
    assert load(DEFAULT_MODEL).spec.name == DEFAULT_MODEL
    assert load(f"./{DEFAULT_MODEL}").spec.name == "tiny"


def test_probabilities_are_those_of_the_graph(tiny_model: Path) -> None:
    features = windows(5)
    weights = onnx.numpy_helper.to_array(onnx.load(tiny_model).graph.initializer[0])
    logits = ((features - STATISTICS.mean) / (STATISTICS.std + 1)).mean(axis=1) @ weights
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    model = load(str(tiny_model))
    np.testing.assert_allclose(model.raw(features, statistics=STATISTICS), expected, atol=1e-6)
    np.testing.assert_allclose(model.run(features, statistics=STATISTICS), expected, atol=1e-6)  # temperature 1
    assert model.run(features, statistics=STATISTICS).dtype == np.float64


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_divides_the_logarithms(tmp_path: Path, temperature: float) -> None:
    model = load(str(write_model(tmp_path / "warm.onnx", tiny_spec(temperature=temperature))))
    raw = model.raw(windows(3), statistics=STATISTICS)
    powers = raw ** (1 / temperature)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.run(windows(3), statistics=STATISTICS), expected, rtol=1e-6)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(any), min_size=1, max_size=5))
def test_calibrated_probabilities_sum_to_one_and_keep_their_order(sharper: Model, rows: list[list[float]]) -> None:
    probs = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    found = sharper.calibrated(probs)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.isfinite(found).all()
    assert (np.take_along_axis(found, probs.argmax(axis=1)[:, None], axis=1)[:, 0] == found.max(axis=1)).all()


def test_a_batch_gives_what_its_windows_give_alone(tiny_model: Path) -> None:
    model = load(str(tiny_model))
    features = windows(16)
    alone = np.concatenate([model.run(window[None], statistics=STATISTICS) for window in features])
    np.testing.assert_allclose(model.run(features, statistics=STATISTICS), alone, atol=1e-6)


def test_a_graph_that_takes_one_window_at_a_time_is_given_one(tmp_path: Path) -> None:
    spec, speech = tiny_spec(FeatureSpec(n_mfcc=13)), SpeechOutput()
    batch = np.random.default_rng(1).standard_normal((5, spec.window_frames, 13)).astype(np.float32)
    any_number, one = (
        load(str(write_model(tmp_path / f"{windows}.onnx", spec, speech=speech, windows=windows))).predict(batch)
        for windows in ("w", 1)
    )
    assert one.probs == pytest.approx(any_number.probs, abs=1e-6)
    assert one.speech == pytest.approx(any_number.speech, abs=1e-6)
    assert one.probs.shape == (5, 3)


def test_views_of_a_channel_need_no_copy_by_the_caller(tiny_model: Path) -> None:
    model = load(str(tiny_model))
    frames = windows(1)[0]
    view = np.lib.stride_tricks.sliding_window_view(frames, 200, axis=0).transpose(0, 2, 1)[::100]
    expected = model.run(np.ascontiguousarray(view), statistics=STATISTICS)
    assert np.array_equal(model.run(view, statistics=STATISTICS), expected)


def test_a_model_that_normalises_needs_statistics(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="needs the statistics of the channel") as caught:
        load(str(tiny_model)).run(windows(1))
    assert caught.value.code == "no_statistics"


def test_a_model_of_clips_needs_none(paper_model: Path) -> None:
    assert load(str(paper_model)).run(np.zeros((2, 40, 1), np.float32)).shape == (2, 3)


def test_a_model_of_samples_takes_samples(tmp_path: Path) -> None:
    spec = tiny_spec(FeatureSpec(kind="waveform", framing="clip"))
    model = load(str(write_model(tmp_path / "raw.onnx", spec)))
    assert model.run(np.zeros((1, 24_000, 1), np.float32)).shape == (1, 3)


def test_a_missing_file_names_what_there_is(tmp_path: Path) -> None:
    message = refusal(tmp_path / "absent.onnx", ModelError, "no_model")
    assert "No such file" in message
    assert f"or one of: {', '.join(bundled())}" in message


def test_an_unknown_name_names_what_there_is() -> None:
    assert "phone" in refusal("telephone", ModelError, "no_model")


def test_a_directory_is_no_model(tmp_path: Path) -> None:
    assert "Is a directory" in refusal(tmp_path, ModelError, "no_model")


def test_a_path_that_cannot_be_is_no_model() -> None:
    with pytest.raises(ModelError) as caught:
        load("a\0b")
    assert caught.value.code == "no_model"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_says_so(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "closed.onnx"
    path.write_bytes(tiny_model.read_bytes())
    path.chmod(0)
    assert "Permission denied" in refusal(path, ModelError, "no_model")


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_a_truncated_file_is_refused(tiny_model: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny_model.read_bytes()[:kept])
    assert f"not a usable ONNX model ({kept} bytes)" in refusal(path, ModelError, "bad_model")


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("this is not a model\n" * 20)
    assert "not a usable ONNX model" in refusal(path, ModelError, "bad_model")


def test_a_model_that_does_not_describe_itself_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "silent.onnx", tiny_spec(), metadata={})
    message = refusal(path, SpecError, "no_spec")
    assert f"no {SPEC_KEY} in its metadata (no metadata)" in message
    assert "python -m export convert" in message


def test_foreign_metadata_are_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "foreign.onnx", tiny_spec(), metadata={"author": "x"})
    assert "(['author'])" in refusal(path, SpecError, "no_spec")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{}", "spec is 'None', expected 1"),
        (to_json(tiny_spec()).replace('"spec": 1', '"spec": 9'), "spec is '9', expected 1"),
        ("not json", "is not JSON"),
        (to_json(tiny_spec()).replace('"window_s"', '"window"'), "missing ['window_s'], unknown ['window']"),
    ],
)
def test_an_invalid_specification_is_refused(tmp_path: Path, text: str, cause: str) -> None:
    path = write_model(tmp_path / "odd.onnx", tiny_spec(), metadata={SPEC_KEY: text})
    assert cause in refusal(path, SpecError, "bad_spec")


def test_the_wrong_input_width_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "wide.onnx", tiny_spec(), columns=20)
    assert "cannot take what its specification describes, (1, 400, 13)" in refusal(path, ModelError, "bad_model")


def test_the_wrong_label_count_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "many.onnx", tiny_spec(), outputs=5)
    message = refusal(path, ModelError, "bad_model")
    assert "returns shape (1, 5), its specification has 3 labels" in message


def test_what_is_no_distribution_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "logits.onnx", tiny_spec(), softmax=False)
    assert "expected probabilities" in refusal(path, ModelError, "bad_model")


def test_missing_inputs_are_refused(tmp_path: Path) -> None:
    plain = dataclasses.replace(CALL_FEATURES, normalisation="none")
    metadata = {SPEC_KEY: to_json(tiny_spec())}
    path = write_model(tmp_path / "plain.onnx", tiny_spec(plain), metadata=metadata)
    message = refusal(path, ModelError, "bad_model")
    assert "takes ['features'], its specification needs: features, channel_mean, channel_std, speech_frames" in message


def test_more_inputs_than_described_are_refused(tmp_path: Path) -> None:
    plain = dataclasses.replace(CALL_FEATURES, normalisation="none")
    metadata = {SPEC_KEY: to_json(tiny_spec(plain))}
    path = write_model(tmp_path / "more.onnx", tiny_spec(), metadata=metadata)
    assert "its specification needs: features" in refusal(path, ModelError, "bad_model")


@pytest.mark.parametrize(("rank", "kind"), [(2, onnx.TensorProto.FLOAT), (3, onnx.TensorProto.DOUBLE)])
def test_an_input_of_another_shape_or_type_is_refused(tmp_path: Path, rank: int, kind: int) -> None:
    spec = tiny_spec(dataclasses.replace(CALL_FEATURES, normalisation="none"))
    taken = onnx.helper.make_tensor_value_info("x", kind, ["w", 400, 13][:rank])
    given_back = onnx.helper.make_tensor_value_info("y", kind, None)
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", [taken], [given_back]), opset_imports=opsets, ir_version=8
    )
    onnx.helper.set_model_props(model, {SPEC_KEY: to_json(spec)})
    path = tmp_path / "other.onnx"
    onnx.save(model, str(path))
    assert "expected float32 (windows, time, coefficients)" in refusal(path, ModelError, "bad_model")


def test_what_could_do_harm_never_reaches_the_runtime(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tensor in another file; whether the runtime would read it depends on its version."""
    proto = onnx.load(tiny_model)
    weights = proto.graph.initializer[0]
    (tmp_path / "secret.bin").write_bytes(weights.raw_data)
    onnx.external_data_helper.set_external_data(weights, "secret.bin")
    weights.ClearField("raw_data")
    path = tmp_path / "pointing.onnx"
    path.write_bytes(proto.SerializeToString())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    assert "in other files, expected all in this one" in refusal(path, ModelError, "external_data")


def endless(path: Path, tiny_model: Path) -> Path:
    """A model that loops for ever before it answers."""
    proto = onnx.load(tiny_model)
    helper, types = onnx.helper, onnx.TensorProto
    shapes = [("i", types.INT64, []), ("c", types.BOOL, []), ("v", types.FLOAT, ["w", 3])]
    taken = [helper.make_tensor_value_info(*value) for value in shapes]
    given_back = [helper.make_tensor_value_info(f"{name}2", kind, shape) for name, kind, shape in shapes[1:]]
    nodes = [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Identity", ["v"], ["v2"])]
    body = helper.make_graph(nodes, "body", taken, given_back)
    proto.graph.node[-1].output[0] = "before"
    proto.graph.node.append(helper.make_node("Loop", ["count", "true", "before"], ["probabilities"], body=body))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1 << 62, np.int64), "count"))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "true"))
    path.write_bytes(proto.SerializeToString())
    return path


def test_a_graph_that_never_answers_is_refused(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "_FIRST_WINDOW_S", 0.2)
    message = refusal(endless(tmp_path / "endless.onnx", tiny_model), ModelError, "bad_model")
    assert "cannot take what its specification describes, (1, 400, 13), within 0.2 s" in message


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_what_is_no_file_is_no_model(tmp_path: Path, kind: str) -> None:
    """Reading could wait for ever, or never end."""
    path = tmp_path / "odd.onnx"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert "it is not a regular file" in refusal(path, ModelError, "no_model")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "vast.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert f"it has {1 << 40} bytes" in refusal(path, ModelError, "no_model")


def test_onnx_runtime_reports_to_nobody(tmp_path: Path, call: Path) -> None:
    """Where it does, it keeps what it is going to send, and an identity, in the user's cache."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_", "CI"))}
    command = [sys.executable, "-m", "sertag", str(call), "--jobs", "1", "--out", str(tmp_path / "r.csv")]
    subprocess.run(command, env={**kept, "HOME": str(home)}, check=True, capture_output=True)
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize("shape", ["column", "vector"])
def test_a_graph_may_tell_speech_from_everything_else(tiny_model: Path, tmp_path: Path, shape: str) -> None:
    path = write_model(tmp_path / "telling.onnx", tiny_spec(), speech=SpeechOutput(shape, loudest=-3.0))
    features = windows(5)
    found = load(str(path)).predict(features, statistics=STATISTICS)
    expected = 1 / (1 + np.exp(0.2 * (features[:, :, 0].mean(axis=1) + 3.0)))
    np.testing.assert_allclose(found.speech, expected, atol=1e-6)
    plain = load(str(tiny_model))
    np.testing.assert_array_equal(found.probs, plain.run(features, statistics=STATISTICS))
    assert found.is_speech(0.5).tolist() == (expected >= 0.5).tolist()
    assert plain.predict(features, statistics=STATISTICS).speech is None
    assert plain.predict(features, statistics=STATISTICS).is_speech(1.0).all()


def test_what_tells_speech_may_be_the_first_output(tmp_path: Path) -> None:
    path = write_model(tmp_path / "telling.onnx", tiny_spec(), speech=SpeechOutput())
    graph = onnx.load(path)
    graph.graph.output.reverse()
    onnx.save(graph, path)
    assert load(str(path)).predict(windows(2), statistics=STATISTICS).probs.shape == (2, 3)


@pytest.mark.parametrize(
    ("speech", "message"),
    [
        (SpeechOutput(sigmoid=False, loudest=20.0), "output speech is 4, expected probabilities (sigmoid inside)"),
        (SpeechOutput(sigmoid=False, loudest=float("nan")), "output speech is nan, expected probabilities"),
        (SpeechOutput(kind=onnx.TensorProto.DOUBLE), "output speech is tensor(double), expected float32 (windows,)"),
    ],
)
def test_an_output_that_is_no_probability_of_speech_is_refused(
    tmp_path: Path, speech: SpeechOutput, message: str
) -> None:
    assert message in refusal(write_model(tmp_path / "wrong.onnx", tiny_spec(), speech=speech), ModelError, "bad_model")


def test_speech_alone_is_no_model(tmp_path: Path) -> None:
    path = write_model(tmp_path / "alone.onnx", tiny_spec(), speech=SpeechOutput())
    graph = onnx.load(path)
    del graph.graph.output[0]
    onnx.save(graph, path)
    assert "returns 'speech' alone, expected the probabilities of the labels too" in refusal(
        path, ModelError, "bad_model"
    )


def test_one_probability_of_speech_a_window(tmp_path: Path) -> None:
    """A single window cannot tell (1, w) from (w, 1)."""
    model = load(str(write_model(tmp_path / "row.onnx", tiny_spec(), speech=SpeechOutput("row"))))
    with pytest.raises(ModelError, match=r"output speech has shape \(1, 3\) for 3 window\(s\), expected \(3,\)"):
        model.predict(windows(3), statistics=STATISTICS)
