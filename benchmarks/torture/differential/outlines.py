"""Outlines of loudness: two decodings of one recording are compared by them, wherever they begin and whatever was lost.

An outline is float32 (channels, n): mean magnitudes of stretches of `OUTLINE_S`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE_HZ = 8000  # at which both sides are compared
OUTLINE_S = 0.05

Outline = npt.NDArray[np.float32]

_LEAST_S = 0.5  # so much speech may be silence before it counts
_LAG = 8  # stretches by which outlines may be shifted
_SPEECH, _SILENCE = 0.02, 0.1  # magnitude of speech, and the share of it under which it is gone
_ALIKE, _PARTLY_ALIKE = 0.85, 0.7  # correlation of outlines, of the whole and of a part of a damaged recording
_PART, _PART_LAG = 40, 60  # of damaged recordings parts of 2 s are compared, 3 s from their place at most
_BAD_PARTS = 2  # what damage itself may spoil


def outline(samples: npt.NDArray[np.float32]) -> Outline:
    """Mean magnitudes of stretches of `OUTLINE_S`.

    Args:
        samples: float32 (channels, samples) at `RATE_HZ`.

    >>> outline(np.ones((2, 1000), np.float32)).shape
    (2, 2)
    """
    step = round(OUTLINE_S * RATE_HZ)
    whole = samples[:, : samples.shape[1] // step * step]
    return np.abs(whole.reshape(len(samples), -1, step)).mean(axis=2).astype(np.float32)  # (c, n)


def differences(own: Outline, other: Outline) -> str:
    """How two outlines of a whole recording differ, nothing where they do not; they may begin at other times."""
    alike, gone_s = max(_compared(own, other, lag) for lag in range(-_LAG, _LAG + 1))
    if gone_s > _LEAST_S:
        return f"{gone_s:.2f} s are silence instead of speech"
    return "" if alike >= _ALIKE else f"the outlines correlate {alike:.2f}"


def differences_in_parts(own: Outline, other: Outline) -> str:
    """The same of damaged recordings, whose parts may have moved."""
    bad = []
    for start in range(0, min(len(own), len(other)) - _PART + 1, _PART):
        part = other[start : start + _PART]
        places = [own[at : at + _PART] for at in range(max(0, start - _PART_LAG), start + _PART_LAG + 1)]
        if max((_compared(place, part, 0)[0] for place in places), default=1.0) < _PARTLY_ALIKE:
            bad.append(start * OUTLINE_S)
    return f"other sound at {bad[0]:.0f} s and {len(bad) - 1} other places" if len(bad) > _BAD_PARTS else ""


def _compared(own: Outline, other: Outline, lag: int) -> tuple[float, float]:
    """Correlation of two outlines at a lag, and how many seconds of speech are silence in `own`."""
    one, two = (own[lag:], other) if lag >= 0 else (own, other[-lag:])
    size = min(len(one), len(two))
    one, two = one[:size], two[:size]
    if size < 2 * _LAG or two.std() < _SPEECH / 10:
        return 1.0, 0.0  # too short or too quiet to say
    alike = float(np.corrcoef(one, two)[0, 1]) if one.std() > _SPEECH / 1000 else 0.0
    return alike, float(np.sum((two > _SPEECH) & (one < _SILENCE * two)) * OUTLINE_S)
