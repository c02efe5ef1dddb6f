"""Merges tables of parts of an archive, in the order and with the bytes of one run over all of it.

Tables are read side by side, so that millions of rows take no memory. That needs tables in one order: that of a walk of
one folder, or that of a list.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, cast

from sertag.analysis.shards.parts import Entry, ListOrder, MergeError, Part, failed, open_part
from sertag.storage.atomic_output import open_output
from sertag.storage.journal_lines import last_print
from sertag.tables.formats import Format
from sertag.tables.writers import Table, TableView, open_table
from sertag.text import display_name

_SURE = 24  # recordings from which on a common divisor of the differences of their hashes is no chance


@dataclass(slots=True)
class MergeSummary:
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
    paths: Sequence[str], out: str, *, fmt: Format | None, listed: Iterable[str] | None = None, storage: str = ""
) -> MergeSummary:
    """Merge tables of results, or tables of windows.

    Args:
        paths: of the tables, or folders of `--partition-by`.
        out: of the merged table, or `-`.
        fmt: its format; JSON and JSON Lines only if the tables are in one of the two. None for a folder of
            `--partition-by`, made of such folders.
        listed: recordings and folders in the order of the rows, where that is not the order of a walk.
        storage: settings for URLs, from `remote.options`.

    Returns:
        What was merged; the table is in its place.

    Raises:
        TableError: a table cannot be read.
        MergeError: the tables have different models or columns, different rows of a recording, another order, or no
            days.
        OutputError: the merged table cannot be written.
    """
    order = None if listed is None else ListOrder(listed)
    merged = MergeSummary()
    with ExitStack() as opened:
        parts = [opened.enter_context(open_part(path, order, fmt, storage)) for path in paths]
        with _target(out, fmt, _view(parts), opened, storage) as target:
            for entry in _in_order(parts, order, merged):
                target.add(cast(Any, entry))  # what the functions of the view take
                merged.recordings += 1
    merged.notes += _settings_notes(paths)
    merged.gaps += [warning for part in parts for warning in part.warnings]
    merged.gaps += _missing_shards(parts)
    merged.gaps += [] if order is None else order.missing()
    return merged


@contextmanager
def _target(out: str, fmt: Format | None, view: TableView, opened: ExitStack, storage: str) -> Iterator[Table]:
    """The merged table; its output is put in place when the stack is closed."""
    if fmt is not None:
        with open_table(opened.enter_context(open_output(out, storage=storage)), fmt=fmt, view=view) as table:
            yield table
        return
    from sertag.tables.partitions import FolderOutput, open_partitions

    with open_partitions(opened.enter_context(FolderOutput(out)), view=view, day_of=lambda entry: entry.day) as folder:
        yield folder


def _view(parts: Sequence[Part]) -> TableView:
    """The columns of all tables, which have to be the same."""
    filled = [part for part in parts if part.first is not None] or parts[:1]
    for part in filled[1:]:
        _check_models(filled[0], part)
        other = {column.name for column in filled[0].columns} ^ {column.name for column in part.columns}
        if other:
            message = f"{filled[0].name} and {part.name} do not have the same columns: {', '.join(sorted(other))}"
            raise MergeError(f"{message}; were they made by the same command?", code="other_columns")
    columns = filled[0].columns
    names = [column.name for column in columns]

    def rows(entry: Any) -> Iterator[tuple[Any, ...]]:
        for row in entry.content:
            row["role"] = row["role"] or ""  # an empty text, not nothing: the only column where Parquet has it
            yield tuple(row[name] for name in names)

    return TableView(columns, rows, lambda entry: cast(Any, entry).content)


def _check_models(one: Part, other: Part) -> None:
    for name in ("model", "model_sha256", "schema"):
        pair = [(part.first or {}).get(name) for part in (one, other)]
        if pair[0] != pair[1]:
            message = f"{one.name} and {other.name} were not made alike: {name} is {pair[0]} and {pair[1]}"
            raise MergeError(f"{message}; tag the recordings of one of them again", code="other_model")


def _in_order(parts: Sequence[Part], order: ListOrder | None, merged: MergeSummary) -> Iterator[Entry]:
    """Each recording once."""
    entries = heapq.merge(*(part.entries(order) for part in parts), key=attrgetter("key"))
    for _, same in groupby(entries, attrgetter("key")):
        entry, *others = same
        if others:
            # A folder that could not be accessed has a row in every shard, and a failure may have been tried again.
            found = [one for one in (entry, *others) if not failed(one)] or [entry]
            different = next((one for one in found if one.content != found[0].content), None)
            if different is not None:
                message = f"{display_name(entry.path)} has different rows in {found[0].part.name} and "
                advice = "they are of different runs; merge only tables of one archive in one state"
                raise MergeError(f"{message}{different.part.name}; {advice}", code="different_rows")
            merged.repeated += 1
            entry = found[0]
        yield entry


def _settings_notes(paths: Sequence[str]) -> list[str]:
    """A note where the journals beside the tables were last written with different settings."""
    prints = {path: last_print(f"{os.path.realpath(path)}.journal") for path in paths}
    known = {path: found for path, found in prints.items() if found is not None}
    other = next((path for path, found in known.items() if found != next(iter(known.values()))), None)
    if other is None:
        return []
    names = f"{display_name(next(iter(known)))} and {display_name(other)}"
    return [f"{names} may have been made with different settings: their journals differ"]


def _missing_shards(parts: Sequence[Part]) -> list[str]:
    """Shards that are not among the tables, as far as their recordings tell, in words."""
    totals = {part.divisor for part in parts if part.recordings >= _SURE}
    if len(totals) > 1:
        return [f"shards of different runs: {', '.join(f'N = {total}' for total in sorted(totals))}"]
    if not totals or totals == {1}:
        return []
    (total,) = totals
    numbers = {part.hash_ % total + 1 for part in parts if part.recordings}
    missing = [f"{number}/{total}" for number in range(1, total + 1) if number not in numbers]
    empty = sum(not part.recordings for part in parts)
    if len(missing) <= empty:
        return []
    return [
        f"shard{'s' if len(missing) > 1 else ''} {', '.join(missing)}" + (f", of which {empty} empty" if empty else "")
    ]
