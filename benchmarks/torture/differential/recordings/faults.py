"""What disks, programs and people do to the bytes of a recording: one fault each.

A fault takes a recording and gives another, or None where it means nothing for such a file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

from benchmarks.torture.differential.recordings.fields import changed, chunks, fields, value
from benchmarks.torture.differential.recordings.recording import Recording, Workshop, damaged, longer, recorded, same

_CHUNKED = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM")
_INDEX = {b"moov": b"free", b"idx1": b"JUNK", b"mfra": b"free"}
# What says where to stop and not how much there is: every player obeys.
_TRIMS = ("elst", "granule", "pakt frames")
_LIES: dict[str, Callable[[float, float], float]] = {
    "zero": lambda number, share: 0,
    "ones": lambda number, share: 0xFFFFFFFF,
    "all ones": lambda number, share: (1 << 64) - 1,
    "half": lambda number, share: 0x7FFFFFFF,
    "sox": lambda number, share: 0x7FFFF000,
    "wrapped": lambda number, share: int(number) & 0xFFFF,
    "stale": lambda number, share: int(number * share),
    "too large": lambda number, share: int(number * (1 + 2 * share)),
    "a little too large": lambda number, share: int(number) + 7,
    "a little too small": lambda number, share: max(0, int(number) - 7),
}


def none(recording: Recording, shop: Workshop) -> Recording:
    """Nothing."""
    return recording


def cut(recording: Recording, shop: Workshop) -> Recording:
    """Only a part of it was copied."""
    size = int(shop.rng.uniform(0.05, 0.999) * len(recording.content))
    return damaged(recording, recording.content[:size], f"cut at {size}")


def sizes(recording: Recording, shop: Workshop) -> Recording | None:
    """One or all numbers in the headers that say how much there is are wrong."""
    found = fields(recording.content)
    if not found:
        return None
    how = str(shop.rng.choice(tuple(_LIES)))
    share = float(shop.rng.uniform(0.05, 0.9))
    chosen = found if shop.rng.integers(2) else [found[int(shop.rng.integers(len(found)))]]
    content = recording.content
    for field in chosen:
        content = changed(content, field, _LIES[how](value(content, field), share))
    names = tuple(dict.fromkeys(field.name for field in chosen))
    what = f"sizes {how} ({','.join(names)})"
    if set(names) & set(_TRIMS):
        return damaged(recording, content, what)
    return replace(recording, content=content, faults=(*recording.faults, what))


def joined(recording: Recording, shop: Workshop) -> Recording:
    """Two recordings of the same kind, one behind the other."""
    other = recorded(recording.format, shop, rate_hz=recording.rate_hz, channels=recording.channels)
    return _joined(recording, other, "joined")


def joined_other(recording: Recording, shop: Workshop) -> Recording | None:
    """Two recordings of one format with another rate or number of channels, one behind the other."""
    other = recorded(recording.format, shop)
    if (other.rate_hz, other.channels) == (recording.rate_hz, recording.channels):
        return None
    return _joined(recording, other, f"joined with {other.rate_hz} Hz, {other.channels} channels")


def two_data(recording: Recording, shop: Workshop) -> Recording | None:
    """A second data chunk behind the first."""
    data = _data_chunk(recording.content)
    if data is None:
        return None
    other = recorded(recording.format, shop, rate_hz=recording.rate_hz, channels=recording.channels)
    more = _data_chunk(other.content)
    if more is None:
        return None
    order = ">" if recording.content[:4] in (b"RIFX", b"FORM") else "<"
    content = recording.content[: data.stop] + bytes((data.stop - data.start) % 2)
    content += other.content[more.start : more.start + 4] + struct.pack(f"{order}I", len(more) - 8)
    content += other.content[more.start + 8 : more.stop]
    return longer(recording, other, content, "two data chunks")


def chunk_before(recording: Recording, shop: Workshop) -> Recording | None:
    """A chunk of something else in front of the sound."""
    if recording.content[:4] not in _CHUNKED:
        return None
    extra = _chunk(recording.content, shop)
    return same(recording, recording.content[:12] + extra + recording.content[12:], "chunk before")


def chunk_behind(recording: Recording, shop: Workshop) -> Recording | None:
    """A chunk of something else at the end."""
    if recording.content[:4] not in _CHUNKED:
        return None
    pad = bytes(len(recording.content) % 2)
    return same(recording, recording.content + pad + _chunk(recording.content, shop), "chunk behind")


def tag_behind(recording: Recording, shop: Workshop) -> Recording:
    """A tag at the end, of one of three kinds."""
    size = int(shop.rng.integers(20, 20_000))
    id3v1 = b"TAG" + b"A call".ljust(125, b"\0")
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, size + 32, 1, 0x80000000)
    footer = b"APETAGEX" + struct.pack("<IIII8x", 2000, size + 32, 1, 0x80000000 & 0)
    tags = {"ID3v1": id3v1, "APE": ape + bytes(size) + footer, "ID3v2": _id3(size)}
    name = str(shop.rng.choice(tuple(tags)))
    return same(recording, recording.content + tags[name], f"{name} behind")


def zeros_behind(recording: Recording, shop: Workshop) -> Recording:
    """Zeros, with which disks and recorders fill up a block."""
    count = int(shop.rng.choice((1, 3, 512, 4096, 65_536)))
    return same(recording, recording.content + bytes(count), f"{count} zeros behind")


def junk_behind(recording: Recording, shop: Workshop) -> Recording:
    """Something of another file at the end."""
    count = int(shop.rng.choice((1, 3, 100, 5000, 40_000)))
    return same(recording, recording.content + shop.rng.bytes(count), f"{count} bytes of junk behind")


def tag_before(recording: Recording, shop: Workshop) -> Recording:
    """An ID3v2 tag in front, of a title or with a picture."""
    size = int(shop.rng.choice((20, 2000, 60_000)))
    return same(recording, _id3(size) + recording.content, f"ID3v2 of {size} bytes before")


def junk_before(recording: Recording, shop: Workshop) -> Recording | None:
    """Something else in front, of formats that are looked for in a stream."""
    if recording.format.container not in ("mp3", "mp2", "adts", "ac3", "eac3", "mpegts", "mpegps"):
        return None
    count = int(shop.rng.choice((1, 50, 1000, 5000)))
    return same(recording, shop.rng.bytes(count) + recording.content, f"{count} bytes of junk before")


def flipped(recording: Recording, shop: Workshop) -> Recording:
    """Some bytes behind the header are other ones."""
    content = bytearray(recording.content)
    places = _middle(recording, shop, size=int(shop.rng.integers(1, 40)))
    for place in places:
        content[place] ^= int(shop.rng.integers(1, 256))
    return damaged(recording, bytes(content), f"{len(places)} bytes flipped")


def zeroed(recording: Recording, shop: Workshop) -> Recording:
    """A sector or more of zeros in the middle."""
    start = int(_middle(recording, shop, size=1)[0])
    count = min(len(recording.content) - start, int(shop.rng.choice((512, 4096, 20_000))))
    content = recording.content[:start] + bytes(count) + recording.content[start + count :]
    return damaged(recording, content, f"{count} bytes zeroed at {start}")


def bytes_lost(recording: Recording, shop: Workshop) -> Recording:
    """Some bytes of the middle are missing."""
    start = int(_middle(recording, shop, size=1)[0])
    count = min(len(recording.content) - start, int(shop.rng.choice((1, 188, 1460, 20_000))))
    content = recording.content[:start] + recording.content[start + count :]
    return damaged(recording, content, f"{count} bytes lost at {start}")


def no_index(recording: Recording, shop: Workshop) -> Recording | None:
    """The index is missing."""
    for name, other in _INDEX.items():
        at = recording.content.find(name)
        if at >= 0:
            content = recording.content[:at] + other + recording.content[at + 4 :]
            return damaged(recording, content, f"without {name.decode()}")
    return None


def _joined(recording: Recording, other: Recording, what: str) -> Recording:
    return longer(recording, other, recording.content + other.content, what)


def _data_chunk(content: bytes) -> range | None:
    """The chunk with the samples, head included."""
    if content[:4] not in _CHUNKED or content[8:12] == b"AVI ":
        return None
    for name, body, size in chunks(content):
        if name in (b"data", b"SSND"):
            return range(body - 8, min(len(content), body + size))
    return None


def _chunk(content: bytes, shop: Workshop) -> bytes:
    size = int(shop.rng.choice((0, 5, 26, 3000, 40_000)))
    name = (b"LIST", b"junk", b"iXML", b"bext", b"id3 ")[int(shop.rng.integers(5))]
    order = ">" if content[:4] in (b"RIFX", b"FORM") else "<"
    return struct.pack(f"{order}4sI", name, size) + bytes(size + size % 2)


def _id3(size: int) -> bytes:
    """A tag whose only frame is a comment of `size` bytes."""
    seven_bits = bytes(size + 10 >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + seven_bits + b"COMM" + size.to_bytes(4, "big") + b"\0\0" + b"c" * size


def _middle(recording: Recording, shop: Workshop, *, size: int) -> list[int]:
    end = len(recording.content)
    return [int(place) for place in shop.rng.integers(min(end - 1, max(end // 10, 200)), end, size=size)]
