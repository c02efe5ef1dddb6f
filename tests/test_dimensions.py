"""Models that estimate arousal and the like, with labels or without any: from the file to the tables and back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import soundfile

from sertag import Tagger
from sertag.analysis.loading import load as load_tables
from sertag.errors import SertagError, SpecError
from sertag.model.session import load
from sertag.records import Status
from sertag.spec import Dimension, FeatureSpec, ModelSpec, from_json, to_json
from sertag.storage.journal_codec import dumps, loads
from sertag.tables.readers import open_results
from sertag.tagging.probe import check, measure
from sertag.tagging.segments import affect_of, segments
from tests.cli.tables.runner import invoke
from tests.conftest import RATE_HZ, speech_like
from tests.in_process import standard_input, without_workers
from tests.onnx_models import tiny_spec, write_model
from tests.scored import scored_windows

OUTPUTS = (Dimension("arousal", 1, 5), Dimension("dominance"), Dimension("valence", -2, 2, "points"))
BOTH = tiny_spec(FeatureSpec(n_mfcc=13), outputs=OUTPUTS)
ALONE = tiny_spec(FeatureSpec(n_mfcc=13), outputs=OUTPUTS, labels=(), sentiment=MappingProxyType({}))
COLUMNS = [f"d_{one.name}{quarter}" for one in OUTPUTS for quarter in ("", "_q1", "_q2", "_q3", "_q4")]
OF_CLASSES = ("emotion", "confidence", "margin", "sentiment", "neg_q1", "trend", "peak_score", "attention")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, and a recording of half a minute."""
    folder = tmp_path_factory.mktemp("dimensions")
    for name, spec in (("both", BOTH), ("alone", ALONE)):
        write_model(folder / f"{name}.onnx", spec)
    soundfile.write(folder / "call.wav", speech_like(30.0), RATE_HZ)
    return folder


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_workers(monkeypatch)
    monkeypatch.chdir(folder)


def run(*arguments: str) -> str:
    done = invoke(*arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


# the specification


@pytest.mark.parametrize("spec", [BOTH, ALONE])
def test_the_document_of_a_model_with_dimensions_is_version_2(spec: ModelSpec) -> None:
    document = json.loads(to_json(spec))
    assert document["spec"] == 2
    assert document["outputs"][0] == {"name": "arousal", "least": 1.0, "most": 5.0, "unit": ""}
    assert from_json(to_json(spec), source="m") == spec


def test_a_model_of_labels_alone_keeps_the_document_that_older_readers_know() -> None:
    document = json.loads(to_json(tiny_spec()))
    assert document["spec"] == 1
    assert "outputs" not in document


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([{"name": "arousal", "least": 1, "most": 1}], "outputs.arousal.least is '1.0', expected less than most"),
        ([{"name": "my dim"}], "outputs.name is 'my dim', expected letters"),
        ([{"name": "a"}, {"name": "a"}], "columns of different names"),
        ([{"name": "a"}, {"name": "a_q1"}], "columns of different names"),
        ([{"name": "a", "scale": 2}], "outputs.0.: missing nothing, unknown"),
        ([{}], "outputs.0.: missing .'name'"),
        ({"name": "a"}, "list of objects"),
        ([], "two or more labels, or none where there are outputs"),
    ],
)
def test_dimensions_that_cannot_be_are_refused(outputs: Any, message: str) -> None:
    document = json.loads(to_json(ALONE)) | {"outputs": outputs}
    with pytest.raises(SpecError, match=message):
        from_json(json.dumps(document), source="m.onnx")


# the graph


@pytest.mark.parametrize(("spec", "count"), [(BOTH, 2), (ALONE, 4), (BOTH, 0), (ALONE, 0)])
def test_a_graph_that_tells_other_dimensions_is_refused(tmp_path: Path, spec: ModelSpec, count: int) -> None:
    if not count and not spec.labels:
        spec = tiny_spec(FeatureSpec(n_mfcc=13), outputs=OUTPUTS)
    path = write_model(tmp_path / "m.onnx", spec, dimensions=count)
    with pytest.raises(SertagError, match=r"specification (has 3 outputs|needs 'dimensions' too)"):
        load(str(path))


