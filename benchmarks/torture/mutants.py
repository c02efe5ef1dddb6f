"""Recordings broken in every way that a seed can think of: what `benchmarks.torture` feeds to the decoders.

Sound files of every format are made from real clips (those of SERTAG_DATA where they are, else the example calls), and
mutant number n of a seed is always the same bytes: one to three of flipped bits, cuts, holes, repetitions, noise,
splices with another format, and headers that lie.
"""

from __future__ import annotations

import importlib.util
import io
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from benchmarks.call_material import data_folder

CLIP_S = 3.0
_EXAMPLES = Path(__file__).parents[2] / "examples" / "calls"
_PREFIX_BYTES = 100_000  # of compressed files that are taken as they are
_HEADER_BYTES = 512  # where most of what a decoder believes stands
_AS_THEY_ARE = ("*/*.opus", "*/*/*.opus", "ravdess/*/*.flac", "tess/*/*.flac", "calls/*.mp3", "calls/*.m4a")

# What libsndfile writes: (container, encoding, rate in Hz).
_SNDFILE = (
    *(("WAV", subtype, 8000) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("WAV", subtype, 8000) for subtype in ("GSM610", "IMA_ADPCM", "MS_ADPCM", "G721_32", "NMS_ADPCM_16")),
    *((container, "PCM_16", 16_000) for container in ("WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC")),
    *(("AIFF", "IMA_ADPCM", 8000), ("CAF", "ALAC_16", 16_000), ("VOC", "ULAW", 8000), ("IRCAM", "ULAW", 8000)),
    *(("OGG", "VORBIS", 16_000), ("OGG", "OPUS", 16_000), ("MP3", "MPEG_LAYER_III", 16_000), ("SVX", "PCM_16", 8000)),
)
# What PyAV writes: (container, encoding, rate in Hz).
_AV = (
    *(("mp4", "aac", 16_000), ("adts", "aac", 16_000), ("matroska", "aac", 16_000), ("webm", "libopus", 48_000)),
    *(("ac3", "ac3", 48_000), ("flv", "aac", 44_100), ("mpegts", "aac", 48_000), ("wv", "wavpack", 16_000)),
    *(("tta", "tta", 16_000), ("avi", "mp2", 48_000), ("caf", "alac", 16_000), ("asf", "wmav2", 44_100)),
)
_NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 48)

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Source:
    """A sound recording to be broken: a name for reports, and its bytes."""

    name: str
    content: bytes


def sources() -> list[Source]:
    """Sound recordings of every format, always in the same order."""
    clip, rate_hz = _clip()
    found = [Source(f"{path.parent.name}{path.suffix}", _prefix(path)) for path in _files_as_they_are()]
    for container, subtype, wanted_hz in _SNDFILE:
        samples = soxr.resample(clip, rate_hz, wanted_hz)
        stereo = samples[:, :1] if container == "SVX" or subtype in ("G721_32", "NMS_ADPCM_16", "GSM610") else samples
        found.append(Source(f"{container}-{subtype}".lower(), _by_sndfile(stereo, wanted_hz, container, subtype)))
    if importlib.util.find_spec("av"):
        for container, codec, wanted_hz in _AV:
            samples = soxr.resample(clip, rate_hz, wanted_hz)
            found.append(Source(f"{container}-{codec}", _by_av(samples, wanted_hz, container, codec)))
        found.append(Source("amr", _amr()))
    return found


def mutant(number: int, *, seed: int, among: list[Source]) -> Source:
    """A broken recording.

    Args:
        number: which one.
        seed: of all of them.
        among: what there is to break.

    >>> sound = [Source("a", bytes(range(200))), Source("b", b"b" * 300)]
    >>> mutant(7, seed=1, among=sound) == mutant(7, seed=1, among=sound) != mutant(8, seed=1, among=sound)
    True
    """
    rng = np.random.default_rng((seed, number))
    source = among[int(rng.integers(len(among)))]
    content = source.content
    for _ in range(int(rng.integers(1, 4))):
        change = _CHANGES[int(rng.integers(len(_CHANGES)))]
        content = change(content, rng, among[int(rng.integers(len(among)))].content)
    return Source(source.name, content)


def _place(content: bytes, rng: np.random.Generator) -> int:
    """A position, every second time in the header."""
    end = min(_HEADER_BYTES, len(content)) if rng.integers(2) else len(content)
    return int(rng.integers(end + 1))


