"""Voice and its pitch in each frame, which the smooth spectrum that cepstra describe leaves out.

Stage: decode -> features, which calls it for recipes that ask for pitch. A voice at a pitch f has its
energy at the multiples of f. The magnitudes of a frame, weighted by a cosine over frequency with the period f, add up
where that is so and cancel where it is not; the pitch is where they add up most. Each pitch hears its lowest harmonics
only, however high it is, so that a voice looks the same at any pitch, and the fundamental that a telephone line cuts
off is not missed. The kernels are those of SWIPE (Camacho and Harris 2008) without its decay, made of the magnitudes
that the mel bands need anyway.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from sertag.features.filterbank import multiply
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

HARMONICITY, VOICING, OCTAVES = range(-3, 0)  # the columns, behind all others

_WHOLE_HARMONICS, _HEARD_HARMONICS = 3.0, 8.0  # all of the third and lower ones, nothing of the eighth and higher ones
_LOWEST_HARMONIC = 0.5  # below it lies hum, no part of the voice
_HIGHER = 0.05  # how much more harmonic the lowest pitch must be than the highest: half of any pitch explains as much
_UNVOICED, _VOICED = 0.25, 0.55  # harmonicity up to which nobody has a voice, and from which on somebody has


def pitch_columns(magnitudes: FloatArray, *, spec: FeatureSpec, out: FloatArray) -> None:
    """Fill `out` with what voice there is in each frame, and how high it is.

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
    found = np.empty((len(magnitudes), spec.n_pitches), dtype=magnitudes.dtype)
    harmonicity(magnitudes, spec=spec, out=found)
    best = (found + np.linspace(0, _HIGHER, spec.n_pitches, dtype=found.dtype)).argmax(axis=1)
    highest = found[np.arange(len(found)), best]
    out[:, HARMONICITY] = highest
    out[:, VOICING] = np.clip((highest - _UNVOICED) / (_VOICED - _UNVOICED), 0, 1)
    step = math.log2(spec.pitch_max_hz / spec.pitch_min_hz) / max(1, spec.n_pitches - 1)  # octaves
    out[:, OCTAVES] = (_between(found, best) - (spec.n_pitches - 1) / 2) * step
    out[highest == 0, OCTAVES] = 0


def harmonicity(magnitudes: FloatArray, *, spec: FeatureSpec, out: FloatArray) -> None:
    """Fill `out` with how harmonic frames are at each pitch.

    Args:
        magnitudes: as of `pitch_columns`.
        spec: likewise.
        out: float32 (t, p), from -1 to 1: 1 if all that is heard lies at multiples of the pitch, -1 if all lies midway
            between them, 0 for silence.
    """
    weights, floor = _kernels(spec)
    sums = np.empty((len(magnitudes), weights.shape[1]), dtype=magnitudes.dtype)
    multiply(magnitudes, weights, out=sums)
    harmonic, whole = np.split(sums, 2, axis=1)
    whole += floor
    np.divide(harmonic, whole, out=out)


def _between(found: FloatArray, best: np.ndarray) -> FloatArray:
    """Where between the steps the highest value would lie, by a parabola through it and its neighbours."""
    if found.shape[1] < 3:
        return best.astype(found.dtype)
    middle = np.clip(best, 1, found.shape[1] - 2)
    rows = np.arange(len(found))
    left, centre, right = (found[rows, middle + step] for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * centre + right, -1e-6)
    shift = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    return np.asarray(np.where(best == middle, middle + shift, best), dtype=found.dtype)


@lru_cache(maxsize=8)
def _kernels(spec: FeatureSpec) -> tuple[FloatArray, FloatArray]:
    """Weights (bins, 2 p) of the harmonic sum, then of the whole that it is a share of; that of silence, (p,)."""
    bin_hz = spec.rate_hz / spec.n_fft
    pitches_hz = np.geomspace(spec.pitch_min_hz, spec.pitch_max_hz, spec.n_pitches)
    harmonics = np.arange(spec.n_fft // 2 + 1)[:, None] * bin_hz / pitches_hz  # (bins, p)
    below = np.clip(harmonics / _LOWEST_HARMONIC, 0, 1)
    above = np.clip((_HEARD_HARMONICS - harmonics) / (_HEARD_HARMONICS - _WHOLE_HARMONICS), 0, 1)
    heard = below * above
    heard[: -(-2 * spec.n_fft // spec.win_length)] = 0  # the Hann window spreads a DC offset over these bins
    harmonic = heard * np.cos(2 * np.pi * harmonics)
    floor = heard.sum(axis=0) * math.sqrt(spec.floor_power * bin_hz)  # bands have unit area over Hz
    return np.concatenate([harmonic, heard], axis=1).astype(np.float32), floor.astype(np.float32)
