"""Merges tables of parts of an archive, in the order and with the bytes of one run over all of it.

Tables are read side by side, so that millions of rows take no memory. That needs tables in one order: that of a walk of
one folder, or that of a list.
"""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, NamedTuple, cast

from sertag.errors import SertagError
from sertag.records import FAILURES
from sertag.shards import path_hash
from sertag.storage.atomic_output import open_output
from sertag.storage.journal_lines import last_print
from sertag.storage.path_index import walk_key
from sertag.tables.columns import Column, result_columns, segment_columns
from sertag.tables.formats import Format
from sertag.tables.readers import open_results
from sertag.tables.reading.documents import open_documents
from sertag.tables.writers import TableView, open_table
from sertag.text import decode_path, display_name, plural

_SURE = 24  # recordings from which on a common divisor of the differences of their hashes is no chance
_OBJECTS = ("json", "jsonl")
_FAILURES = frozenset(status.value for status in FAILURES)


class MergeError(SertagError):
    """Tables do not belong together."""


class _Entry(NamedTuple):
    """The rows of one recording in one table; `key` is its place in the order."""

    key: Any
    source: _Source
    path: str
    content: list[Any]  # dicts of columns, or JSON objects


@dataclass(slots=True)
class Merged:
    """What was merged.

    Attributes:
        recordings: in the merged table.
        repeated: recordings that were in several tables, with the same rows.
        notes: what a user should know.
        gaps: what is missing.
    """

    recordings: int = 0
    repeated: int = 0
    notes: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def merge(
    paths: Sequence[str], out: str, *, fmt: Format, listed: Iterable[str] | None = None, storage: str = ""
) -> Merged:
    """Merge tables of results, or tables of windows.

    Args:
        paths: of the tables.
        out: of the merged table, or `-`.
        fmt: its format; JSON and JSON Lines only if the tables are in one of the two.
        listed: recordings and folders in the order of the rows, where that is not the order of a walk.
        storage: settings for URLs, from `remote.options`.

    Returns:
        What was merged; the table is in its place.

    Raises:
        TableError: a table cannot be read.
        MergeError: the tables have different models or columns, different rows of a recording, or another order.
        OutputError: the merged table cannot be written.
    """
    order = None if listed is None else _ListOrder(listed)
    merged = Merged()
    with ExitStack() as opened:
        sources = [opened.enter_context(_source(path, objects=fmt in _OBJECTS, storage=storage)) for path in paths]
        view = _view(sources)
        output = opened.enter_context(open_output(out, storage=storage))
        with open_table(output, fmt=fmt, view=view) as target:
            for entry in _in_order(sources, order, merged):
                target.add(cast(Any, entry))  # what the functions of the view take
                merged.recordings += 1
    merged.notes += _settings_notes(paths)
    merged.gaps += [warning for source in sources for warning in source.warnings]
    merged.gaps += _missing_shards(sources)
    merged.gaps += [] if order is None else order.missing()
    return merged


@dataclass(slots=True, eq=False)
class _Source:
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

    def entries(self, order: _ListOrder | None) -> Iterator[_Entry]:
        """Its recordings, which have to be in the order."""
        before = None
        for path, content in groupby(self.content, lambda row: cast(str, row["path"])):
            key = walk_key(decode_path(path)) if order is None else order.key(path)
            entry = _Entry(key, self, path, list(content))
            if before is not None and key < before.key:
                message = f"{self.name}: {display_name(path)} comes after {display_name(before.path)}, which is not the"
                advice = "give the list, or the arguments of the runs line by line, as --files-from"
                kind = "order of a walk of one folder" if order is None else "order of --files-from"
                raise MergeError(f"{message} {kind}; {advice}", code="other_order")
            if not _failed(entry):
                self._count(path_hash(path))
            before = entry
            yield entry

    def _count(self, hash_: int) -> None:
        self.hash_ = self.hash_ if self.recordings else hash_
        self.divisor = math.gcd(self.divisor, hash_ - self.hash_)
        self.recordings += 1


class _ListOrder:
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
        return self._places[above], walk_key(name)

    def missing(self) -> list[str]:
        """What of the list has no rows, in words."""
        paths = [path for path, place in self._places.items() if not self._seen[place]]
        return [f"{plural(len(paths), 'path')} of the list: no rows, as of {display_name(paths[0])}"] if paths else []


