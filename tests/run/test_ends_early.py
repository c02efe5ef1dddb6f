"""Runs that are stopped, locked out or short of disk keep what is finished and leave the table."""

from __future__ import annotations

import errno
import os

import pytest

from sertag.errors import OutputError
from sertag.storage import lock
from sertag.storage.journal import Journal
from tests.limits import largest_file
from tests.run.runs import LONG_AGO_NS, Runs, paths, stop_at


def test_stopped_run_keeps_what_is_finished_and_leaves_the_table(runs: Runs) -> None:
    (runs.folder / "r.csv").write_text("old")
    runs.before = stop_at("c.wav")
    runs.stopped("calls", "-o", "r.csv")
    assert runs.table() == b"old"
    assert runs.lines() == 2
    assert sorted(os.listdir(runs.folder)) == ["calls", "r.csv", "r.csv.journal"]
    runs.before = lambda file: None
    runs("calls", "-o", "r.csv")
    assert runs.tagged == ["c.wav"]
    runs("calls", "-o", "fresh.csv")
    assert runs.table() == runs.table("fresh.csv")


def test_held_table_is_75_and_says_who_holds_it(runs: Runs) -> None:
    (runs.folder / "r.csv").write_text("old")
    with lock.hold("r.csv.lock", of="r.csv"):
        result = runs("calls", "-o", "r.csv", code=75)
    assert f"error: r.csv is being written by process {os.getpid()} on " in result.output
    assert runs.tagged == []
    assert runs.table() == b"old"
    runs("calls", "-o", "r.csv")
    assert not os.path.exists("r.csv.lock")


def test_runs_over_the_same_recordings_with_other_tables_do_not_meet(runs: Runs) -> None:
    with lock.hold("r.csv.lock", of="r.csv"):
        runs("calls", "-o", "other.csv")
    assert len(runs.tagged) == 3
    runs("calls", "-o", "r.csv")
    assert len(runs.tagged) == 3
    assert runs.table() == runs.table("other.csv")


def test_full_disk_is_5_loses_nothing_and_the_same_command_goes_on(runs: Runs) -> None:
    for name in ("d.wav", "e.wav"):
        runs.write(name)
    runs("calls", "-o", "fresh.csv", "--segments", "fresh-s.csv")
    (runs.folder / "r.csv").write_text("old")
    arguments = ("calls", "-o", "r.csv", "--segments", "s.csv", "--summary", "run.json")
    for size in range(0, 3000, 150):
        done = runs.lines()
        with largest_file(size):
            result = runs(*arguments, code=5)
        assert "error: cannot write" in result.output
        assert "Traceback" not in result.output
        assert len(runs.tagged) <= 5 - done  # what was kept is not done again
        assert runs.lines() >= done
        assert sorted(os.listdir(runs.folder))[:3] == ["calls", "fresh-s.csv", "fresh.csv"]
        assert set(os.listdir(runs.folder)) - {"calls", "fresh-s.csv", "fresh.csv", "fresh.csv.journal"} <= {
            "r.csv",
            "r.csv.journal",
        }
        assert runs.table() == b"old"
    assert runs.lines() > 0
    runs(*arguments)
    assert runs.table() == runs.table("fresh.csv")
    assert runs.table("s.csv") == runs.table("fresh-s.csv")


def test_journal_that_cannot_be_tidied_costs_a_warning(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(journal: Journal) -> None:
        raise OutputError("cannot write r.csv.journal: No space left on device")

    monkeypatch.setattr(Journal, "compact", fail)
    assert "warning: cannot write r.csv.journal" in runs("calls", "-o", "r.csv").output


def test_journal_is_tidied_when_the_table_is_in_its_place(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take minutes, and whatever happens then costs no row."""
    runs("calls", "-o", "r.csv")
    seen = []

    def read(journal: Journal, offset: int) -> bytes:
        seen.append(runs.table())
        raise OSError(errno.EIO, "Input/output error")

    for name in ("a.wav", "b.wav"):
        (runs.folder / "calls" / name).unlink()
    runs.write("c.wav", "changed", mtime_ns=LONG_AGO_NS + 5)
    monkeypatch.setattr(Journal, "_line", read)
    output = runs("calls", "-o", "r.csv").output
    assert "r.csv.journal: Input/output error" in output
    assert seen == [runs.table()]
    assert paths(runs.table()) == ["c.wav"]
    monkeypatch.undo()


def test_notes_that_cannot_be_written_cost_a_warning(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs("calls", "-o", "r.csv")
    (runs.folder / "calls/a.wav").unlink()

    def fail(journal: Journal, line: bytes) -> None:
        raise OutputError("cannot write the journal r.csv.journal: No space left on device")

    monkeypatch.setattr(Journal, "_append", fail)
    assert "warning: cannot write the journal" in runs("calls", "-o", "r.csv").output
    assert paths(runs.table()) == ["b.wav", "c.wav"]
