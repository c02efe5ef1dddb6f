"""One audio track of a container, decoded by PyAV; what its timestamps show to be missing becomes silence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

import numpy as np

from sertag.audio.decoders.clock import JITTER_S, Clock, Frame
from sertag.audio.streams import Spliced
from sertag.records import FloatArray

BLOCK_SAMPLES = 1 << 16

# A container must not open a file or an address that it refers to. Passed as `options`, which apply to streams too,
# this makes PyAV before 17.1 crash on FLV files whose streams begin behind the header.
_CLOSED = (("protocol_whitelist", "none"),)
_TIMELESS = frozenset({"avi"})  # its timestamps count packets, whatever their duration
_PAUSES = {"amrnb": (8, 15), "amrwb": (9, 15)}  # frame types of AMR: comfort noise, no data


class Track:
    """One audio track, and what was found while it was read.

    Attributes:
        count: number of audio tracks in the container.
        channels: number of channels; 1 if unknown.
        rate_hz: sample rate.
        start_s: start on the clock of the container, in seconds; None if it has no timestamps.
        first: the first decoded frame; None if nothing can be decoded.
        damaged, damaged_s: number and duration of the packets that could not be decoded.
        holes, hole_s: number and duration of the gaps in the timestamps.
        failure: why reading stopped before the end; empty if it did not.
    """

    def __init__(self, av: Any, source: Spliced, format: str, index: int) -> None:
        """Open it and decode its first frame.

        Args:
            av: the module PyAV.
            source: content of the file.
            format: name of the container for FFmpeg.
            index: of the track among those with audio, from 0.
        """
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
        self._lost_s = self._pause_s = 0.0  # duration of packets since the last decoded frame
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
        """Samples with silence for what is missing, float32 (n, channels)."""
        if self.first is None:
            return
        resampler, kind = None, None
        clock = Clock(origin_s, self._tick_s)
        late = True
        for frame, following in pairwise(chain([self.first], self._frames, [None])):
            if frame is None:  # for mypy: only `following` can be None
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
        """Decoded frames, up to the end or to the first error of the container."""
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
        """Frames that the decoder still holds after the last packet; none if there is no decoder."""
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
        """Output of a resampler for a frame, or its rest (None)."""
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
    """Exceptions that PyAV raises for broken files, also from its lists and fractions if streams change."""
    return av.FFmpegError, OSError, ValueError, LookupError, ArithmeticError


def _tolerant(av: Any) -> dict[str, str]:
    """Arguments of `av.open` that accept a title that is not UTF-8; from PyAV 19 on that is the default."""
    return {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


def reason(av: Any, error: Exception) -> str:
    """An error of FFmpeg in plain words, as part of a sentence."""
    kinds = (
        (av.error.InvalidDataError, "its data are damaged"),
        (av.error.EOFError, "it ends too early"),
        (av.error.DecoderNotFoundError, "no decoder here knows its codec"),
        (av.error.PatchWelcomeError, "it uses a part of its codec that no decoder here has"),
        (MemoryError, "it asks for more memory than there is"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), "its data contradict each other")
