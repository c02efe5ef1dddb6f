"""Which recordings are in a file: one, or several one behind the other, each with what is known of its container.

Recorders append, chains of Ogg and joined MP3s are common, and tags lie between. The content decides, never the name,
unless the content has no header. Used by recording. Positions and sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO

from sertag.audio.containers.chunks.layouts import aiff_layout, au_layout, caf_layout, riff_layout
from sertag.audio.containers.chunks.voc import voc_layout
from sertag.audio.containers.frames.amr import amr_layout
from sertag.audio.containers.frames.flac import flac_layout
from sertag.audio.containers.frames.mp3 import mpeg_layout
from sertag.audio.containers.frames.sync import find_frames
from sertag.audio.containers.layout import Layout
from sertag.audio.containers.marked import ircam_layout, nist_layout, tta_layout, wavpack_layout
from sertag.audio.containers.packets.mp4 import mp4_layout
from sertag.audio.containers.packets.ogg import ogg_layout
from sertag.audio.containers.packets.streamed import asf_layout, avi_layout, flv_layout, matroska_layout
from sertag.audio.containers.tags import skip_filler, skip_tags, trim
from sertag.audio.filetype import HEAD_BYTES, Content, Decoder, next_recording, sniff
from sertag.audio.headerless import RawFormat, contradiction, raw_format
from sertag.audio.streams import length, read_at
from sertag.errors import DecodeError
from sertag.records import Problem
from sertag.text import display_name

_MEASURES: dict[str, Callable[..., Layout]] = {
    "wav": riff_layout,
    "w64": riff_layout,
    "aiff": aiff_layout,
    "au": au_layout,
    "caf": caf_layout,
    "voc": voc_layout,
    "flac": flac_layout,
    "ogg": ogg_layout,
    "mov": mp4_layout,
    "matroska": matroska_layout,
    "asf": asf_layout,
    "flv": flv_layout,
    "avi": avi_layout,
    "amr": amr_layout,
    "tta": tta_layout,
    "wv": wavpack_layout,
    "nistsphere": nist_layout,
    "ircam": ircam_layout,
}
_MPEG_CODECS = (0x50, 0x55)  # format tags of WAV files that hold MPEG audio
_MOST_PARTS = 10_000
_SEARCH_BYTES = 1 << 16  # how far a recording may begin behind something unknown
_FEW_BYTES = 8  # behind the end that nobody misses
_RAW_HINT = "; if it is samples without a header, --raw says how they are written, as in --raw ulaw:8000:1"


@dataclass(frozen=True, slots=True)
class Part:
    """One recording in a file: what it is, where it begins, what is known of it; `raw` where it has no header."""

    content: Content
    start: int
    layout: Layout
    raw: RawFormat | None = None


def find_parts(path: str, stream: BinaryIO, *, raw: str | None = None) -> tuple[list[Part], list[Problem]]:
    """Find the recordings of a file.

    Args:
        path: for messages and the suffix of files without a header.
        stream: seekable; its position is not kept.
        raw: how the samples of files without a header are written (`--raw`).

    Returns:
        The recordings in order, at least one, and what has to be said about what follows the last one.

    Raises:
        DecodeError: `empty_file`, `not_audio`.
    """
    name, size_bytes = display_name(path), length(stream)
    if not size_bytes:
        raise DecodeError(f"{name}: is empty (0 bytes), expected audio; was it copied completely?", code="empty_file")
    start = skip_tags(stream, 0, size_bytes)
    content = sniff(read_at(stream, start, HEAD_BYTES))
    form = raw_format(path, raw)
    if form is not None and not content.certain and not _is_mpeg(stream, content, start, size_bytes):
        return [_headerless(name, stream, form, size_bytes)], []
    first = _first(stream, content, start, size_bytes)
    if first is None:
        hint = _RAW_HINT if content.decoder is Decoder.UNKNOWN else ""
        raise DecodeError(f"{name}: is {content.name}, expected audio{hint}", code="not_audio")
    parts: list[Part] = []
    following: Part | None = first
    while following is not None:
        parts.append(following)
        behind = _behind_tags(stream, following.layout.end, size_bytes)
        following = _following(stream, behind, size_bytes) if len(parts) < _MOST_PARTS else None
    rest = size_bytes - behind
    message = f"{rest} bytes behind its end are nothing that is known here and were not read"
    return parts, [Problem("trailing_data", message)] if rest >= _FEW_BYTES else []


def _first(stream: BinaryIO, content: Content, start: int, size_bytes: int) -> Part | None:
    """The recording that begins at a position, or a little behind something unknown there; None where none does."""
    layout = _measure(stream, content, start, size_bytes)
    if layout is not None:
        return Part(content, start, layout)
    if content.decoder is not Decoder.UNKNOWN:
        return None
    stop = min(size_bytes, start + _SEARCH_BYTES)
    place = next_recording(stream, start, stop)
    frames = find_frames(stream, start, place)
    place = place if frames is None else frames
    found = sniff(read_at(stream, place, HEAD_BYTES))
    layout = _measure(stream, found, place, size_bytes) if place < stop else None
    if layout is None:
        return None
    note = Problem("truncated", f"{place - start} bytes in front of it are nothing that is known here")
    return Part(found, place, replace(layout, notes=(note, *layout.notes)))


def _following(stream: BinaryIO, start: int, size_bytes: int) -> Part | None:
    """The recording that begins at a position behind another one; None where there is none."""
    if size_bytes - start < _FEW_BYTES:
        return None
    content = sniff(read_at(stream, start, HEAD_BYTES))
    if content.decoder is Decoder.NONE or (content.decoder is not Decoder.UNKNOWN and not content.certain):
        return None
    layout = _measure(stream, content, start, size_bytes)
    return None if layout is None or layout.end <= start else Part(content, start, layout)


def _behind_tags(stream: BinaryIO, end: int, size_bytes: int) -> int:
    """The position behind tags and filler; some recordings begin with zeros themselves."""
    start = skip_tags(stream, end, size_bytes)
    if sniff(read_at(stream, start, HEAD_BYTES)).certain:
        return start
    return skip_tags(stream, skip_filler(stream, start, size_bytes), size_bytes)


def _is_mpeg(stream: BinaryIO, content: Content, start: int, size_bytes: int) -> bool:
    """Whether most of a file is frames of MPEG audio, which has no signature."""
    layout = mpeg_layout(stream, start=start, size_bytes=size_bytes) if content.decoder is Decoder.UNKNOWN else None
    return layout is not None and 2 * sum(map(len, layout.pieces)) > size_bytes


def _headerless(name: str, stream: BinaryIO, form: RawFormat, size_bytes: int) -> Part:
    reason = contradiction(form, read_at(stream, 0, HEAD_BYTES))
    if reason:
        message = f"{name}: is taken for {form.name}, but {reason}; --raw says how it is written, as in --raw ulaw:8000"
        raise DecodeError(message, code="not_audio")
    decoder = Decoder.AV if form.av_format else Decoder.SNDFILE
    return Part(Content(f"a file of {form.name}", decoder, form.av_format), 0, Layout(size_bytes), form)


def _measure(stream: BinaryIO, content: Content, start: int, size_bytes: int) -> Layout | None:
    """What is known of a container; None where it is no audio."""
    if content.decoder is Decoder.UNKNOWN:
        return mpeg_layout(stream, start=start, size_bytes=size_bytes)
    if content.decoder is Decoder.NONE:
        return None
    measure = _MEASURES.get(content.format)
    layout = measure(stream, start=start, size_bytes=size_bytes) if measure else Layout(trim(stream, start, size_bytes))
    if layout.codec in _MPEG_CODECS and layout.sounds:
        frames = mpeg_layout(stream, start=layout.sounds[0].start, size_bytes=layout.sounds[-1].stop)
        if frames is not None:
            return replace(frames, end=layout.end, declared_ratio=max(frames.declared_ratio, layout.declared_ratio))
    return layout
