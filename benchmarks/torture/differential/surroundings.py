"""Faults around a recording: tags, zeros and junk in front of it and behind it."""

from __future__ import annotations

import struct

from benchmarks.torture.differential.recording import Recording, Workshop, same_content


def tag_behind(recording: Recording, shop: Workshop) -> Recording:
    """A tag at the end, of one of three kinds."""
    size = int(shop.rng.integers(20, 20_000))
    id3v1 = b"TAG" + b"A call".ljust(125, b"\0")
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, size + 32, 1, 0x80000000)
    footer = b"APETAGEX" + struct.pack("<IIII8x", 2000, size + 32, 1, 0x80000000 & 0)
    tags = {"ID3v1": id3v1, "APE": ape + bytes(size) + footer, "ID3v2": _id3(size)}
    name = str(shop.rng.choice(tuple(tags)))
    return same_content(recording, recording.content + tags[name], f"{name} behind")


def zeros_behind(recording: Recording, shop: Workshop) -> Recording:
    """Zeros, with which disks and recorders fill up a block."""
    count = int(shop.rng.choice((1, 3, 512, 4096, 65_536)))
    return same_content(recording, recording.content + bytes(count), f"{count} zeros behind")


def junk_behind(recording: Recording, shop: Workshop) -> Recording:
    """Something of another file at the end."""
    count = int(shop.rng.choice((1, 3, 100, 5000, 40_000)))
    return same_content(recording, recording.content + shop.rng.bytes(count), f"{count} bytes of junk behind")


def tag_before(recording: Recording, shop: Workshop) -> Recording:
    """An ID3v2 tag in front, of a title or with a picture."""
    size = int(shop.rng.choice((20, 2000, 60_000)))
    return same_content(recording, _id3(size) + recording.content, f"ID3v2 of {size} bytes before")


def junk_before(recording: Recording, shop: Workshop) -> Recording | None:
    """Something else in front, of formats that are looked for in a stream."""
    if recording.format.container not in ("mp3", "mp2", "adts", "ac3", "eac3", "mpegts", "mpegps"):
        return None
    count = int(shop.rng.choice((1, 50, 1000, 5000)))
    return same_content(recording, shop.rng.bytes(count) + recording.content, f"{count} bytes of junk before")


def _id3(size: int) -> bytes:
    """A tag whose only frame is a comment of `size` bytes."""
    seven_bits = bytes(size + 10 >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + seven_bits + b"COMM" + size.to_bytes(4, "big") + b"\0\0" + b"c" * size
