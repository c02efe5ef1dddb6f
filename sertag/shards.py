"""Shards: a run over the K-th of N parts of its recordings, for schedulers that start N runs without a cluster.

A recording belongs to a shard by a hash of its path alone, as it is reached and written in tables. So a recording stays
in its shard when others are added or removed, and needs the same arguments and working folder in all runs.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from sertag.text import encode_path


class Shard(NamedTuple):
    """One of `total` parts; the first has the number 1."""

    number: int
    total: int

    def has(self, path: str) -> bool:
        """Whether a recording belongs to it.

        >>> [Shard(number, 3).has("calls/a.wav") for number in (1, 2, 3)].count(True)
        1
        """
        return path_hash(encode_path(path)) % self.total == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"


def path_hash(text: str) -> int:
    """64 bits that stand for a path.

    Args:
        text: the path as in tables.

    >>> hex(path_hash("calls/a.wav"))
    '0x46ca025218351055'
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
