"""The journal beside a table: the results of finished files, one line each, so that a stopped run can be continued.

JSON Lines (see `journal_lines`), only ever appended to, by one writer, who holds the lock of the table. Lines are
independent: whatever happens to other lines, a line is read as it was written or not at all.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from sertag.errors import OutputError
from sertag.records import ChannelResult
from sertag.remote.urls import is_url
from sertag.storage import journal_codec
from sertag.storage.append_file import AppendedFile
from sertag.storage.atomic_output import Output, cannot_write
from sertag.storage.journal_index import JournalIndex
from sertag.storage.journal_lines import (
    HEADER,
    Line,
    channels_json,
    fingerprint_print,
    moved_line,
    parse,
    parse_key,
    result_key,
    result_line,
)
from sertag.storage.path_index import PathIndex
from sertag.text import display_name

_BUFFER_BYTES = 1 << 16  # results are mostly read in the order in which they were written


class Key(NamedTuple):
    """Identifies a recording and its state; a result is reused only if all of it is the same.

    Attributes:
        path: as reached from the command line.
        size_bytes, mtime_ns: size and modification time; of an object in a storage, a number for its ETag instead.
    """

    path: str
    size_bytes: int
    mtime_ns: int


class Journal:
    """An open journal, a context manager; the file is not touched before a result is added.

    Attributes:
        path: path of the file.
        unrecognized: the file is not a journal of this version; it is renamed when the first result is added.
        damaged: how many of its lines cannot be read.
    """

    def __init__(self, path: str, *, fingerprint: Any, folder: str, renew: bool = False) -> None:
        """Read the keys of all results.

        Args:
            path: path of the file; it need not exist.
            fingerprint: all settings that determine rows besides the recordings, as a JSON value.
            folder: where relative paths start, relative to the folder of the journal: the same relative path from
                another folder is another recording, and a tree that is moved with its journal is recognised.
            renew: ignore all stored results.

        Raises:
            OutputError: the journal cannot be read.
        """
        self.path = path
        self.unrecognized, self.damaged = False, 0
        self._print = fingerprint_print(fingerprint)
        self._folder = folder
        self._index = JournalIndex()  # of results that have not been used
        self._left: set[int] = set()  # offsets of results that were not in the last table
        self._path_index: PathIndex | None = None
        self._end = 0  # end of the last complete line
        self._used, self._used_bytes = array("Q"), len(HEADER)
        self._reader: BinaryIO | None = None
        self._writer: AppendedFile | None = None
        with self._errors():
            self._scan()
        if renew:
            self._index = JournalIndex()
            self._left.clear()
            self._end = 0

    @property
    def is_empty(self) -> bool:
        """Whether there are no unused results."""
        return not len(self._index)

    def find(self, key: Key) -> int | None:
        """The offset of the result of a file, for `read`; None if there is none. Each offset is returned only once."""
        return self._index.take(self._keyed(key))

    def find_below(self, path: str) -> list[int]:
        """The offsets of results in the last table at or below a path, for `read_file`.

        The first call reads the journal once more.

        Args:
            path: path of a file or folder that cannot be accessed.

        Returns:
            Offsets of results that `find` has not returned, in the order of a walk.

        Raises:
            OutputError: the journal cannot be read.
        """
        if self.is_empty:
            return []
        with self._errors():
            if self._path_index is None:
                self._path_index = PathIndex(self._paths())
            offsets = self._path_index.at_or_below(path)
            return [offset for offset in offsets if self._is_unused(parse_key(self._line(offset)), offset)]

    def read(self, offset: int) -> tuple[ChannelResult, ...]:
        """The channels at an offset returned by `find`."""
        line = self._line(offset)
        self._use(offset, line)
        return journal_codec.loads(channels_json(line))

    def read_file(self, offset: int) -> tuple[str, tuple[ChannelResult, ...]]:
        """The path and the channels at an offset returned by `find_below`."""
        line = parse(self._line(offset))
        if line is None or line.moved:
            message = f"the journal {display_name(self.path)} was changed by another program; run again"
            raise OutputError(message, code="cannot_read")
        self._index.take(line.key)
        return line.path, self.read(offset)

    def add(self, key: Key, channels: tuple[ChannelResult, ...]) -> None:
        """Store the result of a file.

        Raises:
            OutputError: the journal cannot be written.
        """
        line = result_line(self._keyed(key), journal_codec.dumps(channels))
        self._append(line)
        self._use(self._end - len(line), line)

    def note_moved(self) -> None:
        """Append a line about results that this run has removed from the table or put back; call it before `compact`.

        Nothing is written if the journal is to be rewritten, because then it has no other results.

        Raises:
            OutputError: the journal cannot be written.
        """
        moved = self._left.symmetric_difference(self._index.offsets())
        if moved and not self._is_wasteful():
            self._append(moved_line(self._print, moved))
            self._left ^= moved

    def compact(self) -> None:
        """Rewrite the journal if more than half of it is not used by the current table, which should be in its place.

        Raises:
            OutputError: the journal cannot be read or written; the old one is unchanged.
        """
        self.note_moved()
        with self._errors():
            if not self._is_wasteful():
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
        self._reader = reader = open(self.path, "rb", _BUFFER_BYTES)
        header = reader.readline(len(HEADER))
        if header != HEADER:
            self.unrecognized = not HEADER.startswith(header)  # a part of the header: the run that wrote it was killed
            return
        self._end = len(HEADER)
        print_ = self._print.encode("ascii")
        for line in reader:
            if not line.endswith(b"\n"):  # incomplete: the process or the machine stopped here
                return
            key = parse_key(line)
            if key is None:
                self._add_other(line, print_)
            elif key.startswith(print_):
                self._index.add(key, self._end)
            self._end += len(line)

    def _add_other(self, line: bytes, print_: bytes) -> None:
        parsed = parse(line)
        if parsed is None:
            self.damaged += 1
        elif parsed.key == print_:
            self._left ^= parsed.moved

    def _paths(self) -> Iterator[tuple[str, int]]:
        """Path and offset of the results that have not been used and were in the last table."""
        with open(self.path, "rb") as reader:
            offset = 0
            for line in reader:
                key = parse_key(line)
                if key and self._is_unused(key, offset) and offset not in self._left:
                    parsed = Line(key)
                    if parsed.folder == self._folder_of(parsed.path):
                        yield parsed.path, offset
                offset += len(line)

    def _is_unused(self, key: bytes | None, offset: int) -> bool:
        return key is not None and self._index.get(key) == offset

    def _keyed(self, key: Key) -> bytes:
        folder = self._folder_of(key.path)
        return result_key(self._print, folder=folder, path=key.path, size_bytes=key.size_bytes, mtime_ns=key.mtime_ns)

    def _folder_of(self, path: str) -> str:
        return "" if os.path.isabs(path) or is_url(path) else self._folder

    def _line(self, offset: int) -> bytes:
        if self._reader is None:
            self._reader = open(self.path, "rb", _BUFFER_BYTES)
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
            advice = "check its permissions and the free space of its folder, or give another --out"
            raise cannot_write(f"the journal {display_name(self.path)}", error, advice=advice) from error


def _is_there(path: str) -> bool:
    """Whether the file exists.

    Raises:
        OSError: it is not a regular file; a link is refused, because another file could be overwritten through it.
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
