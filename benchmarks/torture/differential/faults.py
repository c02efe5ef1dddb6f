"""What recorders, disks, pipes and people do to recordings: one fault each, applied to the bytes of a file.

A fault takes a recording and gives another, or None where it means nothing for such a file. It says what the new file
holds by construction, because ffmpeg believes wrong headers too: `held_s` is None as soon as something of the sound was
damaged, so that only a decoder can say how much is left.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.torture.differential.fields import changed, chunks, fields, value
from benchmarks.torture.differential.formats import Format, ffmpeg
from benchmarks.torture.differential.recording import Recording, Workshop, damaged_content, same_content
from benchmarks.torture.differential.speech import sound
from benchmarks.torture.differential.surroundings import junk_before, junk_behind, tag_before, tag_behind, zeros_behind

_CHUNKED = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM")
_INDEX = {b"moov": b"free", b"idx1": b"JUNK", b"mfra": b"free"}


Fault = Callable[[Recording, Workshop], Recording | None]
_SECOND_SHARE = 0.3  # of the cases have two faults


def case(seed: int, *, folder: Path, clips: tuple[Path, ...], among: tuple[Format, ...]) -> Recording:
    """The damaged recording of a seed, always the same; seeds that follow each other go through the formats in turn.

    Args:
        seed: which one.
        folder: to work in, empty.
        clips: speech.
        among: formats.
    """
    shop = Workshop(folder, clips, np.random.default_rng(seed))
    recording = recorded(among[seed % len(among)], shop)
    recording = _one_of(FIRST, recording, shop)
    return _one_of(SECOND, recording, shop) if shop.rng.random() < _SECOND_SHARE else recording


def recorded(format: Format, shop: Workshop, *, piped: bool = False, **fixed: int) -> Recording:
    """A sound recording of a format; `fixed` are `rate_hz` or `channels` that it must have."""
    rng = shop.rng
    rate_hz = fixed.get("rate_hz") or int(rng.choice(format.rates_hz))
    channels = fixed.get("channels") or int(rng.choice(format.channels))
    speech = sound(shop.clips, rng, rate_hz=rate_hz, channels=channels, tracks=format.tracks)
    content = format.make(speech, shop.folder, piped)
    faults = ("piped",) if piped else ()
    return Recording(format, content, rate_hz, channels, speech.seconds, speech.seconds, faults)


def none(recording: Recording, shop: Workshop) -> Recording:
    """Nothing."""
    return recording


def piped(recording: Recording, shop: Workshop) -> Recording | None:
    """Written into a pipe, so that no size could be entered afterwards."""
    return recorded(recording.format, shop, piped=True) if recording.format.pipes else None


def killed(recording: Recording, shop: Workshop) -> Recording | None:
    """The recorder was killed: no sizes, and the end is missing."""
    made = piped(recording, shop)
    return made and cut(made, shop)


def cut(recording: Recording, shop: Workshop) -> Recording:
    """Only a part of it was copied."""
    size = int(shop.rng.uniform(0.05, 0.999) * len(recording.content))
    return damaged_content(recording, recording.content[:size], f"cut at {size}")


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
    held_s = None if set(names) & set(_TRIMS) else recording.held_s
    faults = (*recording.faults, f"sizes {how} ({','.join(names)})")
    return replace(recording, content=content, held_s=held_s, faults=faults)


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
    content = recording.content[: data.stop] + bytes((data.stop - data.start) % 2)
    content += other.content[more.start : more.stop] if more else b""
    seconds = recording.most_s + other.most_s
    held_s = None if recording.held_s is None else seconds
    return replace(
        recording, content=content, held_s=held_s, most_s=seconds, faults=(*recording.faults, "two data chunks")
    )


def chunk_before(recording: Recording, shop: Workshop) -> Recording | None:
    """A chunk of something else in front of the sound."""
    if recording.content[:4] not in _CHUNKED:
        return None
    extra = _chunk(recording.content, shop)
    return same_content(recording, recording.content[:12] + extra + recording.content[12:], "chunk before")


def chunk_behind(recording: Recording, shop: Workshop) -> Recording | None:
    """A chunk of something else at the end."""
    if recording.content[:4] not in _CHUNKED:
        return None
    pad = bytes(len(recording.content) % 2)
    return same_content(recording, recording.content + pad + _chunk(recording.content, shop), "chunk behind")


def flipped(recording: Recording, shop: Workshop) -> Recording:
    """Some bytes behind the header are other ones."""
    content = bytearray(recording.content)
    places = _middle(recording, shop, size=int(shop.rng.integers(1, 40)))
    for place in places:
        content[place] ^= int(shop.rng.integers(1, 256))
    return damaged_content(recording, bytes(content), f"{len(places)} bytes flipped")


def zeroed(recording: Recording, shop: Workshop) -> Recording:
    """A sector or more of zeros in the middle."""
    start = int(_middle(recording, shop, size=1)[0])
    count = min(len(recording.content) - start, int(shop.rng.choice((512, 4096, 20_000))))
    content = recording.content[:start] + bytes(count) + recording.content[start + count :]
    return damaged_content(recording, content, f"{count} bytes zeroed at {start}")


def bytes_lost(recording: Recording, shop: Workshop) -> Recording:
    """Some bytes of the middle are missing."""
    start = int(_middle(recording, shop, size=1)[0])
    count = min(len(recording.content) - start, int(shop.rng.choice((1, 188, 1460, 20_000))))
    content = recording.content[:start] + recording.content[start + count :]
    return damaged_content(recording, content, f"{count} bytes lost at {start}")


def packets_lost(recording: Recording, shop: Workshop) -> Recording | None:
    """Packets are missing: every n-th, or a run of them."""
    each = int(shop.rng.integers(7, 40))
    start = int(shop.rng.integers(20, 150))
    drop = (f"not(mod(n,{each}))", f"between(n,{start},{start + each})")[int(shop.rng.integers(2))]
    content = _copied(recording, shop, "-bsf:a", f"noise=amount=0:drop='gt(n,10)*{drop}'")
    return content and damaged_content(recording, content, f"packets lost ({drop})")


def time_hole(recording: Recording, shop: Workshop) -> Recording | None:
    """The times of the packets jump, as when a call was on hold and nothing was written."""
    start, gap_s = int(shop.rng.integers(20, 150)), float(shop.rng.choice((0.5, 2.0, 7.0)))
    content = _copied(recording, shop, "-bsf:a", f"setts=ts='TS+gt(N,{start})*{gap_s}/TB'")
    if not content:
        return None
    made = damaged_content(recording, content, f"times jump by {gap_s:g} s behind packet {start}")
    return replace(made, most_s=recording.most_s + gap_s)


def no_index(recording: Recording, shop: Workshop) -> Recording | None:
    """The index is missing."""
    for name, other in _INDEX.items():
        at = recording.content.find(name)
        if at >= 0:
            content = recording.content[:at] + other + recording.content[at + 4 :]
            return damaged_content(recording, content, f"without {name.decode()}")
    return None


def index_first(recording: Recording, shop: Workshop) -> Recording | None:
    """The index of an MP4 file stands in front."""
    if recording.content[4:8] != b"ftyp" or recording.format.container == "mp4-fragmented":
        return None
    content = _copied(recording, shop, "-movflags", "faststart")
    return content and same_content(recording, content, "index first")


FIRST: tuple[Fault, ...] = (  # what stands twice comes twice as often
    *(none, cut, cut, sizes, sizes, sizes, joined, joined, joined_other, two_data, chunk_before, chunk_behind),
    *(tag_behind, zeros_behind, junk_behind, tag_before, junk_before, flipped, zeroed, bytes_lost),
    *(packets_lost, time_hole, piped, killed, no_index, index_first),
)
SECOND: tuple[Fault, ...] = (cut, sizes, tag_behind, zeros_behind, junk_behind, flipped, zeroed, bytes_lost)


def _one_of(choice: tuple[Fault, ...], recording: Recording, shop: Workshop) -> Recording:
    while True:
        fault = choice[int(shop.rng.integers(len(choice)))]
        made = fault(recording, shop)
        if made is not None:
            return replace(made, kinds=(*recording.kinds, fault.__name__))


def _joined(recording: Recording, other: Recording, what: str) -> Recording:
    seconds = recording.most_s + other.most_s
    held_s = None if recording.held_s is None else seconds
    content = recording.content + other.content
    return replace(recording, content=content, held_s=held_s, most_s=seconds, faults=(*recording.faults, what))


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


def _middle(recording: Recording, shop: Workshop, *, size: int) -> list[int]:
    end = len(recording.content)
    return [int(place) for place in shop.rng.integers(min(end - 1, max(end // 10, 200)), end, size=size)]


def _copied(recording: Recording, shop: Workshop, *options: str) -> bytes | None:
    """Written anew by ffmpeg without decoding; None where it cannot."""
    format = recording.format
    old, new = shop.folder / f"old{format.suffix}", shop.folder / f"new{format.suffix}"
    if format.container in (
        "wav",
        "rf64",
        "bw64",
        "w64",
        "au",
        "au-little",
        "caf",
        "aiff",
        "aifc",
        "voc",
        "nist",
        "ircam",
    ):
        return None  # no packets in these
    old.write_bytes(recording.content)
    exact = ("-fflags", "+bitexact", "-strict", "-2", "-max_interleave_delta", "0")
    try:
        ffmpeg("-i", str(old), "-map", "0", "-c", "copy", *options, *exact, "-f", format.muxer, str(new))
    except RuntimeError:
        return None
    return new.read_bytes() or None
