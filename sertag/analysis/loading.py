"""Loads tables of one or several runs into memory, as lists of rows, for all commands on tables.

A row is a dict of columns (`tables.readers`). `rows` are results, one per channel; `windows` are one per window. JSON
holds both in one file, CSV and Parquet in separate tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sertag.tables.columns import DECIMALS, result_columns
from sertag.tables.readers import ReadRow, ReadTable, TableError, open_results

Place = tuple[str, Any]  # path and channel

WINDOWS_HINT = "tag with --segments FILE and give that table as well, or tag with --out FILE.jsonl, which has both"


@dataclass(slots=True)
class Loaded:
    """The rows and windows of one or several tables.

    Attributes:
        name: name of the tables, for messages.
        labels: the emotions.
        rows: results; each channel of a recording occurs once.
        windows: rows of the tables of windows.
        added: columns of `rows` that sertag does not write.
        remarks: remarks for the user.
        chosen_by: columns that a filter used.
    """

    name: str
    labels: tuple[str, ...] = ()
    rows: list[ReadRow] = field(default_factory=list)
    windows: list[ReadRow] = field(default_factory=list)
    added: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)
    chosen_by: set[str] = field(default_factory=set)

    @property
    def columns(self) -> dict[str, str]:
        """Kind of each column of the rows, by name; added columns are text."""
        own = {column.name: column.kind for column in result_columns(self.labels)}
        return {**own, **{name: "text" for name in self.added if name not in own}}


def load(paths: Sequence[str]) -> Loaded:
    """Read tables of results and of windows.

    Args:
        paths: paths of the tables, oldest first; `-` is standard input. If several tables contain a channel of a
            recording, the last one counts.

    Raises:
        TableError: a table cannot be read.
    """
    rows: dict[Place, ReadRow] = {}
    windows: dict[Place, list[ReadRow]] = {}
    names: list[str] = []
    labels: tuple[str, ...] = ()
    replaced = 0
    remarks: list[str] = []
    for path in paths:
        with open_results(path) as table:
            own_rows, own_windows = _read(table)
        names.append(table.name)
        labels = tuple(dict.fromkeys((*labels, *table.labels)))
        remarks += table.warnings
        replaced += sum(place in rows for place in own_rows)
        rows |= own_rows
        windows |= own_windows
    if replaced:
        remarks.append(f"{replaced} rows are in several tables; those of the last one count")
    flat = [window for own in windows.values() for window in own]
    loaded = Loaded(", ".join(names), labels, list(rows.values()), flat, remarks=remarks)
    known = loaded.columns
    loaded.added = tuple(dict.fromkeys(name for row in loaded.rows for name in row if name not in known))
    return loaded


def need_rows(loaded: Loaded) -> None:
    """Refuse input that has only windows.

    Raises:
        TableError: there are windows but no results.
    """
    if loaded.windows and not loaded.rows:
        message = f"{loaded.name}: holds windows only; expected a table of results, as --out writes it; give that one"
        raise TableError(message, code="no_results")


def need_windows(loaded: Loaded) -> None:
    """Refuse input without windows.

    Raises:
        TableError: there are no windows.
    """
    if lacks_windows(loaded):
        raise TableError(f"{loaded.name}: has no windows; {WINDOWS_HINT}", code="no_windows")


def lacks_windows(loaded: Loaded) -> bool:
    """Whether the results mention windows that no table contains."""
    return not loaded.windows and any(row["segments"] for row in loaded.rows)


def place(row: ReadRow) -> Place:
    """Path and channel of a row."""
    return row["path"], row["channel"]


def is_number(kind: str) -> bool:
    """Whether columns of this kind are numeric."""
    return kind in DECIMALS or kind == "count"


def windows_of(loaded: Loaded) -> dict[Place, list[ReadRow]]:
    """The windows of each channel, in order of time."""
    found: dict[Place, list[ReadRow]] = {}
    for window in loaded.windows:
        found.setdefault(place(window), []).append(window)
    for own in found.values():
        own.sort(key=lambda window: window["start_s"] or 0.0)
    return found


def _read(table: ReadTable) -> tuple[dict[Place, ReadRow], dict[Place, list[ReadRow]]]:
    rows: dict[Place, ReadRow] = {}
    windows: dict[Place, list[ReadRow]] = {}
    for row in table.rows:
        if table.kind == "segments":
            windows.setdefault(place(row), []).append(row)
            continue
        _add_windows(windows, row.pop("windows", ()))
        rows[place(row)] = row
    return rows, windows


def _add_windows(windows: dict[Place, list[ReadRow]], own: Iterable[ReadRow]) -> None:
    for window in own:
        windows.setdefault(place(window), []).append(window)
