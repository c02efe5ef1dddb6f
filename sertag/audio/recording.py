"""All recordings of a file as one: each opened in turn, converted to the first one's rate and channels.

Where the first decoder stops, the second one is asked for the rest. Used by decode.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soxr

from sertag.audio.decoders.opening import open_part, second_reader
from sertag.audio.decoders.reader import BrokenError, Reader
from sertag.audio.decoders.sndfile import SndfileReader
from sertag.audio.parts import Part, find_parts
from sertag.errors import DecodeError
from sertag.records import FloatArray, Problem
from sertag.text import display_name

_TOLERANCE_S = 0.25


class Recording:
    """All recordings of a file as one, in the rate and the channels of the first.

    Attributes:
        channels, rate_hz: of the first recording.
        announced_samples: of each channel, before anything is read; 0 where no header says it.
        declared_samples: the same, of what was read so far and could have been.
        notes: what was wrong, complete once everything is read; the messages are parts of a sentence.
    """

    def __init__(self, path: str, stream: BinaryIO, *, raw: str | None = None) -> None:
        """Find the recordings and open the first one.

        Args:
            path: for messages and the suffix of files without a header.
            stream: seekable.
            raw: how the samples of files without a header are written (`--raw`).

        Raises:
            DecodeError: as `decode.open_audio` says.
        """
        self._path, self._stream = path, stream
        self._parts, self._last_notes = find_parts(path, stream, raw=raw)
        self._reader: Reader = open_part(path, stream, self._parts[0])
        self.channels, self.rate_hz = self._reader.channels, self._reader.rate_hz
        self.announced_samples = self._reader.announced_samples
        self.declared_samples = 0
        self.notes = list(self._parts[0].layout.notes)

    def pieces(self) -> Iterator[FloatArray]:
        """Native samples of the first recording, float32 (n, channels); each piece is valid until the next one."""
        yield from self._part_pieces(self._parts[0])
        for part in self._parts[1:]:
            self._reader.close()
            try:
                self._reader = open_part(self._path, self._stream, part)
            except DecodeError as error:
                found = str(error).removeprefix(f"{display_name(self._path)}: ")
                self.notes.append(Problem("truncated", f"what follows at byte {part.start} {found}"))
                continue
            self.notes += part.layout.notes
            yield from self._conformed(part)
        self.notes += self._last_notes

    def close(self) -> None:
        """Release the decoder."""
        self._reader.close()

    def _part_pieces(self, part: Part) -> Iterator[FloatArray]:
        """What the first decoder reads, and behind that what the second one can where the first gave up."""
        reader, read, failure = self._reader, 0, ""
        try:
            for piece in reader.pieces():
                read += len(piece)
                yield piece
        except BrokenError as error:
            failure = str(error)
        declared = reader.declared_samples(read)
        self.notes += reader.notes()
        if isinstance(reader, SndfileReader) and (failure or _is_short(read, reader)):
            for piece in self._rest(part, read):
                failure = ""  # the second decoder says what is wrong
                yield piece
        if failure:
            self.notes.append(Problem("truncated", failure))
        self.declared_samples += round(max(declared, 0) * self.rate_hz / reader.rate_hz)

    def _rest(self, part: Part, read: int) -> Iterator[FloatArray]:
        """What the second decoder reads behind the place where the first one stopped."""
        second, gained = second_reader(self._stream, part, rate_hz=self._reader.rate_hz), 0
        if second is None:
            return
        try:
            if second.channels == self._reader.channels:
                for piece in _behind(second.pieces(), read):
                    gained += len(piece)
                    yield piece
        except BrokenError as error:
            self.notes.append(Problem("truncated", str(error)))
        finally:
            second.close()
        if gained:
            self.notes.append(Problem("truncated", "damaged data in it were skipped"))
            self.notes += [note for note in second.notes() if note.code != "truncated"]

    def _conformed(self, part: Part) -> Iterator[FloatArray]:
        """Pieces in the rate and the channels of the first recording."""
        rate_hz, channels = self._reader.rate_hz, self._reader.channels
        pieces = self._part_pieces(part)
        if channels != self.channels:
            pieces = (_with_channels(piece, self.channels) for piece in pieces)
        if rate_hz != self.rate_hz:
            pieces = _resampled(pieces, rate_hz, self.rate_hz, self.channels)
        if (rate_hz, channels) != (self.rate_hz, self.channels):
            message = f"from byte {part.start} on it has {rate_hz} Hz and {channels} channel(s), which were converted"
            self.notes.append(Problem("format_changes", message))
        yield from pieces


def _is_short(read: int, reader: Reader) -> bool:
    return read + _TOLERANCE_S * reader.rate_hz < reader.announced_samples


def _behind(pieces: Iterator[FloatArray], count: int) -> Iterator[FloatArray]:
    """Pieces without their first `count` samples."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))


def _with_channels(piece: FloatArray, channels: int) -> FloatArray:
    """Each channel becomes several, or several become one, where the numbers allow it; else all are mixed."""
    count = piece.shape[1]
    if channels % count:
        groups = channels if count % channels == 0 else 1
        piece = piece.reshape(len(piece), groups, count // groups).mean(axis=2)  # -1 is not known of an empty piece
    return np.repeat(piece, channels // piece.shape[1], axis=1)


def _resampled(pieces: Iterator[FloatArray], from_hz: int, to_hz: int, channels: int) -> Iterator[FloatArray]:
    resampler = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality="HQ")
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.empty((0, channels), np.float32), last=True)
