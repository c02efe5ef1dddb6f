"""Paths and where their results lie, so that all that lie below one path are found at once.

Used by `journal` on the rare nights on which a place cannot be looked at. A million paths take some 200 MB.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import zip_longest

_SEPARATOR = os.sep.encode()


class PathIndex:
    """Sorted as a walk finds files: entry by entry of each folder, by their bytes."""

    def __init__(self, entries: Iterable[tuple[str, int]]) -> None:
        """Sort.

        Args:
            entries: path and offset of each result; of a path that comes up again the last one counts.
        """
        keys: list[bytes] = []
        offsets = array("Q")
        for path, offset in entries:
            keys.append(_key(path))
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
        key = _key(path)
        below = key if key.endswith(b"\0") else key + b"\0"
        start, end = bisect_left(self._keys, below), bisect_left(self._keys, below[:-1] + b"\1")
        at = bisect_left(self._keys, key)
        exact = [self._offsets[at]] if at < start and self._keys[at] == key else []
        return exact + self._offsets[start:end].tolist() if path else exact


def _key(path: str) -> bytes:
    """No name holds a zero byte, so that one in place of each separator makes bytes sort as a walk goes."""
    return os.fsencode(path).replace(_SEPARATOR, b"\0")
