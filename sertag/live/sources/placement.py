"""Packets with timestamps on one time axis: what is missing becomes silence, and what comes late finds its place.

Positions are samples from the start. A packet waits for the ones before it for `HOLD_S`; then its time has come.
"""

from __future__ import annotations

import numpy as np

from sertag.live.events import Gap
from sertag.records import BoolArray, FloatArray

HOLD_S = 0.3  # for packets out of order
JITTER_S = 0.04  # timestamps are off by so much, two packets' lengths, where nothing is missing
BACK_S, FORWARD_S = 5.0, 600.0  # farther than that no packet is late or missing: the clock has jumped
_PIECE_S = 10.0


class Placement:
    """Packets of several tracks that become pieces of all of them."""

    def __init__(self, *, tracks: int, rate_hz: int) -> None:
        """Begin at position 0."""
        self._tracks, self._rate_hz = tracks, rate_hz
        self._base = self._end = self._offset = 0  # samples given, known of, between timestamps and positions
        self._sound = np.zeros((0, tracks), dtype=np.float32)  # from `base` on
        self._filled = np.zeros((0, tracks), dtype=np.bool_)
        self._expected = [0] * tracks  # where each track goes on
        self._missing_from: list[int | None] = [None] * tracks

    def add(self, track: int, start: int, samples: FloatArray) -> list[Gap]:
        """Place a packet.

        Args:
            track: whose.
            start: its timestamp in samples.
            samples: float32 (n,).

        Returns:
            What is to be said of its timestamp.
        """
        gaps, start = self._without_jump(track, start + self._offset)
        if abs(start - self._expected[track]) <= JITTER_S * self._rate_hz:
            start = self._expected[track]
        late = min(max(0, self._base - start), len(samples))
        if late:
            gaps.append(Gap("late", track, start / self._rate_hz, late / self._rate_hz, filled=True))
        start, samples = start + late, samples[late:]
        self._expected[track] = max(self._expected[track], start + len(samples))
        self._grow(start + len(samples))
        place = slice(start - self._base, start - self._base + len(samples))
        self._sound[place, track] = samples
        self._filled[place, track] = True
        return gaps

    def take(self, *, last: bool = False) -> list[FloatArray | Gap]:
        """What nothing can change any more, pieces (n, tracks) and gaps of single tracks; everything where `last`."""
        ready = max(0, self._end - self._base - (0 if last else round(HOLD_S * self._rate_hz)))
        found: list[FloatArray | Gap] = []
        step = round(_PIECE_S * self._rate_hz)
        for begin in range(0, ready, step):
            piece = self._sound[begin : min(begin + step, ready)].copy()
            filled = self._filled[begin : begin + len(piece)]
            found += [gap for track in range(self._tracks) for gap in self._gaps(track, filled[:, track])]
            found.append(piece)
            self._base += len(piece)
        self._sound, self._filled = self._sound[ready:], self._filled[ready:]
        if last:
            found += [gap for track in range(self._tracks) for gap in self._closed(track, self._base)]
        return found

    def _without_jump(self, track: int, start: int) -> tuple[list[Gap], int]:
        """A position near the others, and what is said where the clock has jumped."""
        rate_hz, end = self._rate_hz, self._end
        if self._base - BACK_S * rate_hz <= start <= end + FORWARD_S * rate_hz:
            return [], start
        self._offset += end - start
        jump_s = (start - end) / rate_hz
        return [Gap("clock_jump", track, end / rate_hz, jump_s, filled=False)], end

    def _grow(self, end: int) -> None:
        more = end - self._base - len(self._sound)
        if more > 0:
            self._sound = np.pad(self._sound, ((0, more), (0, 0)))
            self._filled = np.pad(self._filled, ((0, more), (0, 0)))
        self._end = max(self._end, end)

    def _gaps(self, track: int, filled: BoolArray) -> list[Gap]:
        """Gaps of a track that end inside the next piece."""
        found: list[Gap] = []
        edges = np.flatnonzero(np.diff(filled, prepend=self._missing_from[track] is None)) + self._base
        for edge in edges.tolist():
            if self._missing_from[track] is None:
                self._missing_from[track] = edge
            else:
                found += self._closed(track, edge)
        return found

    def _closed(self, track: int, end: int) -> list[Gap]:
        begin, self._missing_from[track] = self._missing_from[track], None
        if begin is None or begin == end:
            return []
        return [Gap("missing", track, begin / self._rate_hz, (end - begin) / self._rate_hz, filled=True)]