@contextmanager
def _source(path: str, *, objects: bool, storage: str) -> Iterator[_Source]:
    with ExitStack() as opened:
        if objects:
            documents, warnings = opened.enter_context(open_documents(path, storage=storage))
            first = next(documents, None)
            content = documents if first is None else chain([first], documents)
            yield _Source(display_name(path), content, first, (), warnings)
            return
        table = opened.enter_context(open_results(path, storage=storage))
        columns = result_columns if table.kind == "results" else segment_columns
        known = columns(table.labels, table.dimensions)
        first = next(table.rows, None)
        names = {column.name for column in known} | {"windows"}
        added = tuple(Column(name, "text") for name in first or () if name not in names)
        rows = table.rows if first is None else chain([first], table.rows)
        yield _Source(table.name, rows, first, (*known, *added), table.warnings)


def _view(sources: Sequence[_Source]) -> TableView:
    """The columns of all tables, which have to be the same."""
    filled = [source for source in sources if source.first is not None] or sources[:1]
    for source in filled[1:]:
        _check_models(filled[0], source)
        other = {column.name for column in filled[0].columns} ^ {column.name for column in source.columns}
        if other:
            message = f"{filled[0].name} and {source.name} do not have the same columns: {', '.join(sorted(other))}"
            raise MergeError(f"{message}; were they made by the same command?", code="other_columns")
    columns = filled[0].columns
    names = [column.name for column in columns]

    def rows(entry: Any) -> Iterator[tuple[Any, ...]]:
        for row in entry.content:
            row["role"] = row["role"] or ""  # an empty text, not nothing: the only column where Parquet has it
            yield tuple(row[name] for name in names)

    return TableView(columns, rows, lambda entry: cast(Any, entry).content)


def _check_models(one: _Source, other: _Source) -> None:
    for name in ("model", "model_sha256", "schema"):
        pair = [(source.first or {}).get(name) for source in (one, other)]
        if pair[0] != pair[1]:
            message = f"{one.name} and {other.name} were not made alike: {name} is {pair[0]} and {pair[1]}"
            raise MergeError(f"{message}; tag the recordings of one of them again", code="other_model")


def _in_order(sources: Sequence[_Source], order: _ListOrder | None, merged: Merged) -> Iterator[_Entry]:
    """Each recording once."""
    entries = heapq.merge(*(source.entries(order) for source in sources), key=attrgetter("key"))
    for _, same in groupby(entries, attrgetter("key")):
        entry, *others = same
        if others:
            # A folder that could not be accessed has a row in every shard, and a failure may have been tried again.
            found = [one for one in (entry, *others) if not _failed(one)] or [entry]
            different = next((one for one in found if one.content != found[0].content), None)
            if different is not None:
                message = f"{display_name(entry.path)} has different rows in {found[0].source.name} and "
                advice = "they are of different runs; merge only tables of one archive in one state"
                raise MergeError(f"{message}{different.source.name}; {advice}", code="different_rows")
            merged.repeated += 1
            entry = found[0]
        yield entry


def _failed(entry: _Entry) -> bool:
    rows = (row for content in entry.content for row in content.get("channels", [content]))
    return all(row["status"] in _FAILURES for row in rows)


def _settings_notes(paths: Sequence[str]) -> list[str]:
    """A note where the journals beside the tables were last written with different settings."""
    prints = {path: last_print(f"{os.path.realpath(path)}.journal") for path in paths}
    known = {path: found for path, found in prints.items() if found is not None}
    other = next((path for path, found in known.items() if found != next(iter(known.values()))), None)
    if other is None:
        return []
    names = f"{display_name(next(iter(known)))} and {display_name(other)}"
    return [f"{names} may have been made with different settings: their journals differ"]


def _missing_shards(sources: Sequence[_Source]) -> list[str]:
    """Shards that are not among the tables, as far as their recordings tell, in words."""
    totals = {source.divisor for source in sources if source.recordings >= _SURE}
    if len(totals) > 1:
        return [f"shards of different runs: {', '.join(f'N = {total}' for total in sorted(totals))}"]
    if not totals or totals == {1}:
        return []
    (total,) = totals
    numbers = {source.hash_ % total + 1 for source in sources if source.recordings}
    missing = [f"{number}/{total}" for number in range(1, total + 1) if number not in numbers]
    empty = sum(not source.recordings for source in sources)
    if len(missing) <= empty:
        return []
    return [
        f"shard{'s' if len(missing) > 1 else ''} {', '.join(missing)}" + (f", of which {empty} empty" if empty else "")
    ]
