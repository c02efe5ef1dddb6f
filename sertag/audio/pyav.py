"""The second decoder: what libsndfile cannot read (m4a, AAC, WMA, AMR and many more), through PyAV.

Every audio track is read through a container of its own, so that memory does not grow where tracks lie one behind the
other. Tracks follow each other as channels on one clock, which begins with the earliest of them: a track that begins
later, holes in the timestamps and packets that cannot be decoded are silence.

Used by parts, which imports PyAV only when a file needs it: the module comes as an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np

from sertag.audio.containers.layout import Layout
from sertag.audio.streams import Spliced
from sertag.errors import DecodeError
from sertag.records import FloatArray, Problem

MAX_CHANNELS = 64

# No container may open a file or an address that stands in it. As `options`, which are for streams too, PyAV before
# 17.1 crashes on the FLV whose streams come behind its header.
_CLOSED = (("protocol_whitelist", "none"),)
_DECLARING = frozenset({"mov", "tta", "ape", "wv", "mpc", "mpc8"})  # other lengths are FFmpeg's guesses, or read by us
_TIMELESS = frozenset({"avi"})  # its timestamps are counts of packets, whatever these last
_TOLERANCE_S = 0.25  # containers round and count what codecs drop at both ends
_JITTER_S = 0.1  # by which timestamps may be off without a hole
_LONGEST_HOLE_S = 6 * 3600.0  # longer ones are damaged timestamps
_BLOCK_SAMPLES = 1 << 16
_PAUSES = {"amrnb": (8, 15), "amrwb": (9, 15)}  # frame types of AMR: comfort noise, nothing at all


class BrokenError(Exception):
    """A decoder gave up; what it gave before is sound. The text is a part of a sentence about the file."""


class AvReader:
    """What PyAV reads: all audio tracks of anything that FFmpeg knows."""

    def __init__(
        self, av: Any, source: Spliced, *, format: str, layout: Layout | None = None, rate_hz: int | None = None
    ) -> None:
        """Open.

        Args:
            av: the module.
            source: the bytes of the file.
            format: what FFmpeg calls the container.
            layout: what is known of the container.
            rate_hz: of the samples wanted; the highest of the tracks where None.

        Raises:
            BrokenError: nothing can be decoded.
            DecodeError: `too_many_channels`.
        """
        self._av, self._layout, self._format = av, layout or Layout(0), format
        self._tracks: list[_Track] = []
        try:
            self._open(source)
            heard = [track for track in self._tracks if track.first is not None]
            if not heard:
                raise BrokenError("it holds no audio that can be decoded" + _codecs(self._tracks))
        except BaseException:
            self.close()
            raise
        self.channels = sum(track.channels for track in self._tracks)
        self.rate_hz: int = rate_hz or max(track.rate_hz for track in heard)
        self._origin_s = min((track.start_s for track in heard if track.start_s is not None), default=0.0)
        self.announced_samples = round(self._declared_s() * self.rate_hz)

    def pieces(self) -> Iterator[FloatArray]:
        """Native samples, float32 (n, channels)."""
        tracks = [track.blocks(origin_s=self._origin_s, rate_hz=self.rate_hz) for track in self._tracks]
        try:
            if len(tracks) == 1:
                yield from tracks[0]
            else:
                yield from _side_by_side(tracks, [track.channels for track in self._tracks])
        except _failures(self._av) as error:
            raise BrokenError(f"the decoder stopped, because {_reason(self._av, error)}") from error
        failure = next((track.failure for track in self._tracks if track.failure), "")
        if failure:
            raise BrokenError(f"the decoder stopped, because {failure}")

    def declared_samples(self, read: int) -> int:
        """Samples of each channel that the container declares, when `read` were there."""
        declared = self.announced_samples or round(read * self._layout.declared_ratio)
        return declared if declared > read + _TOLERANCE_S * self.rate_hz else read

    def notes(self) -> list[Problem]:
        """What else was wrong, once everything is read."""
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
            self._tracks.append(_Track(self._av, source, self._format, 0))
            count = self._tracks[0].count
            if count > MAX_CHANNELS:
                message = f"has {count} audio tracks, expected at most {MAX_CHANNELS}"
                raise DecodeError(message, code="too_many_channels")
            self._tracks += [_Track(self._av, source.copy(), self._format, index) for index in range(1, count)]
        except _failures(self._av) as error:
            raise BrokenError(_reason(self._av, error)) from error

    def _declared_s(self) -> float:
        if self._layout.declared_s is not None:
            return self._layout.declared_s
        if self._format not in _DECLARING:
            return 0.0
        return max((track.declared_s or 0.0) - self._origin_s for track in self._tracks)


class _Track:
    """One audio track and how far it is read.

    Attributes:
        count: audio tracks of the container.
        channels: of the track; 1 where that cannot be known.
        rate_hz: its sample rate.
        start_s: when it begins on the clock of the container; None where that has none.
        first: the first decoded frame; None where nothing can be decoded.
        damaged, damaged_s: packets that could not be decoded, and how long they last.
        holes, hole_s: the same of holes in the timestamps.
        failure: why reading ended before the end; empty where it did not.
    """

    def __init__(self, av: Any, source: Spliced, format: str, index: int) -> None:
        self._av = av
        source.seek(0)
        self._container = av.open(source, mode="r", format=format, container_options=dict(_CLOSED), **_tolerant(av))
        streams = self._container.streams.audio
        self.count = len(streams)
        self.channels, self.rate_hz, self.declared_s = 1, 0, 0.0
        self.start_s: float | None = None
        self.damaged = self.holes = 0
        self.damaged_s = self.hole_s = 0.0
        self.failure = ""
        self._lost_s = self._pause_s = 0.0  # of packets since the last frame that was decoded
        self.first: _Frame | None = None
        self._frames: Iterator[_Frame] = iter(())
        if index >= self.count:
            return
        self._stream = streams[index]
        self.codec: str = getattr(self._stream.codec_context, "name", "") or ""
        self._tick_s = 0.0 if format in _TIMELESS else float(self._stream.time_base or 0)
        self.declared_s = float((self._stream.duration or 0) + (self._stream.start_time or 0)) * self._tick_s
        self._frames = self._decoded()
        self.first = next(self._frames, None)
        if self.first is not None:
            sound = self.first.sound
            self.channels, self.rate_hz = len(sound.layout.channels), sound.sample_rate
            if sound.pts is not None:
                self.start_s = sound.pts * self._tick_s - self.first.lost_s - self.first.pause_s
        elif self._stream.codec_context is not None:
            self.channels = max(1, self._stream.codec_context.channels)

    def blocks(self, *, origin_s: float, rate_hz: int) -> Iterator[FloatArray]:
        """Samples on the clock, float32 (n, channels)."""
        if self.first is None:
            return
        resampler, kind = None, None
        clock = _Clock(origin_s, self._tick_s)
        late = True
        for frame, following in pairwise(chain([self.first], self._frames, [None])):
            if frame is None:  # cannot be: the end is only ever `following`
                break
            hole_s = clock.hole_s(frame, following)
            self._note_hole(0.0 if late else hole_s - frame.lost_s - frame.pause_s)
            late = False
            yield from self._silence(hole_s, rate_hz)
            sound = frame.sound
            if kind != (kind := (sound.format.name, sound.layout.name, sound.sample_rate)):
                yield from self._resampled(resampler, None)
                resampler = self._av.AudioResampler(format="flt", layout=self.first.sound.layout, rate=rate_hz)
            yield from self._resampled(resampler, sound)
        yield from self._resampled(resampler, None)
        yield from self._silence(self._lost_s + self._pause_s, rate_hz)

    def close(self) -> None:
        """Release the decoder."""
        self._container.close()

    def _decoded(self) -> Iterator[_Frame]:
        for sound in self._sounds():
            if sound.layout.channels and sound.samples:
                yield _Frame(sound, self._lost_s, self._pause_s)
                self._lost_s = self._pause_s = 0.0

    def _sounds(self) -> Iterator[Any]:
        """What the decoder gives, up to the end or to where the container breaks."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except self._av.FFmpegError:
                    self._lose(packet)
                    continue
                yield from frames
        except _failures(self._av) as error:
            self.failure = _reason(self._av, error)
            yield from self._flushed()

    def _flushed(self) -> list[Any]:
        """What the decoder still holds when there are no more packets."""
        try:
            return list(self._stream.codec_context.decode(None))
        except _failures(self._av):
            return []

    def _lose(self, packet: Any) -> None:
        length_s = (packet.duration or 0) * self._tick_s
        head = bytes(packet)[:1]
        if head and head[0] >> 3 & 15 in _PAUSES.get(self.codec, ()):
            self._pause_s += length_s
        elif packet.size:
            self._lost_s += length_s
            self.damaged += 1
            self.damaged_s += length_s

    def _resampled(self, resampler: Any, frame: Any) -> Iterator[FloatArray]:
        """What a resampler gives for a frame, or at its end (None)."""
        for out in resampler.resample(frame) if resampler is not None else ():
            yield out.to_ndarray().reshape(-1, self.channels)

    def _note_hole(self, length_s: float) -> None:
        if length_s > _JITTER_S:
            self.holes += 1
            self.hole_s += length_s

    def _silence(self, length_s: float, rate_hz: int) -> Iterator[FloatArray]:
        count = round(length_s * rate_hz)
        while count > 0:
            yield np.zeros((min(count, _BLOCK_SAMPLES), self.channels), dtype=np.float32)
            count -= _BLOCK_SAMPLES


