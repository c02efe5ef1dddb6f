"""The same command again is the resume: what is known is not done again, and nobody can tell from the result."""

from __future__ import annotations

import json
import os

import pytest

from sertag.run import resume
from sertag.storage import lock
from tests.onnx_models import tiny_spec, write_model
from tests.run.runs import LONG_AGO_NS, Runs, paths, stop_at


def test_second_run_does_nothing_and_gives_the_same_bytes(runs: Runs) -> None:
    first = runs("calls", "-o", "r.csv", "--segments", "s.csv")
    assert runs.tagged == ["a.wav", "b.wav", "c.wav"]
    tables = runs.table(), runs.table("s.csv")
    second = runs("calls", "-o", "r.csv", "--segments", "s.csv", "--summary", "run.json")
    assert runs.tagged == []
    assert (runs.table(), runs.table("s.csv")) == tables
    assert "3 files, 6 rows (6 ok); 37 s of audio" in first.output
    assert "3 files, 6 rows (6 ok), 6 reused; nothing new; table in r.csv" in second.output
    summary = json.loads(runs.table("run.json"))
    assert (summary["inputs"], summary["rows"], summary["reused"]) == (3, 6, 6)
    assert (summary["files_per_s"], summary["realtime_factor"]) == (0, 0)  # of work, and there was none
    assert summary["audio_hours"] == pytest.approx(3 * 12.3456 / 3600, abs=1e-6)


def test_only_what_is_new_or_changed_is_done(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs.write("b.wav", "b changed")  # other size, same mtime
    runs.write("c.wav", "C.WAV", mtime_ns=LONG_AGO_NS + 1)  # same size, other mtime
    runs.write("b2.wav")
    runs("calls", "-o", "r.csv")
    assert runs.tagged == ["b.wav", "b2.wav", "c.wav"]
    resumed = runs.table()
    assert paths(resumed) == ["a.wav", "b.wav", "b2.wav", "c.wav"]
    runs("calls", "-o", "fresh.csv")
    assert runs.table("fresh.csv") == resumed


def test_vanished_files_leave_the_table(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    (runs.folder / "calls" / "b.wav").unlink()
    runs("calls", "-o", "r.csv")
    assert runs.tagged == []
    assert paths(runs.table()) == ["a.wav", "c.wav"]


def test_failures_are_tried_again(runs: Runs) -> None:
    runs.write("b.wav", "bad")
    runs("calls", "missing.wav", "-o", "r.csv", code=1)
    assert runs.lines() == 2
    runs("calls", "missing.wav", "-o", "r.csv", code=1)
    assert runs.tagged == ["b.wav", "missing.wav"]
    runs.write("b.wav", "now good")
    runs("calls", "-o", "r.csv")
    runs("calls", "-o", "r.csv")
    assert runs.tagged == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--channels", "mix"],
        ["--channels", "0"],
        ["--roles", "agent"],
        ["--roles", "agent,customer", "--only-role", "customer"],
        ["--hop", "1.5"],
        ["--min-confidence", "0.25"],
        ["--max-duration", "100"],
        ["--model", "other.onnx"],
        ["--no-resume"],
    ],
)
def test_what_changes_rows_has_them_made_again(runs: Runs, arguments: list[str]) -> None:
    write_model(runs.folder / "other.onnx", tiny_spec(), seed=1)
    runs("calls", "-o", "r.csv")
    runs("calls", "-o", "r.csv", *arguments)
    assert len(runs.tagged) == 3
    runs("calls", "-o", "r.csv", *arguments)
    assert len(runs.tagged) == (3 if "--no-resume" in arguments else 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--jobs", "2"],
        ["--timeout", "7"],
        ["--strict"],
        ["--bom"],
        ["--format", "json"],
        ["--segments", "s.jsonl"],
        ["--summary", "run.json"],
        ["--log-file", "log", "-v"],
        ["--include", "*.wav"],
        ["--hop", "2"],  # what the model says anyway
        ["--min-confidence", "0"],
        ["--max-duration", "86400"],
    ],
)
def test_what_changes_no_row_has_none_made_again(runs: Runs, arguments: list[str]) -> None:
    runs("calls", "-o", "r.csv")
    runs("calls", "-o", "r.csv", *arguments)
    assert runs.tagged == []


def test_new_version_of_the_line_makes_all_rows_again(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs("calls", "-o", "r.csv")
    monkeypatch.setattr(resume, "PIPELINE_VERSION", resume.PIPELINE_VERSION + 1)
    runs("calls", "-o", "r.csv")
    assert len(runs.tagged) == 3


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_every_format_is_the_same_after_a_resume(runs: Runs, suffix: str) -> None:
    """The windows are in the journal too, whether or not the run before wrote them."""
    runs("calls", "-o", f"fresh.{suffix}", "--segments", f"fresh-s.{suffix}")
    runs("calls/b.wav", "-o", f"r.{suffix}")
    runs("calls", "-o", f"r.{suffix}", "--segments", f"s.{suffix}")
    assert runs.tagged == ["a.wav", "c.wav"]
    assert runs.table(f"r.{suffix}") == runs.table(f"fresh.{suffix}")
    assert runs.table(f"s.{suffix}") == runs.table(f"fresh-s.{suffix}")


def test_no_resume_renews_the_journal(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs("calls/a.wav", "-o", "r.csv", "--no-resume")
    assert runs.lines() == 1
    runs("calls", "-o", "r.csv")
    assert runs.tagged == ["b.wav", "c.wav"]


def test_journal_stays_small_when_files_leave(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs("calls/a.wav", "-o", "r.csv")
    assert runs.lines() == 1


def test_other_rows_of_a_run_that_did_not_end_are_kept(runs: Runs) -> None:
    """Half of the journal may be of no use while a run lasts: only one that was done to its end can tell."""
    runs("calls", "-o", "r.csv")
    runs.before = stop_at("b.wav")
    runs.stopped("calls", "-o", "r.csv", "--hop", "1")
    runs("calls", "-o", "r.csv")
    assert runs.tagged == []


def test_dry_run_lists_what_is_new_and_counts_what_is_known(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs.write("b2.wav")
    before = {name: (runs.folder / name).read_bytes() for name in ("r.csv", "r.csv.journal")}
    said = runs("calls", "-o", "r.csv", "--dry-run").output.splitlines()
    assert said == ["calls/b2.wav", "1 file would be tagged, 3 reused"]
    said = runs("calls", "-o", "r.csv", "--dry-run", "-v").output.splitlines()
    assert "debug: calls/a.wav: has not changed, would be reused" in said
    assert "4 files would be tagged, 0 reused" in runs("calls", "-o", "r.csv", "--dry-run", "--no-resume").output
    assert {name: (runs.folder / name).read_bytes() for name in before} == before
    assert sorted(os.listdir(runs.folder)) == ["calls", "r.csv", "r.csv.journal"]


def test_dry_run_with_nothing_to_do_is_0(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    assert runs("calls", "-o", "r.csv", "--dry-run").output == "0 files would be tagged, 3 reused\n"


def test_dry_run_needs_no_lock(runs: Runs) -> None:
    with lock.hold("r.csv.lock", of="r.csv"):
        runs("calls", "-o", "r.csv", "--dry-run")