@pytest.mark.parametrize("name", ["both", "alone"])
def test_the_probe_holds_the_dimensions(folder: Path, tmp_path: Path, name: str) -> None:
    import dataclasses

    model = load(str(folder / f"{name}.onnx"))
    probe = measure(model)
    assert len(probe.dimensions) == 3
    write_model(tmp_path / "good.onnx", dataclasses.replace(model.spec, probe=probe))
    assert check(load(str(tmp_path / "good.onnx"))) == []
    other = dataclasses.replace(probe, dimensions=(probe.dimensions[0] + 1, *probe.dimensions[1:]))
    write_model(tmp_path / "bad.onnx", dataclasses.replace(model.spec, probe=other))
    assert ["dimensions: value 0" in problem for problem in check(load(str(tmp_path / "bad.onnx")))] == [True]


# windows and rows


def test_a_window_without_labels_has_no_emotion_and_is_ok() -> None:
    windows = scored_windows([[], []], start_s=[0, 4], dimensions=[[3, 0.2, 2], [1, 0.4, 0]])
    first, second = segments(windows, spec=ALONE, min_confidence=0.9)
    assert (first.status, first.emotion, first.confidence, first.probs) == (Status.OK, None, None, ())
    assert first.dimensions == (3, 0.2, 2)
    assert (first.arousal, first.valence) == (0.5, 1.0)  # 3 of 1 to 5; 2 of -2 to 2
    assert (second.arousal, second.valence) == (0.0, 0.0)


def test_what_a_model_estimates_counts_before_the_positions_of_its_labels() -> None:
    windows = scored_windows([[1, 0, 0]], dimensions=[[5, 0.5, -2]])
    arousal, valence = affect_of(windows, spec=BOTH)
    assert arousal is not None
    assert valence is not None
    assert (arousal.tolist(), valence.tolist()) == ([1.0], [-1.0])
    assert affect_of(scored_windows([[]], dimensions=[[1.0]]), spec=_named("openness")) == (None, None)


def _named(*names: str) -> ModelSpec:
    outputs = tuple(Dimension(name) for name in names)
    return tiny_spec(outputs=outputs, labels=(), sentiment=MappingProxyType({}))


@pytest.mark.parametrize("name", ["both", "alone"])
def test_rows_and_windows_hold_what_the_graph_says(folder: Path, name: str) -> None:
    tagger = Tagger(str(folder / f"{name}.onnx"))
    (channel,) = tagger.tag(folder / "call.wav").channels
    assert channel.status in (Status.OK, Status.UNCERTAIN)
    found = np.array([segment.dimensions for segment in channel.segments])
    assert found.shape == (len(channel.segments), 3)
    lowest, highest = found.min(axis=0), found.max(axis=0)
    for number, course in enumerate(channel.dimensions):
        assert len(course) == 5
        assert all(value is None or lowest[number] <= value <= highest[number] for value in course)
    assert channel.arousal == pytest.approx(((channel.dimensions[0][0] or 0) - 1) / 4)
    assert loads(dumps([channel])) == (channel,)
    if name == "alone":
        assert [getattr(channel, field, None) for field in ("emotion", "confidence", "attention", "trend")] == [
            None
        ] * 4
        assert channel.status is Status.OK


def test_they_come_from_workers_as_they_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with workers
    tagger = Tagger(str(folder / "alone.onnx"))
    (there,) = tagger.tag_many([folder / "call.wav"], jobs=1)
    assert there.channels == tagger.tag(folder / "call.wav").channels
    assert there.channels[0].dimensions


# tables


