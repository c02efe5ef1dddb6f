"""The journal beside a table: finished work, one line a file, so that the same command goes on where it was ended.

Used by `run` and `resume`. JSON Lines (see `journal_line`), only ever appended to, by one writer, who holds the lock of
the table. A line stands for itself: whatever happens to the others, it is read as it was written or not at all.
"""

from __future__ import annotations

import json
import os
import stat
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO

from sertag.errors import OutputError
from sertag.records import ChannelResult
from sertag.storage import journal_codec
from sertag.storage.append_file import AppendedFile
from sertag.storage.atomic_output import Output
from sertag.storage.journal_lines import (
    HEADER,
    Line,
    digest,
    fingerprint_print,
    moved_line,
    parse,
    result_key,
    result_line,
)
from sertag.storage.path_index import PathIndex
from sertag.text import display_name


@dataclass(frozen=True, slots=True)
class Key:
    """What must be the same for a result to be true again.

    Attributes:
        path: as reached from the command line.
        size_bytes, mtime_ns: of the file.
    """

    path: str
    size_bytes: int
    mtime_ns: int


class Journal:
    """An open journal, a context manager; the file is not touched before a result is added.

    Attributes:
        path: of the file.
        unrecognized: what was found is no journal of this version; it is set aside when the first result is added.
        damaged: how many of its lines cannot be read.
    """

    def __init__(self, path: str, *, fingerprint: Any, folder: str, renew: bool = False) -> None:
        """Look what the journal holds.

        Args:
            path: of the file; need not exist.
            fingerprint: all that decides rows besides the recordings, as JSON has it.
            folder: that relative paths start from, seen from the folder of the journal: the same words in another place
                mean other recordings, and a tree that moves together with its journal is known again.
            renew: forget what it holds.

        Raises:
            OutputError: it cannot be read.
        """
        self.path = path
        self.unrecognized = False
        self.damaged = 0
        self._print = fingerprint_print(fingerprint)
        self._folder = folder
        self._offsets: dict[bytes, int] = {}  # of what has not been used
        self._left: set[int] = set()  # offsets of what is in no table
        self._index: PathIndex | None = None
        self._end = 0  # of the last whole line
        self._used, self._used_bytes = array("Q"), len(HEADER)
        self._reader: BinaryIO | None = None
        self._writer: AppendedFile | None = None
        with self._errors():
            self._scan()
        if renew:
            self._offsets.clear()
            self._left.clear()
            self._end = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to find."""
        return not self._offsets

    def find(self, key: Key) -> int | None:
        """Where the journal holds the result of a file, for `read`; None where it does not, or has said so before."""
        return self._offsets.pop(digest(self._keyed(key)), None)

    def find_below(self, path: str) -> list[int]:
        """Where the journal holds what the last table had of a path or from below it, for `read_file`.

        Reads the journal once more when it is asked first.

        Args:
            path: of a file or folder that cannot be looked at.

        Returns:
            Places of results that `find` has not given, in the order of a walk.

        Raises:
            OutputError: the journal cannot be read.
        """
        if not self._offsets:
            return []
        with self._errors():
            if self._index is None:
                self._index = PathIndex(self._paths())
            return [
                offset for offset in self._index.at_or_below(path) if self._is_unused(parse(self._line(offset)), offset)
            ]

    def read(self, offset: int) -> tuple[ChannelResult, ...]:
        """The channels at an offset that `find` gave."""
        line = self._line(offset)
        self._use(offset, line)
        return journal_codec.loads(json.loads(line)[-1])

    def read_file(self, offset: int) -> tuple[str, tuple[ChannelResult, ...]]:
        """The path and the channels at an offset that `find_below` gave."""
        line = parse(self._line(offset))
        if line is None:
            raise OutputError(f"the journal {display_name(self.path)} was changed meanwhile", code="cannot_read")
        self._offsets.pop(digest(line.key), None)
        return line.path, self.read(offset)

    def add(self, key: Key, channels: tuple[ChannelResult, ...]) -> None:
        """Keep the result of a file.

        Raises:
            OutputError: the journal cannot be written.
        """
        line = result_line(self._keyed(key), journal_codec.dumps(channels))
        self._append(line)
        self._use(self._end - len(line), line)

    def compact(self) -> None:
        """Write the journal anew if more than half of it is of no use: for the end of a run that used what it needs.

        Raises:
            OutputError: it cannot be written; then it is as it was.
        """
        if not self._is_wasteful():
            self._note_moved()
            return
        with Output(self.path) as output:
            output.write(HEADER)
            for offset in self._used:
                output.write(self._line(offset))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            with self._errors() if kind is None else suppress(OSError):
                self._writer.close()

    def _scan(self) -> None:
        if not _is_there(self.path):
            return
        self._reader = reader = open(self.path, "rb")
        header = reader.readline(len(HEADER))
        if header != HEADER:
            self.unrecognized = not HEADER.startswith(header)  # else it was torn while it was written
            return
        self._end = len(HEADER)
        for line in reader:
            if not line.endswith(b"\n"):  # torn: the process or the machine stopped here
                return
            self._take_in(line)
            self._end += len(line)

    def _take_in(self, line: bytes) -> None:
        found = parse(line)
        if found is None:
            self.damaged += 1
        elif found.key.startswith(self._print.encode("ascii")):
            if found.moved:
                self._left ^= found.moved
            else:
                self._offsets[digest(found.key)] = self._end

    def _note_moved(self) -> None:
        """Write down what has left the table in this run, and what has come back."""
        moved = self._left.symmetric_difference(self._offsets.values())
        if moved:
            self._append(moved_line(self._print, moved))

    def _paths(self) -> Iterator[tuple[str, int]]:
        """Path and offset of the results that have not been used and were in the last table."""
        with open(self.path, "rb") as reader:
            offset = 0
            for line in reader:
                found = parse(line)
                if found and self._is_unused(found, offset) and offset not in self._left:
                    if found.folder == self._folder_of(found.path):
                        yield found.path, offset
                offset += len(line)

    def _is_unused(self, line: Line | None, offset: int) -> bool:
        return line is not None and self._offsets.get(digest(line.key)) == offset

    def _keyed(self, key: Key) -> bytes:
        folder = self._folder_of(key.path)
        return result_key(self._print, folder=folder, path=key.path, size_bytes=key.size_bytes, mtime_ns=key.mtime_ns)

    def _folder_of(self, path: str) -> str:
        return "" if os.path.isabs(path) else self._folder

    def _line(self, offset: int) -> bytes:
        if self._reader is None:
            self._reader = open(self.path, "rb")
        self._reader.seek(offset)
        return self._reader.readline()

    def _append(self, line: bytes) -> None:
        with self._errors():
            if self._writer is None:
                self._writer = self._begin()
            self._writer.append(line)
        self._end += len(line)

    def _use(self, offset: int, line: bytes) -> None:
        self._used.append(offset)
        self._used_bytes += len(line)

    def _begin(self) -> AppendedFile:
        if self.unrecognized and self._reader is not None:
            self._reader.close()
            self._reader = None
            os.rename(self.path, _free_name(self.path))
        writer = AppendedFile(self.path, end=self._end)
        if self._end == 0:
            writer.append(HEADER)
            self._end = len(HEADER)
        return writer

    def _is_wasteful(self) -> bool:
        if self._writer is None and (self.unrecognized or not _is_there(self.path)):
            return False
        return os.stat(self.path).st_size > 2 * self._used_bytes

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            advice = "check its rights and the free space of its folder, or name another --out"
            message = f"cannot write the journal {display_name(self.path)}: {reason}; {advice}"
            raise OutputError(message, code="cannot_write") from error


def _is_there(path: str) -> bool:
    """Whether there is such a file.

    Raises:
        OSError: what is there is no file; a link could be meant to have another file overwritten.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OSError(None, "it is not a regular file")
    return True


def _free_name(path: str) -> str:
    number = 1
    while os.path.lexists(f"{path}.foreign-{number}"):
        number += 1
    return f"{path}.foreign-{number}"
