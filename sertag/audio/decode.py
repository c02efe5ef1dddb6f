"""Recordings to samples: any container, codec, rate and channel count becomes float32 blocks of one rate.

Stage: discover -> **decode** -> features. Audio is float32 (channels, samples) in [-1, 1], always, and
streamed, so that an eight-hour call takes no more memory than a short one. The content decides, never the name.

libsndfile reads WAV, FLAC, MP3, Ogg, AIFF, AU and their kin; PyAV (the extra `av`) what it cannot: m4a, WMA, AMR.
Resampling is soxr's HQ, the same as `librosa.load`. No other module imports these three.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import soxr

from sertag.audio.decoders.opening import no_samples
from sertag.audio.decoders.pyav import MAX_CHANNELS
from sertag.audio.recording import Recording
from sertag.audio.streams import open_stream, size_on_disk
from sertag.errors import DecodeError
from sertag.records import AudioFile, FloatArray, Problem
from sertag.remote.reading import check, open_object
from sertag.text import display_name

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
CLIP_LEVEL = 0.98  # of full scale; the largest value of mu-law is 0.9803, of A-law 0.984

_FEW_NOT_FINITE = 0.5  # share of values that are no numbers up to which the others are believed
_STALE_S = 0.25  # more audio than this after the length in the header gives a warning


def open_audio(path: str, *, raw: str | None = None) -> AudioSource:
    """Open a recording; nothing is decoded yet.

    Args:
        path: a regular file, or `-` for standard input.
        raw: how samples without a header are written, `FORMAT[:RATE[:CHANNELS]]`; by the suffix where None.

    Returns:
        The open recording, a context manager.

    Raises:
        DecodeError: with one of the codes `not_found`, `permission_denied`, `not_a_file`, `empty_file`, `not_audio`,
            `damaged`, `no_samples`, `bad_rate`, `too_many_channels`, `needs_av`.

    >>> open_audio("no/such.wav")
    Traceback (most recent call last):
    sertag.errors.DecodeError: no/such.wav: no such file or directory; check the path
    """
    return _opened(path, open_stream(path), raw)


def open_recording(file: AudioFile, *, raw: str | None = None) -> AudioSource:
    """Open a recording that was found, also one in a storage; else like `open_audio`, with more codes of errors."""
    if file.problem is not None:
        raise DecodeError(file.problem.message, code=file.problem.code)
    if file.remote is None:
        return open_audio(file.path, raw=raw)
    return _opened(file.path, open_object(file.remote, size_bytes=file.size_bytes), raw)


def _opened(path: str, stream: BinaryIO, raw: str | None) -> AudioSource:
    try:
        return AudioSource(path, stream, Recording(path, stream, raw=raw))
    except (DecodeError, OSError) as error:
        with stream:
            check(stream)
        if isinstance(error, DecodeError):
            raise
        raise DecodeError(f"{display_name(path)}: reading failed ({error.strerror})", code="damaged") from error
    except BaseException:
        stream.close()
        raise


class AudioSource:
    """An open recording that is read once, from start to end.

    Attributes:
        path: as given.
        channels: how many the file has.
        rate_hz: its own sample rate.
        announced_s: how long it says it is, seconds; 0 where that is known only at its end.
        samples_read: samples of each channel read so far, at `rate_hz`.
        clipped: int64 (channels,), how many of them were at full scale.
        problem: a warning where only a part could be read, or something else has to be known; complete once `blocks`
            has ended.
    """

    def __init__(self, path: str, stream: BinaryIO, reader: Recording | Samples) -> None:
        """Take over an open stream and what reads it; see `open_audio`."""
        self.path = path
        self.channels, self.rate_hz = reader.channels, reader.rate_hz
        _check_limits(path, self.channels, self.rate_hz)
        self.announced_s = reader.announced_samples / self.rate_hz
        self.samples_read = 0
        self.clipped: npt.NDArray[np.int64] = np.zeros(reader.channels, dtype=np.int64)
        self.problem: Problem | None = None
        self._not_finite, self._not_finite_at = 0, (0.0, 0)
        self._stream, self._reader = stream, reader
        self._size_bytes = size_on_disk(stream)

    @property
    def duration_s(self) -> float:
        """Seconds read so far."""
        return self.samples_read / self.rate_hz

    def blocks(self, *, rate_hz: int, block_s: float = 10.24) -> Iterator[FloatArray]:
        """Decode, check and resample, block by block.

        Args:
            rate_hz: of the samples wanted.
            block_s: length of a block; the samples do not depend on it. The default stays in the cache for two channels
                of telephone audio and is a round number of their frames.

        Yields:
            float32 (channels, n), n = `block_s * rate_hz`, less only in the last block; never empty.

        Raises:
            DecodeError: `damaged` or `no_samples` before any sample was read, `not_finite` at the end of a recording of
                which much is no number, or `changed` for a file that was cut while it was read.
            RuntimeError: called again.
        """
        if self.samples_read:
            raise RuntimeError("a recording is read once; open it again to read it again")
        size = max(1, round(block_s * rate_hz))
        block, filled = self._empty(size), 0
        for piece in self._at_rate(rate_hz):  # (n, channels)
            while len(piece):
                part, piece = piece[: size - filled], piece[size - filled :]
                block[:, filled : filled + len(part)] = part.T
                filled += len(part)
                if filled == size:
                    yield block
                    block, filled = self._empty(size), 0
        if filled:
            yield block[:, :filled].copy()

    def close(self) -> None:
        """Release the file."""
        self._reader.close()
        self._stream.close()

    def __enter__(self) -> AudioSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _empty(self, size: int) -> FloatArray:
        return np.empty((self.channels, size), dtype=np.float32)

    def _at_rate(self, rate_hz: int) -> Iterator[FloatArray]:
        """Pieces of (n, channels) at `rate_hz`."""
        if rate_hz == self.rate_hz:
            yield from self._checked()
            return
        resampler = Resampler(self.rate_hz, rate_hz, channels=self.channels)
        for piece in self._checked():
            yield resampler.push(piece)
        yield resampler.flush()

    def _checked(self) -> Iterator[FloatArray]:
        """Native pieces of (n, channels), counted, finite and limited to full scale."""
        try:
            for piece in self._reader.pieces():
                if len(piece):
                    yield self._counted(piece)
        except DecodeError:
            check(self._stream)  # what looks like damage may be a request that failed
            raise
        self._conclude()

    def _counted(self, piece: FloatArray) -> FloatArray:
        peak = _peak(piece)
        if not peak < np.inf:  # a NaN comes through minimum and maximum
            piece = self._silenced(piece)
            peak = _peak(piece)
        if peak >= CLIP_LEVEL:
            self.clipped += np.count_nonzero(np.abs(piece) >= CLIP_LEVEL, axis=0)
        self.samples_read += len(piece)
        return _limited(piece, peak)

    def _silenced(self, piece: FloatArray) -> FloatArray:
        """Silence in place of values that are no numbers, which damage makes of float samples."""
        wrong = ~np.isfinite(piece)
        frame, channel = np.argwhere(wrong)[0]
        if not self._not_finite:
            self._not_finite_at = (self.samples_read + int(frame)) / self.rate_hz, int(channel)
        self._not_finite += int(wrong.sum())
        return np.where(wrong, np.float32(0), piece)

    def _not_finite_notes(self) -> list[Problem]:
        if not self._not_finite:
            return []
        at_s, channel = self._not_finite_at
        found = f"holds {self._not_finite} values that are no numbers (NaN or infinite), the first at {at_s:.3f} s"
        found += f" in channel {channel}"
        if self._not_finite > _FEW_NOT_FINITE * self.samples_read * self.channels:
            message = f"{display_name(self.path)}: {found}; write the file again from its source"
            raise DecodeError(message, code="not_finite")
        return [Problem("truncated", f"it {found}, which became silence")]

    def _conclude(self) -> None:
        check(self._stream)
        name = display_name(self.path)
        now = size_on_disk(self._stream)
        if now is not None and self._size_bytes is not None and now < self._size_bytes:
            message = f"{name}: was cut from {self._size_bytes} to {now} bytes while it was read; run again"
            raise DecodeError(message, code="changed")
        notes = [*self._length_notes(), *self._not_finite_notes(), *self._reader.notes]
        if not self.samples_read:
            damage = [note.message for note in notes if note.code == "truncated"]
            raise DecodeError(f"{name}: {damage[0]}", code="damaged") if damage else no_samples(self.path)
        if notes:
            codes = [note.code for note in notes]
            messages = "; ".join(dict.fromkeys(note.message for note in notes))
            message = f"{name}: {messages}; {self.duration_s:.3f} s could be read and were used"
            self.problem = Problem("truncated" if "truncated" in codes else codes[0], message)

    def _length_notes(self) -> list[Problem]:
        declared = self._reader.declared_samples
        if declared > self.samples_read:
            return [Problem("truncated", f"its header announces {declared / self.rate_hz:.3f} s")]
        if declared < self.samples_read - _STALE_S * self.rate_hz:
            message = f"its header gives {declared / self.rate_hz:.3f} s, but more was recorded"
            return [Problem("stale_header", message)]
        return []


class Samples(Protocol):
    """What `AudioSource` reads samples from; `Recording` is that for files. The attributes are those of `Recording`."""

    channels: int
    rate_hz: int
    announced_samples: int
    declared_samples: int
    notes: list[Problem]

    def pieces(self) -> Iterator[FloatArray]:
        """Native samples, float32 (n, channels); each piece is valid until the next one."""

    def close(self) -> None:
        """Release what is open."""


class Resampler:
    """Samples that come in pieces at another rate, limited to full scale.

    >>> resampler = Resampler(8000, 16000, channels=1)
    >>> len(resampler.push(np.zeros((800, 1), np.float32))) + len(resampler.flush())
    1600
    """

    def __init__(self, from_hz: int, to_hz: int, *, channels: int) -> None:
        """Begin a recording."""
        self._channels = channels
        self._stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality="HQ")

    def push(self, piece: FloatArray) -> FloatArray:
        """What is complete once `piece`, float32 (n, channels), has come: (m, channels)."""
        return self._limited(self._stream.resample_chunk(piece))

    def flush(self) -> FloatArray:
        """The samples that are left, float32 (n, channels)."""
        return self._limited(self._stream.resample_chunk(np.empty((0, self._channels), np.float32), last=True))

    def _limited(self, resampled: FloatArray) -> FloatArray:
        return _limited(resampled, _peak(resampled))


def _check_limits(path: str, channels: int, rate_hz: int) -> None:
    name = display_name(path)
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        message = f"{name}: has a sample rate of {rate_hz} Hz, expected {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
        raise DecodeError(message, code="bad_rate")
    if channels > MAX_CHANNELS:
        message = f"{name}: has {channels} channels, expected at most {MAX_CHANNELS}"
        raise DecodeError(message, code="too_many_channels")


def _peak(piece: FloatArray) -> float:
    return max(-float(piece.min()), float(piece.max())) if len(piece) else 0.0


def _limited(piece: FloatArray, peak: float) -> FloatArray:
    """Limit to full scale, in place: float files, lossy codecs and resampling may go beyond it."""
    return np.clip(piece, -1, 1, out=piece) if peak > 1 else piece
