"""CSV as sertag, spreadsheets and databases write it: comma, semicolon or tab, in UTF-8 or in UTF-16 with a mark.

Where a comma is the decimal sign, spreadsheets separate cells by semicolons. Such numbers are read by `decimal`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from sertag.tables.reading.sources import TableError, lines_of, name_of, open_source, text_of

Line = tuple[int, list[str]]  # its number in the file, and its cells

_DELIMITERS = ",;\t"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MARKED = re.compile(r"^'+[=+@\t-]")  # what `writers.plain_text` makes of formulas
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_LONGEST_CELL = 1 << 24


def rows_of(name: str, lines: Iterable[str]) -> tuple[str, Iterator[Line]]:
    """The delimiter of a table, and its lines that are not empty.

    Raises:
        TableError: the first line does not say how cells are separated, or a line is none of a table.
    """
    lines = iter(lines)
    first = next((line for line in lines if line.strip()), "")
    if first[:4].lower() == "sep=" and first[4:5] in _DELIMITERS:  # spreadsheets obey this line and hide it
        return first[4], _rows(name, lines, first[4], 1)
    delimiter = _delimiter(name, first)
    return delimiter, _rows(name, chain([first], lines), delimiter, 0)


def read_cells(path: str, *, expected: str, storage: str = "") -> list[Line]:
    """All lines of a small table, with the header; cells are as they were before they were guarded.

    Args:
        path: of the file.
        expected: what it should be, for messages.
        storage: settings for URLs, from `remote.options`.

    Raises:
        TableError: it cannot be read.
    """
    name = name_of(path)
    with text_of(open_source(path, expected=expected, storage=storage)) as stream:
        _, lines = rows_of(name, lines_of(name, stream, expected=expected))
        return [(number, [unmarked(cell) for cell in cells]) for number, cells in lines]


def unmarked(cell: str) -> str:
    """A text cell without the leading `'` that prevents spreadsheets from reading it as a formula."""
    return cell[1:] if _MARKED.match(cell) else cell


def decimal(cell: str, delimiter: str) -> str:
    """A number with a decimal point, where the table cannot mean a comma otherwise.

    >>> decimal("0,75", ";"), decimal("0,75", ","), decimal("1.234,5", ";")
    ('0.75', '0,75', '1.234,5')
    """
    return cell.replace(",", ".") if delimiter != "," and _DECIMAL_COMMA.fullmatch(cell) else cell


def _delimiter(name: str, header: str) -> str:
    counts = {one: len(next(csv.reader([header], delimiter=one), [])) for one in _DELIMITERS}
    best = max(counts.values())
    found = [one for one, count in counts.items() if count == best]
    if best > 1 and len(found) > 1:
        both = " and as by ".join(_NAMES[one] for one in found)
        message = (
            f"{name}: its header has as many cells by {both}; expected one of them; save it with another separator"
        )
        raise TableError(message, code="no_table")
    return found[0]


def _rows(name: str, lines: Iterable[str], delimiter: str, skipped: int) -> Iterator[Line]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        yield from ((reader.line_num + skipped, cells) for cells in reader if any(cells))
    except csv.Error as error:
        message = f"{name}: line {reader.line_num + skipped} is not a row of a table: {error}"
        raise TableError(message, code="no_table") from error
