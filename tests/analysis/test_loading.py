"""Rows and windows come together from several tables, and what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from sertag.analysis.loading import load, need_rows, need_windows, windows_of
from sertag.tables.reading.sources import TableError
from tests.analysis.tables import call, night, write


def test_json_and_two_tables_are_the_same(tmp_path: Path) -> None:
    one = load([write(tmp_path / "r.jsonl", night())])
    two = load([write(tmp_path / "r.csv", night()), write(tmp_path / "s.csv", night(), segments=True)])
    names = set(one.columns)
    assert [{name: row[name] for name in names} for row in one.rows] == [
        {name: row[name] for name in names} for row in two.rows
    ]
    assert one.windows == two.windows
    assert len(one.windows) == 24
    assert [len(own) for own in windows_of(one).values()] == [2] * 12


def test_the_last_table_counts(tmp_path: Path) -> None:
    old = write(tmp_path / "a.jsonl", [call("x.wav"), call("y.wav", {"attention": 0.2})])
    new = write(tmp_path / "b.jsonl", [call("y.wav", {"attention": 0.7, "segments": ()})])
    found = load([old, new])
    assert [(row["path"], row["channel"]) for row in found.rows] == [
        ("x.wav", 0),
        ("x.wav", 1),
        ("y.wav", 0),
        ("y.wav", 1),
    ]
    assert found.rows[3]["attention"] == 0.7
    assert found.remarks == ["1 recording in more than one table; the rows of the table that was named last count"]


def test_columns_of_somebody_else_stay(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    write(path, night())
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([head + ",queue", *(f"{line},sales" for line in lines)]))
    found = load([str(path)])
    assert found.added == ("queue",)
    assert found.columns["queue"] == "text"
    assert {row["queue"] for row in found.rows} == {"sales"}


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    windows_alone = load([write(tmp_path / "s.csv", night(), segments=True)])
    with pytest.raises(TableError, match=r"s\.csv: holds windows only"):
        need_rows(windows_alone)
    with pytest.raises(TableError, match=r"r\.csv: has no windows; tag with --segments"):
        need_windows(load([write(tmp_path / "r.csv", night())]))
    need_windows(load([write(tmp_path / "empty.csv", [])]))
