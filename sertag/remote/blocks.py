"""Blocks of an object, each fetched once: decoders go over a file several times, to count frames and then to decode.

They are kept in memory, and beyond some megabytes in a temporary file, so a long recording takes no more memory than a
short one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable

_BLOCK_BYTES = 4 << 20  # of a request: nine minutes of 8 kHz mu-law
_MEMORY_BYTES = 32 << 20


class Blocks:
    r"""The bytes of an object.

    >>> content = bytes(range(256)) * 40_000
    >>> blocks = Blocks(lambda start, end: content[start:end], size_bytes=len(content))
    >>> blocks.read(5_000_000, 9) == content[5_000_000:5_000_009], blocks.read(len(content) - 1, 9), blocks.fetched
    (True, b'\xff', 6045696)
    """

    def __init__(self, fetch: Callable[[int, int], bytes], *, size_bytes: int) -> None:
        """Begin with no block.

        Args:
            fetch: gives the bytes from a position up to another.
            size_bytes: of the object.
        """
        self.fetched = 0
        self._fetch, self._size_bytes = fetch, size_bytes
        self._kept = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)
        self._places: dict[int, int] = {}  # of blocks in `_kept`, in the order in which they came

    def read(self, start: int, count: int) -> bytes:
        """Bytes from a position on, fewer at the end of the object.

        Raises:
            EOFError: the storage sent less than it said it has.
        """
        end = min(start + count, self._size_bytes)
        numbers = range(start // _BLOCK_BYTES, -(-end // _BLOCK_BYTES))
        return b"".join(self._part(number, start, end) for number in numbers)

    def close(self) -> None:
        """Forget them."""
        self._kept.close()

    def _part(self, number: int, start: int, end: int) -> bytes:
        """What of a block is wanted."""
        first = number * _BLOCK_BYTES
        if number not in self._places:
            self._keep(number, first, min(first + _BLOCK_BYTES, self._size_bytes))
        inside = max(0, start - first)
        self._kept.seek(self._places[number] + inside)
        return self._kept.read(min(end - first, _BLOCK_BYTES) - inside)

    def _keep(self, number: int, first: int, end: int) -> None:
        data = self._fetch(first, end)
        if len(data) < end - first:
            raise EOFError(f"{len(data)} bytes instead of {end - first}")
        self._kept.seek(self.fetched)
        self._kept.write(data)
        self._places[number] = self.fetched
        self.fetched += len(data)
