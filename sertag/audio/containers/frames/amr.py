"""AMR and AMR-WB: frames of 20 ms, each with a byte that says how long it is, behind a mark and without any size.

Decoders take every byte for the beginning of a frame, so a tag or a lost byte becomes minutes of noise or silence. Here
frames are followed up to where they stop being frames, and found again behind damage. RFC 4867, 5.3. Positions and
sizes are in bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import BinaryIO

from sertag.audio.containers.layout import Layout
from sertag.audio.containers.tags import skip_filler, skip_tags
from sertag.audio.filetype import find_recording
from sertag.audio.streams import Window, read_at
from sertag.records import Problem

_MARK = b"#!AMR"
# Frames by type: speech, comfort noise, reserved ones (0), speech that was lost (AMR-WB alone), nothing at all.
_LENGTHS = {
    b"#!AMR\n": (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1),
    b"#!AMR-WB\n": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1),
}
_UNUSED_BITS = 0x83  # of the byte before a frame; 4 says that the frame is sound, the other four are its type
_LIKELY = re.compile(rb"[\x04\x0c\x14\x1c\x24\x2c\x34\x3c\x44\x4c\x74\x78\x7c]")
_PROOF_FRAMES = 6  # of random bytes, less than once in 10^7 places
_NOTHING = b"\x7c"  # a frame of 20 ms without anything
_FRAME_S = 0.02
_SEARCH_BYTES = 1 << 16
_LONGEST_GAP_FRAMES = 180_000  # an hour
_FEW_BYTES = 100  # of filler, behind which nobody looks for sound
_MOST_RUNS = 100_000


@dataclass
class _Frames:
    """The frames of one recording.

    Attributes:
        runs: where whole frames follow each other.
        count: how many frames these hold.
        cut: whether it ends inside one.
        end: where the recording ends.
    """

    runs: list[range] = field(default_factory=list)
    count: int = 0
    cut: bool = False
    end: int = 0

    @property
    def average_bytes(self) -> float:
        """Length of a frame, at least 1."""
        return max(1.0, sum(map(len, self.runs)) / max(1, self.count))


def amr_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an AMR file.

    Args:
        stream: seekable; its position is not kept.
        start: where it begins in the stream.
        size_bytes: of the stream.

    Returns:
        The layout, which ends where frames do. What is no frame between others becomes as much silence as frames of
        the average length would fill, so that the clock goes on, and a note.
    """
    end = Window(stream, size_bytes).find(_MARK, start + len(_MARK)) or size_bytes
    mark = next((mark for mark in _LENGTHS if read_at(stream, start, len(mark)) == mark), None)
    if mark is None:  # of several channels
        return Layout(end)
    found = _walk(stream, start + len(mark), end, _LENGTHS[mark])
    notes = [Problem("truncated", "it ends inside a frame")] if found.cut else []
    notes += _filler_notes(stream, found, end)
    if len(found.runs) < 2:
        return Layout(found.end, notes=tuple(notes), pieces=(range(start, found.runs[0].stop),))
    pieces, gap_bytes, silence_frames = _with_silence(found)
    message = f"{gap_bytes} bytes in its middle are damaged and became {silence_frames * _FRAME_S:.2f} s of silence"
    return Layout(found.end, (mark, *pieces), notes=(Problem("truncated", message), *notes))


def _walk(stream: BinaryIO, first: int, end: int, lengths: tuple[int, ...]) -> _Frames:
    """Go from frame to frame, over damage, up to where no frames follow."""
    window, found = Window(stream, end), _Frames()
    position = run = first
    while True:
        length = _frame_bytes(window, position, lengths)
        if length and position + length <= end:
            position += length
            found.count += 1
            continue
        found.runs.append(range(run, position))
        following = _resumed(window, skip_tags(stream, position, end), lengths)
        if following is None or len(found.runs) == _MOST_RUNS:
            found.cut = length > 0
            found.end = end if found.cut else position
            return found
        position = run = following


def _frame_bytes(window: Window, position: int, lengths: tuple[int, ...]) -> int:
    """Length of the frame at a position; 0 where there is none, or where it is nothing but zeros, which is filler."""
    head = window.at(position, 1)
    if not head or head[0] & _UNUSED_BITS:
        return 0
    length = lengths[head[0] >> 3]
    return length if head[0] or any(window.at(position, length)) else 0


def _resumed(window: Window, start: int, lengths: tuple[int, ...]) -> int | None:
    """Where frames go on behind damage; None where another recording comes first, or nothing."""
    position = start
    while position < window.end:
        data = window.at(position, _SEARCH_BYTES)
        other = find_recording(data)
        for match in _LIKELY.finditer(data, 0, len(data) if other is None else other):
            if _is_proven(window, position + match.start(), lengths):
                return position + match.start()
        if other is not None:
            return None
        position += len(data)
    return None


def _is_proven(window: Window, start: int, lengths: tuple[int, ...]) -> bool:
    """Whether frames follow each other, not all of them empty, as some samples near silence look."""
    position = start
    for _ in range(_PROOF_FRAMES):
        head = window.at(position, 1)
        length = lengths[head[0] >> 3] if _LIKELY.match(head) else 0
        position += length
        if not length or position > window.end:
            return False
    return position - start > _PROOF_FRAMES


def _filler_notes(stream: BinaryIO, found: _Frames, end: int) -> list[Problem]:
    """What to say of zeros behind the last frame: a recorder reserved them, or a disk lost what was there."""
    count = skip_filler(stream, found.end, end) - found.end
    if count < _FEW_BYTES:
        return []
    lost_s = count / found.average_bytes * _FRAME_S
    return [Problem("truncated", f"{count} empty bytes follow its last frame, room for {lost_s:.3f} s")]


def _with_silence(found: _Frames) -> tuple[tuple[range | bytes, ...], int, int]:
    """The runs with silence between them, how many bytes that stands for, and how many frames of it there are."""
    pieces: list[range | bytes] = [found.runs[0]]
    gap_bytes = silence_frames = 0
    for before, after in zip(found.runs, found.runs[1:], strict=False):
        gap = after.start - before.stop
        count = min(_LONGEST_GAP_FRAMES, round(gap / found.average_bytes))
        pieces += [_NOTHING * count, after]
        gap_bytes += gap
        silence_frames += count
    return tuple(pieces), gap_bytes, silence_frames