class _Frame(NamedTuple):
    """A decoded frame, and how long the packets before it last that gave none: damaged ones, and pauses."""

    sound: Any
    lost_s: float
    pause_s: float


class _Clock:
    """Where the next frame should begin, and by how much it begins later; seconds from the origin."""

    def __init__(self, origin_s: float, tick_s: float) -> None:
        self._offset_s, self._tick_s = -origin_s, tick_s
        self._now_s = 0.0

    def hole_s(self, frame: _Frame, following: _Frame | None) -> float:
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
            if missing_s < -_JITTER_S or missing_s > _LONGEST_HOLE_S or (missing_s > _JITTER_S and not agrees):
                self._offset_s -= missing_s  # they began anew, or are damaged
                hole_s = lost_s
            elif missing_s < _JITTER_S:
                hole_s = lost_s
        self._now_s += hole_s + frame.sound.samples / frame.sound.sample_rate
        return hole_s


def _side_by_side(tracks: list[Iterator[FloatArray]], widths: list[int]) -> Iterator[FloatArray]:
    """Tracks as channels: blocks of equal length, the shorter ones filled up with silence to the longest."""
    waiting = [np.zeros((0, width), dtype=np.float32) for width in widths]
    ended = [False] * len(tracks)
    while True:
        for index, track in enumerate(tracks):
            while len(waiting[index]) < _BLOCK_SAMPLES and not ended[index]:
                piece = next(track, None)
                ended[index] = piece is None
                if piece is not None:
                    waiting[index] = np.concatenate([waiting[index], piece])
        count = min(_BLOCK_SAMPLES, max(map(len, waiting)))
        if not count:
            return
        block = np.zeros((count, sum(widths)), dtype=np.float32)
        place = 0
        for index, width in enumerate(widths):
            part, waiting[index] = waiting[index][:count], waiting[index][count:]
            block[: len(part), place : place + width] = part
            place += width
        yield block


def _failures(av: Any) -> tuple[type[Exception], ...]:
    """What PyAV raises for broken files: its own errors, and those of its lists and fractions (streams that go)."""
    return av.FFmpegError, OSError, ValueError, LookupError, ArithmeticError


def _tolerant(av: Any) -> dict[str, str]:
    """Arguments with which a title that is not UTF-8 is no reason to refuse; from PyAV 19 on it never is."""
    return {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


def _codecs(tracks: list[_Track]) -> str:
    names = sorted({track.codec for track in tracks if track.count and track.codec})
    return f" (its codec is {', '.join(names)})" if names else ""


def _reason(av: Any, error: Exception) -> str:
    """In our words what FFmpeg says in its own, as a part of a sentence."""
    kinds = (
        (av.error.InvalidDataError, "its data are damaged"),
        (av.error.EOFError, "it ends too early"),
        (av.error.DecoderNotFoundError, "no decoder here knows its codec"),
        (av.error.PatchWelcomeError, "it uses a part of its codec that no decoder here has"),
        (MemoryError, "it asks for more memory than there is"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), "its data contradict each other")
