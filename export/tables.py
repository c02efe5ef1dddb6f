"""Small tables as CSV, written in one step. An empty cell is a figure that is not defined."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sertag.storage.atomic_output import Output
from sertag.tables.writers import plain_text


def write_csv(place: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; numbers get six significant digits, text no spreadsheet takes for a formula."""
    plain = table.map(lambda cell: plain_text(cell) if isinstance(cell, str) else cell)
    with Output(str(place)) as output:
        output.write(plain.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode())
