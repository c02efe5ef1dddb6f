"""Recordings to samples: any container, codec, rate and channel count becomes float32 blocks of one rate.

Station of the line: discover -> **decode** -> features. Audio is float32 (channels, samples) in [-1, 1], always, and
streamed, so that an eight-hour call takes no more memory than a short one. The content decides, never the name.

libsndfile reads WAV, FLAC, MP3, Ogg, AIFF, AU and their kin; PyAV (the extra `av`) what it cannot: m4a, WMA, AMR.
Resampling is soxr's HQ, the same as `librosa.load`. No other module imports these three.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from sertag.audio.filetype import HEAD_BYTES, Content, Decoder, sniff
from sertag.audio.headers import Layout, au_layout, form_layout, ogg_layout, riff_layout
from sertag.audio.mp3 import mpeg_layout, skip_id3
from sertag.audio.pyav import AvReader, BrokenError
from sertag.audio.streams import Spliced, length, open_stream, read_at, size_on_disk
from sertag.errors import DecodeError
from sertag.names import display_name
from sertag.records import FloatArray, Problem

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
MAX_CHANNELS = 64
CLIP_LEVEL = 0.98  # of full scale; the largest value of mu-law is 0.9803, of A-law 0.984

_READ_SAMPLES = 131_072  # per call of a decoder, all channels together: 512 KiB, which stays in the cache
_RAW_HINT = "; raw samples need a header first, e.g. by sox -t ul -r 8000 -c 1 IN OUT.wav"
_STREAMED_FRAMES = 1 << 60  # libsndfile says 2^63 - 1 where a header does not give a length
_UNSUPPORTED_ENCODING, _TOO_MANY_CHANNELS = 4, 33  # libsndfile's error numbers
_SNDFILE_CODECS = (0x01, 0x02, 0x03, 0x06, 0x07, 0x11, 0x31, 0x40, 0x55, 0xFFFE)  # format tags of WAV that it reads

_MEASURES = {
    b"RIFF": riff_layout,
    b"RF64": riff_layout,
    b"FORM": form_layout,
    b"OggS": ogg_layout,
    b".snd": au_layout,
    b"dns.": au_layout,
}


def open_audio(path: str) -> AudioSource:
    """Open a recording; only its header is read.

    Args:
        path: a regular file, or `-` for standard input.

    Returns:
        The open recording, a context manager.

    Raises:
        DecodeError: with one of the codes `not_found`, `permission_denied`, `not_a_file`, `empty_file`, `not_audio`,
            `damaged`, `no_samples`, `bad_rate`, `too_many_channels`, `needs_av`.

    >>> open_audio("no/such.wav")
    Traceback (most recent call last):
    sertag.errors.DecodeError: no/such.wav: no such file; check the path
    """
    stream = open_stream(path)
    try:
        return AudioSource(path, stream, _reader(path, stream))
    except OSError as error:
        stream.close()
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
        problem: a warning where only a part could be read; complete once `blocks` has ended.
    """

    def __init__(self, path: str, stream: BinaryIO, reader: _Reader) -> None:
        """Take over an open stream and the decoder that reads it; see `open_audio`."""
        self.path = path
        self.channels, self.rate_hz = reader.channels, reader.rate_hz
        _check_limits(path, self.channels, self.rate_hz)
        self.announced_s = reader.announced_samples / self.rate_hz
        self.samples_read = 0
        self.clipped: npt.NDArray[np.int64] = np.zeros(reader.channels, dtype=np.int64)
        self.problem: Problem | None = None
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
            DecodeError: `damaged` or `no_samples` before any sample was read, `not_finite`, or `changed` for a file
                that was cut while it was read.
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
        resampler = soxr.ResampleStream(self.rate_hz, rate_hz, self.channels, dtype="float32", quality="HQ")
        for piece in self._checked():
            resampled = resampler.resample_chunk(piece)
            yield _limited(resampled, _peak(resampled))
        resampled = resampler.resample_chunk(np.empty((0, self.channels), np.float32), last=True)
        yield _limited(resampled, _peak(resampled))

    def _checked(self) -> Iterator[FloatArray]:
        """Native pieces of (n, channels), counted, finite and limited to full scale."""
        reasons = []
        try:
            for piece in self._reader.pieces():
                yield self._counted(piece)
        except BrokenError as error:
            if not self.samples_read:
                raise DecodeError(f"{display_name(self.path)}: {error}", code="damaged") from error
            reasons.append(str(error))
        self._conclude(reasons)

    def _counted(self, piece: FloatArray) -> FloatArray:
        peak = _peak(piece)
        if not peak < np.inf:  # a NaN comes through minimum and maximum
            self._refuse_not_finite(piece)
        if peak >= CLIP_LEVEL:
            self.clipped += np.count_nonzero(np.abs(piece) >= CLIP_LEVEL, axis=0)
        self.samples_read += len(piece)
        return _limited(piece, peak)

    def _refuse_not_finite(self, piece: FloatArray) -> None:
        frame, channel = np.argwhere(~np.isfinite(piece))[0]
        at_s = (self.samples_read + int(frame)) / self.rate_hz
        raise DecodeError(
            f"{display_name(self.path)}: holds values that are no numbers (NaN or infinite), the first at {at_s:.3f} s "
            f"in channel {channel}; write the file again from its source",
            code="not_finite",
        )

    def _conclude(self, reasons: list[str]) -> None:
        name = display_name(self.path)
        now = size_on_disk(self._stream)
        if now is not None and self._size_bytes is not None and now < self._size_bytes:
            message = f"{name}: was cut from {self._size_bytes} to {now} bytes while it was read; run again"
            raise DecodeError(message, code="changed")
        if not self.samples_read:
            raise _no_samples(self.path)
        promised = self._reader.promised_samples(self.samples_read)
        if promised > self.samples_read:
            reasons.insert(0, f"its header promises {promised / self.rate_hz:.3f} s")
        reasons += self._reader.notes()
        if reasons:
            message = f"{name}: {'; '.join(reasons)}; {self.duration_s:.3f} s could be read and were used"
            self.problem = Problem("truncated", message)


