"""Speech counted once, however many windows cover it: what each window adds, and the worst stretch of a channel.

Stage: model -> **stretches** -> aggregate. Windows overlap, so a sound that two of them hold is one
piece of evidence, not two. Between two edges of windows the same windows cover every frame; such a piece, and the mean
over the windows that cover it, is the unit here. Frames are those of the file, windows are in order of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.model.calibration import Floats
from sertag.records import BoolArray, ScoredWindows

Ints = npt.NDArray[np.int64]

_EQUAL = 1e-9  # means that differ by less are equal, and the first of equals is meant


@dataclass(frozen=True, slots=True)
class Pieces:
    """The speech between the edges of windows.

    Attributes:
        edges: int64 (v + 1,), frames at which any window begins or ends.
        speech: int64 (v,), frames of speech in each piece.
        first, end: int64 (v,), the windows that cover it: from `first` to before `end`.
        heard: int64 (t + 1,), frames of speech before each frame of the channel.
    """

    edges: Ints
    speech: Ints
    first: Ints
    end: Ints
    heard: Ints


def cut_pieces(windows: ScoredWindows, active: BoolArray) -> Pieces:
    """Cut a channel at the edges of its windows.

    Args:
        windows: one or more, in order of time.
        active: bool (t,), speech activity of the whole channel.
    """
    heard = np.concatenate([[0], np.cumsum(active, dtype=np.int64)])
    edges = np.unique(np.concatenate([windows.first_frame, windows.end_frame]))
    first = np.searchsorted(windows.end_frame, edges[:-1], side="right")
    end = np.searchsorted(windows.first_frame, edges[:-1], side="right")
    speech = np.where(end > first, np.diff(heard[edges]), 0)  # nothing is known of speech that no window covers
    return Pieces(edges, speech, first.astype(np.int64), end.astype(np.int64), heard)


def added_speech(windows: ScoredWindows, pieces: Pieces) -> Floats:
    """Frames of speech that each window adds, float64 (w,): each frame is divided among the windows that cover it."""
    shared = pieces.speech / np.maximum(1, pieces.end - pieces.first)
    total = np.concatenate([[0.0], np.cumsum(shared)])
    begin, stop = (np.searchsorted(pieces.edges, frames) for frames in (windows.first_frame, windows.end_frame))
    return np.asarray(total[stop] - total[begin])


def worst_stretch(values: Floats, pieces: Pieces, *, frames: int) -> tuple[int, float]:
    """The stretch of consecutive speech with the highest mean.

    What lies between two utterances is passed over: a stretch is so many frames of speech one after the other. Its mean
    changes evenly while it slides within pieces, so the highest begins or ends at an edge, and only those are tried.

    Args:
        values: float64 (w,), one of each window.
        pieces: of the same windows.
        frames: length of a stretch in frames of speech; all the speech where there is less.

    Returns:
        The frame of the file at which it begins, the first of equals, and the mean.
    """
    known = np.flatnonzero(pieces.speech)
    before = np.concatenate([[0.0], np.cumsum(values)])
    first, end = pieces.first[known], pieces.end[known]
    means = (before[end] - before[first]) / (end - first)
    places = np.concatenate([[0], np.cumsum(pieces.speech[known])])  # where pieces begin, in frames of speech
    sums = np.concatenate([[0.0], np.cumsum(pieces.speech[known] * means)])
    length = min(frames, int(places[-1]))
    starts = np.unique(np.clip(np.concatenate([places, places - length]), 0, places[-1] - length))
    found = (np.interp(starts + length, places, sums) - np.interp(starts, places, sums)) / length
    best = int(np.argmax(found >= found.max() - _EQUAL))
    mean = float(np.clip(found[best], values.min(), values.max()))  # sums of many numbers are off by their last digits
    return _frame_of(int(starts[best]), places, known, pieces), mean


def unspoken(spans: Ints, is_speech: BoolArray, *, before: BoolArray, core: int) -> tuple[BoolArray, BoolArray]:
    """Frames of a chunk that windows cover, but none that holds speech.

    Windows that began in the chunk before reach into this one; none that begins in a later one reaches back.

    Args:
        spans: int64 (w, 2), first frame and frame after the last of the windows that begin in the chunk, within it.
        is_speech: bool (w,), whether each holds speech.
        before: bool (2, t), what windows of the chunk before cover of this one: those with speech, those without.
        core: frames of the chunk without those that it looks ahead.

    Returns:
        bool (core,), and what is `before` for the next chunk.

    >>> nothing = np.zeros((2, 6), bool)
    >>> found, later = unspoken(np.array([[0, 3], [2, 6]]), np.array([False, True]), before=nothing, core=4)
    >>> found.astype(int).tolist(), later.astype(int).tolist()
    ([1, 1, 0, 0], [[1, 1], [0, 0]])
    """
    count = before.shape[1]
    cover = before | np.stack([_covered(spans[chosen], count) for chosen in (is_speech, ~is_speech)])
    return cover[1, :core] & ~cover[0, :core], cover[:, core:]


def _covered(spans: Ints, count: int) -> BoolArray:
    steps = np.bincount(spans[:, 0], minlength=count + 1) - np.bincount(spans[:, 1], minlength=count + 1)
    return np.asarray(np.cumsum(steps[:count]) > 0)


def _frame_of(place: int, places: Ints, known: Ints, pieces: Pieces) -> int:
    """The frame of the file at a place that counts frames of speech inside windows."""
    piece = int(np.searchsorted(places, place, side="right")) - 1
    number = pieces.heard[pieces.edges[known[piece]]] + place - places[piece]  # frames of speech before it
    return int(np.searchsorted(pieces.heard, number, side="right")) - 1
