"""A file for appending in which each append is written completely or not at all.

Used by `journal`. Appended data are passed to the operating system at once, so that nothing is lost if the process is
killed, and are on the disk within `SYNC_S`, which bounds the loss in a power cut. A thread flushes the file to the
disk, so that appending does not wait for it.
"""

from __future__ import annotations

import io
import os
import threading
from contextlib import suppress

SYNC_S = 2.0  # seconds between flushes; more frequent ones cost time, rarer ones risk more data


class AppendedFile:
    """A file that is open for appending; its thread ends with `close`."""

    def __init__(self, path: str, *, end: int) -> None:
        """Open a file.

        Args:
            path: path of the file, created if `end` is 0; a link is refused.
            end: the file is truncated to this length.

        Raises:
            OSError: the file cannot be opened.
        """
        flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        number = os.open(path, flags if end else flags | os.O_CREAT, 0o666)
        self._stream = io.FileIO(number, "r+")
        self._stream.truncate(end)
        self._end = end
        self._failed: OSError | None = None
        self._unsynced = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._sync_until_closed, name="sertag-journal", daemon=True)
        self._thread.start()

    def append(self, data: bytes) -> None:
        """Append bytes, all or none of them.

        Raises:
            OSError: the disk is full, or an earlier flush to the disk failed.
        """
        if self._failed is not None:
            raise self._failed
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._stream.write(rest) :]
        except BaseException:  # a full disk, or a signal
            with suppress(OSError):  # if this fails, the next run truncates the file
                self._stream.truncate(self._end)
            raise
        self._end += len(data)
        self._unsynced.set()

    def close(self) -> None:
        """Flush the file to the disk and close it; errors as in `append`."""
        self._closing.set()
        self._thread.join()
        with self._stream:
            self._sync()
        if self._failed is not None:
            raise self._failed

    def _sync_until_closed(self) -> None:
        while not self._closing.wait(SYNC_S):
            self._sync()

    def _sync(self) -> None:
        if not self._unsynced.is_set():
            return
        self._unsynced.clear()
        try:
            os.fsync(self._stream.fileno())
        except OSError as error:
            self._failed = error
