"""Reads the bytes of recordings without blocking, at any position, and joins pieces for decoders.

Used by decode. Standard library only; positions and sizes are in bytes.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import tempfile
from bisect import bisect_right
from typing import BinaryIO

from sertag.audio.unreachable import forbidden, missing
from sertag.errors import DecodeError
from sertag.records import STDIN
from sertag.seekable import Seekable
from sertag.text import display_name

_STDIN_IN_MEMORY_BYTES, _STDIN_BYTES = 64 << 20, 16 << 30  # more than a day of stereo at 48 kHz
_PIECE_BYTES = 1 << 20
_FARTHEST = (1 << 63) - 1  # where a file can end; sizes of 64 bits in broken headers add up to more


def open_stream(path: str) -> BinaryIO:
    """Open a regular file, or take all of standard input for `-`.

    Anything else could block for ever, and to open a FIFO already does something to it.

    Raises:
        DecodeError: `not_found`, `permission_denied` or `not_a_file`; for standard input `too_large` or `no_space`.

    >>> open_stream(os.devnull)
    Traceback (most recent call last):
    sertag.errors.DecodeError: /dev/null: is not a regular file; pipe audio to `-` instead
    """
    if path == STDIN:
        return _spooled_stdin()
    name = display_name(path)
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
        stream = io.FileIO(path, opener=_open_at_once) if regular else None
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise DecodeError(missing(name), code="not_found") from error
    except PermissionError as error:
        raise DecodeError(forbidden(name), code="permission_denied") from error
    except OSError as error:
        raise DecodeError(f"{name}: cannot be opened ({error.strerror})", code="not_found") from error
    if stream is None or not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):  # it may have changed meanwhile
        folder = os.path.isdir(path)
        found = "is a folder; name a file in it" if folder else "is not a regular file; pipe audio to `-` instead"
        raise DecodeError(f"{name}: {found}", code="not_a_file")
    return stream


def size_on_disk(stream: BinaryIO) -> int | None:
    """Present size of a file that `open_stream` opened; None for standard input, which is complete already."""
    return os.fstat(stream.fileno()).st_size if isinstance(stream, io.FileIO) else None


def length(stream: BinaryIO) -> int:
    """Bytes in a stream; its position is not kept."""
    stream.seek(0, io.SEEK_END)
    return stream.tell()  # before Python 3.11 a spool's `seek` returns None


def read_at(stream: BinaryIO, position: int, count: int) -> bytes:
    """Bytes at a position, fewer at the end of the file; none where a broken size points beyond what files can have."""
    if position > _FARTHEST:
        return b""
    stream.seek(position)
    return stream.read(count)


class Window:
    """Bytes of a stream by position, read a mebibyte at a time: for walks over many small heads.

    >>> Window(io.BytesIO(b"0123456789"), 10).at(3, 2)
    b'34'
    """

    def __init__(self, stream: BinaryIO, end: int) -> None:
        """Show `stream` up to the position `end`."""
        self.end = end
        self._stream, self._base, self._data = stream, 0, b""

    def at(self, position: int, count: int) -> bytes:
        """`count` bytes at a position, fewer at the end."""
        offset = position - self._base
        if offset < 0 or offset + count > len(self._data):
            self._base, offset = position, 0
            self._data = read_at(self._stream, position, max(0, min(max(count, _PIECE_BYTES), self.end - position)))
        return self._data[offset : offset + count]

    def find(self, mark: bytes, start: int) -> int | None:
        """The first position from `start` on where the bytes `mark` stand; None where they do not."""
        position = start
        while len(self.at(position, len(mark))) == len(mark):
            found = self._data.find(mark, position - self._base)
            if found >= 0:
                return self._base + found
            position = self._base + len(self._data) - len(mark) + 1
        return None


class Spliced(Seekable):
    """A file made of pieces of another one and of bytes put between them; read-only.

    >>> Spliced(io.BytesIO(b"0123456789"), [range(0, 2), b"xy", range(8, 10)]).read()
    b'01xy89'
    """

    def __init__(self, stream: BinaryIO, pieces: tuple[range | bytes, ...] | list[range | bytes]) -> None:
        """Lay `pieces` of `stream` end to end."""
        super().__init__()
        self._stream, self._pieces = stream, [piece for piece in pieces if len(piece)]
        self._starts = [0]
        for piece in self._pieces:
            self._starts.append(self._starts[-1] + len(piece))

    def copy(self) -> Spliced:
        """The same file with a position of its own."""
        return Spliced(self._stream, self._pieces)

    @property
    def size_bytes(self) -> int:
        """Sum of all pieces."""
        return self._starts[-1]

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` across pieces; less only at the end."""
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view):
            data = self._read_piece(len(view) - filled)
            if not data:
                break
            view[filled : filled + len(data)] = data
            filled += len(data)
            self._position += len(data)
        return filled

    def _read_piece(self, count: int) -> bytes:
        index = bisect_right(self._starts, self._position) - 1
        if index >= len(self._pieces):
            return b""
        piece, start = self._pieces[index], self._position - self._starts[index]
        part = piece[start : start + count]
        try:
            return part if isinstance(part, bytes) else read_at(self._stream, part.start, len(part))
        except OSError:  # the decoder calls from C, where an exception would be printed and lost
            return b""


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # which means nothing for a regular file


def _spooled_stdin() -> BinaryIO:
    if sys.stdin is None:
        raise DecodeError("-: standard input is closed; pipe audio to it", code="not_found")
    spool = tempfile.SpooledTemporaryFile(max_size=_STDIN_IN_MEMORY_BYTES)
    try:
        while data := sys.stdin.buffer.read(_PIECE_BYTES):
            spool.write(data)
            if spool.tell() > _STDIN_BYTES:
                message = f"-: standard input is longer than {_STDIN_BYTES} bytes; is it endless? put it into a file"
                raise DecodeError(message, code="too_large")
    except OSError as error:
        message = f"-: standard input cannot be kept ({error.strerror}); TMPDIR names a folder with more space"
        raise DecodeError(message, code="no_space") from error
    return spool  # type: ignore[return-value]
