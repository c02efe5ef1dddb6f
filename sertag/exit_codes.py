"""What the process returns. Standard library only; used by `cli` and `run`."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; a signal that ended the run adds 128 to its number."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    NOTHING_TAGGED = 3
    MODEL = 4
    OUTPUT = 5
    LOCKED = 75  # EX_TEMPFAIL of sysexits.h: try again later
    READER_LEFT = 141  # 128 + SIGPIPE, what a shell reports of any tool whose reader leaves
