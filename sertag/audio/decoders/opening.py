"""Chooses the decoder of a recording: the one for its content, or the other one if that fails.

libsndfile is tried first for the formats it knows, because it is faster. PyAV, the extra `av`, is imported only when it
is needed.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any, BinaryIO

from sertag.audio.containers.layout import Layout
from sertag.audio.decoders.pyav import AvReader
from sertag.audio.decoders.reader import BrokenError, Reader
from sertag.audio.decoders.sndfile import NoSamplesError, SndfileReader, TooManyChannelsError
from sertag.audio.filetype import Content, Decoder
from sertag.audio.parts import Part
from sertag.audio.streams import Spliced, length
from sertag.errors import DecodeError
from sertag.text import display_name

_SNDFILE_CODECS = (
    0x01,
    0x02,
    0x03,
    0x06,
    0x07,
    0x11,
    0x31,
    0x40,
    0x55,
    0xFFFE,
)  # WAV format tags that libsndfile reads


def open_part(path: str, stream: BinaryIO, part: Part) -> Reader:
    """Open a recording.

    Args:
        path: path of the file, for messages.
        stream: the file.
        part: the recording: its position, content and layout.

    Raises:
        DecodeError: no decoder can read it; for the codes see `decode.open_audio`.
    """
    name, content, layout = display_name(path), part.content, part.layout
    if layout.sounds and not any(layout.sounds):
        raise no_samples(path)
    if content.decoder is not Decoder.AV and not (layout.prefers_av and _av() is not None):
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


def second_reader(stream: BinaryIO, part: Part, *, rate_hz: int) -> Reader | None:
    """PyAV for a recording that libsndfile could not read to its end; None if PyAV cannot read it either.

    Args:
        stream: the file.
        part: the recording: its position, content and layout.
        rate_hz: wanted sample rate.
    """
    av = _av()
    if av is None or part.raw is not None:
        return None
    try:
        return AvReader(av, _spliced(stream, part), format=_format(part), layout=part.layout, rate_hz=rate_hz)
    except (BrokenError, DecodeError):  # the first decoder has reported the problem
        return None


def no_samples(path: str) -> DecodeError:
    """The error for a file that has only a header."""
    message = f"{display_name(path)}: has a header but no samples; was anything recorded?"
    return DecodeError(message, code="no_samples")


def _open_av(name: str, stream: BinaryIO, part: Part) -> Reader:
    av, content, layout = _av(), part.content, part.layout
    if av is None:
        raise _needs_av(name, content, layout.damaged)
    try:
        return AvReader(av, _spliced(stream, part), format=_format(part), layout=layout)
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
    """The content, with the codec in its name if libsndfile does not know that codec of WAV."""
    if layout.codec is None or layout.codec in _SNDFILE_CODECS:
        return content
    return replace(content, name=f"a WAV file of type 0x{layout.codec:04x}", decoder=Decoder.AV)


def _format(part: Part) -> str:
    """FFmpeg's name for the format of the pieces."""
    return part.layout.format or part.content.format


def _source(stream: BinaryIO, part: Part) -> BinaryIO | Spliced:
    """The bytes of a recording: the file itself if it holds nothing else."""
    alone = part.start == 0 and part.layout.end >= length(stream) and not part.layout.pieces
    return stream if alone else _spliced(stream, part)


def _spliced(stream: BinaryIO, part: Part) -> Spliced:
    # Always for PyAV: in damaged files FFmpeg seeks to negative positions, and prints the error of a real file.
    return Spliced(stream, part.layout.pieces or (range(part.start, part.layout.end),))


def _av() -> Any | None:
    """The module of PyAV; None if it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError:
        return None
