"""Where the journal of a run is, what is said of it, and that no output of a run is an input."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from sertag.records import FileResult, Status
from tests.results import unreadable
from tests.run.runs import Runs, made_up


@pytest.mark.parametrize("out", ["-", "/dev/null"])
def test_no_journal_beside_what_is_no_file(runs: Runs, out: str) -> None:
    runs("calls", "-o", out, "-f", "csv")
    assert sorted(os.listdir(runs.folder)) == ["calls"]
    assert not os.path.exists("/dev/null.journal")


def test_journal_is_where_the_table_is_by_whatever_link(runs: Runs) -> None:
    (runs.folder / "real").mkdir()
    (runs.folder / "link.csv").symlink_to("real/r.csv")
    runs("calls", "-o", "link.csv")
    assert sorted(os.listdir(runs.folder / "real")) == ["r.csv", "r.csv.journal"]
    runs("calls", "-o", "real/r.csv")
    assert runs.tagged == []


def test_foreign_journal_is_set_aside_and_said(runs: Runs) -> None:
    (runs.folder / "r.csv.journal").write_text("somebody's notes")
    result = runs("calls", "-o", "r.csv")
    assert "r.csv.journal is not a journal of this version" in result.output
    assert (runs.folder / "r.csv.journal.foreign-1").read_text() == "somebody's notes"
    assert runs.lines() == 3


def test_damaged_line_is_said_and_costs_one_file(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    table, journal = runs.table(), runs.folder / "r.csv.journal"
    journal.write_bytes(journal.read_bytes().replace(b"b.wav", b"B.wav", 1))
    result = runs("calls", "-o", "r.csv")
    assert "r.csv.journal: 1 line cannot be read" in result.output
    assert runs.tagged == ["b.wav"]
    assert runs.table() == table


def test_outputs_may_not_be_the_journal(runs: Runs) -> None:
    result = runs("calls", "-o", "r.csv", "--log-file", "r.csv.journal", code=2)
    assert "the journal of --out and --log-file are the same file" in result.output
    assert "would overwrite" in runs("r.csv.journal", "-o", "r.csv", code=2).output


def test_what_is_odd_about_a_known_row_is_said_once(runs: Runs) -> None:
    odd = unreadable("x").channels[0].problem
    runs.result = lambda file, options: changed(made_up(file, options), problem=odd)
    assert "warning: calls/a.wav" in runs("calls", "-o", "r.csv").output
    assert "warning" not in runs("calls", "-o", "r.csv").output


def test_strict_counts_known_rows_too(runs: Runs) -> None:
    runs.result = lambda file, options: changed(made_up(file, options), status=Status.UNCERTAIN)
    runs("calls/a.wav", "-o", "r.csv")
    runs.result = made_up
    runs("calls", "-o", "r.csv", "--strict", code=1)
    assert runs.tagged == ["b.wav", "c.wav"]


def changed(result: FileResult, **changes: Any) -> FileResult:
    return replace(result, channels=tuple(replace(channel, **changes) for channel in result.channels))


@pytest.mark.parametrize("out", ["calls/r.csv", "linked/r.csv", "calls/latest.csv"])
def test_own_outputs_are_never_inputs(runs: Runs, out: str) -> None:
    """Whatever --include says, whichever link names them, and whatever a killed or older run has left."""
    os.symlink("calls", "linked")
    os.symlink("r.csv", "calls/latest.csv")
    for name in ("r.csv.journal.foreign-1", "r.csv.journal.foreign-12", ".sertag-0123456789abcdef.tmp"):
        (runs.folder / "calls" / name).write_text("old")
    (runs.folder / "calls" / "r.csv").write_text("an old table")
    (runs.folder / "list").write_text("calls/r.csv\ncalls/latest.csv\n")
    options = ["--segments", "calls/s.csv", "--summary", "calls/x.json", "--log-file", "calls/log", "--include", "*"]
    for night in range(3):
        (runs.folder / "calls/.sertag-fedcba9876543210.tmp").touch()
        runs("calls", "--files-from", "list", "-o", out, *options)
        assert runs.tagged == ([] if night else ["a.wav", "b.wav", "c.wav"])
        assert runs("linked", "-o", out, *options, "--dry-run").output.startswith("linked/a.wav\n")
    assert sorted(os.listdir("calls")) == sorted(
        "a.wav b.wav c.wav r.csv latest.csv s.csv x.json log r.csv.journal r.csv.journal.foreign-1 "
        "r.csv.journal.foreign-12".split()
    )
