"""The second decoder: PyAV, for formats that libsndfile cannot read (m4a, AAC, WMA, AMR and many more).

Each audio track is read through its own container object, so that memory does not grow if the file stores one track
behind the other. The channels of all tracks stand side by side on one clock, which begins with the earliest track. A
later start, gaps in the timestamps, and packets that cannot be decoded become silence.

PyAV is imported only when a file needs it: the module is passed as an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sertag.audio.containers.layout import Layout
from sertag.audio.decoders.reader import BrokenError
from sertag.audio.decoders.track import BLOCK_SAMPLES, Track, failures, reason
from sertag.audio.streams import Spliced
from sertag.errors import DecodeError
from sertag.records import FloatArray, Problem

MAX_CHANNELS = 64

_DECLARING = frozenset(
    {"mov", "tta", "ape", "wv", "mpc", "mpc8"}
)  # for other formats FFmpeg estimates the length, or `containers` reads it
_TOLERANCE_S = 0.25  # containers round, and include what codecs drop at both ends


class AvReader:
    """Reads all audio tracks of any format that FFmpeg knows."""

    def __init__(
        self, av: Any, source: Spliced, *, format: str, layout: Layout | None = None, rate_hz: int | None = None
    ) -> None:
        """Open a recording.

        Args:
            av: the module.
            source: bytes of the recording.
            format: FFmpeg's name for the container.
            layout: the measured layout of the container, if known.
            rate_hz: wanted sample rate; None for the highest of all tracks.

        Raises:
            BrokenError: nothing can be decoded.
            DecodeError: `too_many_channels`.
        """
        self._av, self._layout, self._format = av, layout or Layout(0), format
        self._tracks: list[Track] = []
        try:
            self._open(source)
            decodable = [track for track in self._tracks if track.first is not None]
            if not decodable:
                raise BrokenError("it holds no audio that can be decoded" + _codecs(self._tracks))
        except BaseException:
            self.close()
            raise
        self.channels = sum(track.channels for track in self._tracks)
        self.rate_hz: int = rate_hz or max(track.rate_hz for track in decodable)
        self._origin_s = min((track.start_s for track in decodable if track.start_s is not None), default=0.0)
        self.announced_samples = round(self._declared_s() * self.rate_hz)

    def pieces(self) -> Iterator[FloatArray]:
        """Samples at `rate_hz`, float32 (n, channels)."""
        tracks = [track.blocks(origin_s=self._origin_s, rate_hz=self.rate_hz) for track in self._tracks]
        try:
            if len(tracks) == 1:
                yield from tracks[0]
            else:
                yield from _side_by_side(tracks, [track.channels for track in self._tracks])
        except failures(self._av) as error:
            raise BrokenError(f"the decoder stopped, because {reason(self._av, error)}") from error
        failure = next((track.failure for track in self._tracks if track.failure), "")
        if failure:
            raise BrokenError(f"the decoder stopped, because {failure}")

    def declared_samples(self, read: int) -> int:
        """Declared number of samples per channel, given that `read` were available."""
        declared = self.announced_samples or round(read * self._layout.declared_ratio)
        return declared if declared > read + _TOLERANCE_S * self.rate_hz else read

    def notes(self) -> list[Problem]:
        """Problems found while reading; complete once everything is read."""
        notes = []
        damaged, damaged_s = sum(t.damaged for t in self._tracks), max(t.damaged_s for t in self._tracks)
        holes, hole_s = sum(t.holes for t in self._tracks), max(t.hole_s for t in self._tracks)
        if damaged:
            some = f"{damaged} damaged packet{'s are' if damaged > 1 else ' is'} silence"
            notes.append(Problem("truncated", f"{some} ({damaged_s:.2f} s)"))
        if holes:
            some = f"{holes} hole{'s' if holes > 1 else ''}"
            message = f"its timestamps have {some}, {hole_s:.1f} s in all, which became silence"
            notes.append(Problem("gaps", message))
        for number, track in enumerate(self._tracks, 1):
            if track.first is None:
                notes.append(Problem("truncated", f"track {number}{_codecs([track])} cannot be decoded and is silence"))
        return notes

    def close(self) -> None:
        """Release the decoders."""
        for track in self._tracks:
            track.close()

    def _open(self, source: Spliced) -> None:
        try:
            self._tracks.append(Track(self._av, source, self._format, 0))
            count = self._tracks[0].count
            if count > MAX_CHANNELS:
                message = f"has {count} audio tracks, expected at most {MAX_CHANNELS}"
                raise DecodeError(message, code="too_many_channels")
            self._tracks += [Track(self._av, source.copy(), self._format, index) for index in range(1, count)]
        except failures(self._av) as error:
            raise BrokenError(reason(self._av, error)) from error

    def _declared_s(self) -> float:
        if self._layout.declared_s is not None:
            return self._layout.declared_s
        if self._format not in _DECLARING:
            return 0.0
        return max((track.declared_s or 0.0) - self._origin_s for track in self._tracks)


def _side_by_side(tracks: list[Iterator[FloatArray]], widths: list[int]) -> Iterator[FloatArray]:
    """Tracks as channels: blocks of equal length, the shorter ones filled up with silence to the longest."""
    waiting = [np.zeros((0, width), dtype=np.float32) for width in widths]
    ended = [False] * len(tracks)
    while True:
        for index, track in enumerate(tracks):
            while len(waiting[index]) < BLOCK_SAMPLES and not ended[index]:
                piece = next(track, None)
                ended[index] = piece is None
                if piece is not None:
                    waiting[index] = np.concatenate([waiting[index], piece])
        count = min(BLOCK_SAMPLES, max(map(len, waiting)))
        if not count:
            return
        block = np.zeros((count, sum(widths)), dtype=np.float32)
        place = 0
        for index, width in enumerate(widths):
            part, waiting[index] = waiting[index][:count], waiting[index][count:]
            block[: len(part), place : place + width] = part
            place += width
        yield block


def _codecs(tracks: list[Track]) -> str:
    names = sorted({track.codec for track in tracks if track.count and track.codec})
    return f" (its codec is {', '.join(names)})" if names else ""
