"""An index of paths and offsets of their results, to find all results below a path.

Used by `journal` if a path cannot be accessed, which is rare. A million paths take some 200 MB.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import zip_longest

_SEPARATOR = os.sep.encode()


class PathIndex:
    """Paths sorted in the order of a walk: the entries of each folder by their bytes."""

    def __init__(self, entries: Iterable[tuple[str, int]]) -> None:
        """Sort.

        Args:
            entries: path and offset of each result; if a path occurs again, the last offset is used.
        """
        keys: list[bytes] = []
        offsets = array("Q")
        for path, offset in entries:
            keys.append(walk_key(path))
            offsets.append(offset)
        order = sorted(range(len(keys)), key=keys.__getitem__)  # equal ones stay in order
        latest = [now for now, then in zip_longest(order, order[1:]) if then is None or keys[now] != keys[then]]
        self._keys = [keys[number] for number in latest]
        self._offsets = array("Q", (offsets[number] for number in latest))

    def at_or_below(self, path: str) -> list[int]:
        """The offsets of a file of this path and of all files below a folder of this path, in the order of a walk.

        >>> PathIndex([("b/c.wav", 1), ("b.wav", 2), ("b/a.wav", 3), ("b", 4), ("bb/a.wav", 5)]).at_or_below("b")
        [4, 3, 1]
        """
        key = walk_key(path)
        below = key if key.endswith(b"\0") else key + b"\0"
        start, end = bisect_left(self._keys, below), bisect_left(self._keys, below[:-1] + b"\1")
        at = bisect_left(self._keys, key)
        exact = [self._offsets[at]] if at < start and self._keys[at] == key else []
        return exact + self._offsets[start:end].tolist() if path else exact


def walk_key(path: str) -> bytes:
    """The path with a zero byte, which no name contains, for each separator: such bytes sort in the order of a walk."""
    return os.fsencode(path).replace(_SEPARATOR, b"\0")
