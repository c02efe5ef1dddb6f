"""What is in a file: one recording, or several one behind the other, each opened with the decoder that can read it.

Recorders append, chains of Ogg and joined MP3s are common, and tags lie between. The content decides, never the name,
unless the content has no header. Where the first decoder refuses or stops, the second one is asked.

Used by decode. Positions and sizes are in bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Protocol

import numpy as np
import soxr

from sertag.audio.containers.chunked import aiff_layout, au_layout, caf_layout, riff_layout
from sertag.audio.containers.flac import flac_layout
from sertag.audio.containers.layout import Layout
from sertag.audio.containers.mp3 import mpeg_layout
from sertag.audio.containers.mp4 import mp4_layout
from sertag.audio.containers.ogg import ogg_layout
from sertag.audio.containers.streamed import (
    amr_layout,
    asf_layout,
    avi_layout,
    flv_layout,
    matroska_layout,
    tta_layout,
    wavpack_layout,
)
from sertag.audio.containers.tags import skip_filler, skip_tags, trim
from sertag.audio.filetype import HEAD_BYTES, Content, Decoder, next_recording, sniff, transport_stream_start
from sertag.audio.headerless import RawFormat, contradiction, raw_format
from sertag.audio.pyav import AvReader, BrokenError
from sertag.audio.sndfile import NoSamplesError, SndfileReader, TooManyChannelsError
from sertag.audio.streams import Spliced, length, read_at
from sertag.errors import DecodeError
from sertag.names import display_name
from sertag.records import FloatArray, Problem

_MEASURES: dict[str, Callable[..., Layout]] = {
    "wav": riff_layout,
    "w64": riff_layout,
    "aiff": aiff_layout,
    "au": au_layout,
    "caf": caf_layout,
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
}
_SNDFILE_CODECS = (0x01, 0x02, 0x03, 0x06, 0x07, 0x11, 0x31, 0x40, 0x55, 0xFFFE)  # format tags of WAV that it reads
_MPEG_CODECS = (0x50, 0x55)  # format tags of WAV files that hold MPEG audio
_MOST_PARTS = 10_000
_SEARCH_BYTES = 1 << 16  # how far a recording may begin behind something unknown
_FEW_BYTES = 8  # behind the end that nobody misses
_TOLERANCE_S = 0.25
_RAW_HINT = "; if it is samples without a header, --raw says how they are written, as in --raw ulaw:8000:1"


class Reader(Protocol):
    """A decoder at work on one recording."""

    channels: int
    rate_hz: int
    announced_samples: int  # of each channel, before anything is read; 0 where the header does not say

    def pieces(self) -> Iterator[FloatArray]:
        """Native samples, float32 (n, channels); each piece is valid until the next one."""

    def declared_samples(self, read: int) -> int:
        """Samples of each channel that the header declares, when `read` were there; `read` where it does not say."""

    def notes(self) -> list[Problem]:
        """What else was wrong, once everything is read."""

    def close(self) -> None:
        """Release the decoder."""


@dataclass(frozen=True, slots=True)
class Part:
    """One recording in a file: what it is, where it begins, what is known of it; `raw` where it has no header."""

    content: Content
    start: int
    layout: Layout
    raw: RawFormat | None = None


class Recording:
    """All recordings of a file as one, in the rate and the channels of the first.

    Attributes:
        channels, rate_hz: of the first recording.
        announced_samples: of each channel, before anything is read; 0 where no header says it.
        declared_samples: the same, of what was read so far and could have been.
        notes: what was wrong, complete once everything is read; the messages are parts of a sentence.
    """

    def __init__(self, path: str, stream: BinaryIO, *, raw: str | None = None) -> None:
        """Find the recordings and open the first one.

        Args:
            path: for messages and the suffix of files without a header.
            stream: seekable.
            raw: how the samples of files without a header are written (`--raw`).

        Raises:
            DecodeError: as `decode.open_audio` says.
        """
        self._path, self._stream = path, stream
        self._parts, notes = _find_parts(path, stream, raw)
        self._reader: Reader = _open(path, stream, self._parts[0])
        self.channels, self.rate_hz = self._reader.channels, self._reader.rate_hz
        self.announced_samples = self._reader.announced_samples
        self.declared_samples = 0
        self.notes = list(self._parts[0].layout.notes)
        self._last_notes = notes

    def pieces(self) -> Iterator[FloatArray]:
        """Native samples of the first recording, float32 (n, channels); each piece is valid until the next one."""
        yield from self._part_pieces(self._parts[0])
        for part in self._parts[1:]:
            self._reader.close()
            try:
                self._reader = _open(self._path, self._stream, part)
            except DecodeError as error:
                found = str(error).removeprefix(f"{display_name(self._path)}: ")
                self.notes.append(Problem("truncated", f"what follows at byte {part.start} {found}"))
                continue
            self.notes += part.layout.notes
            yield from self._conformed(part)
        self.notes += self._last_notes

    def close(self) -> None:
        """Release the decoder."""
        self._reader.close()

    def _part_pieces(self, part: Part) -> Iterator[FloatArray]:
        """What the first decoder reads, and behind that what the second one can where the first gave up."""
        reader, read, failure = self._reader, 0, ""
        try:
            for piece in reader.pieces():
                read += len(piece)
                yield piece
        except BrokenError as error:
            failure = str(error)
        declared = reader.declared_samples(read)
        self.notes += reader.notes()
        if isinstance(reader, SndfileReader) and (failure or _is_short(read, reader)):
            for piece in self._rest(part, read):
                failure = ""  # the second decoder says what is wrong
                yield piece
        if failure:
            self.notes.append(Problem("truncated", failure))
        self.declared_samples += round(max(declared, 0) * self.rate_hz / reader.rate_hz)

    def _rest(self, part: Part, read: int) -> Iterator[FloatArray]:
        """What the second decoder reads behind the place where the first one stopped."""
        av = _av()
        if av is None or part.raw is not None:
            return
        rate_hz, gained = self._reader.rate_hz, 0
        try:
            second = AvReader(
                av, _spliced(self._stream, part), format=part.content.format, layout=part.layout, rate_hz=rate_hz
            )
        except (BrokenError, DecodeError):  # then nobody reads it, as the first one has said
            return
        try:
            if second.channels == self._reader.channels:
                for piece in _behind(second.pieces(), read):
                    gained += len(piece)
                    yield piece
        except BrokenError as error:
            self.notes.append(Problem("truncated", str(error)))
        finally:
            second.close()
        if gained:
            self.notes.append(Problem("truncated", "damaged data in it were skipped"))
            self.notes += [note for note in second.notes() if note.code != "truncated"]

    def _conformed(self, part: Part) -> Iterator[FloatArray]:
        """Pieces in the rate and the channels of the first recording."""
        rate_hz, channels = self._reader.rate_hz, self._reader.channels
        pieces = self._part_pieces(part)
        if channels != self.channels:
            pieces = (_with_channels(piece, self.channels) for piece in pieces)
        if rate_hz != self.rate_hz:
            pieces = _resampled(pieces, rate_hz, self.rate_hz, self.channels)
        if (rate_hz, channels) != (self.rate_hz, self.channels):
            message = f"from byte {part.start} on it has {rate_hz} Hz and {channels} channel(s), which were converted"
            self.notes.append(Problem("format_changes", message))
        yield from pieces


def _find_parts(path: str, stream: BinaryIO, raw: str | None) -> tuple[list[Part], list[Problem]]:
    """The recordings of a file in order, at least one, and what has to be said about its end."""
    name, size_bytes = display_name(path), length(stream)
    if not size_bytes:
        raise DecodeError(f"{name}: is empty (0 bytes), expected audio; was it copied completely?", code="empty_file")
    start = skip_tags(stream, 0, size_bytes)
    head = read_at(stream, start, HEAD_BYTES)
    content = sniff(head)
    form = raw_format(path, raw)
    if form is not None and not content.certain and not _is_mpeg(stream, content, start, size_bytes):
        return [_headerless(name, stream, form, size_bytes)], []
    layout = _measure(stream, content, start, size_bytes)
    if layout is None and content.decoder is Decoder.UNKNOWN:
        content, start, layout = _behind_junk(stream, content, start, size_bytes)
    if layout is None:
        hint = _RAW_HINT if content.decoder is Decoder.UNKNOWN else ""
        raise DecodeError(f"{name}: is {content.name}, expected audio{hint}", code="not_audio")
    parts = [Part(content, start, layout)]
    while len(parts) < _MOST_PARTS:
        following = _following(stream, parts[-1].layout.end, size_bytes)
        if following is None:
            break
        parts.append(following)
    return parts, _behind_the_end(stream, parts[-1].layout.end, size_bytes)


def _behind_junk(stream: BinaryIO, content: Content, start: int, size_bytes: int) -> tuple[Content, int, Layout | None]:
    """The recording that begins a little behind something unknown, if one does."""
    place = next_recording(stream, start, min(size_bytes, start + _SEARCH_BYTES))
    found = sniff(read_at(stream, place, HEAD_BYTES))
    if not found.certain:
        place = start + transport_stream_start(read_at(stream, start, HEAD_BYTES))
        found = sniff(read_at(stream, place, HEAD_BYTES))
    layout = None if place == start else _measure(stream, found, place, size_bytes)
    if layout is None:
        return content, start, None
    note = Problem("truncated", f"{place - start} bytes in front of it are nothing that is known here")
    return found, place, replace(layout, notes=(note, *layout.notes))


def _following(stream: BinaryIO, end: int, size_bytes: int) -> Part | None:
    """The recording that begins behind another one; None where there is none."""
    start = _behind_tags(stream, end, size_bytes)
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


def _behind_the_end(stream: BinaryIO, end: int, size_bytes: int) -> list[Problem]:
    rest = size_bytes - _behind_tags(stream, end, size_bytes)
    if rest < _FEW_BYTES:
        return []
    return [Problem("trailing_data", f"{rest} bytes behind its end are nothing that is known here and were not read")]


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


def _open(path: str, stream: BinaryIO, part: Part) -> Reader:
    """Open a recording with the decoder for its content, or with the other one where that refuses."""
    name, content, layout = display_name(path), part.content, part.layout
    if layout.sounds and not any(layout.sounds):
        raise no_samples(path)
    by_av = content.decoder is Decoder.AV or (layout.prefers_av and _av() is not None)
    if not by_av:
        try:
            return SndfileReader(_source(stream, part), layout, raw=part.raw)
        except TooManyChannelsError:
            raise DecodeError(f"{name}: has more channels than can be read", code="too_many_channels") from None
        except NoSamplesError:
            if _av() is None or not layout.sounds:
                raise no_samples(path) from None
        except BrokenError as error:
            content = _with_codec(content, layout)
            if _av() is None:
                found = "" if content.decoder is Decoder.AV else str(error)
                raise _needs_av(name, content, found) from error
    return _open_av(name, stream, replace(part, content=content))


def _open_av(name: str, stream: BinaryIO, part: Part) -> Reader:
    av, content, layout = _av(), part.content, part.layout
    if av is None:
        raise _needs_av(name, content, layout.damaged)
    try:
        return AvReader(av, _spliced(stream, part), format=content.format, layout=layout)
    except BrokenError as error:
        found = layout.damaged or str(error)
        raise DecodeError(f"{name}: is {content.name}, but {found}", code="damaged") from error
    except DecodeError as error:
        raise DecodeError(f"{name}: {error}", code=error.code) from error


def _needs_av(name: str, content: Content, found: str) -> DecodeError:
    advice = "pip install 'sertag[av]'"
    if content.decoder is Decoder.AV and not found:
        message = f"{name}: is {content.name}, which takes an extra to decode; {advice}"
        return DecodeError(message, code="needs_av")
    message = f"{name}: is {content.name}, but {found}; {advice} brings a second decoder, which may read it"
    return DecodeError(message, code="damaged")


def _with_codec(content: Content, layout: Layout) -> Content:
    """Name the codec of a WAV file that libsndfile does not know."""
    if layout.codec is None or layout.codec in _SNDFILE_CODECS:
        return content
    return replace(content, name=f"a WAV file of type 0x{layout.codec:04x}", decoder=Decoder.AV)


def _source(stream: BinaryIO, part: Part) -> BinaryIO | Spliced:
    """The bytes of a recording: the file itself where it holds nothing else."""
    alone = part.start == 0 and part.layout.end >= length(stream) and not part.layout.pieces
    return stream if alone else _spliced(stream, part)


def _spliced(stream: BinaryIO, part: Part) -> Spliced:
    # For PyAV always: FFmpeg seeks to places before the start of damaged files and prints what files say to that.
    return Spliced(stream, part.layout.pieces or (range(part.start, part.layout.end),))


def _av() -> Any | None:
    """PyAV; None where it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError:
        return None


def no_samples(path: str) -> DecodeError:
    """What to say where a header is all there is."""
    message = f"{display_name(path)}: has a header but no samples; was anything recorded?"
    return DecodeError(message, code="no_samples")


def _is_short(read: int, reader: Reader) -> bool:
    return read + _TOLERANCE_S * reader.rate_hz < reader.announced_samples


def _behind(pieces: Iterator[FloatArray], count: int) -> Iterator[FloatArray]:
    """Pieces without their first `count` samples."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))


def _with_channels(piece: FloatArray, channels: int) -> FloatArray:
    """Each channel becomes several, or several become one, where the numbers allow it; else all are mixed."""
    count = piece.shape[1]
    if channels % count:
        groups = channels if count % channels == 0 else 1
        piece = piece.reshape(len(piece), groups, -1).mean(axis=2)
    return np.repeat(piece, channels // piece.shape[1], axis=1)


def _resampled(pieces: Iterator[FloatArray], from_hz: int, to_hz: int, channels: int) -> Iterator[FloatArray]:
    resampler = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality="HQ")
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.empty((0, channels), np.float32), last=True)
