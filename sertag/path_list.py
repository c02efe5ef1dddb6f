r"""A list of paths to the paths in it, in whatever encoding and with whatever line ends the list was written.

Used by `inputs`. Names are bytes and stay what they are; only a list in UTF-16 or UTF-32, as Windows tools write them
with a byte-order mark, is text that is turned into UTF-8 first.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from sertag.errors import SertagError

_CHUNK_BYTES = 65536
_HEAD_BYTES = 8  # four characters in UTF-16: no list of names has a zero byte at every second place

_MARKS = (  # the longer ones first, of which UTF-16's is a part
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, ""),
)


class PathListError(SertagError):
    """A list is not in an encoding that can be read."""


def read_list(stream: BinaryIO, *, null: bool) -> Iterator[str]:
    r"""Read the paths of a list, lazily.

    Args:
        stream: binary, because names are bytes.
        null: names end with a zero byte, as `find -print0` writes them, instead of with a line end. A line ends with
            `\n` or `\r\n`; in a list that has no `\n` at all, with `\r`.

    Yields:
        Paths as Python names them (`os.fsdecode`); empty ones are left out.

    Raises:
        PathListError: the list looks like UTF-16 without a byte-order mark, or is damaged UTF-16 or UTF-32.

    >>> import io
    >>> list(read_list(io.BytesIO(b"a.wav\r\n\n b.wav\n"), null=False))
    ['a.wav', ' b.wav']
    >>> list(read_list(io.BytesIO("a.wav\r\nb.wav".encode("utf-16")), null=False))
    ['a.wav', 'b.wav']
    """
    chunks = _utf8(stream)
    for name in _split(chunks, b"\0") if null else _lines(chunks):
        if name:
            yield os.fsdecode(name)


def _utf8(stream: BinaryIO) -> Iterator[bytes]:
    """The list without its byte-order mark, as it is or from UTF-16 or UTF-32."""
    chunks = _chunks(stream)
    head = b""
    while len(head) < _HEAD_BYTES and (chunk := next(chunks, b"")):  # a pipe gives what is there, perhaps a byte
        head += chunk
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            chunks = chain((head[len(mark) :],), chunks)
            return _from_utf16(chunks, encoding) if encoding else chunks
    _refuse_utf16(head[:_HEAD_BYTES])
    return chain((head,), chunks)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)  # which does not wait for the rest of a chunk
    while chunk := read(_CHUNK_BYTES):
        yield chunk


def _from_utf16(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        message = (
            f"begins with the byte-order mark of {encoding[:6].upper()}, but is not sound; write it again as UTF-8"
        )
        raise PathListError(message, code="bad_list") from error


def _refuse_utf16(head: bytes) -> None:
    even, odd = head[::2], head[1::2]
    if len(head) >= 4 and any(not any(zeros) and all(others) for zeros, others in ((even, odd), (odd, even))):
        raise PathListError("looks like UTF-16 without a byte-order mark; write it as UTF-8", code="bad_list")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    lines = _split(chunks, b"\n")
    first, second = next(lines), next(lines, None)
    if second is None:  # not one line end, unless they are those of old Macs
        yield from first.split(b"\r")
        return
    yield from (line.removesuffix(b"\r") for line in chain((first, second), lines))


def _split(chunks: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    """The names between the separators; at least one, which may be empty."""
    rest = bytearray()
    for chunk in chunks:
        *names, tail = chunk.split(separator)
        for name in names:
            yield bytes(rest + name)
            rest.clear()
        rest += tail
    yield bytes(rest)
