"""One audio track of a container, decoded by PyAV onto a clock: what is missing becomes silence and is counted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

import numpy as np

from sertag.audio.decoders.clock import JITTER_S, Clock, Frame
from sertag.audio.streams import Spliced
from sertag.records import FloatArray

BLOCK_SAMPLES = 1 << 16

# No container may open a file or an address that stands in it. As `options`, which are for streams too, PyAV before
# 17.1 crashes on the FLV whose streams come behind its header.
_CLOSED = (("protocol_whitelist", "none"),)
_TIMELESS = frozenset({"avi"})  # its timestamps are counts of packets, whatever these last
_PAUSES = {"amrnb": (8, 15), "amrwb": (9, 15)}  # frame types of AMR: comfort noise, nothing at all


class Track:
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
        self.first: Frame | None = None
        self._frames: Iterator[Frame] = iter(())
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
        clock = Clock(origin_s, self._tick_s)
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

    def _decoded(self) -> Iterator[Frame]:
        for sound in self._sounds():
            if sound.layout.channels and sound.samples:
                yield Frame(sound, self._lost_s, self._pause_s)
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
        except failures(self._av) as error:
            self.failure = reason(self._av, error)
            yield from self._flushed()

    def _flushed(self) -> list[Any]:
        """What the decoder still holds when there are no more packets; nothing where no decoder was found."""
        if self._stream.codec_context is None:
            return []
        try:
            return list(self._stream.codec_context.decode(None))
        except failures(self._av):
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
        if length_s > JITTER_S:
            self.holes += 1
            self.hole_s += length_s

    def _silence(self, length_s: float, rate_hz: int) -> Iterator[FloatArray]:
        count = round(length_s * rate_hz)
        while count > 0:
            yield np.zeros((min(count, BLOCK_SAMPLES), self.channels), dtype=np.float32)
            count -= BLOCK_SAMPLES


def failures(av: Any) -> tuple[type[Exception], ...]:
    """What PyAV raises for broken files: its own errors, and those of its lists and fractions (streams that go)."""
    return av.FFmpegError, OSError, ValueError, LookupError, ArithmeticError


def _tolerant(av: Any) -> dict[str, str]:
    """Arguments with which a title that is not UTF-8 is no reason to refuse; from PyAV 19 on it never is."""
    return {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


def reason(av: Any, error: Exception) -> str:
    """In our words what FFmpeg says in its own, as a part of a sentence."""
    kinds = (
        (av.error.InvalidDataError, "its data are damaged"),
        (av.error.EOFError, "it ends too early"),
        (av.error.DecoderNotFoundError, "no decoder here knows its codec"),
        (av.error.PatchWelcomeError, "it uses a part of its codec that no decoder here has"),
        (MemoryError, "it asks for more memory than there is"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), "its data contradict each other")
