"""The clock of a track: where each frame should begin by its timestamp, and what is missing before it. Seconds."""

from __future__ import annotations

from typing import Any, NamedTuple

JITTER_S = 0.1  # by which timestamps may be off without a hole
_LONGEST_HOLE_S = 6 * 3600.0  # longer ones are damaged timestamps


class Frame(NamedTuple):
    """A decoded frame, and how long the packets before it last that gave none: damaged ones, and pauses."""

    sound: Any
    lost_s: float
    pause_s: float


class Clock:
    """Where the next frame should begin, and by how much it begins later; seconds from the origin."""

    def __init__(self, origin_s: float, tick_s: float) -> None:
        self._offset_s, self._tick_s = -origin_s, tick_s
        self._now_s = 0.0

    def hole_s(self, frame: Frame, following: Frame | None) -> float:
        """Pass a frame, and say how many seconds are missing before it.

        Args:
            frame: that comes next.
            following: the one after it, None at the end: a timestamp is believed only if the next one agrees.
        """
        pts, lost_s = frame.sound.pts, frame.lost_s + frame.pause_s
        hole_s = lost_s
        if pts is not None and self._tick_s:
            hole_s = pts * self._tick_s + self._offset_s - self._now_s
            agrees = following is None or following.sound.pts is None or following.sound.pts > pts
            missing_s = hole_s - lost_s
            if missing_s < -JITTER_S or missing_s > _LONGEST_HOLE_S or (missing_s > JITTER_S and not agrees):
                self._offset_s -= missing_s  # they began anew, or are damaged
                hole_s = lost_s
            elif missing_s < JITTER_S:
                hole_s = lost_s
        self._now_s += hole_s + frame.sound.samples / frame.sound.sample_rate
        return hole_s
