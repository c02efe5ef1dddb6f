"""Where the headers of a file say how long it is: what stale, zero and wrapped sizes are written into.

Positions and sizes are in bytes. Nothing here decodes; a file that is damaged already just has fewer fields.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.torture.mutants import ogg_checksum

_MOV_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")


@dataclass(frozen=True, slots=True)
class Field:
    """A number in a header.

    Attributes:
        name: what it counts.
        start: its position.
        code: how it is stored, as `struct` writes it; `vint` is a size of EBML, `24` one of three bytes.
    """

    name: str
    start: int
    code: str


def fields(content: bytes) -> list[Field]:
    """Numbers that say how much there is, in their order."""
    for magic, offset, find in _FINDERS:
        if content.startswith(magic, offset):
            return [field for field in find(content) if field.start < len(content) - 8]
    return list(_xing(content))


def value(content: bytes, field: Field) -> float:
    """What stands in a field."""
    if field.code == "vint":
        width = 9 - content[field.start].bit_length()
        return int.from_bytes(content[field.start : field.start + width], "big") & (1 << 7 * width) - 1
    if field.code == "24":
        return int.from_bytes(content[field.start : field.start + 3], "little")
    number: float = struct.unpack_from(field.code, content, field.start)[0]
    return number


def changed(content: bytes, field: Field, number: float) -> bytes:
    """The file with another number in a field, as near to it as the field can hold."""
    if field.code == "vint":
        width = 9 - content[field.start].bit_length()
        new = (min(int(number), (1 << 7 * width) - 1) | 1 << 7 * width).to_bytes(width, "big")
    elif field.code == "24":
        new = min(int(number), 0xFFFFFF).to_bytes(3, "little")
    elif field.code[-1] in "df":
        new = struct.pack(field.code, float(number))
    else:
        new = struct.pack(field.code, min(int(number), (1 << 8 * struct.calcsize(field.code)) - 1))
    return _sealed(content[: field.start] + new + content[field.start + len(new) :], field)


def boxes(content: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the boxes of an MP4 file, the inner ones behind their parents."""
    end = len(content) if end is None else end
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", content, start)
        if size < 8:
            return
        yield name, start, min(end, start + size)
        if name in _MOV_BOXES:
            yield from boxes(content, start + 8, min(end, start + size))
        start += size


def chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start of the body and size of the chunks of a WAV, AIFF or AVI file, as far as they go."""
    order, position = (">" if content[:4] in (b"RIFX", b"FORM") else "<"), 12
    while position + 8 <= len(content):
        name, size = struct.unpack_from(f"{order}4sI", content, position)
        yield name, position + 8, size
        if name in (b"data", b"SSND") and position + 8 + size > len(content):
            return
        position += 8 + size + size % 2


def _riff(content: bytes) -> Iterator[Field]:
    order = ">" if content[:4] == b"RIFX" else "<"
    yield Field("RIFF", 4, f"{order}I")
    for name, body, _ in chunks(content):
        if name == b"data":
            yield Field("data", body - 4, f"{order}I")
        elif name == b"fact":
            yield Field("fact", body, f"{order}I")
        elif name == b"ds64":
            yield from (Field(f"ds64 {what}", body + at, "<Q") for what, at in (("RIFF", 0), ("data", 8), ("fact", 16)))


def _avi(content: bytes) -> Iterator[Field]:
    yield Field("RIFF", 4, "<I")
    for match in re.finditer(b"LIST(?=....movi)|idx1|strh(?=....auds)|avih", content, re.DOTALL):
        at = match.start()
        if content[at : at + 4] == b"strh":
            yield Field("strh", at + 8 + 32, "<I")
        else:
            yield Field(match[0].decode(), at + 4 if content[at : at + 4] != b"avih" else at + 8 + 16, "<I")


def _form(content: bytes) -> Iterator[Field]:
    yield Field("FORM", 4, ">I")
    for name, body, _ in chunks(content):
        if name == b"COMM":
            yield Field("COMM", body + 2, ">I")
        elif name == b"SSND":
            yield Field("SSND", body - 4, ">I")


def _w64(content: bytes) -> Iterator[Field]:
    yield Field("riff", 16, "<Q")
    position = 40
    while position + 24 <= len(content):
        name, (size,) = content[position : position + 4], struct.unpack_from("<Q", content, position + 16)
        if name in (b"data", b"fact"):
            yield Field(name.decode(), position + (16 if name == b"data" else 24), "<Q")
        position += max(24, size + -size % 8)


def _au(content: bytes) -> Iterator[Field]:
    yield Field("data", 8, "<I" if content[:4] == b"dns." else ">I")


def _caf(content: bytes) -> Iterator[Field]:
    position = 8
    while position + 12 <= len(content):
        name, size = struct.unpack_from(">4sq", content, position)
        if name == b"data":
            yield Field("data", position + 4, ">Q")
        elif name == b"pakt":
            yield from (Field(f"pakt {what}", position + 12 + at, ">Q") for what, at in (("packets", 0), ("frames", 8)))
        position += 12 + max(0, size)


def _flac(content: bytes) -> Iterator[Field]:
    yield Field("STREAMINFO", 22, ">I")


def _ogg(content: bytes) -> Iterator[Field]:
    yield Field("granule", content.rfind(b"OggS\0") + 6, "<Q")


def _xing(content: bytes) -> Iterator[Field]:
    tag = re.search(b"Xing|Info", content[:8192])
    if tag and content[tag.end() + 3] & 3 == 3:
        yield Field("Xing frames", tag.end() + 4, ">I")
        yield Field("Xing bytes", tag.end() + 8, ">I")


def _mp4(content: bytes) -> Iterator[Field]:
    places = {b"mvhd": 24, b"mdhd": 24, b"tkhd": 28, b"elst": 16, b"mehd": 12}
    for name, start, _ in boxes(content):
        if name in (b"mdat", b"moov", b"moof"):
            yield Field(name.decode(), start, ">I")
        elif name in places and content[start + 8] == 0:  # the version with fields of four bytes
            yield Field(name.decode(), start + places[name], ">I")


def _matroska(content: bytes) -> Iterator[Field]:
    for name, magic in (
        ("Segment", b"\x18\x53\x80\x67"),
        ("Cluster", b"\x1f\x43\xb6\x75"),
        ("Cues", b"\x1c\x53\xbb\x6b"),
    ):
        at = content.find(magic)
        if at >= 0 and content[at + 4]:
            yield Field(name, at + 4, "vint")
    at = content.find(b"\x44\x89\x88", 0, 4096)
    if at >= 0:
        yield Field("Duration", at + 3, ">d")


def _asf(content: bytes) -> Iterator[Field]:
    file, data = content.find(_ASF_FILE), content.find(_ASF_DATA)
    if file >= 0:
        yield from (
            Field(f"file {what}", file + at, "<Q") for what, at in (("size", 40), ("packets", 56), ("time", 64))
        )
    if data >= 0:
        yield from (Field(f"data {what}", data + at, "<Q") for what, at in (("size", 16), ("packets", 40)))


def _flv(content: bytes) -> Iterator[Field]:
    for name in (b"duration", b"filesize"):
        at = content.find(name + b"\0", 0, 1024)
        if at >= 0:
            yield Field(name.decode(), at + len(name) + 1, ">d")


def _voc(content: bytes) -> Iterator[Field]:
    yield Field("block", int.from_bytes(content[20:22], "little") + 1, "24")


def _wavpack(content: bytes) -> Iterator[Field]:
    yield Field("samples", 12, "<I")


def _tta(content: bytes) -> Iterator[Field]:
    yield Field("samples", 14, "<I")


_FINDERS: tuple[tuple[bytes, int, Callable[[bytes], Iterator[Field]]], ...] = (
    *((b"AVI ", 8, _avi), (b"RIFF", 0, _riff), (b"RIFX", 0, _riff), (b"RF64", 0, _riff), (b"BW64", 0, _riff)),
    *((b"FORM", 0, _form), (b"riff", 0, _w64), (b".snd", 0, _au), (b"dns.", 0, _au), (b"caff", 0, _caf)),
    *((b"fLaC", 0, _flac), (b"OggS", 0, _ogg), (b"ftyp", 4, _mp4), (b"\x1aE\xdf\xa3", 0, _matroska)),
    *((b"0&\xb2u", 0, _asf), (b"FLV", 0, _flv), (b"Creative Voice File", 0, _voc), (b"wvpk", 0, _wavpack)),
    (b"TTA1", 0, _tta),
)


def _sealed(content: bytes, field: Field) -> bytes:
    """With the checksum of what was changed, where a recorder would have written one."""
    if field.name == "granule":
        start = field.start - 6
        page = bytearray(content[start:])
        page[22:26] = bytes(4)
        page[22:26] = ogg_checksum(page).to_bytes(4, "little")
        return content[:start] + bytes(page)
    if content.startswith(b"TTA1"):
        return content[:18] + zlib.crc32(content[:18]).to_bytes(4, "little") + content[22:]
    return content
