r"""Small tables as CSV, written in one step.

UTF-8, quoted by RFC 4180, `\n` line ends. An empty cell is a figure that is not defined. Text that a spreadsheet would
take for a formula gets a `'` in front, and bytes of a name that are not UTF-8 stay as they are, as in `sertag.write`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from sertag.output import Output
from sertag.write import plain_text

Cell = str | int | float | None


def write_csv(place: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table.

    Args:
        place: the file, in a folder that is there.
        columns: their names.
        rows: as many cells each; numbers get six significant digits.

    Raises:
        OutputError: the file cannot be written.
        ValueError: a row has more or fewer cells than there are columns.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_written(cell) for _, cell in zip(columns, row, strict=True)])
    with Output(str(place)) as output:
        output.write(text.getvalue().encode("utf-8", "surrogateescape"))


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return plain_text(cell)
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
