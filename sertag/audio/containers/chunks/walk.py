"""Walks over the chunks of a file: where the samples are, which sizes are declared, and what follows.

A chunk is a name, a size and that many bytes. The size of the sound chunk is often wrong, because recorders write it
first and correct it last. So it is compared with the file. Positions and sizes are in bytes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

from sertag.audio.containers.layout import UNKNOWN_BYTES
from sertag.audio.containers.tags import skip_filler, skip_tags
from sertag.audio.filetype import HEAD_BYTES, begins_recording, next_recording
from sertag.audio.streams import read_at

RECORDED_ON_BYTES = 1 << 14  # more than this behind the declared end are samples; less is ignored

_MOST_CHUNKS = 1000  # more than in any real file
_RANDOM_SHARE, _SOUND_SHARE = 0.99, 0.97  # compressed by zlib: least share of random bytes, most of samples
_WRAP_BYTES = 1 << 32  # sizes are stored modulo this
_CAF_UNKNOWN = (1 << 64) - 1
_W64_GUID = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"  # what follows the name of a chunk


@dataclass(frozen=True, slots=True)
class Family:
    """How a family of formats writes its chunks.

    Attributes:
        first: position of the first chunk.
        head: `struct` format of the header of a chunk: name and size.
        sound: name of the chunk with the samples.
        preface: bytes before the samples in that chunk.
        counted: bytes of the chunk header that are included in its size.
        grain: chunks are aligned to multiples of this.
    """

    first: int
    head: str
    sound: bytes
    preface: int = 0
    counted: int = 0
    grain: int = 2

    @property
    def head_bytes(self) -> int:
        """Size of the header of a chunk."""
        return struct.calcsize(self.head)


RIFF = Family(12, "<4sI", b"data")
RIFX = Family(12, ">4sI", b"data")
W64 = Family(40, "<4s12xQ", b"data", counted=24, grain=8)
AIFF = Family(12, ">4sI", b"SSND", preface=8)
CAF = Family(8, ">4sQ", b"data", preface=4, grain=1)

# Chunks without sound: nothing audible is lost if the end of the file cuts them.
_SILENT_CHUNKS = frozenset(
    b"LIST fact bext iXML cart id3\x20 ID3\x20 cue\x20 smpl inst plst note labl acid JUNK junk PAD\x20 FLLR _PMX axml "
    b"chna levl MARK INST COMT NAME AUTH ANNO (c)\x20 APPL MIDI AESD SAXL free info uuid strg mark regn umid ovvw peak "
    b"PEAK minf DISP r64m olym afsp summ list".replace(b"\x20 ", b"  ").split(b" ")
)


@dataclass
class Walk:
    """The chunks of a file; positions in the stream.

    Attributes:
        chunks: body of the first chunk of each name.
        sounds: ranges of the samples.
        declared: declared size of the samples; the size found if it is unknown.
        whole: whether decoders can read the file as it is.
        end: end of the recording.
    """

    chunks: dict[bytes, range] = field(default_factory=dict)
    sounds: list[range] = field(default_factory=list)
    declared: int = 0
    whole: bool = True
    end: int = 0

    @property
    def available(self) -> int:
        """Size of the samples that are available."""
        return sum(len(sound) for sound in self.sounds)


def walk_chunks(stream: BinaryIO, start: int, size_bytes: int, family: Family) -> Walk:
    """Walk from chunk to chunk up to the end of the recording."""
    walk = Walk()
    position = start + family.first
    for _ in range(_MOST_CHUNKS):
        found = _head(stream, position, family)
        if found is None or (walk.sounds and not _goes_on(stream, position, size_bytes, family)):
            break
        name, size = found
        body = position + family.head_bytes
        if name == family.sound:
            known = _known_size(stream, walk, body, size, size_bytes, family)
            take(stream, walk, body + family.preface, known, size_bytes)
            position = _next_chunk(stream, walk.end, start, size_bytes, family)
        else:
            walk.chunks.setdefault(name, range(body, max(body, min(size_bytes, body + size))))
            position = _aligned(body + size, start, family)
        walk.end = min(position, size_bytes)
    if walk.sounds:
        look_behind(stream, walk, size_bytes)
    walk.end = walk.end or size_bytes
    return walk


def take(stream: BinaryIO, walk: Walk, first: int, size: int | None, size_bytes: int) -> None:
    """Add the samples from `first` on: `size` bytes, or if None, all up to the next recording."""
    available = max(0, size_bytes - first)
    if size is None:
        size = max(0, next_recording(stream, first, size_bytes) - first)
        walk.whole = False
    walk.whole &= not walk.sounds
    walk.declared += size
    walk.end = min(first, size_bytes) + min(size, available)
    walk.sounds.append(range(min(first, size_bytes), walk.end))


def look_behind(stream: BinaryIO, walk: Walk, size_bytes: int) -> None:
    """Classify what follows the chunks: tags, filler, another recording, or samples behind a size that is too small."""
    if walk.end >= size_bytes:
        return
    name = read_at(stream, walk.end, 4)
    if name in _SILENT_CHUNKS:  # the end of the file cuts it; a whole one was passed above
        walk.end = size_bytes
        return
    position = skip_tags(stream, walk.end, size_bytes)
    if not begins_recording(read_at(stream, position, HEAD_BYTES)):
        position = skip_filler(stream, position, size_bytes)
    walk.whole &= position == size_bytes and size_bytes - walk.end < 8
    if begins_recording(read_at(stream, position, HEAD_BYTES)) or size_bytes - position < RECORDED_ON_BYTES:
        return
    last = walk.sounds[-1]
    if walk.end - last.stop < W64.grain and is_like(stream, last, walk.end):  # no chunk lies between
        walk.end = next_recording(stream, position, size_bytes)
        walk.sounds[-1] = range(last.start, walk.end)


def is_like(stream: BinaryIO, sound: range, position: int) -> bool:
    """Whether the bytes at `position` may be more of `sound`: samples can be compressed, other data often cannot."""
    before = read_at(stream, max(sound.start, sound.stop - RECORDED_ON_BYTES), min(len(sound), RECORDED_ON_BYTES))
    behind = read_at(stream, position, RECORDED_ON_BYTES)
    packed = [len(zlib.compress(data, 1)) / max(1, len(data)) for data in (before, behind)]
    return packed[1] < _RANDOM_SHARE or packed[0] >= _SOUND_SHARE


def chunk_body(stream: BinaryIO, walk: Walk, name: bytes) -> bytes:
    """The start of the first chunk of a name, at most `HEAD_BYTES`; empty if there is none."""
    place = walk.chunks.get(name, range(0))
    return read_at(stream, place.start, min(len(place), HEAD_BYTES))


def _known_size(stream: BinaryIO, walk: Walk, body: int, size: int, size_bytes: int, family: Family) -> int | None:
    """Declared size of the samples in a sound chunk; None if its writer did not know it."""
    available = size_bytes - body
    if family is RIFF and size == 0xFFFFFFFF and b"ds64" in walk.chunks:
        size = int.from_bytes(
            chunk_body(stream, walk, b"ds64")[8:16], "little"
        )  # the first 8 bytes are the size of the file
    empty = size <= family.preface and available > family.preface
    if empty and not _is_chunk(stream, body + family.preface, size_bytes, family):
        walk.whole = False
        return None
    if size == _CAF_UNKNOWN or (size >= UNKNOWN_BYTES and size > available):
        return None
    wraps = (available - size) // _WRAP_BYTES * _WRAP_BYTES if family.head[1:] == "4sI" else 0
    if wraps > 0 and not _is_chunk(stream, body + size, size_bytes, family):
        walk.whole = False
        size += wraps
    return max(0, size - family.preface)


def _head(stream: BinaryIO, position: int, family: Family) -> tuple[bytes, int] | None:
    """Name and body size of the chunk at a position; None at the end of the file."""
    head = read_at(stream, position, family.head_bytes)
    if len(head) < family.head_bytes:
        return None
    name, size = struct.unpack(family.head, head)
    return name, size if size == _CAF_UNKNOWN else max(0, size - family.counted)


def _is_chunk(stream: BinaryIO, position: int, size_bytes: int, family: Family) -> bool:
    """Whether a chunk begins at a position: a whole one, or one of samples, which may be cut."""
    found = _head(stream, position, family)
    if found is None or (family is W64 and read_at(stream, position + 4, 12) != _W64_GUID):
        return False
    name, size = found
    named = bool(name.isascii()) and name.decode("ascii").isprintable()
    fits = position + family.head_bytes + size <= size_bytes
    return named and (fits or name == family.sound)


def _goes_on(stream: BinaryIO, position: int, size_bytes: int, family: Family) -> bool:
    """Whether another chunk of the same recording begins at a position."""
    another = begins_recording(read_at(stream, position, HEAD_BYTES))
    return not another and _is_chunk(stream, position, size_bytes, family)


def _next_chunk(stream: BinaryIO, end: int, start: int, size_bytes: int, family: Family) -> int:
    """Position of the chunk behind the samples; some writers omit the padding byte."""
    aligned = _aligned(end, start, family)
    return end if aligned != end and _is_chunk(stream, end, size_bytes, family) else aligned


def _aligned(position: int, start: int, family: Family) -> int:
    return position + (start - position) % family.grain