class _NoSamplesError(Exception):
    """The header is sound and promises nothing."""


class _Reader(Protocol):
    channels: int
    rate_hz: int
    announced_samples: int  # of each channel, before anything is read; 0 where the header does not say

    def pieces(self) -> Iterator[FloatArray]:
        """Native samples, float32 (n, channels); each piece is valid until the next one."""

    def promised_samples(self, read: int) -> int:
        """Samples of each channel that the header promises, when `read` were there; `read` where it does not say."""

    def notes(self) -> list[str]:
        """What else was wrong, once everything is read."""

    def close(self) -> None:
        """Release the decoder."""


class _SoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """Read straight on: soundfile seeks after each read, which GSM cannot and compressed formats need not."""

    def seekable(self) -> bool:
        return False


class _SndfileReader:
    """What libsndfile reads."""

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        stream.seek(0)
        source = Spliced(stream, layout.pieces) if layout.pieces else stream
        # A descriptor is read by libsndfile itself; asking a spool for one would write it to disk.
        on_disk = isinstance(source, io.FileIO)
        self._file = _SoundFile(source.fileno() if on_disk else source, closefd=False)
        self._layout = layout
        self.channels: int = self._file.channels
        self.rate_hz: int = self._file.samplerate
        guessed = self._file.frames > _STREAMED_FRAMES or "MPEG" in self._file.subtype
        self.announced_samples: int = 0 if guessed else self._file.frames
        if self._file.frames == 0:
            raise _NoSamplesError

    def pieces(self) -> Iterator[FloatArray]:
        buffer = np.empty((max(1, _READ_SAMPLES // self.channels), self.channels), dtype=np.float32)
        before = 0
        try:
            while len(piece := self._file.read(out=buffer)):
                yield piece
                before += len(piece)
        except soundfile.LibsndfileError as error:
            yield buffer[: self._file.tell() - before]
            raise BrokenError(f"the decoder stopped ({_reason(error)})") from error

    def promised_samples(self, read: int) -> int:
        return max(self.announced_samples, round(read * self._layout.promised))

    def notes(self) -> list[str]:
        return [self._layout.note] if self._layout.note else []

    def close(self) -> None:
        self._file.close()


def _reader(path: str, stream: BinaryIO) -> _Reader:
    """Choose by content who decodes, and open the decoder."""
    name, size_bytes = display_name(path), length(stream)
    if not size_bytes:
        raise DecodeError(f"{name}: is empty (0 bytes), expected audio; was it copied completely?", code="empty_file")
    start = skip_id3(stream)
    content = sniff(read_at(stream, start, HEAD_BYTES))
    if content.decoder is Decoder.AV:
        return _av_reader(name, stream, content, start)
    layout = _layout(stream, content, start, size_bytes)
    if layout is None:
        hint = _RAW_HINT if content.decoder is Decoder.UNKNOWN else ""
        raise DecodeError(f"{name}: is {content.name}, expected audio{hint}", code="not_audio")
    try:
        return _SndfileReader(stream, layout)
    except _NoSamplesError:
        raise _no_samples(path) from None
    except soundfile.LibsndfileError as error:
        if error.code == _UNSUPPORTED_ENCODING or (layout.codec is not None and layout.codec not in _SNDFILE_CODECS):
            kind = (
                content if layout.codec is None else replace(content, name=f"a WAV file of type 0x{layout.codec:04x}")
            )
            return _av_reader(name, stream, kind, start)
        code = "too_many_channels" if error.code == _TOO_MANY_CHANNELS else "damaged"
        raise DecodeError(f"{name}: is {content.name} that cannot be read ({_reason(error)})", code=code) from error


def _layout(stream: BinaryIO, content: Content, start: int, size_bytes: int) -> Layout | None:
    """What to read of a file for libsndfile; None where it is no audio."""
    if content.decoder is Decoder.UNKNOWN:
        return mpeg_layout(stream, start=start, size_bytes=size_bytes)
    if content.decoder is not Decoder.SNDFILE:
        return None
    if start:
        return Layout((range(start, size_bytes),))
    measure = _MEASURES.get(read_at(stream, 0, 4))
    return measure(stream, size_bytes=size_bytes) if measure else Layout()


def _av_reader(name: str, stream: BinaryIO, content: Content, start: int) -> _Reader:
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        message = f"{name}: is {content.name}, which takes an extra to decode; pip install 'sertag[av]'"
        raise DecodeError(message, code="needs_av") from error
    # Spliced, because FFmpeg seeks to places before the start of damaged files and prints what the stream says to that.
    whole = Spliced(stream, (range(start, length(stream)),))
    try:
        return AvReader(av, whole, format=content.format)
    except BrokenError as error:
        raise DecodeError(f"{name}: is {content.name}, but {error}", code="damaged") from error


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).removeprefix("Error : ").rstrip(".")


def _check_limits(path: str, channels: int, rate_hz: int) -> None:
    name = display_name(path)
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        message = f"{name}: has a sample rate of {rate_hz} Hz, expected {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
        raise DecodeError(message, code="bad_rate")
    if channels > MAX_CHANNELS:
        message = f"{name}: has {channels} channels, expected at most {MAX_CHANNELS}"
        raise DecodeError(message, code="too_many_channels")


def _no_samples(path: str) -> DecodeError:
    message = f"{display_name(path)}: has a header but no samples; was anything recorded?"
    return DecodeError(message, code="no_samples")


def _peak(piece: FloatArray) -> float:
    return max(-float(piece.min()), float(piece.max())) if len(piece) else 0.0


def _limited(piece: FloatArray, peak: float) -> FloatArray:
    """Limit to full scale, in place: float files, lossy codecs and resampling may go beyond it."""
    return np.clip(piece, -1, 1, out=piece) if peak > 1 else piece
