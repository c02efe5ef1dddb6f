"""Execution providers: those that are not here are refused with advice, those that are here run the network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from sertag.errors import ModelError
from sertag.model import providers
from sertag.model.providers import PROVIDERS, runtime_names
from sertag.model.session import load
from sertag.records import Options
from sertag.run.resume import parameters
from sertag.spec import FeatureSpec
from tests.onnx_models import tiny_spec, write_model

SPEC = tiny_spec(FeatureSpec(n_mfcc=13))
FRAMES = np.zeros((2, SPEC.window_frames, 13), np.float32)


def test_all_names_are_known_to_the_runtime() -> None:
    known = set(onnxruntime.get_all_providers())
    assert {theirs for theirs, _ in PROVIDERS.values()} <= known | {"DmlExecutionProvider", "QNNExecutionProvider"}


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("cuda", "has only cpu; in its place, `pip uninstall onnxruntime` and `pip install onnxruntime-gpu`"),
        ("openvino", "`pip install onnxruntime-openvino`"),
        ("coreml", "on macOS, `pip install onnxruntime`"),
        ("gpu", "there is none of this name; expected one of: cpu, cuda,"),
    ],
)
def test_a_provider_that_is_not_there_is_refused_with_advice(provider: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        runtime_names(provider, available=["AzureExecutionProvider", "CPUExecutionProvider"])
    assert caught.value.code == "no_provider"


def test_the_processor_stands_in_for_operators_that_a_provider_lacks() -> None:
    assert runtime_names("cpu", available=["CPUExecutionProvider"]) == ["CPUExecutionProvider"]
    names = runtime_names("tensorrt", available=["TensorrtExecutionProvider", "CPUExecutionProvider"])
    assert names == ["TensorrtExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.skipif("AzureExecutionProvider" not in onnxruntime.get_available_providers(), reason="no second provider")
def test_another_provider_of_this_runtime_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "PROVIDERS", {**PROVIDERS, "azure": ("AzureExecutionProvider", "onnxruntime")})
    path = str(write_model(tmp_path / "m.onnx", SPEC))
    model = load(path, provider="azure")
    assert model._session.get_providers()[0] == "AzureExecutionProvider"
    assert model.run(FRAMES) == pytest.approx(load(path).run(FRAMES), abs=1e-5)


def test_a_provider_whose_library_is_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime falls back on the processor then, and does not say so."""
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    with pytest.raises(ModelError, match=r"m\.onnx: provider 'cuda' does not start here.*--provider cpu needs none"):
        load(str(write_model(tmp_path / "m.onnx", SPEC)), provider="cuda")


def test_journals_of_the_processor_stay_valid_and_others_have_their_own() -> None:
    assert "provider" not in parameters(Options(), SPEC)
    assert parameters(Options(provider="cuda"), SPEC)["provider"] == "cuda"


def test_a_run_says_what_it_used_and_a_worker_obeys(tmp_path: Path) -> None:
    path = str(write_model(tmp_path / "m.onnx", SPEC))
    command = [sys.executable, "-m", "sertag", "examples/calls/voicemail", "-m", path, "-o", str(tmp_path / "r.csv")]
    subprocess.run([*command, "--summary", str(tmp_path / "s.json")], check=True, capture_output=True)
    assert json.loads((tmp_path / "s.json").read_text())["params"]["provider"] == "cpu"
    done = subprocess.run([*command, "--provider", "migraphx", "--no-resume"], capture_output=True, text=True)
    if "MIGraphXExecutionProvider" not in onnxruntime.get_available_providers():
        assert done.returncode == 4
        assert "provider 'migraphx': this ONNX Runtime has only" in done.stderr
