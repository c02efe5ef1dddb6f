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
_HOLE_S = 0.5  # rounding and the end of the last packet are less
_UNKNOWN_POSITION = (1 << 64) - 1  # of a page on which no packet ends


@dataclass
class _Link:
    """One recording of a chain, as far as it was walked.

    Attributes:
        end: behind its last whole page.
        serials: of its streams, with the number of the page that should come next.
        missing: how many pages are missing in its middle.
        ended: whether its last page has the mark for that.
        codec: the first bytes of the first stream.
        packets: how many packets of sound the first stream has.
        packet_s: length of its first one, where that is known.
        played: positions of the first stream in samples: at the first page of sound and at the last.
        backwards: whether positions ever go back.
        unplaced: whether its last page has no position although packets end on it.
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
        stream: seekable; its position is not kept.
        start: where it begins in the stream.
        size_bytes: of the stream.

    Returns:
        The layout; it ends where the next recording of a chain begins. libsndfile reads one stream of a recording, and
        closes the holes of Vorbis, so several streams and holes are for PyAV.
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
    """Go from page to page, up to the first page of another recording."""
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
    """Seconds that an Opus packet lasts, by its first two bytes."""
    if len(head) < 2:
        return 0.0
    config = head[0] >> 3
    frames = (1, 2, 2, head[1] & 63)[head[0] & 3]
    return frames * _OPUS_MS[config >> 2][config & 3] / 1000


def _opus_hole_s(link: _Link) -> float:
    """Seconds by which the positions of an Opus stream run ahead of its packets; 0 where they do not."""
    if not link.codec.startswith(b"OpusHead") or link.played is None or link.missing:
        return 0.0
    hole_s = (link.played[1] - link.played[0]) / _OPUS_RATE_HZ - link.packets * link.packet_s
    return hole_s if hole_s > _HOLE_S else 0.0
