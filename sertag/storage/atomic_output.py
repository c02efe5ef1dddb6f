"""Where bytes go: a file that appears whole or not at all, a device, or standard output.

Used by `write`. A file is written beside its place, flushed to the disk and moved over the old one in one step
(`os.replace`): a reader never sees half a table, and after any failure or signal the old one still stands. Where a run
has several outputs, all are finished before the first is moved. What a killed run left beside its place, the next run
removes; a lock tells it from what is being written.
"""

from __future__ import annotations

import io
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO

from sertag.errors import OutputError
from sertag.storage.lock import lock, open_locked
from sertag.text import display_name

_TEMPORARY = ".sertag-", ".tmp"


class Output:
    """A binary stream to a target; leaving its `with` block without an exception puts a file in place.

    Attributes:
        live: somebody may be reading already, so every file's rows are flushed.
        terminal: a person is looking.
    """

    def __init__(self, target: str) -> None:
        """Open the target.

        Args:
            target: path, or `-` for standard output. A link is followed; a device or FIFO is written to directly.

        Raises:
            OutputError: the target cannot be written.
        """
        self._target = target
        self._final = os.path.realpath(target)
        self._temporary: str | None = None
        self._finished = False
        with self._errors():
            self._stream = self._open()
        self.live = self._temporary is None
        self.terminal = self._stream.isatty()

    def write(self, data: bytes) -> int:
        """Write bytes.

        Raises:
            OutputError: the disk is full, the device is gone.
            BrokenPipeError: the reader of a pipe has left.
        """
        if not self._stream.closed:  # else it was given up, and an encoder that is taken apart says its last words
            with self._errors():
                self._stream.write(data)
        return len(data)

    def flush(self) -> None:
        """Hand what was written to the operating system; the errors are those of `write`."""
        with self._errors():
            self._stream.flush()

    def finish(self) -> None:
        """Bring everything to the disk, so that only the move is left; the errors are those of `write`."""
        self.flush()
        if self._temporary is not None:
            with self._errors():
                if os.path.exists(self._final):
                    os.chmod(self._temporary, os.stat(self._final).st_mode & 0o7777)
                os.fsync(self._stream.fileno())
        self._finished = True

    @property
    def closed(self) -> bool:
        """Whether writing is over; pyarrow asks."""
        return self._stream.closed

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                if not self._finished:
                    self.finish()
                if self._temporary is not None:
                    with self._errors():
                        self._publish(self._temporary)
        finally:
            self._abandon()

    def _open(self) -> BinaryIO:
        if self._target == "-":
            if sys.stdout is None:
                raise OSError(None, "it is closed")
            return sys.stdout.buffer
        if os.path.isdir(self._final):
            raise OSError(None, "it is a directory")
        if os.path.exists(self._final) and not os.path.isfile(self._final):
            return open(self._final, "wb")
        folder = os.path.dirname(self._final)
        _remove_leftovers(folder)
        while True:
            # Not `tempfile`, which would make a table that only its owner may read.
            temporary = os.path.join(folder, secrets.token_hex(8).join(_TEMPORARY))
            stream = open_locked(temporary)
            if stream is not None:  # else somebody takes it for a leftover, before it was locked
                self._temporary = temporary
                return io.BufferedWriter(stream)

    def _publish(self, temporary: str) -> None:
        os.replace(temporary, self._final)
        self._temporary = None
        with suppress(OSError):  # some network file systems cannot; the content itself is on the disk
            folder = os.open(os.path.dirname(self._final), os.O_RDONLY)
            try:
                os.fsync(folder)  # the new name must survive a power cut as well
            finally:
                os.close(folder)

    def _abandon(self) -> None:
        """Close what is open and remove what was not published."""
        if self._target == "-":
            return
        with suppress(OSError):  # a full disk can fail again here; what counts is that the old file stands
            self._stream.close()
        if self._temporary is not None:
            with suppress(OSError):
                os.unlink(self._temporary)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn errors of the operating system into one line that names the target."""
        try:
            yield
        except OSError as error:
            if self._target == "-":
                _mute_standard_output()
            if isinstance(error, BrokenPipeError):
                raise
            reason = error.strerror or type(error).__name__
            if self._target == "-":
                message = f"cannot write standard output: {reason}; send it to a file or a pipe that takes it"
            else:
                advice = "check that the folder exists, its rights and its free space"
                message = f"cannot write {display_name(self._target)}: {reason}; {advice}"
            raise OutputError(message, code="cannot_write") from error


def is_temporary(path: str) -> bool:
    """Whether a path is that of an output while it is being written.

    >>> is_temporary("calls/.sertag-0123456789abcdef.tmp"), is_temporary("calls/call.tmp")
    (True, False)
    """
    name = os.path.basename(path)
    return name.startswith(_TEMPORARY[0]) and name.endswith(_TEMPORARY[1])


def _remove_leftovers(folder: str) -> None:
    """Remove what killed runs were writing: nobody holds its lock any more."""
    leftovers: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:  # OSError: a folder that may be written, but not listed
        leftovers += [entry.path for entry in entries if is_temporary(entry.name)]
    for path in leftovers:
        with suppress(OSError), io.FileIO(path, "r+") as stream:  # OSError: moved or removed meanwhile, or not ours
            if lock(stream):
                os.unlink(path)


def _mute_standard_output() -> None:
    """Let the interpreter's own flush at exit succeed, which would fail again and complain."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
