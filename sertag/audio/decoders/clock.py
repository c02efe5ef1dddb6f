"""The clock of a track: where each frame begins by its timestamp, and how much is missing before it. In seconds."""

from __future__ import annotations

from typing import Any, NamedTuple

JITTER_S = 0.1  # smaller deviations of timestamps are no gap
_LONGEST_HOLE_S = 6 * 3600.0  # a longer gap means that the timestamp is damaged


class Frame(NamedTuple):
    """A decoded frame, and the duration of the packets before it that gave no frame: damaged ones, and pauses."""

    sound: Any
    lost_s: float
    pause_s: float


class Clock:
    """Computes the expected start of the next frame and the gap before it, in seconds from the origin."""

    def __init__(self, origin_s: float, tick_s: float) -> None:
        """Begin at the origin.

        Args:
            origin_s: first timestamp that counts as 0.
            tick_s: length of one unit of the timestamps.
        """
        self._offset_s, self._tick_s = -origin_s, tick_s
        self._now_s = 0.0

    def hole_s(self, frame: Frame, following: Frame | None) -> float:
        """Advance by a frame, and return how many seconds are missing before it.

        Args:
            frame: the next frame.
            following: the frame after it, None at the end. A timestamp is trusted only if that of `following` is later.
        """
        pts, lost_s = frame.sound.pts, frame.lost_s + frame.pause_s
        hole_s = lost_s
        if pts is not None and self._tick_s:
            hole_s = pts * self._tick_s + self._offset_s - self._now_s
            agrees = following is None or following.sound.pts is None or following.sound.pts > pts
            missing_s = hole_s - lost_s
            if missing_s < -JITTER_S or missing_s > _LONGEST_HOLE_S or (missing_s > JITTER_S and not agrees):
                self._offset_s -= missing_s  # timestamps started again, or are damaged
                hole_s = lost_s
            elif missing_s < JITTER_S:
                hole_s = lost_s
        self._now_s += hole_s + frame.sound.samples / frame.sound.sample_rate
        return hole_s
