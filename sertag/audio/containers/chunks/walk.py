"""The walk over the chunks of a file: where the samples are, what their sizes declare, and what follows them.

A chunk is a name, a size and that many bytes. The size of the sound is what recorders get wrong: it is written first
and corrected last. So it is compared with what is there. Positions and sizes are in bytes.
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

RECORDED_ON_BYTES = 1 << 14  # more than this behind the declared end was recorded; less is nobody's sound

_MOST_CHUNKS = 1000  # more than any recording has
_RANDOM_SHARE, _SOUND_SHARE = 0.99, 0.97  # what zlib leaves of random bytes, and at most of samples
_WRAP_BYTES = 1 << 32  # sizes of four bytes are what is left after that many
_CAF_UNKNOWN = (1 << 64) - 1
_W64_GUID = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"  # what follows the name of a chunk


@dataclass(frozen=True, slots=True)
class Family:
    """How chunks are written.

    Attributes:
        first: where the first chunk begins.
        head: format of the name and the size of a chunk.
        sound: name of the chunk that holds the samples.
        preface: bytes in that chunk before the samples.
        counted: bytes of the chunk head that its size counts.
        grain: chunks begin at multiples of it.
    """

    first: int
    head: str
    sound: bytes
    preface: int = 0
    counted: int = 0
    grain: int = 2

    @property
    def head_bytes(self) -> int:
        """Length of the head of a chunk."""
        return struct.calcsize(self.head)


RIFF = Family(12, "<4sI", b"data")
RIFX = Family(12, ">4sI", b"data")
W64 = Family(40, "<4s12xQ", b"data", counted=24, grain=8)
AIFF = Family(12, ">4sI", b"SSND", preface=8)
CAF = Family(8, ">4sQ", b"data", preface=4, grain=1)

# Chunks that may be cut by the end of the file without loss of anything that can be heard.
_SILENT_CHUNKS = frozenset(
    b"LIST fact bext iXML cart id3\x20 ID3\x20 cue\x20 smpl inst plst note labl acid JUNK junk PAD\x20 FLLR _PMX axml "
    b"chna levl MARK INST COMT NAME AUTH ANNO (c)\x20 APPL MIDI AESD SAXL free info uuid strg mark regn umid ovvw peak "
    b"PEAK minf DISP r64m olym afsp summ list".replace(b"\x20 ", b"  ").split(b" ")
)


@dataclass
class Walk:
    """What lies in the chunks of a file; positions in the stream.

    Attributes:
        chunks: the first body of each name.
        sounds: where the samples are.
        declared: how many bytes of samples the sizes declare, unknown ones as they were found.
        whole: decoders can read it as it is.
        end: of the recording.
    """

    chunks: dict[bytes, range] = field(default_factory=dict)
    sounds: list[range] = field(default_factory=list)
    declared: int = 0
    whole: bool = True
    end: int = 0

    @property
    def available(self) -> int:
        """How many bytes of samples are there."""
        return sum(len(sound) for sound in self.sounds)


def walk_chunks(stream: BinaryIO, start: int, size_bytes: int, family: Family) -> Walk:
    """Go from chunk to chunk up to the end of the recording."""
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
    """Take the samples from `first` on: `size` bytes, or all that there are before another recording."""
    available = max(0, size_bytes - first)
    if size is None:
        size = max(0, next_recording(stream, first, size_bytes) - first)
        walk.whole = False
    walk.whole &= not walk.sounds
    walk.declared += size
    walk.end = min(first, size_bytes) + min(size, available)
    walk.sounds.append(range(min(first, size_bytes), walk.end))


def look_behind(stream: BinaryIO, walk: Walk, size_bytes: int) -> None:
    """What is no chunk and follows the samples: tags, filler, another recording, or what was recorded on."""
    if walk.end >= size_bytes:
        return
    name = read_at(stream, walk.end, 4)
    if name in _SILENT_CHUNKS:  # it is cut, else it would have been passed
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
    """Whether bytes may be of the same sound: samples can be packed, what is encrypted or packed already cannot."""
    before = read_at(stream, max(sound.start, sound.stop - RECORDED_ON_BYTES), min(len(sound), RECORDED_ON_BYTES))
    behind = read_at(stream, position, RECORDED_ON_BYTES)
    packed = [len(zlib.compress(data, 1)) / max(1, len(data)) for data in (before, behind)]
    return packed[1] < _RANDOM_SHARE or packed[0] >= _SOUND_SHARE


def chunk_body(stream: BinaryIO, walk: Walk, name: bytes) -> bytes:
    """The bytes of the first chunk of a name; none where there is no such chunk."""
    place = walk.chunks.get(name, range(0))
    return read_at(stream, place.start, min(len(place), HEAD_BYTES))


def _known_size(stream: BinaryIO, walk: Walk, body: int, size: int, size_bytes: int, family: Family) -> int | None:
    """Bytes of samples that the size of a sound chunk declares; None where its writer did not know."""
    available = size_bytes - body
    if family is RIFF and size == 0xFFFFFFFF and b"ds64" in walk.chunks:
        size = int.from_bytes(chunk_body(stream, walk, b"ds64")[8:16], "little")  # behind the size of the whole
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
    """Name of the chunk at a position and size of its body; None at the end of the file."""
    head = read_at(stream, position, family.head_bytes)
    if len(head) < family.head_bytes:
        return None
    name, size = struct.unpack(family.head, head)
    return name, size if size == _CAF_UNKNOWN else max(0, size - family.counted)


def _is_chunk(stream: BinaryIO, position: int, size_bytes: int, family: Family) -> bool:
    """Whether a whole chunk begins at a position, or one of sound, which may be cut."""
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
    """Where the chunk behind the samples begins; some writers forget to fill up to an even number."""
    aligned = _aligned(end, start, family)
    return end if aligned != end and _is_chunk(stream, end, size_bytes, family) else aligned


def _aligned(position: int, start: int, family: Family) -> int:
    return position + (start - position) % family.grain
