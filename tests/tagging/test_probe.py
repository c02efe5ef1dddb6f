from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sertag.features.mfcc import clip_features
from sertag.features.spectral import log_mel
from sertag.model.session import Model, bundled, load
from sertag.spec import FeatureSpec, ModelSpec, Probe
from sertag.tagging import probe
from tests.onnx_models import CALL_FEATURES, PAPER_FEATURES, SpeechOutput, tiny_spec, write_model

SHAPES = {
    "channel": tiny_spec(),
    "derivatives": tiny_spec(dataclasses.replace(CALL_FEATURES, delta_order=2)),
    "clip": tiny_spec(dataclasses.replace(PAPER_FEATURES, pooling="none", kind="log_mel", n_mels=32)),
    "pooled": tiny_spec(PAPER_FEATURES, offset_s=0.5),
    "waveform": tiny_spec(FeatureSpec(kind="waveform", framing="clip")),
}


def model_with(tmp_path: Path, spec: ModelSpec, stored: Probe | None) -> Model:
    return load(str(write_model(tmp_path / "probed.onnx", dataclasses.replace(spec, probe=stored))))


def shifted(stored: Probe, name: str, by: float) -> Probe:
    first, *rest = getattr(stored, name)
    return dataclasses.replace(stored, **{name: (first + by, *rest)})


@pytest.mark.parametrize("name", bundled())
def test_bundled_models_answer_as_when_they_were_made(name: str) -> None:
    assert probe.check(load(name)) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_a_measured_probe_is_sound(tmp_path: Path, shape: str) -> None:
    spec = SHAPES[shape]
    measured = probe.measure(model_with(tmp_path, spec, None))
    assert len(measured.mean) == len(measured.middle)
    assert len(measured.probs) == len(spec.labels)
    assert sum(measured.probs) == pytest.approx(1, abs=1e-5)
    model = model_with(tmp_path, spec, measured)
    assert probe.check(model) == []
    assert probe.measure(model) == measured


def test_the_chirp_sweeps_the_band() -> None:
    samples = probe.chirp(tiny_spec())
    assert (samples.dtype, samples.shape) == (np.float32, (32_000,))
    assert np.abs(samples).max() == pytest.approx(0.5, abs=1e-3)
    crossings = np.flatnonzero(np.diff(np.signbit(samples)))  # two a period
    for begin_s, frequency_hz in ((0.0, 100 + 0.5 * 875), (3.0, 3600 - 0.5 * 875)):
        inside = (crossings >= begin_s * 8000) & (crossings < (begin_s + 1) * 8000)
        assert inside.sum() / 2 == pytest.approx(frequency_hz, abs=2)


def test_clips_are_measured_as_they_are_tagged(tmp_path: Path) -> None:
    spec = SHAPES["pooled"]
    measured = probe.measure(model_with(tmp_path, spec, None))
    expected = clip_features(probe.chirp(spec), spec=spec.features)[:, 0]
    assert measured.mean == measured.middle == pytest.approx(expected.tolist())


def test_a_missing_probe_is_a_problem(tmp_path: Path) -> None:
    (problem,) = probe.check(model_with(tmp_path, tiny_spec(), None))
    assert "has no probe" in problem


@pytest.mark.parametrize(
    ("name", "by", "words"),
    [
        ("mean", 0.2, "mean features: value 0 is"),
        ("middle", -0.2, "features of the middle frame: value 0 is"),
        ("probs", 0.002, "probabilities: value 0 is"),
    ],
)
def test_a_difference_is_told(tmp_path: Path, name: str, by: float, words: str) -> None:
    measured = probe.measure(model_with(tmp_path, tiny_spec(), None))
    (problem,) = probe.check(model_with(tmp_path, tiny_spec(), shifted(measured, name, by)))
    assert problem.startswith(words)
    assert "the stored probe has" in problem


@pytest.mark.parametrize(("name", "by"), [("mean", 0.005), ("middle", 0.005), ("probs", 0.0005)])
def test_rounding_is_no_difference(tmp_path: Path, name: str, by: float) -> None:
    measured = probe.measure(model_with(tmp_path, tiny_spec(), None))
    assert probe.check(model_with(tmp_path, tiny_spec(), shifted(measured, name, by))) == []


def test_a_probe_of_another_recipe_is_told(tmp_path: Path) -> None:
    measured = probe.measure(model_with(tmp_path, tiny_spec(), None))
    stored = dataclasses.replace(measured, mean=measured.mean[:5])
    (problem,) = probe.check(model_with(tmp_path, tiny_spec(), stored))
    assert problem == "mean features: the stored probe has 5 values, 13 are measured"


def test_a_drift_of_the_feature_code_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = probe.measure(model_with(tmp_path, tiny_spec(), None))
    model = model_with(tmp_path, tiny_spec(), measured)
    right = log_mel.mel_bands

    def drifted(*, spec: FeatureSpec) -> np.ndarray:
        return right(spec=spec) * np.float32(1.01)

    monkeypatch.setattr(log_mel, "mel_bands", drifted)
    log_mel._front_end.cache_clear()
    try:
        problems = probe.check(model)
    finally:
        log_mel._front_end.cache_clear()
    assert len(problems) == 2  # both features; the tiny model removes the mean, so its answer stays


def test_the_probability_of_speech_is_measured_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "telling.onnx"
    spec = tiny_spec()
    level = probe.measure(load(str(write_model(path, spec)))).mean[0]
    measured = probe.measure(load(str(write_model(path, spec, speech=SpeechOutput(loudest=level)))))
    assert measured.speech == pytest.approx(0.5, abs=1e-3)
    sound = dataclasses.replace(spec, probe=measured)
    assert probe.check(load(str(write_model(path, sound, speech=SpeechOutput(loudest=level))))) == []
    (problem,) = probe.check(load(str(write_model(path, sound, speech=SpeechOutput(loudest=level - 1)))))
    assert problem.startswith("probability of speech: value 0 is ")
    (problem,) = probe.check(load(str(write_model(path, sound))))
    assert problem == "probability of speech: the stored probe has 1 values, 0 are measured"
