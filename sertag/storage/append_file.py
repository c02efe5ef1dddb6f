"""A file that grows by whole pieces and loses none of them.

Used by `journal`. What is appended is with the operating system at once, so that a killed process takes nothing with
it, and on the disk within `SYNC_S`, so that a power cut takes no more than that. The disk is waited for in a thread,
beside the work.
"""

from __future__ import annotations

import io
import os
import threading
from contextlib import suppress

SYNC_S = 2.0  # rare enough to cost nothing, soon enough to lose little


class AppendedFile:
    """A file that is open for appending; its thread ends with `close`."""

    def __init__(self, path: str, *, end: int) -> None:
        """Open a file.

        Args:
            path: of the file, made if `end` is 0; a link is refused.
            end: what follows is cut off.

        Raises:
            OSError: it cannot be opened.
        """
        flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        number = os.open(path, flags if end else flags | os.O_CREAT, 0o666)
        self._stream = io.FileIO(number, "r+")
        self._stream.truncate(end)
        self._end = end
        self._failed: OSError | None = None
        self._behind = threading.Event()  # the disk is
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._sync_for_ever, name="sertag-journal", daemon=True)
        self._thread.start()

    def append(self, data: bytes) -> None:
        """Append bytes, all or none of them.

        Raises:
            OSError: the disk is full, or bringing what came before to the disk has failed.
        """
        if self._failed is not None:
            raise self._failed
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._stream.write(rest) :]
        except BaseException:  # a full disk, or a signal
            with suppress(OSError):  # what cannot be cut off now is cut off by the next run
                self._stream.truncate(self._end)
            raise
        self._end += len(data)
        self._behind.set()

    def close(self) -> None:
        """Bring everything to the disk and close the file; the errors are those of `append`."""
        self._closing.set()
        self._thread.join()
        with self._stream:
            self._sync()
        if self._failed is not None:
            raise self._failed

    def _sync_for_ever(self) -> None:
        while not self._closing.wait(SYNC_S):
            self._sync()

    def _sync(self) -> None:
        if not self._behind.is_set():
            return
        self._behind.clear()
        try:
            os.fsync(self._stream.fileno())
        except OSError as error:
            self._failed = error
