"""Ends of turns, from the speech activity of the last half minute, which later audio may change.

A turn is speech whose pauses are shorter than `talk.PAUSE_S`, as for interruptions. It is reported once, when the pause
after it is long enough, and not again when the activity changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sertag.records import BoolArray, Windows
from sertag.tagging.talk import PAUSE_S


@dataclass(frozen=True, slots=True)
class Turn:
    """Speech from `start_s` to `end_s`, seconds from the first sample."""

    start_s: float
    end_s: float


class Turns:
    """Turns of one channel, and how far they have been reported."""

    def __init__(self, frame_hz: float) -> None:
        """Begin a channel with so many frames a second."""
        self._frame_hz = frame_hz
        self._reported = 0  # the frame after the last reported turn
        self._windows: list[tuple[int, int, bool]] = []  # first frame, frame after the last, contains speech

    def add_windows(self, windows: Windows, is_speech: BoolArray) -> None:
        """Add windows and, bool (windows,), which of them the model takes for speech: music and tones are no turns."""
        spans = zip(windows.first_frame.tolist(), windows.end_frame.tolist(), is_speech.tolist(), strict=True)
        self._windows += spans

    def ended(self, active: BoolArray, *, first_frame: int) -> tuple[Turn, ...]:
        """Turns that have ended and were not reported yet.

        Args:
            active: bool (t,), recent speech activity.
            first_frame: where it begins in the recording.

        >>> found = Turns(10).ended(np.array([0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1], bool), first_frame=100)
        >>> [(turn.start_s, turn.end_s) for turn in found]
        [(10.1, 10.4)]
        """
        edges = np.flatnonzero(np.diff(active, prepend=False, append=False)).reshape(-1, 2) + first_frame
        pause, now = PAUSE_S * self._frame_hz, first_frame + len(active)
        turns: list[list[int]] = []
        for begin, end in edges.tolist():
            if turns and begin - turns[-1][1] < pause:
                turns[-1][1] = end
            else:
                turns.append([begin, end])
        found = []
        for begin, end in turns:
            if now - end < pause or end <= self._reported:
                continue
            moved = begin < self._reported and end - self._reported < pause  # the end of a reported turn has moved
            begin, self._reported = max(begin, self._reported), end
            if not moved and self._is_speech(begin, end):
                found.append(Turn(begin / self._frame_hz, end / self._frame_hz))
        self._windows = [window for window in self._windows if window[1] > first_frame]
        return tuple(found)

    def _is_speech(self, begin: int, end: int) -> bool:
        """Whether a window on the turn, or else the last one before it, contains speech; also if there is none."""
        over = [speech for first, last, speech in self._windows if first < end and last > begin]
        over = over or [speech for _, _, speech in self._windows[-1:]]
        return not over or any(over)
