"""Containers that are written during the recording, so that lengths are filled in at the end or never.

The declared length is read here, because decoders replace an unknown one by an estimate. RFC 9559 (Matroska), the ASF
specification 3.2, the FLV specification E.5. Positions and sizes are in bytes.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from sertag.audio.containers.layout import Layout
from sertag.audio.streams import Window, read_at

_HEAD_BYTES = 1 << 18  # headers are within this
_EBML = b"\x1aE\xdf\xa3"
_DOCUMENT = re.compile(rb"\x42\x82.(?:matroska|webm)", re.DOTALL)
_SEGMENT = b"\x18\x53\x80\x67"
_CLUSTER = b"\x1f\x43\xb6\x75"
_CLUSTER_BEGINS = (b"\xe7", b"\xbf")  # its time, or a checksum before it
_SEGMENT_INFO = b"\x15\x49\xa9\x66"
_DURATION = re.compile(rb"\x44\x89(?:\x84(.{4})|\x88(.{8}))", re.DOTALL)
_SCALE = re.compile(rb"\x2a\xd7\xb1([\x81-\x88])")
_USUAL_SCALE_NS = 1_000_000
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_MARK = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_TICKS_PER_S = 10_000_000
_FLV_MARK = b"FLV\x01\x04\0\0\0\x09"
_FLV_DURATION = b"\x00\x08duration\x00"


def matroska_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure a Matroska or WebM file, which ends where the next one begins.

    Args:
        stream: seekable; its position changes.
        start: first byte of the file in the stream.
        size_bytes: size of the stream.

    Returns:
        The layout, with the length that the header declares, if any.
    """
    window = Window(stream, size_bytes)
    position = window.find(_EBML, start + len(_EBML))
    while position is not None and _DOCUMENT.search(window.at(position, 64)) is None:
        position = window.find(_EBML, position + 1)
    head = read_at(stream, start, _HEAD_BYTES)
    end = position or _segment_end(stream, head, start, size_bytes)
    return Layout(end, _sized(window, head, start, end), declared_s=_matroska_s(head))


def asf_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an ASF file; arguments and result as for `matroska_layout`."""
    head = read_at(stream, start, _HEAD_BYTES)
    place = head.find(_ASF_PROPERTIES)
    properties = head[place + 64 : place + 92]  # behind sizes, file ID, date and number of packets
    declared_s = None
    if place >= 0 and len(properties) == 28:
        ticks, _, preroll_ms, flags = struct.unpack("<QQQI", properties)
        broadcast = flags & 1  # then the other fields are not valid
        declared_s = None if broadcast or not ticks else ticks / _ASF_TICKS_PER_S - preroll_ms / 1000
    end = Window(stream, size_bytes).find(_ASF_MARK, start + len(_ASF_MARK))
    return Layout(end or size_bytes, declared_s=declared_s)


def flv_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an FLV file; arguments and result as for `matroska_layout`."""
    head = read_at(stream, start, _HEAD_BYTES)
    place = head.find(_FLV_DURATION)
    number = head[place + len(_FLV_DURATION) : place + len(_FLV_DURATION) + 8]
    known = place >= 0 and len(number) == 8
    end = Window(stream, size_bytes).find(_FLV_MARK, start + 9)
    return Layout(end or size_bytes, declared_s=(struct.unpack(">d", number)[0] or None) if known else None)


def avi_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an AVI file; arguments and result as for `matroska_layout`."""
    window = Window(stream, size_bytes)
    position = window.find(b"RIFF", start + 4)
    while position is not None and window.at(position + 8, 4) != b"AVI ":  # a large file has several RIFF lists
        position = window.find(b"RIFF", position + 4)
    return Layout(position or size_bytes)


def _segment_end(stream: BinaryIO, head: bytes, start: int, size_bytes: int) -> int:
    """End of the segment by its size, if that is known and no cluster follows."""
    place = head.find(_SEGMENT)
    size = head[place + 4 : place + 12]
    width = 9 - size[0].bit_length() if place >= 0 and len(size) == 8 and size[0] else 0
    if not width:
        return size_bytes
    length = int.from_bytes(size[:width], "big") & ((1 << 7 * width) - 1)
    end = start + place + 4 + width + length
    unknown = length == (1 << 7 * width) - 1
    stale = end < size_bytes and Window(stream, size_bytes).find(_CLUSTER, end - 4) is not None
    return size_bytes if unknown or stale else min(end, size_bytes)


def _sized(window: Window, head: bytes, start: int, end: int) -> tuple[range | bytes, ...]:
    """The file with "unknown" in place of sizes of zero, which interrupted recorders leave; empty if there are none.

    Decoders read elements of unknown size and skip those of size zero.
    """
    pieces: list[range | bytes] = []
    copied = start
    position: int | None = start + max(0, head.find(_SEGMENT))
    while position is not None and position < end:
        size = window.at(position + 4, 8)
        width = 9 - size[0].bit_length() if size and size[0] else 0
        length = int.from_bytes(size[:width], "big") & ((1 << 7 * width) - 1)
        first = position + 4 + width
        name = window.at(position, 4)
        is_cluster = name == _CLUSTER and window.at(first, 1) in _CLUSTER_BEGINS
        if width and not length and first < end and (is_cluster or name == _SEGMENT):
            pieces += [range(copied, position + 4), ((1 << 7 * width + 1) - 1).to_bytes(width, "big")]
            copied = first
        position = window.find(_CLUSTER, first + (length if is_cluster and first + length <= end else 0))
    return (*pieces, range(copied, end)) if pieces else ()


def _matroska_s(head: bytes) -> float | None:
    info = head.find(_SEGMENT_INFO)
    if info < 0:
        return None
    body = head[info + 4 : info + 4 + 1024]
    found, scale = _DURATION.search(body), _SCALE.search(body)
    if found is None:
        return None
    duration = struct.unpack(">f", found[1])[0] if found[1] else struct.unpack(">d", found[2])[0]
    width = scale[1][0] & 15 if scale else 0
    scale_ns = int.from_bytes(body[scale.end() : scale.end() + width], "big") if scale else _USUAL_SCALE_NS
    return float(duration) * scale_ns / 1e9 or None
