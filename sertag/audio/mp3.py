"""Finds the frames of an MP3 file (MPEG-1, -2 and -2.5 audio, layers I to III), without decoding them.

Used by decode, because the MPEG decoder inside libsndfile gives up after 1 KiB of damage and complains on standard
error. Here damage is skipped frame by frame, as players do, and counted. Header layout: ISO/IEC 11172-3, 2.4.1.3 and
ISO/IEC 13818-3; the Xing tag of variable bit rates: as LAME writes it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import BinaryIO

from sertag.audio.headers import Layout
from sertag.audio.streams import read_at

_BIT_RATES_KBPS = {  # by (MPEG-1 or not, layer), for the indices 1 to 14
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by the version bits

_SYNC = re.compile(rb"\xff[\xe2-\xff][\x10-\xef]", re.DOTALL)  # where a frame may begin; passes over long runs of ones

_TAGS = (b"ID3", b"TAG", b"APE")  # what lies between recordings that were joined end to end

_WINDOW_BYTES = 1 << 20
_SEARCH_BYTES = 1 << 16  # how far the first frame may lie behind the start, or behind the tags in front
_HEAD_BYTES = 64  # where a Xing tag lies: header, CRC and side information before it take at most 38
_MOST_TAGS, _MOST_RUNS = 1000, 100_000  # more than any file has that somebody can listen to
_PROOF_FRAMES = 3  # consecutive headers that agree; by chance less than once in 10^11 places


def skip_id3(stream: BinaryIO) -> int:
    """Position behind the ID3v2 tags in front of a file; 0 where there are none."""
    position = 0
    for _ in range(_MOST_TAGS):
        head = read_at(stream, position, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]  # seven bits a byte
        position += 10 + size + (10 if head[5] & 0x10 else 0)
    return position


def mpeg_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout | None:
    """Find all frames.

    Args:
        stream: seekable; its position is not kept.
        start: where to begin to look, behind the tags.
        size_bytes: of the file.

    Returns:
        The runs of whole frames, with what the Xing tag promises and a note where damage was skipped; None where the
        file holds no MPEG audio, or crumbs of it.
    """
    window = _Window(stream, size_bytes)
    first = _find(window, start, min(size_bytes, start + _SEARCH_BYTES), kind=None)
    if first is None:
        return None
    runs, count, cut = _runs(window, first)
    if not runs:
        return None
    gaps = [range(before.stop, after.start) for before, after in pairwise(runs)]
    junk = sum(len(gap) for gap in gaps if window.at(gap.start, 3) not in _TAGS)
    pieces, promised = _with_xing(window, runs, count)
    notes = [f"{junk} bytes in its middle are damaged and were skipped"] if junk else []
    notes += ["it ends inside a frame"] if cut else []
    return Layout(pieces, promised, " and ".join(notes))


class _Window:
    """Bytes of a file by position, read a mebibyte at a time."""

    def __init__(self, stream: BinaryIO, end: int) -> None:
        self.end = end
        self._stream, self._base, self._data = stream, 0, b""

    def at(self, position: int, count: int) -> bytes:
        offset = position - self._base
        if offset < 0 or offset + count > len(self._data):
            self._base, offset = position, 0
            self._data = read_at(self._stream, position, max(count, min(_WINDOW_BYTES, self.end - position)))
        return self._data[offset : offset + count]


def _runs(window: _Window, first: int) -> tuple[list[range], int, bool]:
    """Runs of whole frames, how many frames they hold, and whether the file ends inside one; no runs if too many."""
    kind = _frame(window.at(first, 4))[1]
    runs: list[range] = []
    position = run = first
    count = 0
    while True:
        length, found = _frame(window.at(position, 4))
        if found == kind and position + length <= window.end:
            position += length
            count += 1
            continue
        runs.append(range(run, position))
        if found == kind:
            return runs, count, True
        following = _find(window, position + 1, window.end, kind=kind)
        if following is None:  # tags, or the end
            return runs, count, False
        if len(runs) == _MOST_RUNS:
            return [], 0, False
        position = run = following


def _find(window: _Window, start: int, stop: int, *, kind: int | None) -> int | None:
    """The first position where `_PROOF_FRAMES` headers of one kind follow each other, or fewer up to the very end."""
    position = start
    while position < stop and (data := window.at(position, _SEARCH_BYTES)):
        for match in _SYNC.finditer(data):
            if position + match.start() < stop and _is_proven(window, position + match.start(), kind):
                return position + match.start()
        position += max(1, len(data) - 2)  # a header may lie across two pieces
    return None


def _is_proven(window: _Window, position: int, kind: int | None) -> bool:
    for _ in range(_PROOF_FRAMES):
        length, found = _frame(window.at(position, 4))
        kind = found if kind is None else kind
        if not length or found != kind:
            return False
        position += length
        if position >= window.end - 4:
            return position <= window.end
    return True


def _frame(header: bytes) -> tuple[int, int]:
    """Length in bytes of the frame that a header begins, and its kind; (0, -1) where it is no header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return 0, -1
    return _frame_by_fields(header[1], header[2], header[3] >> 6 == 3)


@lru_cache(maxsize=4096)
def _frame_by_fields(second: int, third: int, mono: bool) -> tuple[int, int]:
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    bit_rate, rate, padding = third >> 4, third >> 2 & 3, third >> 1 & 1
    if version == 1 or layer == 4 or bit_rate in (0, 15) or rate == 3:
        return 0, -1
    bits_per_s = 1000 * _BIT_RATES_KBPS[version == 3, layer][bit_rate - 1]
    rate_hz = _RATES_HZ[version][rate]
    kind = version << 8 | layer << 4 | rate << 1 | mono  # what cannot change inside one recording
    if layer == 1:
        return (12 * bits_per_s // rate_hz + padding) * 4, kind
    samples_per_byte = 72 if layer == 3 and version != 3 else 144
    return samples_per_byte * bits_per_s // rate_hz + padding, kind


def _with_xing(window: _Window, runs: list[range], count: int) -> tuple[tuple[range | bytes, ...], float]:
    """The runs with a Xing tag that tells their true size, and how many times the frames found it promised."""
    start = runs[0].start
    head = window.at(start, min(_HEAD_BYTES, len(runs[0])))
    tag = max(head.find(b"Xing"), head.find(b"Info"))
    if tag < 0 or tag + 16 > len(head) or head[tag + 7] & 3 != 3:  # name, flags, frames, bytes: of four bytes each
        return tuple(runs), 1.0
    frames = int.from_bytes(head[tag + 8 : tag + 12], "big")
    true_size = sum(len(run) for run in runs)
    # A decoder stops after as many frames as the tag tells, so joined recordings would lose all but the first.
    told = max(frames, count - 1).to_bytes(4, "big") + true_size.to_bytes(4, "big")
    place = start + tag + 8
    promised = frames / (count - 1) if frames > count > 1 else 1.0
    return (range(start, place), told, range(place + 8, runs[0].stop), *runs[1:]), promised
