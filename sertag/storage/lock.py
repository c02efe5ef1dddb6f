"""Kernel locks: only one run at a time writes a table, and the lock of a killed run is released.

Used by `run` and `atomic_output`. `flock` belongs to an open file, so the system releases it when the process ends,
however it ends. The owner of a lock removes the lock file; a process that locks a file that was removed meanwhile tries
again. If the file system or the operating system does not support such locks, work goes on without them.
"""

from __future__ import annotations

import io
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from sertag.errors import OutputError, SertagError
from sertag.text import display_name, display_text

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_HELD = (BlockingIOError, PermissionError)  # EAGAIN; EACCES on some network file systems
_MOST_BYTES = 200  # read from a lock file for a message


class LockedError(SertagError):
    """Another run holds the lock."""


@contextmanager
def hold(path: str, *, of: str) -> Iterator[None]:
    """Hold the lock of an output while the block runs.

    Args:
        path: path of the lock file, which exists as long as the lock is held.
        of: the output, for messages.

    Raises:
        LockedError: another process holds the lock; the message names it.
        OutputError: the lock file cannot be created.
    """
    try:
        stream = open_locked(path)
    except OSError as error:
        advice = "check that the folder exists, its permissions and its free space"
        message = f"cannot write {display_name(path)}: {error.strerror or error}; {advice}"
        raise OutputError(message, code="cannot_write") from error
    if stream is None:
        message = f"{display_name(of)} is being written by {_holder(path)}; wait for it, or name another --out"
        raise LockedError(message, code="locked")
    with stream:
        if lock(stream) is None:
            message = "%s: this file system has no locks; take care that no other run writes %s meanwhile"
            logging.getLogger("sertag").warning(message, display_name(path), display_name(of))
        try:
            _sign(stream)
            yield
        finally:
            with suppress(OSError):  # its folder may be gone
                os.unlink(path)


def open_locked(path: str) -> io.FileIO | None:
    """Open a file, create it if needed, and lock it until it is closed.

    Args:
        path: path of the file; a link is refused, because another file could be overwritten through it.

    Returns:
        The stream, for reading and writing; None if another process holds the lock.

    Raises:
        OSError: the file cannot be opened.
    """
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        stream = io.FileIO(number, "r+")
        if lock(stream) is False:
            stream.close()
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(number), os.lstat(path)):
                return stream
        stream.close()  # the previous owner of the lock removed the file after it was opened here


def lock(stream: io.FileIO) -> bool | None:
    """Lock an open file without waiting.

    Returns:
        Whether the lock was acquired; None if locks are not supported.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except _HELD:
        return False
    except OSError:
        return None
    return True


def _sign(stream: io.FileIO) -> None:
    moment = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with suppress(OSError):  # on a full disk the file stays empty, but it is locked
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()} since {moment}\n".encode())


def _holder(path: str) -> str:
    """The process named in the lock file; the file may be removed by now, or still be empty."""
    try:
        with open(path, "rb") as stream:
            owner = stream.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        owner = ""
    return display_text(owner.partition("\n")[0]) or "another run"
