"""FLAC: a header with the number of samples, if its writer knew it, then frames without a size.

Decoders stop after the declared number of samples, and if none is declared, libsndfile fails at the end. So the true
number is read from the header of the last frame, which has its position. RFC 9639, 8.2 (header), 9.1 (frames).
Positions and sizes are in bytes.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from sertag.audio.containers.layout import Layout, ratio
from sertag.audio.containers.tags import trim
from sertag.audio.filetype import next_recording
from sertag.audio.streams import Window, read_at

_INFO_BYTES = 8 + 34  # magic number, header of the first block, the block (STREAMINFO)
_COUNT_AT = 8 + 10  # rate, channels, bits and number of samples share eight bytes
_COUNT_BITS = 36
_MOST_BLOCKS = 10_000
_TAIL_BYTES = 1 << 16  # longer than most frames
_MOST_TAIL_BYTES = 1 << 20
_PROBES = 16
_MARK = b"fLaC\x00\x00\x00\x22"
_BLOCK_SAMPLES = {1: 192} | {code: 576 << code - 2 for code in range(2, 6)} | {code: 1 << code for code in range(8, 16)}


def flac_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure a FLAC file.

    Args:
        stream: seekable; its position changes.
        start: first byte of the file in the stream.
        size_bytes: size of the stream.

    Returns:
        The layout, with the true number of samples in the header.
    """
    end = trim(stream, start, size_bytes)
    info = read_at(stream, start, _INFO_BYTES)
    first = _first_frame(stream, start, end)
    if first is None:
        return Layout(end)
    if first == end:
        return Layout(end, sounds=(range(end, end),))
    fields = int.from_bytes(info[_COUNT_AT : _COUNT_AT + 8], "big")
    declared = fields & ((1 << _COUNT_BITS) - 1)
    fixed = int.from_bytes(info[10:12], "big")  # samples per frame, if it is constant
    last = _last_frame(stream, first, end, fixed)
    if last.samples != declared or not _counts_up(stream, first, end, fixed):
        end = next_recording(stream, first, end)
        last = _last_frame(stream, first, end, fixed)
    else:
        end = next_recording(stream, last.start, end)
    if last.samples is None or last.samples == declared:
        return Layout(end)
    count = (fields >> _COUNT_BITS << _COUNT_BITS | last.samples).to_bytes(8, "big")
    pieces = (range(start, start + _COUNT_AT), count, range(start + _COUNT_AT + 8, end))
    return Layout(end, pieces, ratio(declared, last.samples))


class _Last(NamedTuple):
    """Position of the last frame, and number of samples up to its end; None if no frame was found."""

    start: int
    samples: int | None


def _counts_up(stream: BinaryIO, first: int, end: int, fixed: int) -> bool:
    """Whether sample numbers increase through the whole file, so that it holds no second recording of equal length.

    A search of the whole file would take a tenth of the time of decoding. So the numbers are compared at some
    positions, and only the parts before the first and behind the last of these are searched.
    """
    step = (end - first) // _PROBES
    if step <= _TAIL_BYTES:
        return _MARK not in read_at(stream, first, end - first)
    latest = 0
    for place in range(first + step, end - step + 1, step):
        samples = _first_samples(read_at(stream, place, _TAIL_BYTES), fixed)
        if samples is None or samples <= latest:
            return False
        latest = samples
    edges = (first, first + step + len(_MARK)), (end - step - len(_MARK), end)
    return all(Window(stream, stop).find(_MARK, start) is None for start, stop in edges)


def _first_frame(stream: BinaryIO, start: int, end: int) -> int | None:
    """Position of the first frame, behind the last metadata block; None if the metadata do not end."""
    position = start + 4
    for _ in range(_MOST_BLOCKS):
        head = read_at(stream, position, 4)
        position += 4 + int.from_bytes(head[1:], "big")
        if position > end or len(head) < 4:
            return None
        if head[0] & 0x80 or position == end:
            return position
    return None


def _last_frame(stream: BinaryIO, start: int, end: int, fixed: int) -> _Last:
    for tail_bytes in (_TAIL_BYTES, _MOST_TAIL_BYTES):
        first = max(start, end - tail_bytes)
        tail = read_at(stream, first, end - first)
        place = len(tail)
        while (place := tail.rfind(b"\xff", 0, place)) >= 0:
            samples = _frame_end(tail[place : place + 16], fixed)
            if samples is not None:
                return _Last(first + place, samples)
        if first == start:
            break
    return _Last(start, None)


def _first_samples(data: bytes, fixed: int) -> int | None:
    """Number of the sample behind the first frame in `data`; None if no frame begins there."""
    place = -1
    while (place := data.find(b"\xff", place + 1)) >= 0:
        samples = _frame_end(data[place : place + 16], fixed)
        if samples is not None:
            return samples
    return None


def _frame_end(head: bytes, fixed: int) -> int | None:
    """Number of the sample behind a frame, from its header; None if it is no header."""
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1 or head[3] >> 4 > 10:
        return None
    number, place = _coded_number(head)
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if number is None or size_code == 0 or rate_code == 15:
        return None
    if size_code in (6, 7):
        width = size_code - 5
        size, place = int.from_bytes(head[place : place + width], "big") + 1, place + width
    else:
        size = _BLOCK_SAMPLES[size_code]
    place += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if place >= len(head) or _crc8(head[:place]) != head[place]:
        return None
    return number + size if head[1] & 1 else number * fixed + size


def _coded_number(head: bytes) -> tuple[int | None, int]:
    """Frame or sample number in extended UTF-8 (up to seven bytes), and the position behind it."""
    first = head[4]
    if first < 0x80:
        return first, 5
    count = 8 - (~first & 0xFF).bit_length()  # leading ones
    rest = head[5 : 4 + count]
    if not 2 <= count <= 7 or len(rest) < count - 1 or any(byte & 0xC0 != 0x80 for byte in rest):
        return None, 0
    number = first & (0x7F >> count)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, 4 + count


def _crc8(data: bytes) -> int:
    """CRC-8 of a frame header, polynomial x^8 + x^2 + x + 1."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if value & 0x80 else value << 1
    return value
