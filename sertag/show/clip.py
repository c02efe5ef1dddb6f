"""Cuts a part out of a recording, at its own sample rate and with its own channels; no model is needed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from sertag.audio.decode import AudioSource, open_recording
from sertag.audio.encoders.sndfile import Kind, write_recording
from sertag.errors import DecodeError
from sertag.records import AudioFile, FloatArray
from sertag.storage.atomic_output import Output
from sertag.text import display_name

KINDS: dict[str, Kind] = {".wav": "WAV", ".flac": "FLAC"}

_BLOCK_S = 1.0
_IN_MEMORY_BYTES = 64 << 20
_TIME = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,5}):)?(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """The time from `start_s` up to, not including, `end_s`, in seconds."""

    start_s: float
    end_s: float


def parse_time(text: str) -> float:
    """Parse a time, `SECONDS`, `M:SS` or `H:MM:SS`, with optional decimals, to seconds.

    Raises:
        ValueError: the text is no time.

    >>> parse_time("75.5"), parse_time("1:15.5"), parse_time("1:00:00")
    (75.5, 75.5, 3600.0)
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time; expected SECONDS, M:SS or H:MM:SS, as in 75.5 or 1:15.5")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def parse_span(text: str) -> Span:
    """Parse `START-END`.

    Raises:
        ValueError: a part is no time, or the end is not after the start.

    >>> parse_span("0:05-0:12.5")
    Span(start_s=5.0, end_s=12.5)
    """
    start, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} is no span; expected START-END, as in 75-82.5 or 1:15-1:22.5")
    span = Span(parse_time(start), parse_time(end))
    if span.end_s <= span.start_s:
        raise ValueError(f"{text!r}: the end is not behind the start")
    return span


def cut(file: AudioFile, span: Span, target: str, *, raw: str | None = None) -> float:
    """Write a part of a recording to a file.

    Args:
        file: the recording.
        span: the part.
        target: path of the file, WAV or FLAC by its suffix; it is written completely or not at all.
        raw: format of samples without a header.

    Returns:
        Length of the file in seconds; shorter than `span` if the recording ends before.

    Raises:
        DecodeError: the recording cannot be read, or ends before the span begins.
        OutputError: the file cannot be written.
    """
    kind = KINDS[os.path.splitext(target)[1].lower()]
    with open_recording(file, raw=raw) as audio, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as spool:
        piece = _Piece(audio, span)
        write_recording(
            spool,  # type: ignore[arg-type]
            piece.blocks(),
            kind=kind,
            rate_hz=audio.rate_hz,
            channels=audio.channels,
        )
        if not piece.samples:
            found = f"{display_name(file.path)}: ends after {audio.duration_s:.3f} s"
            raise DecodeError(f"{found}, before the clip at {span.start_s:g} s begins", code="no_such_time")
        spool.seek(0)
        with Output(target) as output:
            shutil.copyfileobj(spool, output)
        return piece.samples / audio.rate_hz


def from_start(audio: AudioSource, start_s: float, *, block_s: float) -> Iterator[FloatArray]:
    """Blocks of a recording from a time on, float32 (channels, n), at its own sample rate."""
    skip = round(start_s * audio.rate_hz)
    for block in audio.blocks(rate_hz=audio.rate_hz, block_s=block_s):
        if skip < block.shape[1]:
            yield block[:, skip:]
        skip = max(0, skip - block.shape[1])


class _Piece:
    def __init__(self, audio: AudioSource, span: Span) -> None:
        self._audio, self._span = audio, span
        self.samples = 0

    def blocks(self) -> Iterator[FloatArray]:
        wanted = round(self._span.end_s * self._audio.rate_hz) - round(self._span.start_s * self._audio.rate_hz)
        for block in from_start(self._audio, self._span.start_s, block_s=_BLOCK_S):
            part = block[:, : wanted - self.samples]
            self.samples += part.shape[1]
            yield part
            if self.samples == wanted:
                return