def _stretch(content: bytes, rng: np.random.Generator) -> tuple[int, int]:
    start = _place(content, rng)
    return start, min(len(content), start + int(rng.geometric(1 / 200)))


def _flipped(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.geometric(0.1)) if content else 0):
        changed[_place(content, rng) % len(content)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    return content[: _place(content, rng)]


def _beheaded(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    return content[_place(content, rng) :]


def _with_hole(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    start, end = _stretch(content, rng)
    return content[:start] + content[end:]


def _repeating(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    start, end = _stretch(content, rng)
    return content[:end] + content[start:end] * int(rng.integers(1, 20)) + content[end:]


def _with_noise(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    start, end = _stretch(content, rng)
    noise = (b"\0" * (end - start), b"\xff" * (end - start), rng.bytes(end - start))[int(rng.integers(3))]
    return content[:start] + noise + content[end if rng.integers(2) else start :]


def _spliced(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    return content[: _place(content, rng)] + other[_place(other, rng) :]


def _lying(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """A number in the header is another one."""
    code = "BHIQ"[int(rng.integers(4))]
    number = _NUMBERS[int(rng.integers(len(_NUMBERS)))] & (1 << 8 * struct.calcsize(code)) - 1
    lie = struct.pack("<>"[int(rng.integers(2))] + code, number)
    start = int(rng.integers(min(_HEADER_BYTES, len(content)) + 1))
    return content[:start] + lie + content[start + len(lie) :]


_CHANGES: tuple[Callable[[bytes, np.random.Generator, bytes], bytes], ...] = (
    *(_flipped, _flipped, _cut, _beheaded, _with_hole, _repeating, _with_noise, _spliced),
    *(_lying, _lying, _lying),
)


def _files_as_they_are() -> Iterator[Path]:
    """One recording of each kind that nobody has encoded anew, and the example calls."""
    folder = data_folder()
    for pattern in _AS_THEY_ARE:
        yield from sorted(folder.glob(pattern))[:1]
    yield min(_EXAMPLES.glob("*order*.wav"))


def _clip() -> tuple[Samples, int]:
    """Speech on two channels, float32 (n, 2), and its rate in Hz."""
    calls = [*sorted((data_folder() / "calls").glob("auto*.wav")), *_EXAMPLES.glob("*complaint*.wav")]
    samples, rate_hz = soundfile.read(calls[0], dtype="float32", always_2d=True)
    start = 2 * rate_hz
    return samples[start : start + round(CLIP_S * rate_hz), :2], rate_hz


def _prefix(path: Path) -> bytes:
    content = path.read_bytes()
    return content if path.suffix == ".m4a" else content[:_PREFIX_BYTES]


def _amr() -> bytes:
    """Frames of random bits, 12.2 kbit/s (RFC 4867, 5.3): FFmpeg has no encoder, and any bits are a sound."""
    rng = np.random.default_rng(0)
    return b"#!AMR\n" + b"".join(b"\x3c" + rng.bytes(31) for _ in range(round(CLIP_S / 0.02)))


def _by_sndfile(samples: Samples, rate_hz: int, container: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format=container, subtype=subtype)
    return without_chance(buffer.getvalue())


def without_chance(content: bytes) -> bytes:
    """The same sound without the time of writing (WAV of floats) and the random number of the stream (Ogg)."""
    changed = bytearray(content)
    if (peak := content.find(b"PEAK")) >= 0:
        changed[peak + 12 : peak + 16] = bytes(4)
    pages = [match.start() for match in re.finditer(rb"OggS\0", content)]
    for start, end in pairwise([*pages, len(content)]):
        changed[start + 14 : start + 18] = bytes(4)
        changed[start + 22 : start + 26] = bytes(4)
        changed[start + 22 : start + 26] = ogg_checksum(changed[start:end]).to_bytes(4, "little")
    return bytes(changed)


def ogg_checksum(page: bytes) -> int:
    """CRC-32 of RFC 3533, 6: polynomial 0x04c11db7, nothing reflected or inverted."""
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    return checksum


def _by_av(samples: Samples, rate_hz: int, container: str, codec: str) -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream(codec, rate=rate_hz)
        stream.layout, stream.bit_rate = "stereo", 64_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate = rate_hz
        size = stream.codec_context.frame_size or None
        resampler = av.AudioResampler(stream.codec_context.format, "stereo", rate_hz, frame_size=size)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return buffer.getvalue()
