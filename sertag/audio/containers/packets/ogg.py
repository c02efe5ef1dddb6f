"""Ogg: pages of one or several streams, and several recordings one behind the other (chains).

RFC 3533 (pages), RFC 6716, 3.1 (how long an Opus packet is), RFC 7845 (Opus in Ogg). Positions and sizes are in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from sertag.audio.containers.layout import Layout
from sertag.audio.streams import Window
from sertag.records import Problem

_HEAD_BYTES = 27
_FIRST, _LAST = 2, 4  # flags of a page
_OPUS_RATE_HZ = 48_000  # in which Opus counts, whatever its rate
_OPUS_MS = ((10, 20, 40, 60),) * 3 + ((10, 20, 10, 20),) + ((2.5, 5, 10, 20),) * 4  # by the first five bits of a packet
_HOLE_S = 0.5  # rounding and the cut end of the last packet cause less
_UNKNOWN_POSITION = (1 << 64) - 1  # of a page on which no packet ends


@dataclass
class _Link:
    """One recording of a chain.

    Attributes:
        end: position behind the last whole page.
        serials: serial number of each stream, with the expected number of its next page.
        missing: number of missing pages.
        ended: whether the last page has the end-of-stream flag.
        codec: first bytes of the first stream.
        packets: number of audio packets of the first stream.
        packet_s: duration of the first packet, if known.
        played: granule positions of the first stream, in samples, at the first and at the last audio page.
        backwards: whether granule positions decrease somewhere.
        unplaced: whether the last page has no granule position although packets end on it.
    """

    end: int
    serials: dict[int, int] = field(default_factory=dict)
    missing: int = 0
    ended: bool = False
    codec: bytes = b""
    packets: int = 0
    packet_s: float = 0.0
    played: tuple[int, int] | None = None
    backwards: bool = False
    unplaced: bool = False


def ogg_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure one recording of an Ogg file.

    Args:
        stream: seekable; its position changes.
        start: first byte of the recording in the stream.
        size_bytes: size of the stream.

    Returns:
        The layout, which ends where the next recording of the chain begins. libsndfile reads only one stream and drops
        gaps in Vorbis, so PyAV is preferred for several streams and for gaps.
    """
    window = Window(stream, size_bytes)
    link = _walk(window, start)
    notes = []
    hole_s = _opus_hole_s(link)
    if link.missing:
        notes.append(Problem("truncated", f"{link.missing} of its pages are missing"))
    elif link.backwards or link.unplaced:
        notes.append(Problem("truncated", "the positions on its pages contradict each other"))
    elif hole_s:
        notes.append(Problem("gaps", f"{hole_s:.1f} s are missing between its packets"))
    if not link.ended:
        message = "its last page lacks the end mark, so the recorder was stopped or the file was cut"
        notes.append(Problem("truncated", message))
    closes_holes = link.missing > 0 and not link.codec.startswith(b"OpusHead")
    prefers_av = len(link.serials) > 1 or hole_s > 0 or closes_holes or link.backwards or link.unplaced
    return Layout(link.end, notes=tuple(notes), prefers_av=prefers_av)


def _walk(window: Window, start: int) -> _Link:
    """Walk from page to page, up to the first page of another recording."""
    link = _Link(end=start)
    position: int | None = start
    sound = False
    while position is not None:
        head = window.at(position, _HEAD_BYTES + 255)
        table = head[_HEAD_BYTES : _HEAD_BYTES + head[26]] if len(head) >= _HEAD_BYTES else b""
        length = _HEAD_BYTES + len(table) + sum(table)
        if head[:4] != b"OggS":
            position = window.find(b"OggS", position + 1)
            continue
        if len(head) < _HEAD_BYTES or len(table) < head[26] or position + length > window.end:
            link.ended = False
            break
        flags, serial = head[5], int.from_bytes(head[14:18], "little")
        if flags & _FIRST and sound:
            break
        sound |= not flags & _FIRST
        _note_page(link, window, position, head, table, serial)
        link.ended = bool(flags & _LAST)
        position += length
        link.end = position
    return link


def _note_page(link: _Link, window: Window, position: int, head: bytes, table: bytes, serial: int) -> None:
    number = int.from_bytes(head[18:22], "little")
    if not link.serials:
        link.codec = window.at(position + _HEAD_BYTES + len(table), 8)
    expected = link.serials.get(serial)
    if expected is not None and number > expected:
        link.missing += number - expected
    link.serials[serial] = number + 1
    if len(link.serials) > 1 or number < 2:  # heads
        return
    played = int.from_bytes(head[6:14], "little")
    if not link.packets:
        link.packet_s = _opus_packet_s(window.at(position + _HEAD_BYTES + len(table), 2))
    ending = len(table) - table.count(255)
    link.packets += ending
    link.unplaced = played == _UNKNOWN_POSITION and ending > 0
    if played != _UNKNOWN_POSITION:
        link.backwards |= link.played is not None and played < link.played[1]
        first = link.played[0] if link.played else played - round(link.packets * link.packet_s * _OPUS_RATE_HZ)
        link.played = (first, played)


def _opus_packet_s(head: bytes) -> float:
    """Duration of an Opus packet in seconds, from its first two bytes."""
    if len(head) < 2:
        return 0.0
    config = head[0] >> 3
    frames = (1, 2, 2, head[1] & 63)[head[0] & 3]
    return frames * _OPUS_MS[config >> 2][config & 3] / 1000


def _opus_hole_s(link: _Link) -> float:
    """Seconds by which the granule positions of an Opus stream exceed its packets; 0 if they do not."""
    if not link.codec.startswith(b"OpusHead") or link.played is None or link.missing:
        return 0.0
    hole_s = (link.played[1] - link.played[0]) / _OPUS_RATE_HZ - link.packets * link.packet_s
    return hole_s if hole_s > _HOLE_S else 0.0
