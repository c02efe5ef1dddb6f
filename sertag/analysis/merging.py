"""Tables of one or several runs as one: of each recording, which rows and which windows count.

Of several tables with the same recording, the rows of the last one count, all of them, because a later run may have
found other channels in it. Windows go with the rows that they came with: a JSON table brings its own, and when rows are
replaced, what was inside theirs goes too. Tables of windows come before or after those of rows; of several with the
same recording the last one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sertag.tables.readers import ReadRow, ReadTable, open_results
from sertag.tables.reading.sources import TableError
from sertag.text import plural

Place = tuple[str, Any]  # path and channel
Store = TypeVar("Store")  # of the windows of one channel


@dataclass(slots=True)
class Merged(Generic[Store]):
    """Rows and windows of all tables.

    Attributes:
        names: of the tables.
        labels: emotions, in the order of the columns.
        dimensions: names of dimensions, likewise.
        rows: of results, each channel of a recording once; those of a recording stand together.
        windows: of each channel that has any.
        with_rows: whether a table of results was among them, even one without rows.
        remarks: what a user should know of the tables.
    """

    names: list[str] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    rows: list[ReadRow] = field(default_factory=list)
    windows: dict[Place, Store] = field(default_factory=dict)
    with_rows: bool = False
    remarks: list[str] = field(default_factory=list)


def merge(
    paths: Sequence[str],
    *,
    new: Callable[[], Store],
    add: Callable[[Store, ReadRow], None],
    segments: Sequence[str] = (),
    storage: str = "",
) -> Merged[Store]:
    """Read tables of results and of windows.

    Args:
        paths: of tables, in order of time; `-` is standard input.
        new: makes what keeps the windows of one channel.
        add: puts a window there.
        segments: more tables, which have to be of windows.
        storage: settings for URLs, from `remote.options`.

    Raises:
        TableError: one cannot be read, or one of `segments` is of results.
    """
    merging = _Merging(new, add)
    for path in (*paths, *segments):
        with open_results(path, storage=storage) as table:
            if path in segments and table.kind == "results":
                message = f"{table.name}: is a table of results, expected one of windows; name it without --segments"
                raise TableError(message, code="no_segments")
            merging.read(table, windows_alone=table.kind == "segments" or path in segments)
    return merging.finished()


def place(row: ReadRow) -> Place:
    """Which channel of which recording a row is of."""
    return row["path"], row["channel"]


class _Merging(Generic[Store]):
    def __init__(self, new: Callable[[], Store], add: Callable[[Store, ReadRow], None]) -> None:
        self._new, self._add = new, add
        self._merged: Merged[Store] = Merged()
        self._rows: dict[str, dict[Any, ReadRow]] = {}  # path to channel to row
        self._windows: dict[str, dict[Any, Store]] = {}
        self._inside: set[str] = set()  # recordings whose windows came inside their rows
        self._repeated = 0

    def read(self, table: ReadTable, *, windows_alone: bool) -> None:
        """Take a table, which replaces what earlier ones have of its recordings."""
        merged = self._merged
        merged.names.append(table.name)
        merged.labels = tuple(dict.fromkeys((*merged.labels, *table.labels)))
        merged.dimensions = tuple(dict.fromkeys((*merged.dimensions, *table.dimensions)))
        rows: dict[str, dict[Any, ReadRow]] = {}
        windows: dict[str, dict[Any, Store]] = {}
        for row in table.rows:
            own = [row] if windows_alone else row.pop("windows", None)
            if not windows_alone:
                rows.setdefault(row["path"], {})[row["channel"]] = row
            if own is not None:
                channels = windows.setdefault(row["path"], {})
                for window in own:
                    self._add(channels.setdefault(window["channel"], self._new()), window)
        if not windows_alone:
            self._replace_rows(rows, inside=windows.keys())
        self._windows |= windows
        merged.remarks += table.warnings

    def finished(self) -> Merged[Store]:
        """All of it, with remarks on what does not fit."""
        merged = self._merged
        merged.rows = [row for channels in self._rows.values() for row in channels.values()]
        merged.windows = {
            (path, channel): own for path, channels in self._windows.items() for channel, own in channels.items()
        }
        if self._repeated:
            what = plural(self._repeated, "recording")
            merged.remarks.append(f"{what} in more than one table; the rows of the table that was named last count")
        if merged.with_rows:
            left_over = merged.windows.keys() - {place(row) for row in merged.rows}
            for one in left_over:
                del merged.windows[one]
            if left_over:
                what = f"windows of {plural(len(left_over), 'channel')} belong to no row and are left out"
                merged.remarks.append(f"{what}; are the tables of the same run?")
        return merged

    def _replace_rows(self, rows: dict[str, dict[Any, ReadRow]], *, inside: Any) -> None:
        self._merged.with_rows = True
        self._repeated += len(rows.keys() & self._rows.keys())
        for path in rows.keys() & self._inside:
            self._windows.pop(path, None)
        self._rows |= rows
        self._inside -= rows.keys()
        self._inside |= inside
