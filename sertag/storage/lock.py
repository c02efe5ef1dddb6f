"""Kernel locks: one run at a time writes a table, and a run that was killed holds nothing.

Used by `run` and `output`. `flock` belongs to an open file, so the system lets go of it with the process, however that
ends. Whoever holds a lock removes its file; whoever gets a lock on a file that has meanwhile been removed starts over.
Where the file system or the system itself has no such locks, work goes on without.
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

_HELD = (BlockingIOError, PermissionError)  # EAGAIN; some network file systems say EACCES
_MOST_BYTES = 200  # of what is believed of a lock file


class LockedError(SertagError):
    """Another run holds the lock."""


@contextmanager
def hold(path: str, *, of: str) -> Iterator[None]:
    """Hold the lock of an output while the block runs.

    Args:
        path: of the lock file, which exists as long as the lock is held.
        of: the output, for messages.

    Raises:
        LockedError: another process holds it; the message says which.
        OutputError: the lock file cannot be made.
    """
    try:
        stream = open_locked(path)
    except OSError as error:
        advice = "check that the folder exists, its rights and its free space"
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
    """Open a file, made if need be, and lock it until it is closed.

    Args:
        path: of the file; a link is refused, so that nobody can have another file written through it.

    Returns:
        The stream, for reading and writing; None if another process holds the lock.

    Raises:
        OSError: it cannot be opened.
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
        stream.close()  # who held the lock has removed the file between the opening and the locking


def lock(stream: io.FileIO) -> bool | None:
    """Lock an open file without waiting.

    Returns:
        Whether it is ours now; None where there are no locks.
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
    with suppress(OSError):  # on a full disk the lock holds all the same
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()} since {moment}\n".encode())


def _holder(path: str) -> str:
    """What the lock file says; it may be gone by now, or not be signed yet."""
    try:
        with open(path, "rb") as stream:
            said = stream.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        said = ""
    return display_text(said.partition("\n")[0]) or "another run"
