"""Writes selected, grouped or compared rows in the formats of result tables, with any columns.

Rows are dicts. Cells of columns of a known kind are rounded as in results; other numbers are written as they are.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sertag.storage.atomic_output import open_output
from sertag.tables.columns import DECIMALS
from sertag.tables.formats import Format
from sertag.tables.writers import json_bytes, plain_text
from sertag.text import display_text, valid_text


def write_rows(
    target: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    columns: Mapping[str, str],
    fmt: Format,
    bom: bool = False,
    storage: str = "",
) -> None:
    """Write a table.

    Args:
        target: path, or `-` for standard output.
        rows: column to cell.
        columns: name to kind as in `columns`, or "" for a column without a kind; in the order of writing.
        fmt: any but `parquet`.
        bom: begin CSV and TSV with a byte-order mark.
        storage: settings for URLs, from `remote.options`.

    Raises:
        OutputError: the target cannot be written.
        BrokenPipeError: the reader of standard output has closed it.
    """
    with open_output(target, storage=storage) as output:
        if fmt == "table":
            from sertag.tables.terminal import rendered_records, rendered_rows, too_narrow

            names = list(columns)
            shown = [[_shown(row.get(name), kind) for name, kind in columns.items()] for row in rows]
            narrow = output.terminal and too_narrow(names, shown)
            output.write(
                rendered_records(names, shown) if narrow else rendered_rows(names, shown, terminal=output.terminal)
            )
        elif fmt in ("csv", "tsv"):
            output.write(_delimited(rows, columns, "," if fmt == "csv" else "\t", terminal=output.terminal, bom=bom))
        else:
            objects = [{name: _plain(row.get(name), kind) for name, kind in columns.items()} for row in rows]
            lines = [json_bytes(one) for one in objects]
            output.write(_lines(lines) if fmt == "jsonl" else _array(lines))
        output.finish()


def cell_text(cell: Any, kind: str) -> str:
    """A cell as text, with the decimals of its kind; empty for None.

    >>> cell_text(1.5, "seconds"), cell_text(None, "text"), cell_text(0.25, "")
    ('1.500', '', '0.25')
    """
    if cell is None:
        return ""
    if kind in DECIMALS:
        return f"{float(cell):.{DECIMALS[kind]}f}"
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def _delimited(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], delimiter: str, *, terminal: bool, bom: bool
) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow([plain_text(name) for name in columns])
    for row in rows:
        writer.writerow([_guarded(row.get(name), kind, terminal=terminal) for name, kind in columns.items()])
    return (b"\xef\xbb\xbf" if bom else b"") + valid_text(text.getvalue()).encode()


def _guarded(cell: Any, kind: str, *, terminal: bool) -> str:
    text = cell_text(cell, kind)
    if not isinstance(cell, str):
        return text
    return plain_text(display_text(text) if terminal else text)


def _shown(cell: Any, kind: str) -> str:
    return display_text(cell_text(cell, kind))


def _plain(cell: Any, kind: str) -> Any:
    if cell is None or isinstance(cell, str | int | bool):
        return cell
    if isinstance(cell, float):
        return round(cell, DECIMALS[kind]) + 0.0 if kind in DECIMALS else cell
    try:
        return json.loads(json.dumps(cell))
    except (TypeError, ValueError):  # a date, a decimal
        return str(cell)


def _lines(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _array(lines: Sequence[bytes]) -> bytes:
    return b"[\n" + b",\n".join(lines) + b"\n]\n" if lines else b"[]\n"
