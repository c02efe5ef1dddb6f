"""`sertag FOLDER`: what is in the tables, in the summary and on standard output."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import soundfile

from sertag import __version__
from tests.cli.conftest import Run
from tests.cli.outputs import leftovers, rows
from tests.conftest import LOUD, SOFT, speech_like
from tests.onnx_models import tiny_spec, write_model


def test_main_job(process: Run, run: Run, calls: Path, tmp_path: Path) -> None:
    arguments = "calls --out r.csv --segments s.csv --summary run.json --roles agent,customer -j 2".split()
    done = process(*arguments)
    assert done.returncode == 1  # one file is no audio
    assert done.stdout == b""
    table = rows((tmp_path / "r.csv").read_bytes())
    assert [(row["path"], row["channel"], row["role"], row["status"]) for row in table] == [
        ("calls/a.wav", "0", "agent", "ok"),
        ("calls/a.wav", "1", "customer", "ok"),
        ("calls/b.wav", "0", "agent", "ok"),
        ("calls/silence.wav", "0", "agent", "no_speech"),
        ("calls/text.wav", "", "", "unreadable"),
    ]
    windows = rows((tmp_path / "s.csv").read_bytes())
    assert [len([w for w in windows if w["path"] == r["path"] and w["channel"] == r["channel"]]) for r in table] == [
        int(row["segments"] or 0) for row in table
    ]
    assert b"warning: calls/text.wav" in done.stderr
    assert b"silence.wav" not in done.stderr
    assert b"4 files, 5 rows (3 ok, 1 no_speech, 1 unreadable)" in done.stderr
    assert leftovers(tmp_path) == []
    run(*"calls --out here.csv --roles agent,customer".split())
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "r.csv").read_bytes(), "whoever tags, and how many"


def test_music_on_hold(run: Run, process: Run, tmp_path: Path, telling_model: Path) -> None:
    """The same bytes for every number of jobs and after a resume, and rows that say what was heard."""
    folder = tmp_path / "hold"
    folder.mkdir()
    music, speech = speech_like(12, seed=1, level=LOUD), speech_like(12, seed=2, level=SOFT)
    soundfile.write(folder / "a.wav", np.concatenate([music, speech]), 8000)
    soundfile.write(folder / "b.wav", np.stack([music, speech], axis=1), 8000)
    soundfile.write(folder / "c.wav", music, 8000)
    for name, more in {"one": ("-j", "1"), "two": ("-j", "2"), "again": ("-j", "2")}.items():
        out = name.replace("again", "two")
        arguments = ("hold", "-m", telling_model, "-o", f"{out}.csv", "--segments", f"{name}-s.csv", *more)
        assert (run if name == "one" else process)(*map(str, arguments)).returncode == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    segments = [(tmp_path / f"{name}-s.csv").read_bytes() for name in ("one", "two", "again")]
    assert segments[0] == segments[1] == segments[2]
    table = rows((tmp_path / "one.csv").read_bytes())
    assert [(row["path"], row["channel"], row["status"], row["schema"]) for row in table] == [
        ("hold/a.wav", "0", "ok", "2"),
        ("hold/b.wav", "0", "no_speech", "2"),
        ("hold/b.wav", "1", "ok", "2"),
        ("hold/c.wav", "0", "no_speech", "2"),
    ]
    assert [row["interruptions"] for row in table] == ["", "0", "0", ""]
    assert {row["status"] for row in rows(segments[0])} == {"ok", "no_speech"}
    assert run("hold", "-m", str(telling_model), "--strict").returncode == 1


def test_summary(run: Run, calls: Path, tmp_path: Path, tiny_model: Path) -> None:
    run("calls", "-o", "r.csv", "--summary", "run.json", "--hop", "4", "-j", "1")
    summary = json.loads((tmp_path / "run.json").read_text())
    assert " ".join(summary) == (
        "run_id version started finished inputs rows reused counts_by_status audio_hours files_per_s realtime_factor "
        "jobs backend model model_sha256 params exit_code"
    )
    assert summary["inputs"] == 4
    assert summary["rows"] == 5
    assert summary["reused"] == 0
    assert summary["counts_by_status"] == {
        "ok": 3,
        "no_speech": 1,
        "too_short": 0,
        "uncertain": 0,
        "unreadable": 1,
        "failed": 0,
    }
    assert summary["audio_hours"] == pytest.approx(23 / 3600, abs=1e-6)
    assert (summary["jobs"], summary["backend"], summary["model"]) == (1, "local", "tiny")
    assert summary["params"]["hop_s"] == 4
    assert summary["exit_code"] == 1
    assert summary["version"] == __version__
    assert summary["started"] <= summary["finished"]


def test_stdout_is_csv_in_a_pipe_and_nothing_else_is_there(run: Run, calls: Path) -> None:
    done = run("calls")
    assert [row["status"] for row in rows(done.stdout)] == ["ok", "ok", "ok", "no_speech", "unreadable"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl"])
def test_format_follows_the_suffix(run: Run, calls: Path, tmp_path: Path, suffix: str) -> None:
    assert run("calls/b.wav", "-o", f"r.{suffix}").returncode == 0
    data = (tmp_path / f"r.{suffix}").read_bytes()
    paths = {
        "csv": lambda: rows(data)[0]["path"],
        "tsv": lambda: rows(data, "\t")[0]["path"],
        "json": lambda: json.loads(data)[0]["path"],
        "jsonl": lambda: json.loads(data)["path"],
    }
    assert paths[suffix]() == "calls/b.wav"


def test_only_one_role_is_scored(run: Run, calls: Path) -> None:
    done = run("calls/a.wav", "--roles", "agent,customer", "--only-role", "customer")
    assert [(row["channel"], row["role"]) for row in rows(done.stdout)] == [("1", "customer")]


def test_too_few_roles_are_said_once(run: Run, calls: Path, tmp_path: Path) -> None:
    shutil.copy(calls / "a.wav", calls / "aa.wav")
    done = run("calls/a.wav", "calls/aa.wav", "--roles", "agent")
    assert [row["role"] for row in rows(done.stdout)] == ["agent", "", "agent", ""]
    assert done.stderr.count(b"more channels than --roles") == 1


def test_runs_say_that_a_model_is_not_calibrated(run: Run, calls: Path, tmp_path: Path) -> None:
    spec = tiny_spec(training=MappingProxyType({"calibrated": False}))
    model = write_model(tmp_path / "theirs.onnx", spec)
    done = run("calls", "--model", str(model), "--out", "r.csv", "--summary", "run.json")
    assert b"theirs.onnx is not calibrated" in done.stderr
    assert json.loads((tmp_path / "run.json").read_text())["params"]["calibrated"] is False


def test_dry_run_lists_and_does_nothing(run: Run, calls: Path, tmp_path: Path) -> None:
    done = run("calls", "missing.wav", "--dry-run", "-o", "r.csv", "-m", "no-such-model")
    assert done.returncode == 0
    names = [b"calls/a.wav", b"calls/b.wav", b"calls/silence.wav", b"calls/text.wav", b"missing.wav"]
    assert done.stdout.splitlines() == names
    assert b"5 files would be tagged" in done.stderr
    assert not (tmp_path / "r.csv").exists()
    assert run("calls", "missing.wav", "--dry-run", "-0").stdout == b"".join(name + b"\0" for name in names)
