"""Where bytes go: a file that appears whole or not at all, a device, or standard output.

Used by `write`. A file is written beside its place, flushed to the disk and moved over the old one in one step
(`os.replace`): a reader never sees half a table, and after any failure or signal the old one still stands.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO

from sertag.errors import OutputError
from sertag.names import display_name


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
        with self._errors():
            self._stream.write(data)
        return len(data)

    def flush(self) -> None:
        """Hand what was written to the operating system; the errors are those of `write`."""
        with self._errors():
            self._stream.flush()

    @property
    def closed(self) -> bool:
        """Whether writing is over; pyarrow asks."""
        return self._stream.closed

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self.flush()
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
        # Not `tempfile`, which would make a table that only its owner may read.
        temporary = os.path.join(os.path.dirname(self._final), f".sertag-{secrets.token_hex(8)}.tmp")
        stream = open(temporary, "xb")
        self._temporary = temporary
        return stream

    def _publish(self, temporary: str) -> None:
        if os.path.exists(self._final):
            os.chmod(temporary, os.stat(self._final).st_mode & 0o7777)
        os.fsync(self._stream.fileno())
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
                message = f"cannot write standard output: {reason}; name a file with --out"
            else:
                advice = "check that the folder exists, its rights and its free space"
                message = f"cannot write {display_name(self._target)}: {reason}; {advice}"
            raise OutputError(message, code="cannot_write") from error


def _mute_standard_output() -> None:
    """Let the interpreter's own flush at exit succeed, which would fail again and complain."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
