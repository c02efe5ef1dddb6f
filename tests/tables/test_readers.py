"""Tables are read as they were written, in every format; others are refused and cut ones used as far as they go."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from sertag.records import FileResult
from sertag.storage.atomic_output import Output
from sertag.tables.columns import Row, result_columns, result_rows, segment_columns, segment_rows
from sertag.tables.formats import Format
from sertag.tables.readers import ReadTable, open_results
from sertag.tables.reading.sources import TableError
from sertag.tables.writers import open_table, results_view, segments_view
from tests.results import LABELS, ORIGIN, no_speech, ok, unreadable

FORMATS = [fmt for fmt in get_args(Format) if fmt != "table"]
RESULTS = (unreadable("=b.wav"), ok("caf\udce9,\n.wav", channels=2), no_speech(), ok("'+c.wav"))


def written(path: Path, *, segments: bool = False, results: tuple[FileResult, ...] = RESULTS, bom: bool = False) -> str:
    view = (segments_view if segments else results_view)(ORIGIN)
    with (
        Output(str(path)) as output,
        open_table(output, fmt=path.suffix.removeprefix("."), view=view, bom=bom) as table,  # type: ignore[arg-type]
    ):
        for result in results:
            table.add(result)
    return str(path)


def read(path: str) -> tuple[ReadTable, list[dict[str, Any]]]:
    with open_results(path) as table:
        return table, list(table.rows)


def named(names: list[str], row: Row) -> dict[str, Any]:
    return {name: None if cell == "" else cell for name, cell in zip(names, row, strict=True)}


@pytest.mark.parametrize("fmt", FORMATS)
def test_results_are_read_as_they_were_written(fmt: str, tmp_path: Path) -> None:
    names = [column.name for column in result_columns(LABELS)]
    expected = [named(names, row) for one in RESULTS for row in result_rows(one, origin=ORIGIN)]
    table, rows = read(written(tmp_path / f"r.{fmt}"))
    assert (table.kind, table.labels, table.warnings) == ("results", LABELS, [])
    assert [{name: row[name] for name in names} for row in rows] == expected


@pytest.mark.parametrize("fmt", FORMATS)
def test_windows_are_read_as_they_were_written(fmt: str, tmp_path: Path) -> None:
    names = [column.name for column in segment_columns(LABELS)]
    expected = [named(names, row) for one in RESULTS for row in segment_rows(one, origin=ORIGIN)]
    table, rows = read(written(tmp_path / f"s.{fmt}", segments=True))
    assert (table.kind, table.labels) == ("segments", LABELS)
    assert rows == expected


@pytest.mark.parametrize("fmt", ["json", "jsonl"])
def test_json_has_the_windows_inside(fmt: str, tmp_path: Path) -> None:
    _, rows = read(written(tmp_path / f"r.{fmt}"))
    _, windows = read(written(tmp_path / f"s.{fmt}", segments=True))
    assert [window for row in rows for window in row["windows"]] == windows != []


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_table_without_rows_has_none(fmt: str, tmp_path: Path) -> None:
    table, rows = read(written(tmp_path / f"r.{fmt}", results=()))
    assert rows == []
    assert table.kind == (None if fmt in ("json", "jsonl") else "results")
    assert ("is empty, a table of no recordings" in "".join(table.warnings)) is (fmt == "jsonl")


def as_a_european_spreadsheet(path: Path, encoding: str) -> None:
    """Semicolons, decimal commas, lines of empty cells at the end, as Excel saves a table."""
    lines = list(csv.reader(io.StringIO(path.read_bytes().decode())))
    number = re.compile(r"-?[0-9]+[.][0-9]+")
    cells = [[cell.replace(".", ",") if number.fullmatch(cell) else cell for cell in line] for line in lines]
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([*cells, [""] * len(cells[0])])
    path.write_bytes(text.getvalue().encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_spreadsheet_with_decimal_commas_says_the_same(encoding: str, tmp_path: Path) -> None:
    results = (ok("1,5.wav", channels=2), unreadable("=b.wav"))
    expected = read(written(tmp_path / "r.csv", results=results))[1]
    as_a_european_spreadsheet(tmp_path / "r.csv", encoding)
    assert b"," in (tmp_path / "r.csv").read_bytes()
    assert read(str(tmp_path / "r.csv"))[1] == expected


def test_numbers_as_data_frames_write_them(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("path,channel,status,segments,confidence,schema\na,1.0,ok,3.0,nan,2.0\n")
    (row,) = read(str(tmp_path / "r.csv"))[1]
    assert [row[name] for name in ("channel", "segments", "confidence", "schema")] == [1, 3, None, 2]


def test_a_byte_order_mark_standard_input_and_added_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path(written(tmp_path / "r.csv", bom=True, results=(ok(),))).read_bytes()
    head, row, _ = text.split(b"\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(head + b",queue\n" + row + b",sales\n")))
    (found,) = read("-")[1]
    assert (found["path"], found["queue"]) == (ok().path, "sales")


@pytest.mark.parametrize("fmt", ["csv", "tsv", "json", "jsonl"])
def test_a_cut_table_gives_what_is_whole_and_says_so(fmt: str, tmp_path: Path) -> None:
    path = Path(written(tmp_path / f"r.{fmt}", results=(ok("a.wav"), ok("b.wav"))))
    path.write_bytes(path.read_bytes()[:-60])
    table, rows = read(str(path))
    assert [row["path"] for row in rows] == ["a.wav"]
    assert "left out" in table.warnings[0]
    assert "r." in table.warnings[0]


def test_a_table_that_ends_inside_its_header_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("path,channel,role,status,error_co")
    table, rows = read(str(tmp_path / "r.csv"))
    assert rows == []
    assert "ends inside its header" in table.warnings[0]


def test_lines_of_another_table_are_one_warning(tmp_path: Path) -> None:
    path = Path(written(tmp_path / "r.csv", results=(ok("a.wav"),)))
    lines = len(path.read_text().splitlines())
    path.write_text(path.read_text() + "x,y\n" * 3)
    table, rows = read(str(path))
    assert [row["path"] for row in rows] == ["a.wav"]
    (warning,) = table.warnings
    assert f"line {lines + 1} has 2 cells instead of " in warning
    assert warning.endswith(" and is left out, and 2 more lines like it")


def test_older_tables_lack_columns_and_newer_ones_are_refused(tmp_path: Path) -> None:
    path = Path(written(tmp_path / "r.jsonl", results=(ok(),)))
    document = json.loads(path.read_text())
    del document["channels"][0]["attention"]
    path.write_text(json.dumps(document | {"schema": 1}))
    assert read(str(path))[1][0]["attention"] is None
    path.write_text(json.dumps(document | {"schema": 99}))
    with pytest.raises(TableError, match=r"r\.jsonl: has schema 99; this version of sertag reads up to"):
        read(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "its columns are a, b, expected path, channel, status"),
        (b"[1, 2]\n", "is not a JSON object"),
        (b'{"path": "a", "channels": [3]}\n', "not of sertag"),
        (b'{"path": \n{}\n', "line 1 is not a JSON object"),
        (b"\xff\xfep\x00", "its columns are p, expected"),
        (b"\xff\xfep", "is not UTF-8"),
        (b"path;a,channel;b,status\n1;2,3;4,5\n", "as many cells by commas and as by semicolons"),
        (b"path,channel,status,confidence\na,0,ok,inf\n", "'inf' in column confidence, expected a number"),
        (b"path,channel,status,segments\na,0,ok,2.5\n", "'2.5' in column segments, expected a number"),
        (b'path,channel,status,confidence\na,0,ok,"0,5"\n', "'0,5' in column confidence, expected a number"),
        (b"path,channel,status,confidence\n,0,ok,\n", "has a row without a path"),
        (b"path,channel,status\na;0;ok\nb;0;ok\n", "no line has as many cells as its header; line 2 has 1 cells"),
        (b"path,channel,status,confidence\na,0,ok,much\n", "'much' in column confidence, expected a number"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        read(str(tmp_path / "x.csv"))
    assert str(caught.value).startswith(str(tmp_path / "x.csv"))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv: cannot be opened"):
        read(str(tmp_path / "none.csv"))
