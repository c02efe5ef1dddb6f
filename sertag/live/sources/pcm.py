"""Samples as they come through a descriptor: without a header, or behind that of a WAV file of any length.

They are decoded by what decodes files, so both give the same numbers. Formats: RIFF MCI 1.0, EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import io
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from sertag.audio.containers.layout import UNKNOWN_BYTES, Layout, ratio
from sertag.audio.decode import MAX_RATE_HZ, MIN_RATE_HZ
from sertag.audio.decoders.pyav import MAX_CHANNELS
from sertag.audio.decoders.sndfile import SndfileReader
from sertag.audio.headerless import FORMATS, RawFormat
from sertag.live.events import Gap, Reason
from sertag.live.sources.blocks import CODINGS, BlockDecoder
from sertag.live.sources.source import Bytes, SourceError
from sertag.records import FloatArray
from sertag.text import shown_bytes

SAMPLE_BYTES = {"ULAW": 1, "ALAW": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
_INTEGERS = {8: "u8", 16: "s16le", 24: "s24le", 32: "s32le"}
_FLOATS = {32: FORMATS["f32le"], 64: RawFormat("64-bit float samples", 8000, subtype="DOUBLE")}
_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # format tags
_LONGEST_CHUNK_BYTES = 1 << 20  # in front of the samples
_HINT = (
    "samples without a header need --raw, as in --raw s16le, and other recordings a decoder, as in "
    "`ffmpeg -i FILE -f wav - | sertag listen -`"
)


class Decoder:
    """Bytes of samples without a header to samples, in pieces of any size."""

    def __init__(self, form: RawFormat) -> None:
        """Decode samples of a format that has a whole number of bytes for each."""
        self._form, self._rest = form, b""
        self.frame_bytes = SAMPLE_BYTES[form.subtype] * form.channels

    def push(self, data: bytes) -> FloatArray:
        """The whole samples, float32 (n, channels), that have come with `data`.

        >>> Decoder(FORMATS["s16le"]).push(bytes([0, 64, 0])).tolist()
        [[0.5]]
        """
        data = self._rest + data
        whole = len(data) // self.frame_bytes * self.frame_bytes
        self._rest = data[whole:]
        if not whole:
            return np.zeros((0, self._form.channels), dtype=np.float32)
        reader = SndfileReader(io.BytesIO(data[:whole]), Layout(whole), raw=self._form)
        return np.concatenate([piece.copy() for piece in reader.pieces()])

    def finish(self) -> FloatArray:
        """Nothing, float32 (0, channels): a sample that was cut at the end is none."""
        return np.zeros((0, self._form.channels), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in front of samples.

    Attributes:
        sound_bytes: how many bytes of them it declares; None where it does not know.
        blocks: decodes them where they come in blocks.
    """

    sound_bytes: int | None
    blocks: BlockDecoder | None


class PcmSource:
    """Samples from a descriptor; see `source.Source`."""

    def __init__(self, descriptor: int, form: RawFormat, *, name: str, header: Header | None = None) -> None:
        """Read samples.

        Args:
            descriptor: to read from.
            form: how they are written.
            name: what rows and messages call it.
            header: that stood in front of them; None where there is none.

        Raises:
            SourceError: nothing records with such a rate or so many channels.
        """
        if not MIN_RATE_HZ <= form.rate_hz <= MAX_RATE_HZ:
            message = f"{name}: has a rate of {form.rate_hz} Hz, expected {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
            raise SourceError(message, code="bad_rate")
        if not 1 <= form.channels <= MAX_CHANNELS:
            message = f"{name}: has {form.channels} channels, expected 1 to {MAX_CHANNELS}"
            raise SourceError(message, code="too_many_channels")
        self.name, self.channels, self.rate_hz = name, form.channels, form.rate_hz
        self.call: dict[str, str] = {}
        self.reason: Reason = "end_of_stream"
        self.declared_samples: int | None = None
        self._bytes, self._header = Bytes(descriptor, name), header
        self._decoder = header.blocks if header is not None and header.blocks is not None else Decoder(form)

    def items(self) -> Iterator[FloatArray | Gap]:
        """The samples, float32 (n, channels); what follows the declared end is read and left out."""
        declared = None if self._header is None else self._header.sound_bytes
        # What decodes files takes the byte that fills up an odd number of them for a block that was cut.
        padding = 0 if declared is None or isinstance(self._decoder, Decoder) else declared % 2
        read = samples = 0
        while data := self._bytes.some():
            sound = data if declared is None else data[: declared + padding - read]
            read += len(sound)
            piece = self._decoder.push(sound)
            samples += len(piece)
            if len(piece):
                yield piece
        if len(piece := self._decoder.finish()):
            samples += len(piece)
            yield piece
        if self._header is not None:
            self.declared_samples = samples
        if declared is not None:
            self.declared_samples = max(samples, round(samples * ratio(declared, min(read, declared))))

    def close(self) -> None:
        """Does nothing: the descriptor was opened by the parent process."""


