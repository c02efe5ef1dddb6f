"""Every error sertag raises on purpose: one root, one subclass for each thing that can be wrong.

A message says what failed, which file, what was found, what was expected and what to do next.
`code` is the stable word a program can match on; it is the `error_code` column of a row.
"""

from __future__ import annotations


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


def _rebuild(kind: type[SertagError], message: str, code: str) -> SertagError:
    return kind(message, code=code)
