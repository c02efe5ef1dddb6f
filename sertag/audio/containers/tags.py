"""Finds tags (text and pictures) in front of, between and behind recordings.

Formats: ID3v2 (id3.org, 3.1), ID3v1, Lyrics3 and APEv2; also the bytes with which recorders fill up blocks. Positions
and sizes are in bytes.
"""

from __future__ import annotations

from typing import BinaryIO

from sertag.audio.streams import read_at

_MOST_TAGS = 1000  # more than in any real file
_ID3V1_BYTES = 128
_APE_BYTES = 32  # length of the header, and of the footer
_LYRICS_MOST_BYTES = 1 << 20
_PIECE_BYTES = 1 << 16
_FEW_ZEROS = 512  # up to this many zeros may be samples


def skip_tags(stream: BinaryIO, position: int, size_bytes: int) -> int:
    r"""The position behind all tags that begin at a position.

    Args:
        stream: seekable; its position changes.
        position: where a tag may begin.
        size_bytes: size of the file.

    Returns:
        `position` itself if no tag begins there; at most `size_bytes`.

    >>> import io
    >>> file = b"ID3" + bytes(6) + b"\x05" + b"title" + b"fLaC"
    >>> skip_tags(io.BytesIO(file), 0, len(file))
    15
    """
    for _ in range(_MOST_TAGS):
        length = _tag_bytes(stream, position, size_bytes)
        if not length:
            break
        position += length
    return min(position, size_bytes)


def skip_filler(stream: BinaryIO, position: int, size_bytes: int) -> int:
    """The position behind a run of 0x00 or 0xFF bytes that begins at a position; `position` itself if none does.

    Recorders reserve space with zeros, and flash memory that was never written reads as 0xFF.

    >>> import io
    >>> skip_filler(io.BytesIO(b"ab" + bytes(9) + b"c"), 2, 12)
    11
    """
    filler = read_at(stream, position, 1)
    if filler not in (b"\0", b"\xff"):
        return position
    while position < size_bytes:
        data = read_at(stream, position, min(_PIECE_BYTES, size_bytes - position))
        rest = len(data.lstrip(filler))
        position += len(data) - rest
        if rest or not data:
            break
    return position


def trim(stream: BinaryIO, start: int, size_bytes: int) -> int:
    """The end of a recording without trailing tags and zeros, for containers that do not store their length.

    >>> import io
    >>> trim(io.BytesIO(b"sound" + bytes(1000) + b"TAG" + bytes(125)), 0, 1133)
    5
    """
    end = size_bytes
    for _ in range(_MOST_TAGS):
        if read_at(stream, max(start, end - _ID3V1_BYTES), 3) == b"TAG":
            end -= _ID3V1_BYTES
        elif read_at(stream, max(start, end - _APE_BYTES), 8) == b"APETAGEX":
            end = _ape_start(stream, end)
        else:
            break
        end = max(start, end)
    zeros = _zeros_before(stream, start, end)
    return end if zeros < _FEW_ZEROS else end - zeros


def _ape_start(stream: BinaryIO, end: int) -> int:
    """Start of the APE tag that ends at `end`; the size in its footer covers footer and items, but not the header."""
    foot = read_at(stream, max(0, end - _APE_BYTES), _APE_BYTES)
    items = max(0, end - max(_APE_BYTES, int.from_bytes(foot[12:16], "little")))
    headed = read_at(stream, max(0, items - _APE_BYTES), 8) == b"APETAGEX"
    return max(0, items - _APE_BYTES) if headed else items


def _zeros_before(stream: BinaryIO, start: int, end: int) -> int:
    """The number of zero bytes directly before `end`."""
    position = end
    while position > start:
        first = max(start, position - _PIECE_BYTES)
        data = read_at(stream, first, position - first).rstrip(b"\0")
        position = first + len(data)
        if data:
            break
    return end - position


def _tag_bytes(stream: BinaryIO, position: int, size_bytes: int) -> int:
    """Length of the tag that begins at a position; 0 if none does."""
    head = read_at(stream, position, _APE_BYTES)
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] < 0xFF and max(head[6:10]) < 0x80:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]  # seven bits a byte
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:3] == b"TAG" and position + _ID3V1_BYTES >= size_bytes - _APE_BYTES:
        return _ID3V1_BYTES
    if head[:3] == b"TAG" and _is_tag_text(read_at(stream, position + 3, _ID3V1_BYTES - 3)):
        return _ID3V1_BYTES
    if head[:8] == b"APETAGEX":
        return _APE_BYTES + int.from_bytes(head[12:16], "little")
    if head[:11] == b"LYRICSBEGIN":
        return _lyrics_bytes(stream, position)
    return _ape_without_header_bytes(stream, position, size_bytes)


def _is_tag_text(fields: bytes) -> bool:
    """Whether the fields of an ID3v1 tag, except track and genre, are text padded with zeros or blanks."""
    return all(byte == 0 or byte >= 0x20 for byte in fields[:122])


def _ape_without_header_bytes(stream: BinaryIO, position: int, size_bytes: int) -> int:
    """Length of an APEv1 tag, which has only a footer; its size covers the footer and the items before it."""
    for end in (size_bytes, size_bytes - _ID3V1_BYTES):
        foot = read_at(stream, max(0, end - _APE_BYTES), _APE_BYTES)
        if foot[:8] == b"APETAGEX" and end - int.from_bytes(foot[12:16], "little") == position:
            return end - position
    return 0


def _lyrics_bytes(stream: BinaryIO, position: int) -> int:
    text = read_at(stream, position, _LYRICS_MOST_BYTES)
    ends = [text.find(mark) + len(mark) for mark in (b"LYRICS200", b"LYRICSEND") if mark in text]
    return min(ends, default=0)
