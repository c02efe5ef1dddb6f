"""AMR and AMR-WB: a magic number, then frames of 20 ms; the first byte of a frame gives its length.

There is no total size, and decoders read any byte as the start of a frame, so a tag or a lost byte becomes minutes of
noise or silence. Here the frames are followed up to the last valid one, and found again behind damage. RFC 4867, 5.3.
Positions and sizes are in bytes.
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
# Length by frame type: speech, comfort noise, reserved (0), lost speech (AMR-WB only), no data.
_LENGTHS = {
    b"#!AMR\n": (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1),
    b"#!AMR-WB\n": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1),
}
_UNUSED_BITS = 0x83  # of the first byte; bit 2 marks a good frame, bits 3 to 6 are its type
_LIKELY = re.compile(rb"[\x04\x0c\x14\x1c\x24\x2c\x34\x3c\x44\x4c\x74\x78\x7c]")
_PROOF_FRAMES = 6  # random bytes match at less than one in 10^7 positions
_NOTHING = b"\x7c"  # a frame of 20 ms without data
_FRAME_S = 0.02
_SEARCH_BYTES = 1 << 16
_LONGEST_GAP_FRAMES = 180_000  # an hour
_FEW_BYTES = 100  # less filler than this is not reported
_MOST_RUNS = 100_000


@dataclass
class _Frames:
    """The frames of one recording.

    Attributes:
        runs: ranges of consecutive whole frames.
        count: number of these frames.
        cut: whether the recording ends inside a frame.
        end: end of the recording.
    """

    runs: list[range] = field(default_factory=list)
    count: int = 0
    cut: bool = False
    end: int = 0

    @property
    def average_bytes(self) -> float:
        """Average length of a frame, at least 1."""
        return max(1.0, sum(map(len, self.runs)) / max(1, self.count))


def amr_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an AMR file.

    Args:
        stream: seekable; its position changes.
        start: first byte of the file in the stream.
        size_bytes: size of the stream.

    Returns:
        The layout, which ends behind the last frame. Damaged bytes between frames become silence, as many frames as
        would fit at the average length, so that later times stay right, and a note.
    """
    end = Window(stream, size_bytes).find(_MARK, start + len(_MARK)) or size_bytes
    mark = next((mark for mark in _LENGTHS if read_at(stream, start, len(mark)) == mark), None)
    if mark is None:  # a variant with several channels
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
    """Walk from frame to frame, across damage, up to the last frame."""
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
    """Length of the frame at a position; 0 if there is none, or only zeros, which are filler."""
    head = window.at(position, 1)
    if not head or head[0] & _UNUSED_BITS:
        return 0
    length = lengths[head[0] >> 3]
    return length if head[0] or any(window.at(position, length)) else 0


def _resumed(window: Window, start: int, lengths: tuple[int, ...]) -> int | None:
    """Position of the next frames behind damage; None if another recording, or the end, comes first."""
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
    """Whether several frames follow each other that are not all empty; quiet samples can look like empty frames."""
    position = start
    for _ in range(_PROOF_FRAMES):
        head = window.at(position, 1)
        length = lengths[head[0] >> 3] if _LIKELY.match(head) else 0
        position += length
        if not length or position > window.end:
            return False
    return position - start > _PROOF_FRAMES


def _filler_notes(stream: BinaryIO, found: _Frames, end: int) -> list[Problem]:
    """A note about zeros behind the last frame: reserved by the recorder, or lost by the disk."""
    count = skip_filler(stream, found.end, end) - found.end
    if count < _FEW_BYTES:
        return []
    lost_s = count / found.average_bytes * _FRAME_S
    return [Problem("truncated", f"{count} empty bytes follow its last frame, room for {lost_s:.3f} s")]


def _with_silence(found: _Frames) -> tuple[tuple[range | bytes, ...], int, int]:
    """The runs with silence in the gaps, the size of all gaps, and the number of frames of silence."""
    pieces: list[range | bytes] = [found.runs[0]]
    gap_bytes = silence_frames = 0
    for before, after in zip(found.runs, found.runs[1:], strict=False):
        gap = after.start - before.stop
        count = min(_LONGEST_GAP_FRAMES, round(gap / found.average_bytes))
        pieces += [_NOTHING * count, after]
        gap_bytes += gap
        silence_frames += count
    return tuple(pieces), gap_bytes, silence_frames
