"""Containers with a magic number at the start and no total size: TTA, NIST, IRCAM, WavPack.

A recording ends where the next one begins, or before trailing tags and zeros. Positions and sizes are in bytes.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from sertag.audio.containers.layout import Layout
from sertag.audio.containers.tags import trim
from sertag.audio.streams import Window, read_at

_IRCAM_RATES_HZ, _IRCAM_CHANNELS, _IRCAM_CODES = (1000.0, 768_000.0), (1, 64), (1, 0x0008_0000)


def tta_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure a TTA file.

    Args:
        stream: seekable; its position changes.
        start: first byte of the file in the stream.
        size_bytes: size of the stream.
    """
    return _marked(stream, start, size_bytes, b"TTA1\x01\0")


def nist_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure a NIST Sphere file; arguments as for `tta_layout`."""
    return _marked(stream, start, size_bytes, b"NIST_1A\n   1024\n")


def ircam_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an IRCAM file; arguments as for `tta_layout`. Its magic number is short, so the header is checked too."""
    window = Window(stream, size_bytes)
    mark = read_at(stream, start, 4)
    position = window.find(mark, start + len(mark))
    while position is not None and not _is_ircam(window.at(position, 16)):
        position = window.find(mark, position + 1)
    return Layout(position or trim(stream, start, size_bytes))


def wavpack_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure a WavPack file; arguments as for `tta_layout`. In the next file, sample numbers of blocks start again."""
    position, latest = start, 0
    while (head := read_at(stream, position, 20))[:4] == b"wvpk" and len(head) == 20:
        index = int.from_bytes(head[16:20], "little")
        if index < latest:
            break
        latest = index
        position += 8 + int.from_bytes(head[4:8], "little")
    return Layout(min(position, size_bytes) if position > start else size_bytes)


def _marked(stream: BinaryIO, start: int, size_bytes: int, mark: bytes) -> Layout:
    return Layout(Window(stream, size_bytes).find(mark, start + len(mark)) or trim(stream, start, size_bytes))


def _is_ircam(head: bytes) -> bool:
    """Whether rate, channels and codec behind the magic number are plausible, in either byte order."""
    return len(head) == 16 and any(_is_ircam_head(*struct.unpack(f"{order}fII", head[4:])) for order in "<>")


def _is_ircam_head(rate_hz: float, channels: int, code: int) -> bool:
    limits = ((rate_hz, _IRCAM_RATES_HZ), (channels, _IRCAM_CHANNELS), (code, _IRCAM_CODES))
    return all(low <= number <= high for number, (low, high) in limits)
