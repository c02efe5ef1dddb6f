"""The second decoder: what libsndfile cannot read (m4a, AAC, WMA, AMR and many more), through PyAV.

Used by decode, which imports PyAV only when a file needs it: the module comes as an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from sertag.audio.streams import Spliced
from sertag.records import FloatArray

# No container may open a file or an address that stands in it. As `options`, which are for streams too, PyAV before
# 17.1 crashes on the FLV whose streams come behind its header.
_CLOSED = (("protocol_whitelist", "none"),)
_TOLERANCE_S = 0.25  # containers round and count what codecs drop at both ends


class BrokenError(Exception):
    """A decoder gave up; what it gave before is sound."""


class AvReader:
    """What PyAV reads: the first audio stream of anything that FFmpeg knows."""

    def __init__(self, av: Any, stream: Spliced, *, format: str) -> None:
        """Open with the module `av` as that container; raises BrokenError where nothing can be decoded."""
        self._av, self._damaged_packets = av, 0
        stream.seek(0)
        try:
            self._container = av.open(stream, mode="r", format=format, container_options=dict(_CLOSED), **_tolerant(av))
            self._frames = self._decoded()
            first = next(self._frames, None)
        except _failures(av) as error:
            raise BrokenError(f"it cannot be read ({_reason(error)})") from error
        if first is None or not first.layout.channels:
            raise BrokenError("it holds no audio that can be decoded")
        self._first: Any = first
        self.channels: int = len(first.layout.channels)
        self.rate_hz: int = first.sample_rate
        track = self._container.streams.audio[0]
        self.announced_samples = round(float((track.duration or 0) * (track.time_base or 0)) * self.rate_hz)

    def pieces(self) -> Iterator[FloatArray]:
        """Native samples, float32 (n, channels)."""
        resampler = self._av.AudioResampler(format="flt", layout=self._first.layout, rate=self.rate_hz)  # interleaved
        try:
            for frame in chain([self._first], self._frames, [None]):  # None: whatever the resampler still holds
                for out in resampler.resample(frame):
                    yield out.to_ndarray().reshape(-1, self.channels)
        except _failures(self._av) as error:
            raise BrokenError(f"the decoder stopped ({_reason(error)})") from error

    def promised_samples(self, read: int) -> int:
        """Samples of each channel that the container promises, when `read` were there."""
        promised = self.announced_samples
        return promised if promised > read + _TOLERANCE_S * self.rate_hz else read

    def notes(self) -> list[str]:
        """What else was wrong, once everything is read."""
        return [f"{self._damaged_packets} damaged packets were skipped"] if self._damaged_packets else []

    def close(self) -> None:
        """Release the decoder."""
        self._container.close()

    def _decoded(self) -> Iterator[Any]:
        if not self._container.streams.audio:
            return
        for packet in self._container.demux(audio=0):
            try:
                yield from packet.decode()
            except self._av.error.InvalidDataError:
                self._damaged_packets += 1


def _failures(av: Any) -> tuple[type[Exception], ...]:
    """What PyAV raises for broken files: its own errors, and those of its lists and fractions (streams that go)."""
    return av.FFmpegError, OSError, ValueError, LookupError, ArithmeticError


def _tolerant(av: Any) -> dict[str, str]:
    """Arguments with which a title that is not UTF-8 is no reason to refuse; from PyAV 19 on it never is."""
    return {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)  # the whole text would repeat the file's name, unescaped
