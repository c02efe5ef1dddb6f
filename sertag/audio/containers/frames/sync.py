"""Where frames of AC-3, E-AC-3 or AAC, or packets of a transport stream, begin behind something unknown.

A recorder that was switched on in the middle of a broadcast, or a block of another file, leaves bytes in front; players
look for heads that follow each other, and so is done here. ETSI TS 102 366, 4.4 and E.1.3 (AC-3, E-AC-3); ISO/IEC
13818-7, 6.2 (ADTS); ISO/IEC 13818-1, 2.4.3.2 (transport streams). Positions and sizes are in bytes.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from sertag.audio.streams import read_at

_SYNC = re.compile(rb"\x0bw|\xff[\xf0\xf1\xf8\xf9]|G", re.DOTALL)
_LONGEST_BYTES = 8192  # of all these frames
_HEAD_BYTES = 6
_PACKET_BYTES = 188
_PROOF_FRAMES, _PROOF_PACKETS = 3, 6  # by chance less than once in 10^12 places
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_RATES_HZ = (48_000, 44_100, 32_000)
_AC3_SAMPLES = 1536

_Frame = tuple[int, bytes]  # its length, and what the next one has in common with it


def find_frames(stream: BinaryIO, start: int, stop: int) -> int | None:
    """The first position where frames or packets of one kind follow each other; None where none do.

    Args:
        stream: seekable; its position is not kept.
        start: where to begin to look.
        stop: where to end; the frames may go on behind it.

    >>> import io
    >>> find_frames(io.BytesIO(b"junk" + (b"G" + bytes(187)) * 6), 0, 100)
    4
    """
    data = read_at(stream, start, stop - start + _PROOF_FRAMES * _LONGEST_BYTES)
    for match in _SYNC.finditer(data, 0, stop - start + 1):
        if _is_proven(data, match.start()):
            return start + match.start()
    return None


def _is_proven(data: bytes, place: int) -> bool:
    frame = _frame(data[place : place + _HEAD_BYTES])
    length, kind = frame
    for _ in range(1, _PROOF_PACKETS if length == _PACKET_BYTES else _PROOF_FRAMES):
        if not length:
            return False
        place += length
        length, following = _frame(data[place : place + _HEAD_BYTES])
        if following != kind:
            return False
    return place + length <= len(data)


def _frame(head: bytes) -> _Frame:
    """The frame or packet that a head begins; (0, b"") where it begins none."""
    if head[:1] == b"G":
        return _PACKET_BYTES, b"G"
    if len(head) < _HEAD_BYTES:
        return 0, b""
    return _ac3_frame(head) if head[:2] == b"\x0bw" else _adts_frame(head)


def _adts_frame(head: bytes) -> _Frame:
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    rate_code = head[2] >> 2 & 15
    if head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or rate_code > 12 or length <= _HEAD_BYTES:
        return 0, b""
    return length, head[:3] + bytes([head[3] >> 6])


def _ac3_frame(head: bytes) -> _Frame:
    if head[5] >> 3 > 10:  # E-AC-3 says its size in words
        return 2 * (((head[2] & 7) << 8 | head[3]) + 1), b"E-AC-3"
    rate_code, size_code = head[4] >> 6, head[4] & 63
    if rate_code == 3 or size_code >= 2 * len(_AC3_KBPS):
        return 0, b""
    rate_hz = _AC3_RATES_HZ[rate_code]
    words = _AC3_KBPS[size_code >> 1] * 1000 * _AC3_SAMPLES // (16 * rate_hz)
    return 2 * (words + (size_code & 1 if rate_hz == 44_100 else 0)), b"AC-3" + bytes([rate_code])
