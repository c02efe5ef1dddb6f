"""A table as a folder of Parquet files by day, which is replaced as a whole: `day=2026-03-02/part-0.parquet`.

Used by `run`. pandas, DuckDB, Spark and others read such a folder as one table with a column `day` (Hive partitioning).
The files are written into a temporary folder beside the old one; then the two change places, in one step where the
system can do that (Linux), else in two.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from sertag.errors import OutputError
from sertag.records import FileResult
from sertag.storage.atomic_output import TEMPORARY, Output, cannot_write
from sertag.tables.writers import ParquetTable, TableView
from sertag.text import display_name

NO_DAY = "__HIVE_DEFAULT_PARTITION__"  # what Hive and its heirs write where there is no value

# Rows of many days may take turns. Beyond these limits the fullest row group is written, and the file of that day is
# closed whose last row was longest ago; the next rows of the day go to another file.
_WAITING_ROWS, _OPEN_DAYS = 32_768, 128
_DAY, _PART = re.compile(r"day=[^/]+"), re.compile(r"part-\d+\.parquet")
_ASIDE = ".old"
_EXCHANGE, _HERE = 2, -100  # RENAME_EXCHANGE and AT_FDCWD of renameat2(2)


class FolderOutput:
    """A folder that is filled under another name; leaving its `with` block without an exception puts it in place."""

    live = terminal = False

    def __init__(self, target: str) -> None:
        """Begin an empty folder.

        Args:
            target: path of the folder. It may exist if it holds nothing but an earlier output. No other run may write
                the same folder at the same time.

        Raises:
            OutputError: the folder cannot be written, or holds other files.
        """
        self._target = target
        self._final = os.path.realpath(target)
        above, name = os.path.split(self._final)
        self.path = os.path.join(above, name.join((TEMPORARY[0], f"-parts{TEMPORARY[1]}")))
        with self._errors():
            if os.path.isdir(self.path + _ASIDE) and not os.path.lexists(self._final):  # killed between the two steps
                os.rename(self.path + _ASIDE, self._final)
        self._check_content()
        with self._errors():
            if os.path.isdir(self.path):  # of a run that was killed
                shutil.rmtree(self.path)
            os.mkdir(self.path)

    def finish(self) -> None:
        """Flush the folder to the disk; its files have been flushed."""
        with self._errors():
            for folder, _, _ in os.walk(self.path):
                _sync(folder)

    def __enter__(self) -> FolderOutput:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._check_content()
                with self._errors():
                    _put(self.path, self._final)
                    _sync(os.path.dirname(self._final))
        finally:
            shutil.rmtree(self.path, ignore_errors=True)  # the new content after an error, else the old one

    def _check_content(self) -> None:
        """Refuse to replace what is no earlier output."""
        if not os.path.lexists(self._final):
            return
        with self._errors():
            if not os.path.isdir(self._final):
                raise OSError(None, "it is a file, and --partition-by writes a folder")
            other = next(_other_files(self._final), None)
            if other is not None:
                raise OSError(None, f"it holds {display_name(other)}, which would be lost")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = "give a new folder, and check permissions and free space"
            raise cannot_write(display_name(self._target), error, advice=advice) from error


class PartitionedTable:
    """Writes rows into the files of their days."""

    def __init__(self, output: FolderOutput, view: TableView, *, day_of: Callable[[Any], str]) -> None:
        """Begin a table.

        Args:
            output: the folder.
            view: columns and rows to write.
            day_of: the day of a result, ISO 8601; empty if it has none.
        """
        self._output, self._view, self._day_of = output, view, day_of
        self._open: OrderedDict[str, tuple[Output, ParquetTable]] = OrderedDict()
        self._parts: dict[str, int] = {}
        self._waiting = 0

    def add(self, result: FileResult) -> None:
        """Write the rows of one file."""
        table = self._table(self._day_of(result) or NO_DAY)
        self._waiting -= table.waiting
        table.add(result)
        self._waiting += table.waiting
        if self._waiting >= _WAITING_ROWS:
            fullest = max((table for _, table in self._open.values()), key=lambda table: table.waiting)
            self._waiting -= fullest.waiting
            fullest.flush()

    def close(self) -> None:
        """Write the end of all files; an empty table has one file, which says its columns."""
        if not self._parts:
            self._table(NO_DAY)
        while self._open:
            self._close_oldest()

    def abandon(self) -> None:
        """Close all files as they are."""
        for output, _ in self._open.values():
            output.__exit__(OutputError, None, None)
        self._open.clear()

    def _table(self, day: str) -> ParquetTable:
        if day in self._open:
            self._open.move_to_end(day)
        else:
            if len(self._open) >= _OPEN_DAYS:
                self._close_oldest()
            self._open[day] = self._begin(day)
        return self._open[day][1]

    def _begin(self, day: str) -> tuple[Output, ParquetTable]:
        number = self._parts.get(day, 0)
        self._parts[day] = number + 1
        folder = os.path.join(self._output.path, f"day={day}")
        with suppress(FileExistsError):
            os.mkdir(folder)
        output = Output(os.path.join(folder, f"part-{number}.parquet"))
        return output, ParquetTable(output, self._view)

    def _close_oldest(self) -> None:
        _, (output, table) = self._open.popitem(last=False)
        self._waiting -= table.waiting
        with output:
            table.close()


@contextmanager
def open_partitions(
    output: FolderOutput, *, view: TableView, day_of: Callable[[Any], str]
) -> Iterator[PartitionedTable]:
    """Write a table by day; leaving the block without an exception finishes the output.

    Args:
        output: the folder, which appears in its place when the `with` block of the output is left.
        view: columns and rows to write.
        day_of: see `PartitionedTable`.

    Raises:
        OutputError: a file cannot be written, or pyarrow is not installed.
    """
    table = PartitionedTable(output, view, day_of=day_of)
    try:
        yield table
        table.close()
    finally:
        table.abandon()
    output.finish()


def _other_files(folder: str) -> Iterator[str]:
    """What lies in a folder besides an earlier output, relative to it."""
    for day in os.scandir(folder):
        if not (day.is_dir(follow_symlinks=False) and _DAY.fullmatch(day.name)):
            yield day.name
            continue
        for part in os.scandir(day.path):
            if not (part.is_file(follow_symlinks=False) and _PART.fullmatch(part.name)):
                yield f"{day.name}/{part.name}"


def _put(new: str, place: str) -> None:
    """Move a folder into its place; what was there is then at `new`."""
    if not os.path.lexists(place):
        os.rename(new, place)
    elif not _exchange(new, place):
        os.rename(place, new + _ASIDE)
        os.rename(new, place)
        os.rename(new + _ASIDE, new)


def _exchange(one: str, other: str) -> bool:
    """Let two folders change places in one step; False if the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def _sync(folder: str) -> None:
    with suppress(OSError):  # some network file systems cannot
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
