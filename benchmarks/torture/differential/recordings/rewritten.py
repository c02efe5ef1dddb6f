"""What recorders and multiplexers do: files written into a pipe, with lost packets, holes in their times, other order.

Faults as in `faults`, made by writing the file anew.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.torture.differential.ffmpeg import packet_seconds
from benchmarks.torture.differential.recordings.faults import cut
from benchmarks.torture.differential.recordings.formats import ffmpeg
from benchmarks.torture.differential.recordings.recording import Recording, Workshop, damaged, recorded, same


def piped(recording: Recording, shop: Workshop) -> Recording | None:
    """Written into a pipe, so that no size could be entered afterwards."""
    return recorded(recording.format, shop, piped=True) if recording.format.pipes else None


def killed(recording: Recording, shop: Workshop) -> Recording | None:
    """The recorder was killed: no sizes, and the end is missing."""
    made = piped(recording, shop)
    return made and cut(made, shop)


def packets_lost(recording: Recording, shop: Workshop) -> Recording | None:
    """Packets are missing: every n-th, or a run of them."""
    each = int(shop.rng.integers(7, 40))
    start = int(shop.rng.integers(20, 150))
    drop = (f"not(mod(n,{each}))", f"between(n,{start},{start + each})")[int(shop.rng.integers(2))]
    content = _copied(recording, shop, "-bsf:a", f"noise=amount=0:drop='gt(n,10)*{drop}'")
    if not content:
        return None
    made = damaged(recording, content, f"packets lost ({drop})")
    left_s = max(packet_seconds(shop.folder / f"new{recording.format.suffix}"), default=0.0)
    return replace(made, spoken_s=min(recording.spoken_s, left_s)) if left_s else made


def time_hole(recording: Recording, shop: Workshop) -> Recording | None:
    """The times of the packets jump, as when a call was on hold and nothing was written."""
    start, gap_s = int(shop.rng.integers(20, 150)), float(shop.rng.choice((0.5, 2.0, 7.0)))
    content = _copied(recording, shop, "-bsf:a", f"setts=ts='TS+gt(N,{start})*{gap_s}/TB'")
    if not content:
        return None
    made = damaged(recording, content, f"times jump by {gap_s:g} s behind packet {start}")
    return replace(made, spoken_s=recording.spoken_s + gap_s, most_s=recording.most_s + gap_s)


def index_first(recording: Recording, shop: Workshop) -> Recording | None:
    """The index of an MP4 file stands in front."""
    if recording.content[4:8] != b"ftyp" or recording.format.container == "mp4-fragmented":
        return None
    content = _copied(recording, shop, "-movflags", "faststart")
    return content and same(recording, content, "index first")


def _copied(recording: Recording, shop: Workshop, *options: str) -> bytes | None:
    """Written anew by ffmpeg without decoding; None where it cannot."""
    format = recording.format
    old, new = shop.folder / f"old{format.suffix}", shop.folder / f"new{format.suffix}"
    if format.container in (
        "rifx",
        "wavex",
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
