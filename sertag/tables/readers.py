"""Reads tables that sertag has written: CSV, TSV, JSON, JSON Lines and Parquet, all as the same kind of row.

A row is a dict of the columns in `columns`, with numbers as numbers and empty cells as None. Columns added by users
are kept as text. Columns that tables of older versions lack are None. Of a truncated table the complete rows are read.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from glob import escape as glob_escape
from glob import glob
from itertools import chain, islice, takewhile
from pathlib import PurePath
from typing import Any, BinaryIO, Literal, TextIO

from sertag.errors import DecodeError, SertagError
from sertag.records import FAILURES, SCHEMA
from sertag.remote.reading import open_url
from sertag.remote.urls import is_url, shown, without_query
from sertag.spec.dimension import dimension_columns
from sertag.tables.columns import DECIMALS, Column, result_columns, segment_columns
from sertag.text import display_name, plural

Kind = Literal["results", "segments"]
ReadRow = dict[str, Any]

STDIN = "-"

_MARKED = re.compile(r"^'+[=+@\t-]")  # what `writers.plain_text` makes of formulas
_NESTED = {"quarters": "neg_q", "arousal_quarters": "arousal_q", "valence_quarters": "valence_q"}
_UNFLAT = frozenset({"probs", "fracs", "dimensions", "dimension_quarters", *_NESTED})
_DIMENSION = "d_"
_NEEDED = {"results": ("path", "channel", "status"), "segments": ("path", "channel", "segment", "start_s", "end_s")}
_LONGEST_CELL = 1 << 24
_HEAD_ROWS = 10_000
_HEADER_ONLY = ""  # a column that marks the placeholder row of a table without rows


class TableError(SertagError):
    """A file cannot be read as a table of results."""


@dataclass(slots=True)
class ReadTable:
    """A table whose rows are being read.

    Attributes:
        name: name of the file, for messages.
        kind: `results`, one row per channel, or `segments`, one row per window.
        labels: emotions, in the order of the columns.
        dimensions: names of dimensions, likewise.
        rows: an iterator that reads lazily. Rows of results from JSON and JSON Lines have their windows under
            `windows`, as rows of `segments`; in other formats `windows` is missing.
        warnings: problems of the table; complete when all rows have been read.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    dimensions: tuple[str, ...]
    rows: Iterator[ReadRow]
    warnings: list[str] = field(default_factory=list)


@contextmanager
def open_results(path: str) -> Iterator[ReadTable]:
    """Open a table that `sertag tag` has written.

    Args:
        path: path of the table, of a folder of --partition-by, or `-` for standard input; the format is known from the
            suffix or the content.

    Yields:
        The table.

    Raises:
        TableError: the file cannot be opened, is not a table of sertag, or is of a newer version. Reading its rows may
            raise it as well.
    """
    name, suffix = _name(path), PurePath(without_query(path)).suffix.lower()
    if os.path.isdir(path):
        yield _table(name, _rows_of_folder(path, name))
        return
    source = _source(path, name)
    if suffix == ".parquet":
        with source:
            yield _table(name, _parquet_rows(source, name))
        return
    with _text(source) as stream:
        yield _open(name, suffix, stream)


@contextmanager
def open_documents(path: str) -> Iterator[tuple[Iterator[dict[str, Any]], list[str]]]:
    """Open a table in JSON or JSON Lines.

    Args:
        path: path of the table, or `-` for standard input.

    Yields:
        Its objects as they are, one a recording or one a window, and problems of the table, complete at its end.

    Raises:
        TableError: the file cannot be opened. Reading its objects raises it if they are not those of a table.
    """
    name, warnings = _name(path), list[str]()
    with _text(_source(path, name)) as stream:
        documents = _documents(name, _lines(name, stream), warnings)
        yield (_checked(name, document) for document in documents), warnings


def _checked(name: str, document: dict[str, Any]) -> dict[str, Any]:
    if "path" in document and ("channels" in document or "segment" in document):
        return document
    raise TableError(f"{name}: contains an object that is not of sertag", code="no_table")


def _name(path: str) -> str:
    return "standard input" if path == STDIN else display_name(shown(path))


def _text(source: BinaryIO) -> TextIO:
    return io.TextIOWrapper(source, encoding="utf-8-sig", errors="strict", newline="")


