r"""Small tables as CSV, written in one step.

UTF-8, quoted by RFC 4180, `\n` line ends. An empty cell is a figure that is not defined. Text that a spreadsheet would
take for a formula gets a `'` in front, as in `sertag.tables.writers`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from sertag.storage.atomic_output import Output
from sertag.tables.writers import plain_text


def write_csv(place: Path, table: pd.DataFrame) -> None:
    """Write a table; numbers get six significant digits.

    Args:
        place: the file, in a folder that is there.
        table: names in it are valid text (`sertag.text.encode_path`); its index is not written.

    Raises:
        OutputError: the file cannot be written.
    """
    text = table.map(_plain).to_csv(index=False, lineterminator="\n", float_format="%.6g")
    with Output(str(place)) as output:
        output.write(text.encode())


def _plain(cell: Any) -> Any:
    return plain_text(cell) if isinstance(cell, str) else cell
