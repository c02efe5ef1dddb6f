"""Rows of any columns in every format: rounded, guarded, and read again as they were."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sertag.tables.columns import result_columns
from sertag.tables.readers import open_results
from sertag.tables.row_writer import write_rows
from tests.analysis.tables import loaded, night
from tests.results import LABELS

COLUMNS = {"path": "text", "attention": "probability", "n": "count", "when": "", "note": "text"}
ROWS: list[dict[str, Any]] = [
    {"path": "=1+1.wav", "attention": 0.123456, "n": 3, "when": date(2026, 3, 2), "note": 'a "b", c'},
    {"path": "b.wav", "attention": None, "n": 0, "when": 0.1 + 0.2, "note": None},
]


def written(path: Path, fmt: Any) -> str:
    write_rows(str(path), ROWS, columns=COLUMNS, fmt=fmt)
    return path.read_text(encoding="utf-8")


def test_csv_and_tsv(tmp_path: Path) -> None:
    assert written(tmp_path / "x", "csv") == (
        'path,attention,n,when,note\n\'=1+1.wav,0.1235,3,2026-03-02,"a ""b"", c"\nb.wav,,0,0.3,\n'
    )
    assert written(tmp_path / "x", "tsv").splitlines()[2] == "b.wav\t\t0\t0.3\t"


def test_json_and_json_lines(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in written(tmp_path / "x", "jsonl").splitlines()]
    assert lines == json.loads(written(tmp_path / "x", "json"))
    assert lines[0] == {"path": "=1+1.wav", "attention": 0.1235, "n": 3, "when": "2026-03-02", "note": 'a "b", c'}
    write_rows(str(tmp_path / "x"), [], columns=COLUMNS, fmt="json")
    assert json.loads((tmp_path / "x").read_text()) == []


def test_a_table_for_eyes(tmp_path: Path) -> None:
    lines = written(tmp_path / "x", "table").splitlines()
    assert lines[1].split() == ["path", "attention", "n", "when", "note"]
    assert lines[3].split() == ["=1+1.wav", "0.1235", "3", "2026-03-02", "a", '"b",', "c"]


@pytest.mark.parametrize("fmt", ["csv", "tsv", "json", "jsonl"])
def test_rows_of_results_are_read_again(tmp_path: Path, fmt: Any) -> None:
    table = loaded(tmp_path, night())
    for row in table.rows:
        row["queue"] = "sales"
    path = str(tmp_path / f"again.{fmt}")
    write_rows(path, table.rows, columns=table.columns | {"queue": "text"}, fmt=fmt)
    with open_results(path) as again:
        assert list(again.rows) == table.rows
        assert again.labels == LABELS
    assert [column.name for column in result_columns(LABELS)] == list(table.columns)