def _source(path: str, name: str) -> BinaryIO:
    """The bytes of a table."""
    try:
        return sys.stdin.buffer if path == STDIN else open_url(path) if is_url(path) else open(path, "rb")
    except DecodeError as error:  # its message begins with the name
        raise TableError(f"{error}; expected a table that sertag has written", code=error.code) from error
    except OSError as error:
        message = f"{name}: cannot be opened: {error.strerror or error}; expected a table that sertag has written"
        raise TableError(message, code="not_found") from error


def _open(name: str, suffix: str, stream: TextIO) -> ReadTable:
    warnings: list[str] = []
    lines = _lines(name, stream)
    first = next((line for line in lines if line.strip()), "")
    if not first:
        raise TableError(f"{name}: is empty; expected a table that sertag has written", code="no_table")
    lines = chain([first], lines)
    if suffix in (".json", ".jsonl") or first.lstrip()[0] in "[{":
        return _table(name, _json_rows(name, lines, warnings), warnings)
    delimiter = "\t" if "\t" in first else ","
    return _table(name, _delimited_rows(name, lines, delimiter, warnings), warnings)


def _lines(name: str, stream: TextIO) -> Iterator[str]:
    try:
        yield from stream
    except UnicodeDecodeError as error:
        message = f"{name}: is not UTF-8 text; expected a table that sertag has written (.csv .tsv .json .jsonl)"
        raise TableError(message, code="no_table") from error
    except OSError as error:
        raise TableError(f"{name}: cannot be read: {error.strerror or error}", code="unreadable") from error


def _table(name: str, rows: Iterator[ReadRow], warnings: list[str] | None = None) -> ReadTable:
    """Find out the kind and the labels of a table from its first rows."""
    first: list[ReadRow] = []
    for row in islice(rows, _HEAD_ROWS):  # in JSON, rows without an emotion do not contain the labels
        first.append(row)
        if any(column.startswith("p_") for column in row):
            break
    columns = tuple(first[-1]) if first else ()
    kind: Kind = "segments" if "segment" in columns else "results"
    missing = [column for column in _NEEDED[kind] if column not in columns]
    if first and missing:
        given = f"its columns are {', '.join(columns[:8]) or 'none'}"
        message = f"{name}: is not a table of sertag; {given}, expected {', '.join(_NEEDED['results'])} and more"
        raise TableError(message, code="no_table")
    labels = tuple(column.removeprefix("p_") for column in columns if column.startswith("p_"))
    dimensions = _dimensions(columns, kind)
    known, of_windows = (
        {column.name: column for column in listed(labels, dimensions)}
        for listed in (result_columns if kind == "results" else segment_columns, segment_columns)
    )
    typed = (_typed(name, row, known, of_windows) for row in chain(first, rows) if _HEADER_ONLY not in row)
    return ReadTable(name, kind, labels, dimensions, typed, warnings if warnings is not None else [])


def _dimensions(columns: tuple[str, ...], kind: Kind) -> tuple[str, ...]:
    """Names of dimensions; other columns that begin like theirs are what a user has added.

    A dimension has five columns in results. In windows, all stand together behind the last other column of sertag.
    """
    if kind == "results":
        names = [column.removeprefix(_DIMENSION) for column in columns if column.startswith(_DIMENSION)]
        return tuple(name for name in names if set(dimension_columns(name)) <= set(columns))
    behind = columns[columns.index("valence") + 1 :] if "valence" in columns else ()
    return tuple(column.removeprefix(_DIMENSION) for column in takewhile(_is_dimension, behind))


def _is_dimension(column: str) -> bool:
    return column.startswith(_DIMENSION)


def _typed(name: str, row: ReadRow, known: dict[str, Column], of_windows: dict[str, Column]) -> ReadRow:
    """A row with all columns of this version, each converted to its kind."""
    typed: ReadRow = {column: _value(name, row.get(column), known[column]) for column in known}
    typed |= {column: value for column, value in row.items() if column not in known}
    if isinstance(schema := typed.get("schema"), int) and schema > SCHEMA:
        message = f"{name}: has schema {schema}; this version of sertag reads up to {SCHEMA}; update sertag"
        raise TableError(message, code="newer_schema")
    if "windows" in row:
        typed["windows"] = [_typed(name, window, of_windows, of_windows) for window in row["windows"]]
    return typed


def _value(name: str, value: Any, column: Column) -> Any:
    if value is None or value == "":
        return None
    if column.kind == "text":
        return str(value)
    if column.kind == "channel":
        return int(value) if str(value).isdigit() else str(value)
    try:
        return float(value) if column.kind in DECIMALS else int(value)
    except (TypeError, ValueError) as error:
        message = f"{name}: has {str(value)[:40]!r} in column {column.name}, expected a number; was it edited?"
        raise TableError(message, code="bad_cell") from error


