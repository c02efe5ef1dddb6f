r"""Rows to tables: CSV, TSV, JSON, JSON Lines and Parquet, streamed at constant memory.

Last stage: aggregate -> **write**. File names can contain any byte but zero; they are written as follows:

- All text is valid UTF-8. Paths are encoded by `text.encode_path`, the same in all formats; invalid characters in other
  text are escaped.
- CSV and TSV are quoted by RFC 4180 with `\n` line ends. A text cell that begins with `= + - @` or a tab, after any
  number of `'`, gets one more `'` in front, so that no spreadsheet takes it for a formula; dropping one `'` where
  `^'+[=+@\t-]` matches gives the text back.
- Where CSV or TSV goes to a terminal, control characters are shown escaped, as `ls` shows them. Files and pipes get
  them as they are, as from `ls` and `find`. JSON escapes all of them everywhere.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from sertag.errors import OutputError
from sertag.records import FileResult
from sertag.storage.atomic_output import Output
from sertag.tables.columns import (
    DECIMALS,
    Cell,
    Column,
    ModelInfo,
    Row,
    file_object,
    result_columns,
    result_rows,
    segment_columns,
    segment_rows,
)
from sertag.tables.formats import Format
from sertag.text import display_text, valid_text

_FORMULA, _BEGINS = re.compile(r"'*[=+\-@\t]"), frozenset("'=+-@\t")
_ROW_GROUP = 4096  # rows of a Parquet row group: some megabytes in memory, large enough to compress


@dataclass(frozen=True, slots=True)
class TableView:
    """The content of one kind of table.

    Attributes:
        columns: columns of the table.
        rows: function that returns the rows of one file.
        objects: function that returns the JSON objects of one file.
    """

    columns: tuple[Column, ...]
    rows: Callable[[FileResult], Iterable[Row]]
    objects: Callable[[FileResult], Iterable[dict[str, Any]]]


class Table(Protocol):
    """A table that is being written."""

    def add(self, result: FileResult) -> None:
        """Write the rows of one file."""

    def close(self) -> None:
        """Write the end of the table, after the last row."""


def plain_text(text: str) -> str:
    """A text cell of CSV or TSV, with a leading `'` if a spreadsheet would read it as a formula.

    >>> plain_text("=1+1"), plain_text("call-1.wav")
    ("'=1+1", 'call-1.wav')
    """
    return f"'{text}" if text[:1] in _BEGINS and _FORMULA.match(text) else text


def results_view(origin: ModelInfo) -> TableView:
    """The result table: one row per channel, one JSON object per file."""
    return TableView(
        columns=result_columns(origin.labels, origin.dimensions),
        rows=lambda result: result_rows(result, origin=origin),
        objects=lambda result: [file_object(result, origin=origin)],
    )


def segments_view(origin: ModelInfo) -> TableView:
    """The table of scored windows: one row and one JSON object per window."""
    columns = segment_columns(origin.labels, origin.dimensions)
    names = [column.name for column in columns]
    return TableView(
        columns=columns,
        rows=lambda result: segment_rows(result, origin=origin),
        objects=lambda result: (dict(zip(names, row, strict=True)) for row in segment_rows(result, origin=origin)),
    )


@contextmanager
def open_table(output: Output, *, fmt: Format, view: TableView, bom: bool = False) -> Iterator[Table]:
    """Write a table; leaving the block without an exception finishes the output.

    Args:
        output: output of the table; the table appears in its place when the `with` block of the output is left.
        fmt: any format but `table`, which is written by `terminal`.
        view: columns and rows to write.
        bom: begin CSV and TSV with a byte-order mark.

    Yields:
        The table.

    Raises:
        OutputError: the target cannot be written, or the format needs an extra that is not installed.
        BrokenPipeError: the reader of standard output has closed it.
    """
    table = _encoder(output, fmt=fmt, view=view, bom=bom)
    yield table
    table.close()
    output.finish()


def json_line(document: dict[str, Any]) -> bytes:
    r"""One line of JSON Lines.

    >>> json_line({"path": "caf\u00e9.wav"})
    b'{"path":"caf\\u00e9.wav"}\n'
    """
    return json_bytes(document) + b"\n"


def write_json(target: str, document: dict[str, Any]) -> None:
    """Write one JSON document, indented, in one step.

    Raises:
        OutputError: the target cannot be written.
    """
    with Output(target) as output:
        finish_json(output, document)


def finish_json(output: Output, document: dict[str, Any]) -> None:
    """Write one JSON document, indented, as the whole content of an output; errors as in `write_json`."""
    output.write(json_bytes(document, indent=2) + b"\n")
    output.finish()


class ParquetTable:
    """A table in Parquet, in row groups."""

    def __init__(self, output: Output, view: TableView) -> None:
        """Begin a table; errors as in `open_table`."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            message = "Parquet needs pyarrow, which is not installed; run: pip install 'sertag[parquet]'"
            raise OutputError(message, code="needs_parquet") from error
        self._view, self._arrow = view, pyarrow
        types = {"text": pyarrow.string(), "channel": pyarrow.string(), "count": pyarrow.int64()}
        fields = [(valid_text(column.name), types.get(column.kind, pyarrow.float64())) for column in view.columns]
        self._schema = pyarrow.schema(fields)
        self._writer = pyarrow.parquet.ParquetWriter(output, self._schema, compression="zstd")
        self._rows: list[Row] = []

    @property
    def waiting(self) -> int:
        """Rows that are not in a row group yet."""
        return len(self._rows)

    def add(self, result: FileResult) -> None:
        """Write the rows of one file."""
        self._rows.extend(self._view.rows(result))
        if len(self._rows) >= _ROW_GROUP:
            self.flush()

    def close(self) -> None:
        """Write the end of the table."""
        self.flush()
        self._writer.close()

    def flush(self) -> None:
        """Write the rows that wait as a row group."""
        if self._rows:
            by_column = zip(zip(*self._rows, strict=True), self._view.columns, strict=True)
            columns = [self._column(cells, column) for cells, column in by_column]
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
        self._rows = []

    def _column(self, cells: tuple[Cell, ...], column: Column) -> Any:
        kind = self._schema.field(valid_text(column.name)).type
        if cells[0] is None and cells.count(None) == len(cells):
            return self._arrow.nulls(len(cells), kind)
        if column.kind == "channel":
            return self._arrow.array([None if cell is None else str(cell) for cell in cells], kind)
        try:
            return self._arrow.array(cells, kind)
        except UnicodeEncodeError:  # rare, and to look for it in all text takes longer than the rest
            return self._arrow.array([None if cell is None else valid_text(str(cell)) for cell in cells], kind)


