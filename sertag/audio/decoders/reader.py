"""What every decoder gives, whichever library is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sertag.records import FloatArray, Problem


class BrokenError(Exception):
    """A decoder gave up; what it gave before is sound. The text is a part of a sentence about the file."""


class Reader(Protocol):
    """A decoder at work on one recording."""

    channels: int
    rate_hz: int
    announced_samples: int  # of each channel, before anything is read; 0 where the header does not say

    def pieces(self) -> Iterator[FloatArray]:
        """Native samples, float32 (n, channels); each piece is valid until the next one."""

    def declared_samples(self, read: int) -> int:
        """Samples of each channel that the header declares, when `read` were there; `read` where it does not say."""

    def notes(self) -> list[Problem]:
        """What else was wrong, once everything is read."""

    def close(self) -> None:
        """Release the decoder."""
