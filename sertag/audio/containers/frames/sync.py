"""Finds the first frame of AC-3, E-AC-3 or AAC, or the first packet of a transport stream, behind unknown bytes.

A recording that began in the middle of a broadcast, or a block of another file, leaves such bytes in front. As players
do, this looks for consecutive headers. ETSI TS 102 366, 4.4 and E.1.3 (AC-3, E-AC-3); ISO/IEC
13818-7, 6.2 (ADTS); ISO/IEC 13818-1, 2.4.3.2 (transport streams). Positions and sizes are in bytes.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from sertag.audio.streams import read_at

_SYNC = re.compile(rb"\x0bw|\xff[\xf0\xf1\xf8\xf9]|G", re.DOTALL)
_LONGEST_BYTES = 8192  # the longest of all these frames
_HEAD_BYTES = 6
_PACKET_BYTES = 188
_PROOF_FRAMES, _PROOF_PACKETS = 3, 6  # random bytes match at less than one in 10^12 positions
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_RATES_HZ = (48_000, 44_100, 32_000)
_AC3_SAMPLES = 1536

_Frame = tuple[int, bytes]  # length, and the bytes that are the same in the next frame


def find_frames(stream: BinaryIO, start: int, stop: int) -> int | None:
    """First position of consecutive frames or packets of one kind; None if there are none.

    Args:
        stream: seekable; its position changes.
        start: where the search begins.
        stop: where it ends; the frames may extend beyond it.

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
    """The frame or packet with this header; (0, b"") if it is none."""
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
    if head[5] >> 3 > 10:  # the size of E-AC-3 is in words of two bytes
        return 2 * (((head[2] & 7) << 8 | head[3]) + 1), b"E-AC-3"
    rate_code, size_code = head[4] >> 6, head[4] & 63
    if rate_code == 3 or size_code >= 2 * len(_AC3_KBPS):
        return 0, b""
    rate_hz = _AC3_RATES_HZ[rate_code]
    words = _AC3_KBPS[size_code >> 1] * 1000 * _AC3_SAMPLES // (16 * rate_hz)
    return 2 * (words + (size_code & 1 if rate_hz == 44_100 else 0)), b"AC-3" + bytes([rate_code])
