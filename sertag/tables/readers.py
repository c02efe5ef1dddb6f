"""Reads tables that sertag has written: CSV, TSV, JSON, JSON Lines and Parquet, all as the same kind of row.

A row is a dict of the columns in `columns`, with numbers as numbers and empty cells as None. Columns added by users
are kept as text. Columns that tables of older versions lack are None. Of a truncated table the complete rows are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice, takewhile
from pathlib import PurePath
from typing import Any, Literal, TextIO

from sertag.records import FAILURES, SCHEMA
from sertag.remote.urls import without_query
from sertag.spec.dimension import dimension_columns
from sertag.tables.columns import DECIMALS, Column, result_columns, segment_columns
from sertag.tables.delimited import Line, decimal, rows_of, unmarked
from sertag.tables.reading.documents import documents_of
from sertag.tables.reading.folders import DAY, in_walk, is_folder, rows_of_folder
from sertag.tables.reading.parquet import HEADER_ONLY, parquet_rows
from sertag.tables.reading.sources import TableError, lines_of, name_of, open_source, text_of
from sertag.text import plural

Kind = Literal["results", "segments"]
ReadRow = dict[str, Any]

_NESTED = {"quarters": "neg_q", "arousal_quarters": "arousal_q", "valence_quarters": "valence_q"}
_UNFLAT = frozenset({"probs", "fracs", "dimensions", "dimension_quarters", *_NESTED})
_DIMENSION = "d_"
_NEEDED = {"results": ("path", "channel", "status"), "segments": ("path", "channel", "segment", "start_s", "end_s")}
_HEAD_ROWS = 10_000
_EXPECTED = "a table that sertag has written (.csv .tsv .json .jsonl .parquet)"


@dataclass(slots=True)
class ReadTable:
    """A table whose rows are being read.

    Attributes:
        name: name of the file, for messages.
        kind: `results`, one row per channel, or `segments`, one row per window; None where JSON holds nothing at all.
        labels: emotions, in the order of the columns.
        dimensions: names of dimensions, likewise.
        rows: an iterator that reads lazily. Rows of results from JSON and JSON Lines have their windows under
            `windows`, as rows of `segments`; in other formats `windows` is missing.
        warnings: problems of the table; complete when all rows have been read.
    """

    name: str
    kind: Kind | None
    labels: tuple[str, ...]
    dimensions: tuple[str, ...]
    rows: Iterator[ReadRow]
    warnings: list[str] = field(default_factory=list)


@contextmanager
def open_results(
    path: str, *, storage: str = "", order: Callable[[str], Any] = in_walk, days: bool = False
) -> Iterator[ReadTable]:
    """Open a table that `sertag tag` has written.

    Args:
        path: path of the table, of a folder of --partition-by, or `-` for standard input; the format is known from the
            suffix or the content. A URL of a folder has `/` at its end.
        storage: settings for URLs, from `remote.options`.
        order: sorts paths in the order of the rows of a folder.
        days: rows of a folder have their day under `DAY`.

    Yields:
        The table.

    Raises:
        TableError: the file cannot be opened, is not a table of sertag, or is of a newer version. Reading its rows may
            raise it as well.
    """
    name, suffix = name_of(path), PurePath(without_query(path)).suffix.lower()
    if is_folder(path):
        rows = rows_of_folder(path, key=order, storage=storage)
        yield _table(name, rows if days else ({key: row[key] for key in row if key != DAY} for row in rows))
        return
    with open_source(path, expected=_EXPECTED, storage=storage) as source:
        if suffix == ".parquet":
            yield _table(name, parquet_rows(source, name))
        else:
            with text_of(source) as stream:
                yield _open(name, suffix, stream)


def _open(name: str, suffix: str, stream: TextIO) -> ReadTable:
    warnings: list[str] = []
    lines = lines_of(name, stream, expected=_EXPECTED)
    first = next((line for line in lines if line.strip()), "")
    if not first:
        if suffix != ".jsonl":  # which has a line for each recording and nothing else
            message = f"{name}: is empty, not even a header; expected {_EXPECTED}; did the command that writes it fail?"
            raise TableError(message, code="no_table")
        warnings.append(f"{name}: is empty, a table of no recordings")
    if suffix in (".json", ".jsonl") or first.lstrip()[0] in "[{":
        return _table(name, _json_rows(name, chain([first], lines), warnings), warnings)
    if not first.endswith(("\n", "\r")):
        warnings.append(f"{name}: ends inside its header and has no rows; was it cut?")
    delimiter, cells = rows_of(name, chain([first], lines))
    return _table(name, _delimited_rows(name, cells, warnings), warnings, delimiter=delimiter)


def _table(name: str, rows: Iterator[ReadRow], warnings: list[str] | None = None, *, delimiter: str = ",") -> ReadTable:
    """Find out the kind and the labels of a table from its first rows."""
    first: list[ReadRow] = []
    for row in islice(rows, _HEAD_ROWS):  # in JSON, rows without an emotion do not contain the labels
        first.append(row)
        if any(column.startswith("p_") for column in row):
            break
    columns = tuple(name for name in first[-1] if name != HEADER_ONLY) if first else ()
    kind: Kind | None = None if not first else "segments" if "segment" in columns else "results"
    missing = [column for column in _NEEDED[kind] if column not in columns] if kind else []
    if missing:
        given = f"its columns are {', '.join(columns[:8]) or 'none'}"
        message = f"{name}: is not a table of sertag; {given}, expected {', '.join(_NEEDED['results'])} and more"
        raise TableError(message, code="no_table")
    labels = tuple(column.removeprefix("p_") for column in columns if column.startswith("p_"))
    dimensions = _dimensions(columns, kind)
    known, of_windows = (
        {column.name: column for column in listed(labels, dimensions)}
        for listed in (segment_columns if kind == "segments" else result_columns, segment_columns)
    )
    own: Iterator[ReadRow] = (row for row in chain(first, rows) if HEADER_ONLY not in row)
    if delimiter != ",":
        own = _with_points(own, known, delimiter)
    typed = (_typed(name, row, known, of_windows) for row in own)
    return ReadTable(name, kind, labels, dimensions, typed, warnings if warnings is not None else [])


def _dimensions(columns: tuple[str, ...], kind: Kind | None) -> tuple[str, ...]:
    """Names of dimensions; other columns that begin like theirs are what a user has added.

    A dimension has five columns in results. In windows, all stand together behind the last other column of sertag.
    """
    if kind != "segments":
        names = [column.removeprefix(_DIMENSION) for column in columns if column.startswith(_DIMENSION)]
        return tuple(name for name in names if set(dimension_columns(name)) <= set(columns))
    behind = columns[columns.index("valence") + 1 :] if "valence" in columns else ()
    return tuple(column.removeprefix(_DIMENSION) for column in takewhile(_is_dimension, behind))


def _is_dimension(column: str) -> bool:
    return column.startswith(_DIMENSION)


def _with_points(rows: Iterator[ReadRow], known: dict[str, Column], delimiter: str) -> Iterator[ReadRow]:
    """Rows whose numbers have decimal points."""
    numbers = {name for name, column in known.items() if column.kind not in ("text", "channel")}
    for row in rows:
        yield {column: decimal(cell, delimiter) if column in numbers else cell for column, cell in row.items()}


def _typed(name: str, row: ReadRow, known: dict[str, Column], of_windows: dict[str, Column]) -> ReadRow:
    """A row with all columns of this version, each converted to its kind."""
    if row.get("path") in (None, ""):
        raise TableError(f"{name}: has a row without a path, expected one in each; was it edited?", code="bad_cell")
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
    try:
        if column.kind == "channel":
            return _whole(value) if str(value).replace(".", "").isdigit() else str(value)
        return _number(value) if column.kind in DECIMALS else _whole(value)
    except (TypeError, ValueError, OverflowError) as error:
        message = f"{name}: has {str(value)[:40]!r} in column {column.name}, expected a number; was it edited?"
        raise TableError(message, code="bad_cell") from error


def _number(value: Any) -> float | None:
    """A finite number; None for what data frames write where there is none."""
    number = float(value)
    if math.isinf(number):
        raise ValueError(value)
    return None if math.isnan(number) else number


def _whole(value: Any) -> int | None:
    """A whole number, also with the decimals that data frames and spreadsheets add."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    number = _number(value)
    if number is not None and not number.is_integer():
        raise ValueError(value)
    return None if number is None else int(number)


def _delimited_rows(name: str, lines: Iterator[Line], warnings: list[str]) -> Iterator[ReadRow]:
    _, header = next(lines)
    empty, odd = True, []
    for number, cells in lines:
        if len(cells) != len(header):
            odd.append(f"line {number} has {len(cells)} cells instead of {len(header)} and is left out")
            continue
        empty = False
        yield {column: unmarked(cell) for column, cell in zip(header, cells, strict=True)}
    if odd and empty and "path" in header:  # else it is no table of sertag at all
        message = f"{name}: no line has as many cells as its header; {odd[0]}; was it saved with another separator?"
        raise TableError(message, code="no_table")
    if odd:
        more = f", and {plural(len(odd) - 1, 'more line')} like it" if len(odd) > 1 else ""
        warnings.append(f"{name}: {odd[0]}{more}")
    if empty:
        yield dict.fromkeys(header) | {HEADER_ONLY: True}


def _json_rows(name: str, lines: Iterable[str], warnings: list[str]) -> Iterator[ReadRow]:
    for document in documents_of(name, lines, warnings):
        yield from _object_rows(name, document)


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
