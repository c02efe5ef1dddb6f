"""How long a recording says it is, how much is there, and what of it to show to a decoder.

Used by decode. Recorders die before they finish their header, disks fill up, and pipes know no length; decoders then
read nothing, or complain on standard error. A `Layout` says what is promised and what is there, and what to show to a
decoder instead (`streams.Spliced`). Standard library only; positions and sizes are in bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from sertag.audio.streams import read_at

_STREAMED_BYTES = (
    0x7FFFF000  # sizes from here on mean "I cannot know": sox writes this one, others 2^31 - 1 or 2^32 - 1
)
_LONGEST_BYTES = 0xFFFFFFFE  # that a chunk can be; 2^32 - 1 is a placeholder
_OGG_PAGE_BYTES = 65_307  # the longest page there can be
_CHUNKS = 1000  # more chunks than any real file has before its samples


@dataclass(frozen=True, slots=True)
class Layout:
    """What to read of a file.

    Attributes:
        pieces: ranges of the file and bytes to put between them; empty where the file can be read as it is.
        promised: length that the header promises, as a multiple of what is there; at least 1.
        note: what else is wrong, for a warning; empty where nothing is.
        codec: format tag of a WAV file, else None.
    """

    pieces: tuple[range | bytes, ...] = ()
    promised: float = 1.0
    note: str = ""
    codec: int | None = None


def riff_layout(stream: BinaryIO, *, size_bytes: int) -> Layout:
    r"""Compare the data chunk of a WAV or RF64 file with what is there.

    Args:
        stream: seekable; its position is not kept.
        size_bytes: of the file.

    Returns:
        The layout. An unknown length (0, or the placeholders of programs that write to a pipe) means all there is. A
        length that is too small is believed, as every player does, with a note.

    >>> import io
    >>> riff_layout(io.BytesIO(b"RIFF....WAVEdata" + bytes(4) + b"samples!"), size_bytes=28).pieces
    (range(0, 16), b'\x08\x00\x00\x00', range(20, 28))
    """
    position, codec, long_size = 12, None, None
    for _ in range(_CHUNKS):
        header = read_at(stream, position, 8)
        if len(header) < 8:
            break
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            size = long_size if size == 0xFFFFFFFF and long_size is not None else size
            return _data_layout(stream, position + 8, size, size_bytes, codec)
        if name == b"fmt ":
            codec = int.from_bytes(read_at(stream, position + 8, 2), "little") or None
        elif name == b"ds64":
            long_size = int.from_bytes(read_at(stream, position + 16, 8), "little")
        position += 8 + size + size % 2
    return Layout(codec=codec)


def form_layout(stream: BinaryIO, *, size_bytes: int) -> Layout:
    """Compare the sound chunk of an AIFF file with what is there; arguments as in `riff_layout`."""
    position = 12
    for _ in range(_CHUNKS):
        header = read_at(stream, position, 8)
        if len(header) < 8:
            break
        name, size = struct.unpack(">4sI", header)
        if name == b"SSND":
            return Layout(promised=_ratio(size, size_bytes - position - 8))
        position += 8 + size + size % 2
    return Layout()


def au_layout(stream: BinaryIO, *, size_bytes: int) -> Layout:
    """Compare the length in the header of an AU file with what is there; arguments as in `riff_layout`."""
    magic, start, size = struct.unpack(">4sII", read_at(stream, 0, 12).ljust(12, b"\0"))
    if magic == b"dns.":
        start, size = struct.unpack("<II", struct.pack(">II", start, size))
    return Layout(promised=_ratio(size, size_bytes - start))


def ogg_layout(stream: BinaryIO, *, size_bytes: int) -> Layout:
    """Look for the mark on the last page of an Ogg file (RFC 3533, 6); arguments as in `riff_layout`."""
    tail = read_at(stream, max(0, size_bytes - _OGG_PAGE_BYTES), _OGG_PAGE_BYTES)
    page = tail.rfind(b"OggS")
    ended = page >= 0 and len(tail) > page + 5 and tail[page + 5] & 4
    return Layout() if ended else Layout(note="its last page lacks the end mark, so more was recorded or it was cut")


def _data_layout(stream: BinaryIO, start: int, size: int, size_bytes: int, codec: int | None) -> Layout:
    held = size_bytes - start
    if size == 0 and held and not _is_chunk(stream, start, size_bytes):
        length = struct.pack("<I", min(held, _LONGEST_BYTES))
        return Layout((range(0, start - 4), length, range(start, size_bytes)), codec=codec)
    if size > held and size >= _STREAMED_BYTES:
        return Layout(codec=codec)  # decoders know these placeholders
    end, rest = start + size, held - size
    if rest < 8 or any(_is_chunk(stream, at, size_bytes) for at in (end, end + size % 2)) or _is_filler(stream, end):
        return Layout(promised=_ratio(size, held), codec=codec)
    return Layout(note=f"{rest} bytes follow behind the end that its header gives and were not read", codec=codec)


def _is_chunk(stream: BinaryIO, position: int, size_bytes: int) -> bool:
    name, size = struct.unpack("<4sI", read_at(stream, position, 8).ljust(8, b"\0"))
    return bool(name.isascii()) and name.decode("ascii").isprintable() and position + 8 + size <= size_bytes


def _is_filler(stream: BinaryIO, position: int) -> bool:
    """Zeros, with which recorders reserve space or fill up a block."""
    return not read_at(stream, position, 4096).strip(b"\0")


def _ratio(promised: int, held: int) -> float:
    known = 0 < promised < _STREAMED_BYTES or held >= _STREAMED_BYTES
    return max(1.0, promised / held) if known and held > 0 else 1.0
