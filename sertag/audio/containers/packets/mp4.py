"""MP4, M4A, MOV and 3GP: boxes; without the index, the box `moov`, nothing can be decoded.

ISO/IEC 14496-12, 4.2 (boxes), 8.1.1 (`mdat`), 8.2.1 (`moov`), 8.8.4 (`moof`). Positions and sizes are in bytes.
"""

from __future__ import annotations

from typing import BinaryIO

from sertag.audio.containers.layout import Layout
from sertag.audio.streams import read_at
from sertag.records import Problem

_BOXES = frozenset(
    b"ftyp moov mdat free skip wide uuid moof mfra sidx ssix styp emsg prft meta pnot udta pdin junk PICT".split()
)
_NEAR_BYTES = 16  # the next box is searched within this distance of a wrong size
_LARGE_BYTES = 1 << 32  # larger sizes are stored in another field
_MOST_BOXES = 1_000_000  # a day of fragments of a tenth of a second


def mp4_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an MP4 file.

    Args:
        stream: seekable; its position changes.
        start: first byte of the file in the stream.
        size_bytes: size of the stream.

    Returns:
        The layout, which ends where the next file begins; if there is no index, `damaged` says why.
    """
    seen: dict[bytes, int] = {}  # boxes, and the number of bytes missing from each
    pieces: list[range | bytes] = []
    position = copied = start
    for _ in range(_MOST_BOXES):
        name, length = _box(stream, position, size_bytes)
        if name not in _BOXES or (name == b"ftyp" and b"mdat" in seen and {b"moov", b"moof"} & seen.keys()):
            break
        true_length = _true_length(stream, position, length, size_bytes)
        if true_length != length:
            pieces += [range(copied, position), true_length.to_bytes(4, "big")]
            copied, length = position + 4, true_length
        seen[name] = max(0, position + length - size_bytes)
        position = min(size_bytes, position + length)
        if position == size_bytes:
            break
    notes = [
        Problem("truncated", f"its last box ({name.decode()}) lacks {cut} bytes") for name, cut in seen.items() if cut
    ]
    end = position if seen else size_bytes
    return Layout(end, (*pieces, range(copied, end)) if pieces else (), notes=tuple(notes), damaged=_damage(seen))


def _box(stream: BinaryIO, position: int, size_bytes: int) -> tuple[bytes, int]:
    """Name and length of the box at a position; no name at the end of the file."""
    head = read_at(stream, position, 16)
    if len(head) < 8:
        return b"", 0
    length = int.from_bytes(head[:4], "big")
    if length == 0:  # to the end of the file
        length = size_bytes - position
    elif length == 1 and len(head) == 16:
        length = int.from_bytes(head[8:16], "big")
    return head[4:8], max(8, length)


def _true_length(stream: BinaryIO, position: int, length: int, size_bytes: int) -> int:
    """Length of a box, corrected if the next one begins a few bytes before or behind its end."""
    stop = position + length
    elsewhere = length >= _LARGE_BYTES or read_at(stream, position, 4) != length.to_bytes(4, "big")
    if stop >= size_bytes or elsewhere or _is_box(stream, stop, size_bytes):
        return length
    near = [shift for shift in range(-_NEAR_BYTES, _NEAR_BYTES + 1) if length + shift >= 8]
    shifts = [shift for shift in sorted(near, key=abs) if _is_box(stream, stop + shift, size_bytes)]
    return length + shifts[0] if shifts else length


def _is_box(stream: BinaryIO, position: int, size_bytes: int) -> bool:
    name, length = _box(stream, position, size_bytes)
    return name in _BOXES and position + length <= size_bytes


def _damage(seen: dict[bytes, int]) -> str:
    if b"moov" not in seen:
        if b"moof" in seen or b"styp" in seen:
            return "it is a piece of a recording without the beginning (moov); join the pieces behind their first one"
        return "the recorder was stopped before it wrote the index (moov), without which nothing can be decoded"
    if seen[b"moov"]:
        return f"its index (moov) is cut, {seen[b'moov']} bytes of it are missing; copy the file again"
    return ""
