"""Frames of samples to frames of mel bands, a few hundred at a time, so that what lies between stays in the cache.

Stage: decode -> features, which calls it for all that it frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sertag.features.spectral.filterbank import mel_bands, multiply
from sertag.features.spectral.fourier import rfft
from sertag.features.spectral.pitch import pitch_columns
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

DB = 10 / math.log(10)  # natural logarithm to decibels; numpy's float32 log is vectorised, its log10 is not

_BLOCK_SAMPLES = 65_536  # of frames transformed at once: 256 KiB, which stay in the nearer cache with their spectra
_GROUP_SAMPLES = 524_288  # of frames whose magnitudes are worked on at once: 1 MiB of them
_GROUP_BANDS = 8  # mel bands of one matrix product: as wide as the processor's vectors of floats


def log_mel(frames: FloatArray, out: FloatArray, *, spec: FeatureSpec) -> None:
    """Compute mel bands in dB, and voice and pitch where the recipe asks for them.

    Args:
        frames: float32 (channels, t, n_fft) of samples, which may overlap in memory.
        out: (channels, t, m), m = `spec.frame_columns`, of the recipe's precision, to be filled.
        spec: the recipe.
    """
    window, bands = _front_end(spec)
    everything = out.reshape(-1, spec.frame_columns)  # (channels * t, m)
    step = min(len(everything), max(16, _GROUP_SAMPLES // spec.n_fft))
    magnitudes = np.empty((step, spec.n_fft // 2 + 1), dtype=out.dtype)
    mel = np.empty((step, spec.n_mels), dtype=out.dtype)
    for start in range(0, len(everything), step):
        group = everything[start : start + step]
        power, rows = magnitudes[: len(group)], mel[: len(group)]
        _transform(frames, start, window, out=power)
        if spec.n_pitches:
            pitch_columns(power, spec=spec, out=group[:, spec.n_mels :])
        np.multiply(power, power, out=power)
        for band in bands:
            multiply(power[:, band.bins], band.weights, out=rows[:, band.columns])
        np.maximum(rows, spec.floor_power, out=rows)
        np.log(rows, out=rows)
        np.multiply(rows, DB, out=group[:, : spec.n_mels])


def precision(spec: FeatureSpec) -> type[np.floating[Any]]:
    """Single for channels, double for clips."""
    return np.float32 if spec.framing == "channel" else np.float64


def _transform(frames: FloatArray, first: int, window: FloatArray, *, out: FloatArray) -> None:
    """Fill `out` (b, bins) with magnitudes of the frames from number `first` on, counted through all channels."""
    count, n_fft = frames.shape[1:]
    step = max(4, _BLOCK_SAMPLES // n_fft)
    done = 0
    while done < len(out):
        channel, start = divmod(first + done, count)
        block = frames[channel, start : start + min(step, len(out) - done)]
        np.abs(rfft(block * window), out=out[done : done + len(block)])
        done += len(block)


@dataclass(frozen=True, slots=True)
class _Bands:
    """Neighbouring mel bands and their bins of the spectrum; most weights of the whole matrix are zero.

    Attributes:
        bins: of the spectrum.
        columns: of the mel frames.
        weights: (bins, columns).
    """

    bins: slice
    columns: slice
    weights: FloatArray


@lru_cache(maxsize=8)
def _front_end(spec: FeatureSpec) -> tuple[FloatArray, tuple[_Bands, ...]]:
    """Window (n_fft,) and the mel bands in groups."""
    phase = 2 * np.pi * np.arange(spec.win_length) / spec.win_length
    left = (spec.n_fft - spec.win_length) // 2
    window = np.zeros(spec.n_fft)
    window[left : left + spec.win_length] = 0.5 - 0.5 * np.cos(phase)
    bands = mel_bands(spec=spec).astype(precision(spec))
    groups = (_group(bands, slice(first, first + _GROUP_BANDS)) for first in range(0, spec.n_mels, _GROUP_BANDS))
    return window.astype(precision(spec)), tuple(groups)


def _group(bands: FloatArray, columns: slice) -> _Bands:
    used = np.flatnonzero(bands[:, columns].any(axis=1))
    bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)  # bands may lie between two bins
    return _Bands(bins, columns, np.ascontiguousarray(bands[bins, columns]))
