"""`python -m export wrap`, as a user types it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from sertag.model.session import load
from sertag.spec import FeatureSpec
from tests.corpora import own
from tests.export.wrapping.test_wrap import LABELS, frames_graph, waveform_graph
from tests.export_command import run_export


def test_a_graph_of_samples_is_wrapped_and_calibrated(tmp_path: Path) -> None:
    graph = waveform_graph(tmp_path / "theirs.onnx")
    data = own(tmp_path / "data", labels=("angry", "happy", "neutral", "sad"), each=4)
    out = tmp_path / "ser.onnx"
    options = ["--labels", ",".join(LABELS), "--window", "2", "--hop", "1", "--licence", "theirs"]
    result = run_export("wrap", graph, "--out", out, *options, "--calibrate", f"mine={data}", "--map", "sad=")
    assert result.exit_code == 0, result.output
    spec = load(str(out)).spec
    assert (spec.name, spec.window_s, spec.hop_s, spec.licence) == ("ser", 2.0, 1.0, "theirs")
    assert spec.training["calibrated"]
    said = spec.training["calibration"]
    found = re.fullmatch(r"(\d+) clips, on which \d+% of the answers are right \(by chance 33%\)", said)
    assert found is not None, said
    assert 30 <= int(found[1]) <= 36  # without those that are sad, and those with less than a window of speech
    assert spec.temperature != 1.0
    assert 0 < spec.min_confidence < 1


def test_a_graph_of_frames_takes_a_description_of_its_features(tmp_path: Path) -> None:
    graph = frames_graph(tmp_path / "theirs.onnx", ["b", 13, 301], time=2)
    mfcc = FeatureSpec(kind="mfcc", framing="clip", rate_hz=8000, n_mfcc=13, n_mels=26)
    (tmp_path / "features.json").write_text(json.dumps(asdict(mfcc)))
    options = ["--labels", ",".join(LABELS), "--features", tmp_path / "features.json", "--name", "theirs"]
    result = run_export("wrap", graph, "--out", tmp_path / "m.onnx", *options)
    assert result.exit_code == 0, result.output
    spec = load(str(tmp_path / "m.onnx")).spec
    assert (spec.name, spec.features, spec.training["calibrated"]) == ("theirs", mfcc, False)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "give --labels or --from-hf"),
        (["--labels", "anger,joy,zeal"], 1, "zeal: is it positive, neutral or negative"),
        (["--labels", ",".join(LABELS), "--sentiment", "zeal"], 2, "'zeal' is not LABEL=positive"),
        (["--labels", ",".join(LABELS), "--features", "bad.json"], 1, "features"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, options: list[str], code: int, message: str) -> None:
    (tmp_path / "bad.json").write_text('{"kind": "words"}')
    graph = waveform_graph(tmp_path / "theirs.onnx")
    chosen = [str(tmp_path / option) if option == "bad.json" else option for option in options]
    result = run_export("wrap", graph, "--out", tmp_path / "m.onnx", *chosen)
    assert result.exit_code == code
    assert message in " ".join(result.output.split())


def test_without_enough_clips_nothing_is_written(tmp_path: Path) -> None:
    graph = waveform_graph(tmp_path / "theirs.onnx")
    data = own(tmp_path / "data", labels=("angry", "happy"))
    options = ["--labels", ",".join(LABELS), "--window", "2", "--calibrate", f"mine={data}"]
    result = run_export("wrap", graph, "--out", tmp_path / "m.onnx", *options)
    assert result.exit_code == 1
    assert "6 clips with 2 of the labels" in " ".join(result.output.split())
    assert not (tmp_path / "m.onnx").exists()
    result = run_export("wrap", graph, "--out", tmp_path / "m.onnx", *options[:-1], f"ravdess={tmp_path / 'list.csv'}")
    assert "data of your own takes another name" in result.output
    assert not (tmp_path / "m.onnx").exists()
