"""Writes a spreadsheet of results and windows (extra `xlsx`). Text stays text: no formulas and no links."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sertag.analysis.loading import Loaded, is_number
from sertag.errors import OutputError
from sertag.storage.atomic_output import open_output
from sertag.tables.columns import DECIMALS, segment_columns
from sertag.tables.readers import ReadRow
from sertag.text import display_text, plural, valid_text

MOST_ROWS = 1_048_575  # of a sheet, without the header
_LONGEST_CELL = 32_767
_NO_DATE = datetime(2000, 1, 1)  # fixed, so that the same table gives the same bytes


def write_spreadsheet(loaded: Loaded, target: str, *, storage: str = "") -> str:
    """Write a spreadsheet with a sheet of results and, if there are windows, a sheet of windows.

    Args:
        loaded: the tables.
        target: path of the file.
        storage: settings for URLs, from `remote.options`.

    Returns:
        A text that says what was written.

    Raises:
        OutputError: XlsxWriter is not installed, there are too many rows, or the file cannot be written.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        message = "xlsx needs XlsxWriter, which is not installed; run: pip install 'sertag[xlsx]'"
        raise OutputError(message, code="needs_xlsx") from error
    windows = {column.name: str(column.kind) for column in segment_columns(loaded.labels, loaded.dimensions)}
    sheets = [("results", loaded.rows, loaded.columns), ("windows", loaded.windows, windows)]
    sheets = [sheet for sheet in sheets if sheet[1]] or sheets[:1]
    for name, rows, _ in sheets:
        if len(rows) > MOST_ROWS:
            message = f"a sheet has at most {MOST_ROWS:,} rows, {name} has {len(rows):,}; choose some with --where"
            raise OutputError(message, code="too_many_rows")
    with open_output(target, storage=storage) as output:
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        content = io.BytesIO()  # in memory, because XlsxWriter hides errors of a file
        book = xlsxwriter.Workbook(content, options)
        book.set_properties({"created": _NO_DATE})
        for name, rows, columns in sheets:
            _sheet(book, name, rows, columns)
        book.close()
        output.write(content.getvalue())
        output.finish()
    return ", ".join(f"{name}: {plural(len(rows), 'row')}" for name, rows, _ in sheets)


def _sheet(book: Any, name: str, rows: Sequence[ReadRow], columns: Mapping[str, str]) -> None:
    sheet = book.add_worksheet(name)
    bold = book.add_format({"bold": True})
    forms = {kind: book.add_format({"num_format": "0." + "0" * count}) for kind, count in DECIMALS.items()}
    for place, (column, kind) in enumerate(columns.items()):
        sheet.write_string(0, place, valid_text(column), bold)
        sheet.set_column(place, place, 50 if column == "path" else 12, forms.get(kind))
    for number, row in enumerate(rows, 1):
        for place, (column, kind) in enumerate(columns.items()):
            cell = row.get(column)
            if cell is None:
                continue
            if is_number(kind) or isinstance(cell, int | float):
                sheet.write_number(number, place, cell)
            else:
                sheet.write_string(number, place, display_text(valid_text(str(cell)))[:_LONGEST_CELL])
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, len(rows), max(0, len(columns) - 1))
