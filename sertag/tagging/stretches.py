"""Speech counted once although windows overlap: how much each window adds, and the worst stretch of a channel.

Stage: model -> **stretches** -> aggregate. A sound in two overlapping windows is evidence only once. So a channel is
cut into pieces at the edges of all windows: every frame of a piece is covered by the same windows, and the value of a
piece is the mean over them. Frame numbers count from the start of the file; windows are in order of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.model.calibration import Floats
from sertag.records import BoolArray, ScoredWindows

Ints = npt.NDArray[np.int64]

_EQUAL = 1e-9  # means that differ by less are equal; the first of equal stretches is chosen


@dataclass(frozen=True, slots=True)
class Pieces:
    """The speech between the edges of windows.

    Attributes:
        edges: int64 (v + 1,), frames at which any window begins or ends.
        speech: int64 (v,), frames of speech in each piece.
        first, end: int64 (v,), the windows that cover each piece: from `first` up to, not including, `end`.
        speech_before: int64 (t + 1,), frames of speech before each frame of the channel.
    """

    edges: Ints
    speech: Ints
    first: Ints
    end: Ints
    speech_before: Ints


def cut_pieces(windows: ScoredWindows, active: BoolArray) -> Pieces:
    """Cut a channel at the edges of its windows.

    Args:
        windows: one or more, in order of time.
        active: bool (t,), speech activity of the whole channel.
    """
    speech_before = np.concatenate([[0], np.cumsum(active, dtype=np.int64)])
    edges = np.unique(np.concatenate([windows.first_frame, windows.end_frame]))
    first = np.searchsorted(windows.end_frame, edges[:-1], side="right")
    end = np.searchsorted(windows.first_frame, edges[:-1], side="right")
    speech = np.where(end > first, np.diff(speech_before[edges]), 0)  # speech outside all windows has no score
    return Pieces(edges, speech, first.astype(np.int64), end.astype(np.int64), speech_before)


def added_speech(windows: ScoredWindows, pieces: Pieces) -> Floats:
    """Frames of speech that each window adds, float64 (w,): each frame is divided among the windows that cover it."""
    shared = pieces.speech / np.maximum(1, pieces.end - pieces.first)
    total = np.concatenate([[0.0], np.cumsum(shared)])
    begin, stop = (np.searchsorted(pieces.edges, frames) for frames in (windows.first_frame, windows.end_frame))
    return np.asarray(total[stop] - total[begin])


def worst_stretch(values: Floats, pieces: Pieces, *, frames: int) -> tuple[int, float]:
    """The stretch of consecutive speech with the highest mean.

    A stretch is a number of consecutive frames of speech; pauses between utterances are left out. While a stretch moves
    within pieces, its mean changes linearly, so the highest mean begins or ends at an edge, and only those are tried.

    Args:
        values: float64 (w,), one value for each window.
        pieces: pieces of the same windows.
        frames: length of a stretch in frames of speech; if there is less speech, all of it.

    Returns:
        The frame of the file at which the stretch begins, the first of equal ones, and its mean.
    """
    known = np.flatnonzero(pieces.speech)
    before = np.concatenate([[0.0], np.cumsum(values)])
    first, end = pieces.first[known], pieces.end[known]
    means = (before[end] - before[first]) / (end - first)
    offsets = np.concatenate([[0], np.cumsum(pieces.speech[known])])  # starts of the pieces, in frames of speech
    sums = np.concatenate([[0.0], np.cumsum(pieces.speech[known] * means)])
    length = min(frames, int(offsets[-1]))
    starts = np.unique(np.clip(np.concatenate([offsets, offsets - length]), 0, offsets[-1] - length))
    averages = (np.interp(starts + length, offsets, sums) - np.interp(starts, offsets, sums)) / length
    best = int(np.argmax(averages >= averages.max() - _EQUAL))
    mean = float(np.clip(averages[best], values.min(), values.max()))  # rounding errors of the sums
    return _frame_of(int(starts[best]), offsets, known, pieces), mean


def unspoken(spans: Ints, is_speech: BoolArray, *, before: BoolArray, core: int) -> tuple[BoolArray, BoolArray]:
    """Frames of a chunk that are covered by windows, but by no window with speech.

    Windows that begin in the previous chunk reach into this one; windows of later chunks do not reach back.

    Args:
        spans: int64 (w, 2), for each window that begins in the chunk: first frame and frame after the last, counted
            from the start of the chunk.
        is_speech: bool (w,), whether each window contains speech.
        before: bool (2, t), frames of this chunk covered by windows of the previous one, with and without speech.
        core: frames of the chunk without its lookahead.

    Returns:
        bool (core,), and `before` for the next chunk.

    >>> nothing = np.zeros((2, 6), bool)
    >>> mask, later = unspoken(np.array([[0, 3], [2, 6]]), np.array([False, True]), before=nothing, core=4)
    >>> mask.astype(int).tolist(), later.astype(int).tolist()
    ([1, 1, 0, 0], [[1, 1], [0, 0]])
    """
    count = before.shape[1]
    cover = before | np.stack([_covered(spans[chosen], count) for chosen in (is_speech, ~is_speech)])
    return cover[1, :core] & ~cover[0, :core], cover[:, core:]


def _covered(spans: Ints, count: int) -> BoolArray:
    steps = np.bincount(spans[:, 0], minlength=count + 1) - np.bincount(spans[:, 1], minlength=count + 1)
    return np.asarray(np.cumsum(steps[:count]) > 0)


def _frame_of(offset: int, offsets: Ints, known: Ints, pieces: Pieces) -> int:
    """The frame of the file at an offset that counts frames of speech inside windows."""
    piece = int(np.searchsorted(offsets, offset, side="right")) - 1
    number = pieces.speech_before[pieces.edges[known[piece]]] + offset - offsets[piece]  # frames of speech before it
    return int(np.searchsorted(pieces.speech_before, number, side="right")) - 1
