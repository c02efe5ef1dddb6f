"""A decoder for samples that are already in memory.

Integers are scaled as libsndfile scales those of a WAV file, so an array and a file of its samples give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sertag.records import FloatArray, Problem

_PIECE_SAMPLES = 131_072  # of all channels together
_FULL_SCALE: dict[str, float] = {"int16": 2.0**15, "int32": 2.0**31}


class ArrayReader:
    """Yields pieces of an array; has the methods of `decode.Samples`."""

    def __init__(self, samples: npt.NDArray[Any], rate_hz: int) -> None:
        """Take samples.

        Args:
            samples: (channels, n) or (n,); float32 or float64 in [-1, 1], int16 or int32. They are not changed.
            rate_hz: sample rate.

        Raises:
            TypeError: the samples have another dtype.
            ValueError: they have another shape.
        """
        self._array = _checked(np.asarray(samples))
        self.channels, self.rate_hz = self._array.shape[0], int(rate_hz)
        self.announced_samples = self.declared_samples = self._array.shape[1]
        self.notes: list[Problem] = []

    def pieces(self) -> Iterator[FloatArray]:
        """Samples at the native rate, float32 (n, channels)."""
        size = max(1, _PIECE_SAMPLES // self.channels)
        scale = _FULL_SCALE.get(self._array.dtype.name)
        for start in range(0, self._array.shape[1], size):
            piece = self._array[:, start : start + size].T
            # Scaled in double precision, which represents every int32; a copy, because the caller may change it.
            yield (piece / scale).astype(np.float32) if scale else np.array(piece, np.float32, order="C")

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _checked(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.dtype.name not in ("float32", "float64", *_FULL_SCALE):
        raise TypeError(f"samples are {array.dtype.name}, expected float32 or float64 in [-1, 1], int16 or int32")
    if array.ndim not in (1, 2) or not array.shape[0]:
        raise ValueError(f"samples have the shape {array.shape}, expected (channels, n) or (n,)")
    array = np.atleast_2d(array)
    if array.shape[0] > array.shape[1] > 0:
        raise ValueError(f"samples have the shape {array.shape}, expected (channels, n); give samples.T")
    return array
