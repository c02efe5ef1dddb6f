"""Matrix products whose last bits do not depend on how many threads the machine has."""

from __future__ import annotations

import numpy as np

from sertag.records import FloatArray

_MULTIPLICATIONS = 262_144  # of one product: OpenBLAS shares only larger ones among threads


def multiply(left: FloatArray, right: FloatArray, *, out: FloatArray) -> None:
    """Fill `out` (t, c) with `left` (t, m) times `right` (m, c), in pieces that run on one thread.

    >>> out = np.empty((3, 1))
    >>> multiply(np.ones((3, 2)), np.ones((2, 1)), out=out)
    >>> out.tolist()
    [[2.0], [2.0], [2.0]]
    """
    rows = max(1, _MULTIPLICATIONS // right.size)
    for start in range(0, len(left), rows):
        np.matmul(left[start : start + rows], right, out=out[start : start + rows])