@pytest.mark.parametrize("fmt", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("name", ["both", "alone"])
def test_every_table_is_read_as_it_was_written(folder: Path, tmp_path: Path, name: str, fmt: str) -> None:
    out, windows = tmp_path / f"r.{fmt}", tmp_path / f"s.{fmt}"
    run("call.wav", "--model", f"{name}.onnx", "-o", str(out), "--segments", str(windows), "-q")
    if fmt == "csv":
        tables = out.read_bytes(), windows.read_bytes()
        run("call.wav", "--model", f"{name}.onnx", "-o", str(out), "--segments", str(windows), "-q")
        assert (out.read_bytes(), windows.read_bytes()) == tables  # from the journal
    (channel,) = Tagger(str(folder / f"{name}.onnx")).tag(folder / "call.wav").channels
    expected = [None if value is None else round(value, 4) + 0.0 for course in channel.dimensions for value in course]
    with open_results(str(out)) as table:
        (row,) = table.rows
        assert table.dimensions == ("arousal", "dominance", "valence")
        assert [row[column] for column in COLUMNS] == expected
        assert list(row)[-15:] == COLUMNS or fmt in ("json", "jsonl")
    with open_results(str(windows)) as table:
        found = [[one[f"d_{output.name}"] for output in OUTPUTS] for one in table.rows]
    assert np.array(found) == pytest.approx(np.array([one.dimensions for one in channel.segments]), abs=1e-4)
    if name == "alone":
        assert [row[column] for column in OF_CLASSES] == [None] * len(OF_CLASSES)
        assert row["status"] == "ok"


def test_a_recording_without_speech_has_empty_dimensions(folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", np.zeros(4 * RATE_HZ), RATE_HZ)
    command = [str(tmp_path / "call.wav"), "--model", "alone.onnx", "--format", "csv", "-q"]
    (row,) = csv.DictReader(run(*command).splitlines())
    assert [row[column] for column in COLUMNS] == [""] * 15
    assert row["status"] == "no_speech"


def test_a_column_that_a_user_added_is_no_dimension(folder: Path, tmp_path: Path) -> None:
    text = run("call.wav", "--model", "both.onnx", "--format", "csv", "-q")
    header, row = text.splitlines()
    (tmp_path / "r.csv").write_text(f"{header},note,d_note\n{row},x,later\n")
    loaded = load_tables([str(tmp_path / "r.csv")])
    assert loaded.dimensions == ("arousal", "dominance", "valence")
    assert loaded.added == ("note", "d_note")
    old = ",".join(header.split(",")[:-15])
    (tmp_path / "old.csv").write_text(f"{old},d_note\n{','.join(row.split(',')[:-15])},later\n")
    assert load_tables([str(tmp_path / "old.csv")]).added == ("d_note",)


@pytest.mark.parametrize("name", ["both", "alone"])
def test_all_commands_take_the_tables(folder: Path, tmp_path: Path, name: str) -> None:
    table = str(tmp_path / "r.jsonl")
    run("call.wav", "--model", f"{name}.onnx", "-o", table, "-q")
    assert "d_valence" in run("worst", table, "--sort", "d_valence", "--columns", "path,d_valence", "-f", "csv")
    assert run("worst", table, "--where", "d_valence < 99", "--exit-zero", "-f", "csv").count("\n") == 2
    assert run("by", "status", table, "--least", "1", "--mean", "d_valence", "-f", "csv").count("\n") == 2
    run("diff", table, table)
    run("report", table, "-o", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert ("The model names no emotions" in page) == (name == "alone")
    run("convert", table, "--to", "xlsx", "-o", str(tmp_path / "r.xlsx"))


@pytest.mark.parametrize("name", ["both", "alone"])
def test_a_recording_is_shown_with_its_dimensions(folder: Path, tmp_path: Path, name: str) -> None:
    shown = run("show", "call.wav", "--model", f"{name}.onnx")
    assert "dominan " in shown  # a line of bars, its name as long as there is place
    assert "arousal 1 to 5" in shown
    assert "valence -2 to 2 points" in shown
    assert ("emotion " in shown) == (name == "both")
    run("show", "call.wav", "--model", f"{name}.onnx", "-o", str(tmp_path / "p.png"))
    assert (tmp_path / "p.png").stat().st_size > 10_000
    screen = run("call.wav", "--model", f"{name}.onnx", "--format", "table", "-q")
    assert "dominance" in screen.splitlines()[1]


def test_live_audio_ends_with_the_row_of_the_file(folder: Path) -> None:
    with standard_input((folder / "call.wav").read_bytes()):
        events = [json.loads(line) for line in run("listen", "-", "--model", "alone.onnx").splitlines()]
    assert events[0]["dimensions"] == ["arousal", "dominance", "valence"]
    windows = [event for event in events if event["event"] == "window" and not event["provisional"]]
    assert all(set(window["dimensions"]) == {"arousal", "dominance", "valence"} for window in windows)
    row = json.loads(run("call.wav", "--model", "alone.onnx", "-f", "jsonl", "-q"))
    assert events[-1]["result"]["channels"] == row["channels"]


def test_label_files_need_labels(folder: Path, tmp_path: Path) -> None:
    table = str(tmp_path / "r.jsonl")
    run("call.wav", "--model", "alone.onnx", "-o", table, "-q")
    done = invoke("convert", table, "--to", "textgrid", "-o", str(tmp_path / "grids"))
    assert "has no emotions, only arousal, dominance, valence; csv, json and xlsx hold these" in done.stderr
    assert done.exit_code != 0
    (note,) = [line for line in invoke("worst", table).stderr.splitlines() if "attention" in line]
    assert note.endswith("the rows are in the order of the table; sort by another one, as d_arousal")