def _plain_cell(cell: Cell) -> str:
    return plain_text(str(cell))


def _encoder(output: Output, *, fmt: Format, view: TableView, bom: bool) -> Table:
    if fmt in ("csv", "tsv"):
        return _Delimited(output, view, delimiter="," if fmt == "csv" else "\t", bom=bom)
    if fmt in ("json", "jsonl"):
        return _Json(output, view, lines=fmt == "jsonl")
    if fmt == "parquet":
        return ParquetTable(output, view)
    raise ValueError(f"format {fmt!r} is not written here")


class _Delimited:
    def __init__(self, output: Output, view: TableView, *, delimiter: str, bom: bool) -> None:
        self._output, self._view = output, view
        self._line = io.StringIO()
        self._writer = csv.writer(self._line, delimiter=delimiter, lineterminator="\r\n")
        self._output.write(b"\xef\xbb\xbf" if bom else b"")
        self._output.write(self._encoded([column.name for column in view.columns]))
        self._texts = [self._as_text(column) for column in view.columns]

    def add(self, result: FileResult) -> None:
        for row in self._view.rows(result):
            cells = zip(self._texts, row, strict=True)
            self._output.write(self._encoded(["" if cell is None else text(cell) for text, cell in cells]))
        if self._output.live:
            self._output.flush()

    def close(self) -> None:
        pass  # a delimited table ends with its last row

    def _as_text(self, column: Column) -> Callable[[Cell], str]:
        """The function that writes the cells of a column."""
        if column.kind in DECIMALS:
            return f"{{:.{DECIMALS[column.kind]}f}}".format
        if column.kind != "text":
            return str
        return (lambda cell: plain_text(display_text(str(cell)))) if self._output.terminal else _plain_cell

    def _encoded(self, cells: list[str]) -> bytes:
        self._line.seek(0)
        self._line.truncate()
        self._writer.writerow(cells)
        # Written with \r\n, then shortened: before Python 3.13 csv quotes a lone \r only if the line end contains it.
        line = self._line.getvalue()[:-2] + "\n"
        return valid_text(line).encode()


class _Json:
    def __init__(self, output: Output, view: TableView, *, lines: bool) -> None:
        self._output, self._view, self._lines = output, view, lines
        self._first = True

    def add(self, result: FileResult) -> None:
        for document in self._view.objects(result):
            if self._lines:
                self._output.write(json_line(document))
            else:
                self._output.write((b"[\n" if self._first else b",\n") + json_bytes(document))
            self._first = False
        if self._output.live:
            self._output.flush()

    def close(self) -> None:
        if not self._lines:
            self._output.write(b"[]\n" if self._first else b"\n]\n")


def json_bytes(document: dict[str, Any], *, indent: int | None = None) -> bytes:
    """One JSON document in ASCII; DEL, the only control character that `json` does not escape, is escaped too."""
    encode = _json_encoder(indent)
    text = encode(document)
    if "\\ud" in text:  # perhaps half of a surrogate pair, which readers of JSON refuse
        text = encode(_valid(document))
    return text.replace("\x7f", "\\u007f").encode("ascii")


@lru_cache(maxsize=4)
def _json_encoder(indent: int | None) -> Callable[[Any], str]:
    separators = (",", ": ") if indent else (",", ":")
    return json.JSONEncoder(ensure_ascii=True, allow_nan=False, indent=indent, separators=separators).encode


def _valid(value: Any) -> Any:
    """A JSON value in which all text can be written as UTF-8."""
    if isinstance(value, dict):
        return {valid_text(name): _valid(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(item) for item in value]
    return valid_text(value) if isinstance(value, str) else value
