"""Loads tables of one or several runs into memory, as lists of rows, for all commands on tables.

A row is a dict of columns (`tables.readers`). `rows` are results, one per channel; `windows` are one per window. JSON
holds both in one file, CSV and Parquet in separate tables.
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
    """The rows and windows of one or several tables.

    Attributes:
        name: name of the tables, for messages.
        labels: the emotions.
        dimensions: names of dimensions.
        rows: results; each channel of a recording occurs once.
        windows: rows of the tables of windows.
        added: columns of `rows` that sertag does not write.
        remarks: remarks for the user.
        chosen_by: columns that a filter used.
        with_rows: whether there was a table of results, even an empty one.
    """

    name: str
    labels: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    rows: list[ReadRow] = field(default_factory=list)
    windows: list[ReadRow] = field(default_factory=list)
    added: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)
    chosen_by: set[str] = field(default_factory=set)
    with_rows: bool = True

    @property
    def columns(self) -> dict[str, str]:
        """Kind of each column of the rows, by name; added columns are text."""
        own = {column.name: column.kind for column in result_columns(self.labels, self.dimensions)}
        return {**own, **{name: "text" for name in self.added if name not in own}}


def load(paths: Sequence[str], *, storage: str = "") -> Loaded:
    """Read tables of results and of windows.

    Args:
        paths: paths of the tables, oldest first; `-` is standard input. For several tables see `merging`.
        storage: settings for URLs, from `remote.options`.

    Raises:
        TableError: a table cannot be read.
    """
    merged = merge(paths, new=_new, add=list.append, storage=storage)
    windows = [window for own in merged.windows.values() for window in own]
    names = ", ".join(merged.names)
    loaded = Loaded(names, merged.labels, merged.dimensions, merged.rows, windows, remarks=merged.remarks)
    loaded.with_rows = merged.with_rows
    known = loaded.columns
    loaded.added = tuple(dict.fromkeys(name for row in loaded.rows for name in row if name not in known))
    return loaded


def need_rows(loaded: Loaded) -> None:
    """Refuse input that has only windows.

    Raises:
        TableError: there are windows but no results.
    """
    if not loaded.with_rows:
        message = f"{loaded.name}: holds windows only; expected a table of results, as --out writes it; give that one"
        raise TableError(message, code="no_results")


def need_windows(loaded: Loaded) -> None:
    """Refuse input without windows.

    Raises:
        TableError: there are no windows.
    """
    if lacks_windows(loaded):
        raise TableError(f"{loaded.name}: has no windows; {WINDOWS_HINT}", code="no_windows")


def need_labels(loaded: Loaded) -> None:
    """Refuse tables of a model without labels, for commands that need emotions.

    Raises:
        TableError: there are dimensions and no emotions.
    """
    if loaded.dimensions and not loaded.labels:
        message = f"{loaded.name}: has no emotions, only {', '.join(loaded.dimensions)}; csv, json and xlsx hold these"
        raise TableError(message, code="no_labels")


def lacks_windows(loaded: Loaded) -> bool:
    """Whether the results mention windows that no table contains."""
    return not loaded.windows and any(row["segments"] for row in loaded.rows)


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


def _new() -> list[ReadRow]:
    return []
