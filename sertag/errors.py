"""Exceptions with a message and a code, and exit codes of the process. Standard library only."""

from __future__ import annotations

import sys
from enum import IntEnum

from sertag.text import display_text


class SertagError(Exception):
    """Root of all errors that sertag raises on purpose.

    Args:
        message: one line for a person.
        code: stable lower-case word for a program, e.g. `empty_file`.
    """

    def __init__(self, message: str, *, code: str = "error") -> None:
        """Keep the message and the code."""
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        # `code` is keyword-only, which the default pickling of exceptions would lose on the way from a worker.
        return _rebuild, (type(self), str(self), self.code)


class DecodeError(SertagError):
    """A recording cannot be turned into samples."""


class ModelError(SertagError):
    """A model file cannot be used."""


class SpecError(ModelError):
    """The specification inside a model file is missing or invalid."""


class OutputError(SertagError):
    """A result cannot be written."""


class ClusterError(SertagError):
    """A cluster cannot be reached or used, or is gone."""


def _rebuild(kind: type[SertagError], message: str, code: str) -> SertagError:
    return kind(message, code=code)


class Exit(IntEnum):
    """Exit codes; a signal that ended the run adds 128 to its number."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    NOTHING_TAGGED = 3
    MODEL = 4
    OUTPUT = 5
    CLUSTER = 69  # EX_UNAVAILABLE of sysexits.h: a service is not there
    LOCKED = 75  # EX_TEMPFAIL of sysexits.h: try again later
    READER_LEFT = 141  # 128 + SIGPIPE, as a shell reports for a program whose pipe was closed


def failed(error: SertagError, code: Exit) -> Exit:
    """Write an error that ends the process to stderr; returns its exit code."""
    sys.stderr.write(f"error: {display_text(str(error))}\n")
    return code
