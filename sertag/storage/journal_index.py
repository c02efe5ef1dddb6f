"""Where in a journal the results are: offsets by key, 37 bytes a result, so that millions fit.

Used by `journal`. Keys themselves are not kept. Two numbers, of 96 bits together, stand for a key: the chance that any
two of 50 million keys have the same ones is below 1 in 10^13.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left
from itertools import pairwise

_MANY = 20_000  # results from which on loading numpy takes less time than it saves


class JournalIndex:
    """Offsets by key: first all are added, then they are taken, each once."""

    def __init__(self) -> None:
        """Begin with no results."""
        self._hashes, self._checks, self._offsets = array("q"), array("I"), array("Q")
        self._order: array[int] | None = None  # of results by hash, once it is needed; then nothing is added any more
        self._sorted_hashes = array("q")
        self._unused = bytearray()
        self._count = 0
        self._next = 0  # results are mostly taken in the order in which they were added

    def add(self, key: bytes, offset: int) -> None:
        """Add the offset of a result; it replaces an earlier one with the same key."""
        self._hashes.append(hash(key))
        self._checks.append(zlib.crc32(key))
        self._offsets.append(offset)

    def __len__(self) -> int:
        """How many results have not been taken."""
        self._settle()
        return self._count

    def take(self, key: bytes) -> int | None:
        """The offset of a result that has not been taken; None if there is none.

        >>> index = JournalIndex()
        >>> index.add(b"a", 20)
        >>> index.add(b"a", 90)
        >>> len(index), index.take(b"a"), index.take(b"a")
        (1, 90, None)
        """
        number = self._number(key)
        if number is None:
            return None
        self._unused[number] = 0
        self._count -= 1
        self._next = number + 1
        return self._offsets[number]

    def get(self, key: bytes) -> int | None:
        """The same without taking it."""
        number = self._number(key)
        return None if number is None else self._offsets[number]

    def offsets(self) -> list[int]:
        """The offsets of all results that have not been taken."""
        self._settle()
        return [offset for offset, unused in zip(self._offsets, self._unused, strict=True) if unused]

    def _number(self, key: bytes) -> int | None:
        self._settle()
        wanted, check, number = hash(key), zlib.crc32(key), self._next
        if number < len(self._hashes) and self._is(number, wanted, check):
            return number
        return self._searched(wanted, check)

    def _searched(self, wanted: int, check: int) -> int | None:
        order, found = self._order or (), None
        for place in range(bisect_left(self._sorted_hashes, wanted), len(order)):
            if self._sorted_hashes[place] != wanted:
                break
            if self._is(order[place], wanted, check):
                found = order[place]
        return found

    def _is(self, number: int, wanted: int, check: int) -> bool:
        return self._hashes[number] == wanted and self._checks[number] == check and self._unused[number] == 1

    def _settle(self) -> None:
        """Sort by hash, and drop results that were replaced by later ones."""
        if self._order is not None:
            return
        self._order = order = _order(self._hashes)
        self._sorted_hashes = hashes = array("q", map(self._hashes.__getitem__, order))
        self._unused = bytearray(b"\1") * len(order)
        for place, (this, later) in enumerate(pairwise(hashes)):
            if this == later and self._checks[order[place]] == self._checks[order[place + 1]]:
                self._unused[order[place]] = 0
        self._count = sum(self._unused)


def _order(hashes: array[int]) -> array[int]:
    """The places of numbers in ascending order of the numbers; equal ones stay in order."""
    if len(hashes) < _MANY:
        return array("Q", sorted(range(len(hashes)), key=hashes.__getitem__))
    import numpy as np

    return array("Q", np.argsort(np.frombuffer(hashes, np.int64), kind="stable").tobytes())
