"""The journal beside a table: finished work, one line a file, so that the same command goes on where it was ended.

Used by `run` and `resume`. JSON Lines, only ever appended to, by one writer, who holds the lock of the table:

    {"sertag_journal":1}
    ["5f0e1a77","91c2…",".","calls/a.wav",480044,1772442061000000000,[[0,"ok",…]]]

that is: a checksum of the rest of the line; the print of all that decides rows besides the recordings; the folder that
the path starts from; path, size and mtime in nanoseconds; the channels. A line stands for itself: whatever happens to
the others, it is read as it was written or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO

from sertag import stored
from sertag.appended import AppendedFile
from sertag.errors import OutputError
from sertag.names import display_name
from sertag.output import Output
from sertag.records import ChannelResult

_HEADER = b'{"sertag_journal":1}\n'
_LINE = re.compile(rb'\["([0-9a-f]{8})",("[0-9a-f]{16}","(?:[^"\\]|\\.)*","(?:[^"\\]|\\.)*",\d+,-?\d+),.*\]\n')
_SUMMED = len('["5f0e1a77",')  # where the part begins that the checksum is of


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
        foreign: what was found is no journal of this version; it is set aside when the first result is added.
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
        self.foreign = False
        self.damaged = 0
        digest = hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode("ascii")).hexdigest()
        self._print = json.dumps(digest[:16])
        self._folder = folder
        self._places: dict[bytes, int] = {}
        self._end = 0  # of the last whole line
        self._used, self._used_bytes = array("Q"), len(_HEADER)
        self._reader: BinaryIO | None = None
        self._writer: AppendedFile | None = None
        with self._errors():
            self._scan()
        if renew:
            self._places.clear()
            self._end = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to find."""
        return not self._places

    def find(self, key: Key) -> int | None:
        """Where the journal holds the result of a file, for `read`; None where it does not."""
        return self._places.get(_digest(self._keyed(key)))

    def read(self, place: int) -> tuple[ChannelResult, ...]:
        """The channels at a place that `find` gave."""
        line = self._line(place)
        self._use(place, line)
        return stored.loads(json.loads(line)[-1])

    def add(self, key: Key, channels: tuple[ChannelResult, ...]) -> None:
        """Keep the result of a file.

        Raises:
            OutputError: the journal cannot be written.
        """
        summed = self._keyed(key) + f",{stored.dumps(channels)}]\n".encode("ascii")
        line = b'["%08x",%b' % (zlib.crc32(summed), summed)
        with self._errors():
            if self._writer is None:
                self._writer = self._begin()
            self._writer.append(line)
        self._use(self._end, line)
        self._end += len(line)

    def tidy(self) -> None:
        """Write the journal anew if more than half of it is of no use: for the end of a run that used what it needs.

        Raises:
            OutputError: it cannot be written; then it is as it was.
        """
        if not self._is_wasteful():
            return
        with Output(self.path) as output:
            output.write(_HEADER)
            for place in self._used:
                output.write(self._line(place))

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
        header = reader.readline(len(_HEADER))
        if header != _HEADER:
            self.foreign = not _HEADER.startswith(header)  # else it was torn while it was written
            return
        self._end = len(_HEADER)
        for line in reader:
            if not line.endswith(b"\n"):  # torn: the process or the machine stopped here
                return
            self._note(line)
            self._end += len(line)

    def _note(self, line: bytes) -> None:
        found = _LINE.fullmatch(line)
        if found is None or int(found[1], 16) != zlib.crc32(memoryview(line)[_SUMMED:]):
            self.damaged += 1
        elif found[2].startswith(self._print.encode("ascii")):
            self._places[_digest(found[2])] = self._end

    def _keyed(self, key: Key) -> bytes:
        folder = "" if os.path.isabs(key.path) else self._folder
        words = self._print, json.dumps(folder), json.dumps(key.path), str(key.size_bytes), str(key.mtime_ns)
        return ",".join(words).encode("ascii")

    def _line(self, place: int) -> bytes:
        if self._reader is None:
            self._reader = open(self.path, "rb")
        self._reader.seek(place)
        return self._reader.readline()

    def _use(self, place: int, line: bytes) -> None:
        self._used.append(place)
        self._used_bytes += len(line)

    def _begin(self) -> AppendedFile:
        if self.foreign and self._reader is not None:
            self._reader.close()
            self._reader = None
            os.rename(self.path, _free_name(self.path))
        writer = AppendedFile(self.path, end=self._end)
        if self._end == 0:
            writer.append(_HEADER)
            self._end = len(_HEADER)
        return writer

    def _is_wasteful(self) -> bool:
        if self._writer is None and (self.foreign or not _is_there(self.path)):
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


def _digest(keyed: bytes) -> bytes:
    """16 bytes that stand for a key of a hundred or more."""
    return hashlib.blake2b(keyed, digest_size=16).digest()
