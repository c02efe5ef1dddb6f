"""The interface of all decoders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sertag.records import FloatArray, Problem


class BrokenError(Exception):
    """A decoder gave up; what it returned before is valid. The text is part of a sentence about the file."""


class Reader(Protocol):
    """A decoder that reads one recording."""

    channels: int
    rate_hz: int
    announced_samples: int  # declared samples per channel, known before reading; 0 if unknown

    def pieces(self) -> Iterator[FloatArray]:
        """Samples at the native rate, float32 (n, channels); a piece is valid until the next one."""

    def declared_samples(self, read: int) -> int:
        """Declared samples per channel, given that `read` were available; `read` if the header declares none."""

    def notes(self) -> list[Problem]:
        """Problems found while reading; complete once everything is read."""

    def close(self) -> None:
        """Release the decoder."""
