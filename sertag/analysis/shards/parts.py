"""Tables that are merged: their recordings one after the other, each with its place in the order."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, NamedTuple, cast

from sertag.errors import SertagError
from sertag.records import FAILURES
from sertag.shards import path_hash
from sertag.tables.columns import Column, result_columns, segment_columns
from sertag.tables.formats import Format
from sertag.tables.readers import open_results
from sertag.tables.reading.documents import open_documents
from sertag.tables.reading.folders import DAY, in_walk, is_folder
from sertag.tables.reading.sources import name_of
from sertag.text import decode_path, display_name, plural

OBJECTS = ("json", "jsonl")  # formats that are merged object by object


class MergeError(SertagError):
    """Tables do not belong together."""


class Entry(NamedTuple):
    """The rows of one recording in one table; `key` is its place in the order, `day` that of its folder."""

    key: Any
    part: Part
    path: str
    content: list[Any]  # dicts of columns, or JSON objects
    day: str


@dataclass(slots=True, eq=False)
class Part:
    """A table that is read; `first` is its first row or object.

    `hash_` is that of its first recording, `divisor` the greatest common one of the differences to it, and `recordings`
    how many there were: recordings of one shard of N have the same remainder by N.
    """

    name: str
    content: Iterator[dict[str, Any]]
    first: dict[str, Any] | None
    columns: tuple[Column, ...]
    warnings: list[str]
    hash_: int = 0
    divisor: int = 0
    recordings: int = 0

    def entries(self, order: ListOrder | None) -> Iterator[Entry]:
        """Its recordings, which have to be in the order."""
        before = None
        for path, content in groupby(self.content, lambda row: cast(str, row["path"])):
            key = in_walk(path) if order is None else order.key(path)
            rows = list(content)
            days = [row.pop(DAY, "") for row in rows]
            entry = Entry(key, self, path, rows, days[0])
            if before is not None and key < before.key:
                message = f"{self.name}: {display_name(path)} comes after {display_name(before.path)}, which is not the"
                advice = "give the list, or the arguments of the runs line by line, as --files-from"
                kind = "order of a walk of one folder" if order is None else "order of --files-from"
                raise MergeError(f"{message} {kind}; {advice}", code="other_order")
            if not failed(entry):
                self._count(path_hash(path))
            before = entry
            yield entry

    def _count(self, hash_: int) -> None:
        self.hash_ = self.hash_ if self.recordings else hash_
        self.divisor = math.gcd(self.divisor, hash_ - self.hash_)
        self.recordings += 1


class ListOrder:
    """The order of a list of recordings and folders."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._places: dict[str, int] = {}
        for path in listed:
            self._places.setdefault(path.rstrip(os.sep) or os.sep, len(self._places))
        self._seen = bytearray(len(self._places))

    def key(self, path: str) -> tuple[int, bytes]:
        """The place of a recording: that of its path, or of the folder above it."""
        name = above = decode_path(path)
        while above not in self._places:
            if above in ("", os.sep):
                message = f"{display_name(name)} is not in the list of --files-from, nor is a folder above it"
                raise MergeError(message, code="not_listed")
            above = os.path.dirname(above)
        self._seen[self._places[above]] = 1
        return self._places[above], in_walk(path)

    def missing(self) -> list[str]:
        """What of the list has no rows, in words."""
        paths = [path for path, place in self._places.items() if not self._seen[place]]
        return [f"{plural(len(paths), 'path')} of the list: no rows, as of {display_name(paths[0])}"] if paths else []


@contextmanager
def open_part(path: str, order: ListOrder | None, fmt: Format | None, storage: str) -> Iterator[Part]:
    """Open a table that is merged.

    Args:
        path: of a table, or of a folder of `--partition-by`.
        order: of a list; None for that of a walk.
        fmt: format of the merged table; None for a folder.
        storage: settings for URLs, from `remote.options`.

    Raises:
        TableError: it cannot be read.
        MergeError: that format is not made of it.
    """
    if is_folder(path) and fmt in OBJECTS:
        message = f"{name_of(path)}: is a folder of Parquet files, and {fmt} is merged from JSON and JSON Lines alone"
        raise MergeError(f"{message}; give --out another suffix", code="no_objects")
    if not is_folder(path) and fmt is None:
        message = f"{name_of(path)}: is not a folder of --partition-by, so its rows have no days"
        raise MergeError(f"{message}; tag its recordings with --partition-by, or merge without it", code="no_days")
    with ExitStack() as opened:
        if fmt in OBJECTS:
            documents, warnings = opened.enter_context(open_documents(path, storage=storage))
            first = next(documents, None)
            content = documents if first is None else chain([first], documents)
            yield Part(display_name(path), content, first, (), warnings)
            return
        key = in_walk if order is None else order.key
        table = opened.enter_context(open_results(path, storage=storage, order=key, days=fmt is None))
        columns = result_columns if table.kind == "results" else segment_columns
        known = columns(table.labels, table.dimensions)
        first = next(table.rows, None)
        names = {column.name for column in known} | {"windows", DAY}
        added = tuple(Column(name, "text") for name in first or () if name not in names)
        rows = table.rows if first is None else chain([first], table.rows)
        yield Part(table.name, rows, first, (*known, *added), table.warnings)


def failed(entry: Entry) -> bool:
    """Whether a recording has only rows that say why it has no others."""
    rows = (row for content in entry.content for row in content.get("channels", [content]))
    return all(row["status"] in FAILURES for row in rows)
