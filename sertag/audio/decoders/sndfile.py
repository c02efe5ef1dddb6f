"""The first decoder: libsndfile, for WAV, FLAC, MP3, Ogg, AIFF, AU and similar formats, and samples without a header.

Used by decoders.opening. No other module that reads recordings imports soundfile.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile

from sertag.audio.containers.layout import Layout
from sertag.audio.decoders.reader import BrokenError
from sertag.audio.headerless import RawFormat
from sertag.audio.streams import Spliced
from sertag.records import FloatArray, Problem

_READ_SAMPLES = 131_072  # per call, of all channels together: 512 KiB, which fit into the processor cache
_STREAMED_FRAMES = 1 << 60  # libsndfile returns 2^63 - 1 if a header declares no length
_TOO_MANY_CHANNELS = 33  # libsndfile's error number
_DECLARED_BYTES = 1 << 28  # of blocks without an end: libsndfile counts their samples in 32 bits


class NoSamplesError(Exception):
    """The header is valid and declares no samples."""


class TooManyChannelsError(Exception):
    """The file has more channels than the decoder supports."""


class SndfileReader:
    """Reads a recording with libsndfile."""

    def __init__(self, stream: BinaryIO | Spliced, layout: Layout, *, raw: RawFormat | None = None) -> None:
        """Open a recording.

        Args:
            stream: the recording and nothing else; a file is read by its descriptor, which is faster.
            layout: the measured layout of the container.
            raw: format of the samples if there is no header.

        Raises:
            BrokenError: libsndfile cannot read it.
            NoSamplesError: the header is valid, but there are no samples.
            TooManyChannelsError: there are too many channels.
        """
        stream.seek(0)
        # libsndfile reads a descriptor itself; `fileno` of a spooled file would write it to disk.
        on_disk = isinstance(stream, io.FileIO)
        try:
            self._file = _SoundFile(stream.fileno() if on_disk else stream, closefd=False, **_raw_arguments(raw))
        except soundfile.LibsndfileError as error:
            if error.code == _TOO_MANY_CHANNELS:
                raise TooManyChannelsError from error
            raise BrokenError("its header is damaged or of a kind that no decoder here knows") from error
        self._layout = layout
        self.channels: int = self._file.channels
        self.rate_hz: int = self._file.samplerate
        guessed = self._file.frames > _STREAMED_FRAMES or "MPEG" in self._file.subtype
        self.announced_samples: int = 0 if guessed else self._file.frames
        if self._file.frames == 0:
            self._file.close()
            raise NoSamplesError

    def pieces(self) -> Iterator[FloatArray]:
        """Samples at the native rate, float32 (n, channels); a piece is valid until the next one."""
        buffer = np.empty((max(1, _READ_SAMPLES // self.channels), self.channels), dtype=np.float32)
        before = 0
        try:
            while len(piece := self._file.read(out=buffer)):
                yield piece
                before += len(piece)
        except soundfile.LibsndfileError as error:
            yield buffer[: self._file.tell() - before]
            raise BrokenError("the decoder stopped at damaged data") from error

    def declared_samples(self, read: int) -> int:
        """Declared samples per channel, given that `read` were available; `read` if the header declares none."""
        if self._layout.declared_ratio < 1:
            return round(read * self._layout.declared_ratio)
        return max(self.announced_samples, round(read * self._layout.declared_ratio))

    def notes(self) -> list[Problem]:
        """Nothing: libsndfile reports no further problems."""
        return []

    def close(self) -> None:
        """Release the decoder."""
        self._file.close()


class BlockReader:
    """Blocks of GSM 6.10 or ADPCM in WAV as they come, decoded by what decodes them in files."""

    def __init__(self, form: bytes, block_bytes: int) -> None:
        """Begin.

        Args:
            form: the body of the format chunk.
            block_bytes: of a block, as `form` says it.
        """
        self._blocks = _DECLARED_BYTES // block_bytes
        size = self._blocks * block_bytes
        chunk = b"fmt " + struct.pack("<I", len(form)) + form + bytes(len(form) % 2)
        head = b"RIFF" + struct.pack("<I", 4 + len(chunk) + 8 + size) + b"WAVE" + chunk
        self._head, self._size = head + b"data" + struct.pack("<I", size), size
        self._left = 0  # blocks that the open file still declares
        self._stream = _Growing(b"", 0)
        self._file: _SoundFile | None = None

    def push(self, data: bytes, *, blocks: int) -> FloatArray:
        """The samples, float32 (n, channels), of so many more blocks, the last of which may be cut.

        Raises:
            BrokenError: they cannot be decoded.
        """
        if self._left < blocks:  # at first, and again after many hours; blocks of ADPCM know nothing of each other
            self._stream, self._file, self._left = _Growing(self._head, self._size), None, self._blocks
        self._left -= blocks
        self._stream.grow(data)
        try:
            if self._file is None:  # opening takes the first block
                self._file = _SoundFile(self._stream, closefd=False)
            samples = self._file.frames // self._blocks * blocks
            return np.asarray(self._file.read(samples, dtype="float32", always_2d=True))
        except soundfile.LibsndfileError as error:
            raise BrokenError("its blocks are damaged or of a kind that no decoder here knows") from error


class _Growing(io.RawIOBase):
    """A file of which only the beginning is there; what was read is forgotten."""

    def __init__(self, head: bytes, size: int) -> None:
        self._data, self._at, self._forgotten = bytearray(head), 0, 0
        self._head, self._length = len(head), len(head) + size

    def grow(self, data: bytes) -> None:
        """Add bytes at the end."""
        if self._at > self._head:
            del self._data[: self._at - self._forgotten]
            self._forgotten = self._at
        self._data += data

    def readinto(self, buffer: Any) -> int:
        start = self._at - self._forgotten
        part = self._data[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        return self._at

    def tell(self) -> int:
        return self._at


class _SoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """Reads without seeking: soundfile seeks after each read, which GSM does not support and others do not need."""

    def seekable(self) -> bool:
        return False


def _raw_arguments(raw: RawFormat | None) -> dict[str, Any]:
    if raw is None:
        return {}
    return {
        "format": "RAW",
        "subtype": raw.subtype,
        "endian": raw.endian,
        "samplerate": raw.rate_hz,
        "channels": raw.channels,
    }
