"""A tiny training for real: corpora to a model file that sertag runs, and the commands around it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import RATE_HZ, speech_like

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("tf2onnx", reason="the extra `export` is not installed")

from export.card import card
from export.convert import convert, example_inputs, to_onnx
from export.corpora import LABELS, find_corpora
from export.errors import ExportError
from export.recipes import phone
from export.train import Settings, run_name, train_phone
from sertag.model import load
from sertag.pipeline import tag_file
from sertag.probe import check
from sertag.records import AudioFile, Options, Statistics

TINY = Settings(folds=2, epochs=1, steps=2, batch=8)
CODES = ("rab", "dis", "pau", "gio", "neu", "tri", "sor")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EMOVO's layout with two invented speakers and one clip an emotion."""
    root = tmp_path_factory.mktemp("corpora")
    for seed, (speaker, code) in enumerate((speaker, code) for speaker in ("f1", "m1") for code in CODES):
        place = root / "emovo" / speaker / f"{code}-{speaker}-b1.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, speech_like(2.0, seed=seed), RATE_HZ, subtype="PCM_16")
    return root


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    found = find_corpora([str(corpus)])
    return train_phone(found, settings=TINY, out=out, cache=out / "cache", report=lambda what, share: None)


def test_the_file_describes_itself_and_answers_its_probe(trained):
    model = load(str(trained))
    assert model.spec.labels == LABELS
    assert check(model) == []
    assert model.spec.training["corpora"][0]["clips"] == 14
    assert set(model.spec.metrics["conditions"]) >= {"clean, one clip", "phone, in a call"}
    assert {"keras", "tf2onnx", "onnxruntime"} <= set(model.spec.libraries)


def test_the_results_say_who_was_tested_in_which_fold(trained):
    document = json.loads(trained.with_suffix(".json").read_text())
    folds = document["results"]["speakers_by_fold"]
    assert sorted(speaker for fold in folds for speaker in fold) == ["emovo/f1", "emovo/m1"]
    assert document["results"]["conditions"]["clean, one clip"]["corpora"]["emovo"]["clips"] == 14


def test_sertag_tags_a_call_with_it(trained, call):
    result = tag_file(AudioFile(str(call)), model=load(str(trained)), options=Options(min_confidence=0.0))
    assert [len(channel.probs) for channel in result.channels] == [len(LABELS)] * 2


def test_the_same_command_goes_on_where_it_stopped(trained, corpus):
    stored = sorted(trained.parent.glob("fold-*.npz")) + sorted(trained.parent.glob("phone-*.keras"))
    assert len(stored) == 3
    before = [place.stat().st_mtime_ns for place in stored]
    stored[0].unlink()  # as if the run had been stopped there
    found = find_corpora([str(corpus)])
    train_phone(
        found, settings=TINY, out=trained.parent, cache=trained.parent / "cache", report=lambda what, share: None
    )
    after = [place.stat().st_mtime_ns for place in stored]
    assert after[0] > before[0]
    assert after[1:] == before[1:]


def test_other_settings_or_data_do_not_reuse_it(corpus):
    clips = find_corpora([str(corpus)])[0].clips
    names = {
        run_name(clips, TINY),
        run_name(clips, dataclasses.replace(TINY, seed=2)),
        run_name(clips[1:], TINY),
        run_name([dataclasses.replace(clips[0], label="sad"), *clips[1:]], TINY),
    }
    assert len(names) == 4
    assert run_name(clips[::-1], TINY) in names


def network():
    columns = TINY.features.n_coefficients
    return phone.build(
        frames=TINY.window_frames,
        mean=np.zeros(columns, np.float32),
        std=np.full(columns, 10, np.float32),
        labels=len(LABELS),
    )


def test_the_graph_has_the_fused_lstm_and_any_number_of_windows(trained):
    proto = to_onnx(network())
    kinds = {node.op_type for node in proto.graph.node}
    assert "LSTM" in kinds
    assert not kinds & {"Loop", "Scan", "If"}
    model = load(str(trained))
    sizes = [model.spec.window_frames, model.spec.features.n_coefficients]
    heard = Statistics(np.zeros(sizes[1], np.float32), np.ones(sizes[1], np.float32), 100)
    for count in (1, 3):
        assert model.run(np.zeros((count, *sizes), np.float32), statistics=heard).shape == (count, len(LABELS))


def test_little_speech_is_drawn_to_the_training_set():
    columns = TINY.features.n_coefficients
    rng = np.random.default_rng(1)
    inputs = {
        "features": rng.standard_normal((1, TINY.window_frames, columns)).astype(np.float32) * 10,
        "channel_mean": np.full((1, columns), 5, np.float32),
        "channel_std": np.full((1, columns), 20, np.float32),
    }
    model = network()

    def answer(frames: float, **changes: np.ndarray) -> np.ndarray:
        return np.asarray(model({**inputs, **changes, "speech_frames": np.array([[frames]], np.float32)}))

    typical = {"channel_mean": np.zeros((1, columns), np.float32), "channel_std": np.full((1, columns), 10, np.float32)}
    np.testing.assert_allclose(answer(0), answer(1e9, **typical), atol=1e-5)
    assert np.abs(answer(0) - answer(1e6)).max() > 1e-4


def test_a_conversion_that_answers_otherwise_is_not_written(trained, corpus, tmp_path, monkeypatch):
    spec = load(str(trained)).spec
    clips = find_corpora([str(corpus)])[0].clips
    examples = example_inputs(clips, spec=spec)
    other = to_onnx(network())
    monkeypatch.setattr("export.convert.to_onnx", lambda model: other)  # another network's graph
    out = tmp_path / "wrong.onnx"
    with pytest.raises(ExportError, match="Keras and ONNX Runtime differ by"):
        convert(network(), spec=spec, examples=examples, out=out)
    assert not out.exists()


def export(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "export", *arguments], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )


def test_convert_command_makes_the_same_model(trained, corpus, tmp_path):
    (stored, *_) = sorted(trained.parent.glob("phone-*.keras"), key=lambda place: place.stat().st_mtime)
    out = tmp_path / "again.onnx"
    done = export("convert", str(stored), "--like", str(trained), "--data", str(corpus), "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert check(load(str(out))) == []


def test_evaluate_command_measures_over_the_phone(trained, corpus):
    done = export("evaluate", str(trained), "--data", f"emovo={corpus / 'emovo'}", "--phone", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["emovo"]
    assert found["clips"] == 14
    assert np.sum(found["confusion"]) == 14


def test_card_names_data_and_figures(trained):
    text = card(load(str(trained)).spec)
    assert "| emovo | 2 | 14 |" in text
    assert "Article 5(1)(f)" in text
    assert "phone, in a call" in text
