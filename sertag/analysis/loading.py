"""Loads tables of one or several runs into memory, as lists of rows, for all commands on tables.

A row is a dict of columns (`tables.readers`). Rows are of results, one a channel; windows are of segments, one a
window, wherever they come from: JSON has both, CSV and Parquet have them in tables of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sertag.analysis.merging import Place, merge, place
from sertag.tables.columns import DECIMALS, result_columns
from sertag.tables.readers import ReadRow
from sertag.tables.reading.sources import TableError

WINDOWS_HINT = "tag with --segments FILE and give that table as well, or tag with --out FILE.jsonl, which has both"


@dataclass(slots=True)
class Loaded:
    """Rows and windows of one or several tables.

    Attributes:
        name: of the tables, for messages.
        labels: emotions.
        rows: of results, each channel of a recording once.
        windows: of segments.
        added: columns of the rows that are not sertag's.
        remarks: what a user should know of them.
        chosen_by: columns that a filter has chosen rows by.
        with_rows: whether a table of results was among them, even one without rows.
    """

    name: str
    labels: tuple[str, ...] = ()
    rows: list[ReadRow] = field(default_factory=list)
    windows: list[ReadRow] = field(default_factory=list)
    added: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)
    chosen_by: set[str] = field(default_factory=set)
    with_rows: bool = True

    @property
    def columns(self) -> dict[str, str]:
        """The columns of the rows and their kinds; those that somebody added are text."""
        own = {column.name: column.kind for column in result_columns(self.labels)}
        return {**own, **{name: "text" for name in self.added if name not in own}}


def load(paths: Sequence[str]) -> Loaded:
    """Read tables of results and of windows.

    Args:
        paths: of tables, in order of time; `-` is standard input. What counts of several is said in `merging`.

    Raises:
        TableError: one cannot be read.
    """
    merged = merge(paths, new=_new, add=list.append)
    windows = [window for own in merged.windows.values() for window in own]
    loaded = Loaded(", ".join(merged.names), merged.labels, merged.rows, windows, remarks=merged.remarks)
    loaded.with_rows = merged.with_rows
    known = loaded.columns
    loaded.added = tuple(dict.fromkeys(name for row in loaded.rows for name in row if name not in known))
    return loaded


def need_rows(loaded: Loaded) -> None:
    """Refuse tables of windows alone.

    Raises:
        TableError: there are windows but no results.
    """
    if not loaded.with_rows:
        message = f"{loaded.name}: holds windows only; expected a table of results, as --out writes it; give that one"
        raise TableError(message, code="no_results")


def need_windows(loaded: Loaded) -> None:
    """Refuse tables without windows where there should be some.

    Raises:
        TableError: there are none.
    """
    if lacks_windows(loaded):
        raise TableError(f"{loaded.name}: has no windows; {WINDOWS_HINT}", code="no_windows")


def lacks_windows(loaded: Loaded) -> bool:
    """Whether the results have windows that no table holds."""
    return not loaded.windows and any(row["segments"] for row in loaded.rows)


def is_number(kind: str) -> bool:
    """Whether cells of a kind of column are numbers."""
    return kind in DECIMALS or kind == "count"


def windows_of(loaded: Loaded) -> dict[Place, list[ReadRow]]:
    """The windows of each channel, in order of time."""
    found: dict[Place, list[ReadRow]] = {}
    for window in loaded.windows:
        found.setdefault(place(window), []).append(window)
    for own in found.values():
        own.sort(key=lambda window: window["start_s"] or 0.0)
    return found


def _new() -> list[ReadRow]:
    return []
