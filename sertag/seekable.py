"""Binary streams over something that has a size and can be read anywhere: the position, and moving it."""

from __future__ import annotations

import io
from abc import abstractmethod


class Seekable(io.RawIOBase):
    """A stream with a position of its own; `readinto` of a subclass reads there and moves it."""

    def __init__(self) -> None:
        """Begin at the beginning."""
        super().__init__()
        self._position = 0

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Where the stream ends."""

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Position in the stream."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; behind the end nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size_bytes}[whence]
        self._position = max(0, base + offset)
        return self._position