def open_descriptor(text: str) -> int:
    """The descriptor that `fd:N` means.

    Raises:
        SourceError: it is none, or not open.

    >>> open_descriptor("fd:x")
    Traceback (most recent call last):
    sertag.live.sources.source.SourceError: 'fd:x' is no descriptor, expected fd:NUMBER, as in fd:3
    """
    kind, _, number = text.partition(":")
    if kind != "fd" or not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise SourceError(f"{text!r} is no descriptor, expected fd:NUMBER, as in fd:3", code="bad_descriptor")
    try:
        mode = os.fstat(int(number)).st_mode
    except OSError as error:
        message = f"{text}: is not open ({error.strerror}); Asterisk opens fd:3 for EAGI(), a shell with 3<FILE"
        raise SourceError(message, code="bad_descriptor") from error
    if stat.S_ISDIR(mode):
        raise SourceError(f"{text}: is a directory, expected a pipe, a socket or a file", code="bad_descriptor")
    return int(number)


def open_wav(descriptor: int, *, name: str) -> PcmSource:
    """Read the header of a WAV file as it comes.

    Args:
        descriptor: to read from.
        name: for rows and messages.

    Raises:
        SourceError: it is none, or holds a coding that needs the whole file.
    """
    stream = Bytes(descriptor, name)
    head = stream.exactly(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        found = "ends before any audio" if not head else f"begins with {shown_bytes(head)}"
        raise SourceError(f"{name}: {found}, expected a WAV file; {_HINT}", code="not_wav")
    form: RawFormat | None = None
    layout, long_bytes = b"", 0
    while len(chunk := stream.exactly(8)) == 8:
        kind, size = struct.unpack("<4sI", chunk)
        if kind == b"data":
            if form is None:
                raise SourceError(f"{name}: has samples before their format, expected `fmt ` first", code="bad_wav")
            size = long_bytes if size == 0xFFFFFFFF and long_bytes else size
            known = 0 < size < UNKNOWN_BYTES or (size == long_bytes and size > 0)
            header = Header(size if known else None, _blocks(layout, name))
            return PcmSource(descriptor, form, name=name, header=header)
        if size > _LONGEST_CHUNK_BYTES:
            raise SourceError(
                f"{name}: chunk {shown_bytes(kind)} has {size} bytes, expected fewer before the samples", code="bad_wav"
            )
        body = stream.exactly(size + size % 2)
        if kind == b"fmt ":
            form, layout = _format(body, name), body
        elif kind == b"ds64" and len(body) >= 16:
            long_bytes = int.from_bytes(body[8:16], "little")
    raise SourceError(f"{name}: ends inside its header, expected samples", code="bad_wav")


def _blocks(layout: bytes, name: str) -> BlockDecoder | None:
    """What decodes the blocks of a format chunk; None where single samples come."""
    return BlockDecoder(layout, name=name) if int.from_bytes(layout[:2], "little") in CODINGS else None


def _format(body: bytes, name: str) -> RawFormat:
    """What a format chunk says."""
    if len(body) < 16:
        raise SourceError(f"{name}: its format has {len(body)} bytes, expected 16 or more", code="bad_wav")
    tag, channels, rate_hz, _, frame_bytes, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = int.from_bytes(body[24:26], "little")
    known = {
        _PCM: FORMATS.get(_INTEGERS.get(bits, "")),
        _FLOAT: _FLOATS.get(bits),
        _ALAW: FORMATS["alaw"],
        _MULAW: FORMATS["ulaw"],
    }.get(tag)
    if tag in CODINGS:
        return RawFormat(CODINGS[tag], rate_hz, channels)
    if known is None:
        found = f"is a WAV file of type 0x{tag:04x} with {bits} bits"
        message = f"{name}: {found}, expected PCM, float, µ-law, A-law, GSM or ADPCM; `sertag tag -` reads others"
        raise SourceError(message, code="bad_wav")
    form = replace(known, rate_hz=rate_hz, channels=channels)
    if frame_bytes != channels * SAMPLE_BYTES[form.subtype]:
        message = (
            f"{name}: has {frame_bytes} bytes for {channels} sample(s) of {bits} bits, which contradict each other"
        )
        raise SourceError(message, code="bad_wav")
    return form
