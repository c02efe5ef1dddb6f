"""Finds the frames of an MP3 file (MPEG-1, -2 and -2.5 audio, layers I to III), without decoding them.

The MPEG decoder of libsndfile gives up after 1 KiB of damage and prints errors. Here damage is skipped up to the next
frames (resynchronisation), as players do, and its size is reported. Header layout: ISO/IEC 11172-3, 2.4.1.3 and ISO/IEC
13818-3; the Xing tag of variable bit rates: as LAME writes it. Positions and sizes are in bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import BinaryIO

from sertag.audio.containers.layout import Layout
from sertag.audio.filetype import find_recording
from sertag.audio.streams import Window
from sertag.records import Problem

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

_TAGS = (b"ID3", b"TAG", b"APE")  # between recordings that were joined

_SEARCH_BYTES = 1 << 16  # longest distance of the first frame from the start, or from the tags in front
_HEAD_BYTES = 64  # where a Xing tag lies: header, CRC and side information before it take at most 38
_MOST_RUNS = 100_000  # more than in any audible file
_LONGEST_PADDING = 4  # frames of one bit rate differ by at most this
_PROOF_FRAMES = 3  # consecutive headers that agree; random bytes do at less than one in 10^11 positions


def mpeg_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout | None:
    """Find all frames of one recording.

    Args:
        stream: seekable; its position changes.
        start: where the search begins, behind the tags.
        size_bytes: size of the stream, or end of the frames.

    Returns:
        The layout: a Xing tag with the true number of frames, then all runs of whole frames; the length that the tag of
        the file declares; a note about skipped damage. It ends before frames of another kind or another recording. None
        if there is no MPEG audio, or only fragments.
    """
    window = Window(stream, size_bytes)
    first = _find(window, start, min(size_bytes, start + _SEARCH_BYTES), kind=None)
    if first is None:
        return None
    found = _runs(window, first)
    if not found.runs:
        return None
    gaps = [range(before.stop, after.start) for before, after in pairwise(found.runs)]
    junk = sum(len(gap) for gap in gaps if window.at(gap.start, 3) not in _TAGS)
    notes = [Problem("truncated", f"{junk} bytes in its middle are damaged and were skipped")] if junk else []
    notes += [Problem("truncated", "it ends inside a frame")] if found.cut else []
    pieces, ratio = _with_xing(window, found)
    layer = found.kind >> 4 & 7
    return Layout(found.end, pieces, ratio, notes=tuple(notes), prefers_av=layer != 3 and found.varies, format="mp3")


@dataclass
class _Frames:
    """The frames of one recording.

    Attributes:
        kind: common properties, see `_frame_by_fields`.
        end: end of the recording.
        runs: ranges of consecutive whole frames; empty if there are too many.
        count: number of these frames.
        cut: whether the file ends inside a frame.
        varies: whether their length varies by more than padding.
    """

    kind: int
    end: int
    runs: list[range] = field(default_factory=list)
    count: int = 0
    cut: bool = False
    varies: bool = False


def _runs(window: Window, first: int) -> _Frames:
    """Walk from frame to frame, across damage and tags, up to the end of the recording."""
    usual, kind = _frame(window.at(first, 4))
    found = _Frames(kind, first)
    position = run = first
    while True:
        length, is_kind = _frame(window.at(position, 4))
        if is_kind == kind and position + length <= window.end:
            position += length
            found.count += 1
            found.varies |= abs(length - usual) > _LONGEST_PADDING
            continue
        found.runs.append(range(run, position))
        found.end = position
        found.cut = is_kind == kind
        following = None if found.cut else _resumed(window, position, kind)
        if following is None:
            found.end = window.end if found.cut else position
            return found
        if len(found.runs) == _MOST_RUNS:
            found.runs.clear()
            return found
        position = run = following


def _resumed(window: Window, position: int, kind: int) -> int | None:
    """Position of the next frames of a kind behind damage or tags; None if something else, or the end, comes first."""
    following = _find(window, position, window.end, kind=None)
    if following is None or _frame(window.at(following, 4))[1] != kind:
        return None
    other = find_recording(window.at(position, min(following - position, _SEARCH_BYTES)))
    return following if other is None else None


def _find(window: Window, start: int, stop: int, *, kind: int | None) -> int | None:
    """First position of `_PROOF_FRAMES` consecutive headers of one kind, or of fewer up to the end of the file."""
    position = start
    while position < stop and (data := window.at(position, _SEARCH_BYTES)):
        for match in _SYNC.finditer(data):
            if position + match.start() < stop and _is_proven(window, position + match.start(), kind):
                return position + match.start()
        position += max(1, len(data) - 2)  # a header may cross the border of two pieces
    return None


def _is_proven(window: Window, position: int, kind: int | None) -> bool:
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
    """Length and kind of the frame with this header; (0, -1) if it is no header."""
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


def _with_xing(window: Window, found: _Frames) -> tuple[tuple[range | bytes, ...], float]:
    """The runs behind a Xing tag with the true number of frames, and the declared number divided by the true one.

    Decoders stop after the number of frames in the tag, so of joined recordings only the first would be read. Without
    a tag they estimate the number from the first frames, which is wrong for variable bit rates.
    """
    runs, count = found.runs, found.count
    start = runs[0].start
    head = window.at(start, min(_HEAD_BYTES, len(runs[0])))
    tag = max(head.find(b"Xing"), head.find(b"Info"))
    true_size = sum(len(run) for run in runs)
    if tag < 0 or tag + 16 > len(head) or head[tag + 7] & 3 != 3:  # name, flags, frames, bytes: four bytes each
        return (*filter(None, [_xing_frame(head, count, true_size) if found.varies else b""]), *runs), 1.0
    frames = int.from_bytes(head[tag + 8 : tag + 12], "big")
    numbers = max(frames, count - 1).to_bytes(4, "big") + true_size.to_bytes(4, "big")
    place = start + tag + 8
    declared = frames / (count - 1) if frames > count > 1 else 1.0
    return (range(start, place), numbers, range(place + 8, runs[0].stop), *runs[1:]), declared


def _xing_frame(head: bytes, count: int, size: int) -> bytes:
    """A silent frame of the kind of `head` with a Xing tag; empty for layers I and II, which have no such tag."""
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    if layer != 3:
        return b""
    mono = head[3] >> 6 == 3
    tag_at = 4 + ((17 if mono else 32) if version == 3 else (9 if mono else 17))  # behind the side information
    for bit_rate in range(1, 15):
        third = bit_rate << 4 | head[2] & 0x0C
        length, _ = _frame_by_fields(head[1] | 1, third, mono)
        if length >= tag_at + 16:
            break
    numbers = min(count, 0xFFFFFFFF).to_bytes(4, "big") + min(size + length, 0xFFFFFFFF).to_bytes(4, "big")
    frame = bytes([0xFF, head[1] | 1, third, head[3]]) + bytes(tag_at - 4) + b"Xing\0\0\0\x03" + numbers
    return frame.ljust(length, b"\0")
