"""An output: a file that is replaced atomically, a device, or standard output.

Used by `writers`. A file is written under a temporary name in the same folder, flushed to the disk and moved over the
old one in one step (`os.replace`): a reader never sees half a table, and after any failure or signal the old file is
unchanged. If a run has several outputs, all are finished before the first is moved. Temporary files that a killed run
has left are removed by the next run; files that are still being written are locked.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO

from sertag.errors import OutputError
from sertag.remote.output import check_target, local_state, make_state_folder, put
from sertag.remote.urls import is_url, shown
from sertag.storage.lock import lock, open_locked
from sertag.text import display_name

TEMPORARY = ".sertag-", ".tmp"  # how temporary names begin and end


def open_output(target: str, *, storage: str = "") -> Output:
    """Open an output, also one in a storage.

    Args:
        target: path, URL, or `-` for standard output.
        storage: settings for URLs, from `remote.options`.

    Raises:
        OutputError: it cannot be written.
    """
    return _RemoteOutput(target, storage) if is_url(target) else Output(target)


class Output:
    """A binary stream to a target; leaving its `with` block without an exception puts a file in place.

    Attributes:
        live: the output may be read while it is written, so the rows of every file are flushed.
        terminal: the output is a terminal.
    """

    def __init__(self, target: str) -> None:
        """Open the target.

        Args:
            target: path, or `-` for standard output. Links are followed; a device or FIFO is written to directly.

        Raises:
            OutputError: the target cannot be written.
        """
        self._target = target
        self._final = self._final_path()
        self._temporary: str | None = None
        self._finished = False
        with self._errors():
            self._stream = self._open()
        self.live = self._temporary is None
        self.terminal = self._stream.isatty()

    def write(self, data: bytes) -> int:
        """Write bytes.

        Raises:
            OutputError: the disk is full, or the device was removed.
            BrokenPipeError: the reader of a pipe has closed it.
        """
        if not self._stream.closed:  # an encoder that is destroyed after an error may still write
            with self._errors():
                self._stream.write(data)
        return len(data)

    def flush(self) -> None:
        """Pass buffered data to the operating system; errors as in `write`."""
        with self._errors():
            self._stream.flush()

    def finish(self) -> None:
        """Flush everything to the disk, so that only the move is left; errors as in `write`."""
        self.flush()
        if self._temporary is not None:
            with self._errors():
                if os.path.exists(self._final):
                    os.chmod(self._temporary, os.stat(self._final).st_mode & 0o7777)
                os.fsync(self._stream.fileno())
        self._finished = True

    @property
    def closed(self) -> bool:
        """Whether the stream is closed; used by pyarrow."""
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

    def _final_path(self) -> str:
        if is_url(self._target):
            message = f"cannot write {display_name(shown(self._target))}: expected a file on this machine"
            raise OutputError(f"{message}; copy it from there", code="cannot_write")
        return os.path.realpath(self._target)

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
            # Not `tempfile`, which creates files that only their owner may read.
            temporary = os.path.join(folder, os.urandom(8).hex().join(TEMPORARY))
            stream = open_locked(temporary)
            if stream is not None:  # otherwise another run has taken it for a leftover before it was locked
                self._temporary = temporary
                return io.BufferedWriter(stream)

    def _publish(self, temporary: str) -> None:
        os.replace(temporary, self._final)
        self._temporary = None
        with suppress(OSError):  # some network file systems cannot; the content itself is on the disk
            folder = os.open(os.path.dirname(self._final), os.O_RDONLY)
            try:
                os.fsync(folder)  # makes the new name survive a power cut
            finally:
                os.close(folder)

    def _abandon(self) -> None:
        """Close the stream and remove the temporary file if it was not moved into place."""
        if self._target == "-":
            return
        with suppress(OSError):  # a full disk can fail again here; the old file is unchanged
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
            if self._target == "-":
                raise cannot_write("standard output", error, advice="send it to another file or pipe") from error
            advice = "check that the folder exists, its permissions and its free space"
            raise cannot_write(display_name(self._target), error, advice=advice) from error


def cannot_write(what: str, error: OSError, *, advice: str) -> OutputError:
    """An error of the operating system as one line: what could not be written, why, and what to do."""
    reason = error.strerror or type(error).__name__
    return OutputError(f"cannot write {what}: {reason}; {advice}", code="cannot_write")


class _RemoteOutput(Output):
    """A table in a storage: a local file until it is finished, then put to its place in one step."""

    def __init__(self, target: str, storage: str) -> None:
        check_target(target, storage)
        make_state_folder()
        self._storage = storage
        super().__init__(target)

    def _final_path(self) -> str:
        return local_state(self._target)

    def _publish(self, temporary: str) -> None:
        put(temporary, self._target, self._storage)


def is_temporary(path: str) -> bool:
    """Whether a path is the temporary name of an output.

    >>> is_temporary("calls/.sertag-0123456789abcdef.tmp"), is_temporary("calls/call.tmp")
    (True, False)
    """
    name = os.path.basename(path)
    return name.startswith(TEMPORARY[0]) and name.endswith(TEMPORARY[1])


def _remove_leftovers(folder: str) -> None:
    """Remove temporary files of killed runs, which are no longer locked."""
    leftovers: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:  # OSError: the folder is writable, but cannot be listed
        leftovers += [entry.path for entry in entries if is_temporary(entry.name)]
    for path in leftovers:
        with suppress(OSError), io.FileIO(path, "r+") as stream:  # OSError: moved or removed meanwhile, or read-only
            if lock(stream):
                os.unlink(path)


def _mute_standard_output() -> None:
    """Redirect standard output to the null device, so that the interpreter's flush at exit does not fail again."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
