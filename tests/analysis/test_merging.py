"""Of several tables with the same recording one counts, by the same rule for all commands and the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sertag.analysis.loading import load
from sertag.report.calls import load as load_calls
from tests.analysis.tables import call, write
from tests.results import unreadable

FIRST = [call("x.wav"), unreadable("y.wav")]
SECOND = [call("y.wav", {"attention": 0.7, "segments": ()})]


def seen_by_commands(paths: list[str]) -> tuple[list[tuple[str, object, bool]], list[str]]:
    found = load(paths)
    heard = {(window["path"], window["channel"]) for window in found.windows}
    rows = [(row["path"], row["channel"], (row["path"], row["channel"]) in heard) for row in found.rows]
    return rows, found.remarks


def seen_by_the_report(paths: list[str]) -> tuple[list[tuple[str, object, bool]], list[str]]:
    found = load_calls(paths)
    rows = [(one.path, own.channel, bool(own.windows)) for one in found.calls for own in one.channels]
    return rows, found.notes


BOTH = pytest.mark.parametrize("seen", [seen_by_commands, seen_by_the_report])
Seen = Callable[[list[str]], tuple[list[tuple[str, object, bool]], list[str]]]


@BOTH
def test_a_later_table_replaces_a_recording_whole(seen: Seen, tmp_path: Path) -> None:
    rows, remarks = seen([write(tmp_path / "1.csv", FIRST), write(tmp_path / "2.csv", SECOND)])
    assert [row[:2] for row in rows] == [("x.wav", 0), ("x.wav", 1), ("y.wav", 0), ("y.wav", 1)]
    assert remarks == ["1 recording in more than one table; the rows of the table that was named last count"]


@BOTH
def test_windows_of_rows_that_are_replaced_go_too(seen: Seen, tmp_path: Path) -> None:
    inside = write(tmp_path / "1.jsonl", [call("y.wav")])
    windows = write(tmp_path / "s.csv", [call("y.wav")], segments=True)
    plain = write(tmp_path / "2.csv", [call("y.wav")])
    silent = write(tmp_path / "3.jsonl", SECOND)
    assert [row[2] for row in seen([inside])[0]] == [True, True]
    assert [row[2] for row in seen([inside, plain])[0]] == [False, False]
    assert [row[2] for row in seen([windows, plain])[0]] == [True, True]
    assert [row[2] for row in seen([inside, silent])[0]] == [True, False]  # only the agent's channel has windows


@BOTH
def test_windows_without_a_row_are_left_out_and_said(seen: Seen, tmp_path: Path) -> None:
    tables = [write(tmp_path / "r.csv", [call("x.wav")]), write(tmp_path / "s.csv", [call("z.wav")], segments=True)]
    rows, remarks = seen(tables)
    assert len(rows) == 2
    assert remarks == ["windows of 2 channels belong to no row and are left out; are the tables of the same run?"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet"])
@BOTH
def test_a_run_of_no_files_is_a_table(seen: Seen, suffix: str, tmp_path: Path) -> None:
    results = write(tmp_path / f"r.{suffix}", [])
    windows = write(tmp_path / f"s.{suffix}", [], segments=True)
    assert seen([results, windows])[0] == []
    assert load_calls([results], segments=[windows]).calls == []
