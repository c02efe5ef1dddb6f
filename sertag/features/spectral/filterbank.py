"""The mel scale and its bands, as in librosa (Slaney's), and products whose last bits do not depend on threads."""

from __future__ import annotations

import math

import numpy as np

from sertag.records import FloatArray
from sertag.spec import FeatureSpec


def hz_to_mel(hz: float) -> float:
    """Slaney's scale (Auditory Toolbox, 1998): linear to 1 kHz, logarithmic above.

    >>> hz_to_mel(1000), round(hz_to_mel(6400), 9)
    (15.0, 42.0)
    """
    return 15 + 27 * math.log(hz / 1000) / math.log(6.4) if hz >= 1000 else hz * 3 / 200


def mel_to_hz(mel: float) -> float:
    """The inverse of `hz_to_mel`.

    >>> mel_to_hz(15.0), round(mel_to_hz(42.0), 6)
    (1000.0, 6400.0)
    """
    return 1000 * math.exp((mel - 15) * math.log(6.4) / 27) if mel >= 15 else mel * 200 / 3


def mel_bands(*, spec: FeatureSpec) -> FloatArray:
    """Triangular filters of unit area, float32 (bins, m), bins = n_fft // 2 + 1; equals `librosa.filters.mel(...).T`.

    >>> mel_bands(spec=FeatureSpec()).shape
    (129, 40)
    """
    bins_hz = np.arange(spec.n_fft // 2 + 1) * (spec.rate_hz / spec.n_fft)
    low, high = hz_to_mel(spec.fmin_hz), hz_to_mel(spec.fmax_hz)
    edges_hz = np.array([mel_to_hz(mel) for mel in np.linspace(low, high, spec.n_mels + 2)])
    rising = (bins_hz[:, None] - edges_hz[:-2]) / np.diff(edges_hz)[:-1]  # (bins, m)
    falling = (edges_hz[2:] - bins_hz[:, None]) / np.diff(edges_hz)[1:]
    area = 2 / (edges_hz[2:] - edges_hz[:-2])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) * area, dtype=np.float32)


_MULTIPLICATIONS = 262_144  # of one product: OpenBLAS shares only larger ones among threads


def multiply(left: FloatArray, right: FloatArray, *, out: FloatArray) -> None:
    """Fill `out` (t, c) with `left` (t, m) times `right` (m, c), in pieces that run on one thread.

    >>> out = np.empty((3, 1))
    >>> multiply(np.ones((3, 2)), np.ones((2, 1)), out=out)
    >>> out.tolist()
    [[2.0], [2.0], [2.0]]
    """
    rows = max(1, _MULTIPLICATIONS // right.size)
    whole = len(left) // rows * rows
    if whole:  # pieces of one size in one call
        np.matmul(left[:whole].reshape(-1, rows, left.shape[1]), right, out=out[:whole].reshape(-1, rows, out.shape[1]))
    if whole < len(left):
        np.matmul(left[whole:], right, out=out[whole:])


def multiply_transposed(left: FloatArray, right: FloatArray, *, out: FloatArray) -> None:
    """Fill `out` (c, t) with `right` (c, m) times `left` (t, m) transposed, as `multiply` does.

    >>> out = np.empty((1, 3))
    >>> multiply_transposed(np.ones((3, 2)), np.ones((1, 2)), out=out)
    >>> out.tolist()
    [[2.0, 2.0, 2.0]]
    """
    rows = max(1, _MULTIPLICATIONS // right.size)
    whole = len(left) // rows * rows
    if whole:
        pieces = left[:whole].reshape(-1, rows, left.shape[1]).transpose(0, 2, 1)  # (p, m, rows)
        np.matmul(right, pieces, out=out[:, :whole].reshape(len(out), -1, rows).transpose(1, 0, 2))
    if whole < len(left):
        np.matmul(right, left[whole:].T, out=out[:, whole:])
