"""WAV and its variants (RIFX, RF64, BW64, W64), AIFF, CAF, and AU, which has a single chunk.

If a size is wrong, or if more follows than decoders expect, the decoder gets a correct header and the bytes of all
sound chunks. Positions and sizes are in bytes.

Formats: RIFF MCI 1.0; EBU Tech 3306 (RF64), ITU-R BS.2088 (BW64); Sony Wave64; Apple AIFF-C and CAF.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from sertag.audio.containers.chunks.walk import (
    AIFF,
    CAF,
    RIFF,
    RIFX,
    W64,
    Family,
    Walk,
    chunk_body,
    look_behind,
    take,
    walk_chunks,
)
from sertag.audio.containers.layout import UNKNOWN_BYTES, Layout, ratio
from sertag.audio.filetype import HEAD_BYTES
from sertag.audio.streams import read_at

_LONGEST_RIFF_BYTES = (1 << 32) - 256  # the most samples that a RIFF header can declare


def riff_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure a WAV file or a variant of it.

    Args:
        stream: seekable; its position changes.
        start: first byte of the file in the stream.
        size_bytes: size of the stream.

    Returns:
        The layout. If the length is unknown (0, or the placeholder of a program that writes to a pipe), the samples go
        up to the next recording. If more than 16 KiB that are no chunk follow the declared end, the recorder stopped
        before it corrected the size, and they are samples too.

    >>> import io
    >>> file = b"RIFF....WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data" + bytes(4) + b"so"
    >>> riff_layout(io.BytesIO(file), start=0, size_bytes=len(file)).pieces[-1]
    range(44, 46)
    """
    magic = read_at(stream, start, 4)
    family = {b"RIFX": RIFX, b"riff": W64}.get(magic, RIFF)
    walk = walk_chunks(stream, start, size_bytes, family)
    form = chunk_body(stream, walk, b"fmt ")
    codec = int.from_bytes(form[:2], "big" if family is RIFX else "little") or None
    walk.whole &= magic != b"BW64"
    return _layout(walk, _wave_pieces(family, form, walk), codec=codec)


def aiff_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an AIFF file; arguments and result as for `riff_layout`."""
    walk = walk_chunks(stream, start, size_bytes, AIFF)
    common = chunk_body(stream, walk, b"COMM")
    if len(common) < 18:
        return _layout(walk, ())
    frame_bytes = max(1, int.from_bytes(common[:2], "big") * ((int.from_bytes(common[6:8], "big") + 7) // 8))
    common = common[:2] + struct.pack(">I", min(walk.available // frame_bytes, 0xFFFFFFFF)) + common[6:]
    head = read_at(stream, start + 8, 4) + _chunk(">4sI", b"COMM", common)
    head += struct.pack(">4sIII", b"SSND", min(walk.available + 8, 0xFFFFFFFF), 0, 0)
    whole_bytes = min(len(head) + walk.available, 0xFFFFFFFF)
    return _layout(walk, (struct.pack(">4sI", b"FORM", whole_bytes) + head, *walk.sounds))


def caf_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure a CAF file; arguments and result as for `riff_layout`."""
    walk = walk_chunks(stream, start, size_bytes, CAF)
    form = chunk_body(stream, walk, b"desc")
    if not form or b"pakt" in walk.chunks or b"kuki" in walk.chunks:  # packets of variable size cannot be joined
        return _layout(walk, ())
    head = read_at(stream, start, 8) + _chunk(">4sQ", b"desc", form)
    return _layout(walk, (head + struct.pack(">4sQI", b"data", walk.available + 4, 0), *walk.sounds))


def au_layout(stream: BinaryIO, *, start: int, size_bytes: int) -> Layout:
    """Measure an AU file, which is one chunk; arguments and result as for `riff_layout`."""
    head = read_at(stream, start, HEAD_BYTES).ljust(24, b"\0")
    order = "<" if head[:4] == b"dns." else ">"
    first, size = struct.unpack(f"{order}2I", head[4:12])
    known = None if size == 0 or size >= UNKNOWN_BYTES else size
    walk = Walk()
    take(stream, walk, start + first, known, size_bytes)
    look_behind(stream, walk, size_bytes)
    count = struct.pack(f"{order}I", min(walk.available, 0xFFFFFFFF))
    return _layout(walk, (head[:8] + count + head[12 : max(24, first)], *walk.sounds))


def wave_head(form: bytes, count: int, *, order: str = "<") -> bytes:
    r"""The header of a WAV file, or of an RF64 file if there are too many samples for WAV.

    Args:
        form: body of the format chunk.
        count: size of the samples.
        order: byte order as in `struct`: `<`, or `>` for RIFX.

    >>> wave_head(bytes(16), 100)[:12]
    b'RIFF\x88\x00\x00\x00WAVE'
    """
    head = b"WAVE" + _chunk(f"{order}4sI", b"fmt ", form)
    if count <= _LONGEST_RIFF_BYTES:
        head += struct.pack(f"{order}4sI", b"data", count)
        return struct.pack(f"{order}4sI", b"RIFX" if order == ">" else b"RIFF", len(head) + count) + head
    frames = count // max(1, int.from_bytes(form[12:14], "little"))
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, len(head) + 44 + count, count, frames, 0)
    head = head[:4] + sizes + head[4:] + struct.pack("<4sI", b"data", 0xFFFFFFFF)
    return struct.pack("<4sI", b"RF64", 0xFFFFFFFF) + head


def _layout(walk: Walk, pieces: tuple[range | bytes, ...], *, codec: int | None = None) -> Layout:
    """The layout of a file after the walk; `pieces` are used only if decoders cannot read the file as it is."""
    needed = pieces if not walk.whole and walk.available else ()
    return Layout(walk.end, needed, ratio(walk.declared, walk.available), codec=codec, sounds=tuple(walk.sounds))


def _wave_pieces(family: Family, form: bytes, walk: Walk) -> tuple[range | bytes, ...]:
    """The pieces of a WAV file with the samples of all sound chunks."""
    if len(form) < 14:
        return ()
    return (wave_head(form, walk.available, order=">" if family is RIFX else "<"), *walk.sounds)


def _chunk(head: str, name: bytes, body: bytes) -> bytes:
    return struct.pack(head, name, len(body)) + body + bytes(len(body) % 2 if head[1:] == "4sI" else 0)