def _delimited_rows(name: str, lines: Iterable[str], delimiter: str, warnings: list[str]) -> Iterator[ReadRow]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        header = next(reader)
        empty, odd = True, []
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                odd.append(f"line {reader.line_num} has {len(cells)} cells instead of {len(header)} and is left out")
                continue
            empty = False
            yield {column: unmarked(cell) for column, cell in zip(header, cells, strict=True)}
        if odd:
            more = f", and {plural(len(odd) - 1, 'more line')} like it" if len(odd) > 1 else ""
            warnings.append(f"{name}: {odd[0]}{more}")
        if empty:
            yield dict.fromkeys(header) | {_HEADER_ONLY: True}
    except csv.Error as error:
        raise TableError(f"{name}: line {reader.line_num} is not a row of a table: {error}", code="no_table") from error


def unmarked(cell: str) -> str:
    """A text cell of CSV or TSV without the leading `'` that prevents spreadsheets from reading it as a formula."""
    return cell[1:] if _MARKED.match(cell) else cell


def _json_rows(name: str, lines: Iterable[str], warnings: list[str]) -> Iterator[ReadRow]:
    for document in _documents(name, lines, warnings):
        yield from _object_rows(name, document)


def _documents(name: str, lines: Iterable[str], warnings: list[str]) -> Iterator[dict[str, Any]]:
    """One object per line, as sertag writes JSON and JSON Lines."""
    last = ""
    for number, line in enumerate(lines, 1):
        text = line.strip().rstrip(",")
        if text in ("", "[", "]", "[]"):
            continue
        if last:
            raise TableError(f"{name}: line {number - 1} is not a JSON object of sertag: {last}", code="no_table")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            last = str(error)
            continue
        if not isinstance(document, dict):
            raise TableError(f"{name}: line {number} is not a JSON object", code="no_table")
        yield document
    if last:
        warnings.append(f"{name}: its last line was cut and is left out ({last})")


def _object_rows(name: str, document: dict[str, Any]) -> Iterator[ReadRow]:
    if "channels" not in document:  # a table of windows
        yield document
        return
    common = {key: document.get(key) for key in ("path", "model", "model_sha256", "schema")}
    try:
        for channel in document["channels"]:
            row = {**common, **channel}
            windows, shared = row["segments"], {key: row.get(key) for key in ("path", "channel", "role")}
            row["windows"] = [_flat({**shared, **window}) for window in windows]
            row["segments"] = None if row.get("status") in FAILURES else len(windows)
            yield _flat(row)
    except (TypeError, AttributeError, KeyError) as error:
        raise TableError(f"{name}: contains an object that is not of sertag: {error}", code="no_table") from error


def _flat(row: ReadRow) -> ReadRow:
    """A row with nested values expanded to the columns of tables."""
    dimensions, quarters = row.get("dimensions") or {}, row.get("dimension_quarters") or {}
    flat = {key: value for key, value in row.items() if key not in _UNFLAT}
    for key, prefix in (("probs", "p_"), ("fracs", "frac_")):
        flat |= {prefix + label: value for label, value in (row.get(key) or {}).items()}
    for key, prefix in _NESTED.items():
        flat |= {f"{prefix}{number}": value for number, value in enumerate(row.get(key) or (), 1)}
    for key, value in dimensions.items():
        flat[f"{_DIMENSION}{key}"] = value
        flat |= {f"{_DIMENSION}{key}_q{number}": mean for number, mean in enumerate(quarters.get(key) or (), 1)}
    return flat


def _rows_of_folder(path: str, name: str) -> Iterator[ReadRow]:
    parts = sorted(glob(os.path.join(glob_escape(path), "*", "*.parquet")))
    if not parts:
        raise TableError(f"{name}: is a folder without day=…/part-0.parquet of --partition-by", code="no_table")
    for part in parts:
        with _source(part, display_name(part)) as source:
            yield from _parquet_rows(source, display_name(part))


def _parquet_rows(source: BinaryIO, name: str) -> Iterator[ReadRow]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        message = f"{name}: Parquet needs pyarrow, which is not installed; run: pip install 'sertag[parquet]'"
        raise TableError(message, code="needs_parquet") from error
    try:
        with pyarrow.parquet.ParquetFile(source) as file:
            if not file.metadata.num_rows:
                yield dict.fromkeys(file.schema_arrow.names) | {_HEADER_ONLY: True}
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise TableError(f"{name}: cannot be read as Parquet: {error}", code="unreadable") from error
