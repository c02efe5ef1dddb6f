"""A folder of `--partition-by` as one table, with its rows in the order of one run.

The files of a day follow each other, and those of all days are read side by side. A day is opened when its first row is
the next one of all, so as few files are open as there are days whose recordings take turns.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Callable, Iterator
from glob import escape as glob_escape
from glob import glob
from itertools import groupby
from typing import Any

from sertag.remote.finding import Wanted, find
from sertag.remote.urls import is_prefix, is_url
from sertag.storage.path_index import walk_key
from sertag.tables.reading.parquet import HEADER_ONLY, parquet_rows
from sertag.tables.reading.sources import TableError, name_of, open_source
from sertag.text import decode_path

DAY = "\0day"  # a column with the day of a row, as the name of its folder has it

_EXPECTED = "a Parquet file of --partition-by"
_PART = re.compile(r"(?:.*/)?(?:day=)?([^/]+)/(?:[^/]*?)(\d*)\.parquet", re.DOTALL)

_Rows = list[dict[str, Any]]


def is_folder(path: str) -> bool:
    """Whether a path is that of a folder, or a URL of what is below it, with `/` at its end."""
    return is_prefix(path) if is_url(path) else os.path.isdir(path)


def in_walk(path: str) -> bytes:
    """Sorts paths, as tables have them, in the order in which a run over one folder finds them."""
    return walk_key(decode_path(path))


def rows_of_folder(path: str, *, key: Callable[[str], Any] = in_walk, storage: str = "") -> Iterator[dict[str, Any]]:
    """Read the rows of all days, with the day of each under `DAY`.

    Args:
        path: of the folder, or its URL.
        key: sorts paths in the order of the run; rows of a day are in that order.
        storage: settings for URLs, from `remote.options`.

    Raises:
        TableError: it holds no table, or a file cannot be read.
    """
    header = None
    waiting: list[tuple[Any, int, str, list[str]]] = []
    for number, (day, parts) in enumerate(_days(path, storage)):
        first = next(_rows(day, parts, storage))
        if HEADER_ONLY in first:
            header = first
        else:
            waiting.append((key(first["path"]), number, day, parts))
    if header is not None and not waiting:
        yield header
    heapq.heapify(waiting)
    reading: list[tuple[Any, int, _Rows, Iterator[_Rows]]] = []
    while waiting or reading:
        if waiting and (not reading or waiting[0][:2] < reading[0][:2]):
            _, number, day, parts = heapq.heappop(waiting)
            recordings = _recordings(_rows(day, parts, storage))
            rows = next(recordings)
        else:
            _, number, rows, recordings = reading[0]
            heapq.heappop(reading)
            yield from rows
            if (following := next(recordings, None)) is None:
                continue
            rows = following
        heapq.heappush(reading, (key(rows[0]["path"]), number, rows, recordings))


def _days(path: str, storage: str) -> list[tuple[str, list[str]]]:
    """Days, and the files of each in their order."""
    if is_url(path):
        files = _listed(path, storage)
    else:
        files = glob(os.path.join(glob_escape(path), "*", "*.parquet"))
    days: dict[str, list[tuple[int, str]]] = {}
    for file in sorted(files):
        match = _PART.fullmatch(file)
        if match is not None:
            days.setdefault(match[1], []).append((int(match[2] or 0), file))
    if not days:
        message = f"{name_of(path)}: is a folder without day=…/part-0.parquet of --partition-by"
        raise TableError(message, code="no_table")
    return [(day, [file for _, file in sorted(parts)]) for day, parts in days.items()]


def _listed(url: str, storage: str) -> list[str]:
    wanted = Wanted(lambda name: name.count("/") == 1 and name.endswith(".parquet"), lambda name: False)
    found = list(find([url], wanted=wanted, options=storage))
    problem = next((file.problem for file in found if file.problem is not None), None)
    if problem is not None:
        raise TableError(f"{problem.message}; expected {_EXPECTED}", code=problem.code)
    return [file.path for file in found]


def _rows(day: str, parts: list[str], storage: str) -> Iterator[dict[str, Any]]:
    for part in parts:
        with open_source(part, expected=_EXPECTED, storage=storage) as source:
            for row in parquet_rows(source, name_of(part)):
                yield row | {DAY: day}


def _recordings(rows: Iterator[dict[str, Any]]) -> Iterator[_Rows]:
    for _, own in groupby(rows, lambda row: row["path"]):
        yield list(own)
