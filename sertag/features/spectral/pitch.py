"""Voicing and pitch of each frame, which cepstra of the smooth spectrum do not describe.

Stage: decode -> features, which calls it for recipes that ask for pitch. A voice at a pitch f has its
energy at the multiples of f. The magnitudes of a frame, weighted by a cosine over frequency with the period f, add up
if the frame has that pitch and cancel if not; the pitch with the largest sum is chosen. For each pitch only its lowest
harmonics are used, so that the result does not depend on the pitch, and a fundamental that a telephone line removes
does no harm. The kernels are those of SWIPE (Camacho and Harris 2008) without its decay, applied to the magnitudes that
the mel bands need anyway.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sertag.features.spectral.filterbank import multiply_transposed
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

HARMONICITY, VOICING, OCTAVES = range(-3, 0)  # the columns, behind all others

_WHOLE_HARMONICS, _LAST_HARMONIC = 3.0, 8.0  # weight 1 up to the third harmonic, falling to 0 at the eighth
_LOWEST_HARMONIC = 0.5  # below it is hum, not voice
_HIGHER = 0.05  # how much more harmonic the lowest pitch must be than the highest: half of any pitch explains as much
_GROUP_PITCHES = 19  # of one matrix product, over the bins that any of them needs; 8, 13 and 37 take longer
_UNVOICED, _VOICED = 0.25, 0.55  # harmonicity up to which the voicing is 0, and from which on it is 1


def pitch_columns(magnitudes: FloatArray, *, spec: FeatureSpec, out: FloatArray) -> None:
    """Fill `out` with harmonicity, voicing and pitch of each frame.

    Args:
        magnitudes: float32 (t, bins) of the spectrum, bins = n_fft // 2 + 1.
        spec: the recipe; `n_pitches` steps of equal ratio from `pitch_min_hz` to `pitch_max_hz`.
        out: float32 (t, 3): harmonicity at the best pitch; voicing, from 0 to 1, a function of it; the best pitch in
            octaves over the middle of the range, which means something where there is voicing. Silence is 0 in all.

    >>> spec = FeatureSpec(n_pitches=13, pitch_min_hz=100, pitch_max_hz=200)
    >>> voice = np.zeros((1, 129), np.float32)
    >>> voice[0, 4:30:4] = 1  # harmonics of 125 Hz
    >>> columns = np.empty((1, 3), np.float32)
    >>> pitch_columns(voice, spec=spec, out=columns)
    >>> harmonicity, voicing, octaves = columns[0]
    >>> round(float(harmonicity), 2), float(voicing), round(math.sqrt(100 * 200) * 2 ** float(octaves))
    (0.98, 1.0, 125)
    """
    scores = harmonicity(magnitudes, spec=spec)  # (p, t)
    tilted = scores + _tilt(spec.n_pitches, scores.dtype)
    best = _first_highest(tilted)
    highest = scores.take(best * scores.shape[1] + np.arange(len(best)))
    out[:, HARMONICITY] = highest
    out[:, VOICING] = np.minimum(np.maximum((highest - _UNVOICED) / (_VOICED - _UNVOICED), 0), 1)
    step = math.log2(spec.pitch_max_hz / spec.pitch_min_hz) / max(1, spec.n_pitches - 1)  # octaves
    out[:, OCTAVES] = (_between(scores, best) - (spec.n_pitches - 1) / 2) * step
    out[highest == 0, OCTAVES] = 0


def harmonicity(magnitudes: FloatArray, *, spec: FeatureSpec) -> FloatArray:
    """How harmonic frames are at each pitch.

    Args:
        magnitudes: as of `pitch_columns`.
        spec: likewise.

    Returns:
        (p, t) of the precision of the magnitudes, from -1 to 1: 1 if all energy is at multiples of the pitch, -1 if all
        is midway between them, 0 for silence. Pitch before time: sums and quotients of long rows take a third of the
        time of short ones.
    """
    scores = np.empty((spec.n_pitches, len(magnitudes)), dtype=magnitudes.dtype)
    for group in _kernels(spec):
        sums = np.empty((len(group.weights), len(magnitudes)), dtype=magnitudes.dtype)
        multiply_transposed(magnitudes[:, group.bins], group.weights, out=sums)
        harmonic, whole = sums[: len(group.floor)], sums[len(group.floor) :]
        whole += group.floor
        np.divide(harmonic, whole, out=scores[group.pitches])
    return scores


@lru_cache(maxsize=8)
def _tilt(pitches: int, dtype: np.dtype[Any]) -> FloatArray:
    return np.linspace(0, _HIGHER, pitches, dtype=dtype)[:, None]


def _first_highest(scores: FloatArray) -> npt.NDArray[np.int64]:
    """The first pitch with the highest score, (t,): `argmax` takes five times as long, one byte a score is enough."""
    from_last = np.arange(len(scores), 0, -1, dtype=np.uint8 if len(scores) < 256 else np.int64)[:, None]
    is_highest = scores == scores.max(axis=0)
    return np.asarray(len(scores) - (is_highest * from_last).max(axis=0).astype(np.int64))


def _between(scores: FloatArray, best: npt.NDArray[np.int64]) -> FloatArray:
    """Position of the highest value between the steps, by a parabola through it and its neighbours."""
    if len(scores) < 3:
        return best.astype(scores.dtype)
    middle = np.minimum(np.maximum(best, 1), len(scores) - 2)
    at = middle * scores.shape[1] + np.arange(len(best))
    left, centre, right = (scores.take(at + step * scores.shape[1]) for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * centre + right, -1e-6)
    shift = np.minimum(np.maximum(0.5 * (left - right) / bend, -0.5), 0.5)
    return np.asarray(np.where(best == middle, middle + shift, best), dtype=scores.dtype)


@dataclass(frozen=True, slots=True)
class _Kernels:
    """Kernels of neighbouring pitches; high pitches have harmonics where low ones have only zeros.

    Attributes:
        bins: of the spectrum.
        pitches: rows of the scores.
        weights: float32 (2 p, bins), of the harmonic sum and of the total sum.
        floor: float32 (p, 1), the total of silence.
    """

    bins: slice
    pitches: slice
    weights: FloatArray
    floor: FloatArray


@lru_cache(maxsize=8)
def _kernels(spec: FeatureSpec) -> tuple[_Kernels, ...]:
    bin_hz = spec.rate_hz / spec.n_fft
    pitches_hz = np.geomspace(spec.pitch_min_hz, spec.pitch_max_hz, spec.n_pitches)
    harmonics = np.arange(spec.n_fft // 2 + 1)[:, None] * bin_hz / pitches_hz  # (bins, p)
    below = np.clip(harmonics / _LOWEST_HARMONIC, 0, 1)
    above = np.clip((_LAST_HARMONIC - harmonics) / (_LAST_HARMONIC - _WHOLE_HARMONICS), 0, 1)
    weights = below * above
    weights[: -(-2 * spec.n_fft // spec.win_length)] = 0  # the Hann window spreads a DC offset over these bins
    harmonic = weights * np.cos(2 * np.pi * harmonics)
    floor = weights.sum(axis=0) * math.sqrt(spec.floor_power * bin_hz)  # bands have unit area over Hz
    groups = (slice(first, first + _GROUP_PITCHES) for first in range(0, spec.n_pitches, _GROUP_PITCHES))
    return tuple(_group(harmonic[:, group], weights[:, group], floor[group], group) for group in groups)


def _group(harmonic: FloatArray, weights: FloatArray, floor: FloatArray, pitches: slice) -> _Kernels:
    used = np.flatnonzero(weights.any(axis=1))
    bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)  # all harmonics over the last bin
    both = np.concatenate([harmonic[bins], weights[bins]], axis=1).astype(np.float32)
    return _Kernels(bins, pitches, np.ascontiguousarray(both.T), floor.astype(np.float32)[:, None])
