"""Telephone samples without a header: what exchanges write first, named by its suffix or by `--raw`.

Nothing in such a file says what it is, so it is taken for what its name says, unless its content begins another kind of
file. Asterisk's and SoX's names are known. ITU-T G.711 (µ-law, A-law), G.722; ETSI EN 300 961 (GSM full rate, 33 bytes
a frame, each beginning with the bits 1101, RFC 3551, 4.5.8); Dialogic's ADPCM (vox).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from sertag.remote.urls import without_query

_GSM_FRAME_BYTES, _GSM_MARK = 33, 0xD0


@dataclass(frozen=True, slots=True)
class RawFormat:
    """How samples without a header are written.

    Attributes:
        name: for messages, to be read after "is" or "is taken for".
        rate_hz: sample rate.
        channels: interleaved.
        subtype: what libsndfile calls the coding; empty where it does not know it.
        endian: of samples of several bytes.
        av_format: what FFmpeg calls it, for those that libsndfile does not read.
        fixed: rate and channels belong to the coding and cannot be chosen.
    """

    name: str
    rate_hz: int
    channels: int = 1
    subtype: str = ""
    endian: str = "LITTLE"
    av_format: str = ""
    fixed: bool = False


def _linear(rate_hz: int) -> RawFormat:
    return RawFormat("16-bit samples", rate_hz, subtype="PCM_16")


FORMATS = {
    "ulaw": RawFormat("µ-law samples", 8000, subtype="ULAW"),
    "alaw": RawFormat("A-law samples", 8000, subtype="ALAW"),
    "s8": RawFormat("8-bit samples", 8000, subtype="PCM_S8"),
    "u8": RawFormat("unsigned 8-bit samples", 8000, subtype="PCM_U8"),
    "s16le": _linear(8000),
    "s16be": RawFormat("big-endian 16-bit samples", 8000, subtype="PCM_16", endian="BIG"),
    "s24le": RawFormat("24-bit samples", 8000, subtype="PCM_24"),
    "s24be": RawFormat("big-endian 24-bit samples", 8000, subtype="PCM_24", endian="BIG"),
    "s32le": RawFormat("32-bit samples", 8000, subtype="PCM_32"),
    "s32be": RawFormat("big-endian 32-bit samples", 8000, subtype="PCM_32", endian="BIG"),
    "f32le": RawFormat("32-bit float samples", 8000, subtype="FLOAT"),
    "f32be": RawFormat("big-endian 32-bit float samples", 8000, subtype="FLOAT", endian="BIG"),
    "gsm": RawFormat("GSM full-rate frames", 8000, subtype="GSM610", fixed=True),
    "vox": RawFormat("Dialogic ADPCM samples", 8000, subtype="VOX_ADPCM"),
    "g722": RawFormat("G.722 samples", 16000, av_format="g722", fixed=True),
    "g729": RawFormat("G.729 frames", 8000, av_format="g729", fixed=True),
}

# Asterisk's `sln` is followed by the rate in kHz, 44 for 44.1.
SUFFIXES = {
    **dict.fromkeys((".ul", ".ulaw", ".pcmu", ".mulaw"), FORMATS["ulaw"]),
    **dict.fromkeys((".al", ".alaw", ".pcma"), FORMATS["alaw"]),
    **dict.fromkeys((".sln", ".sln8", ".slin"), FORMATS["s16le"]),
    **{f".sln{khz}": _linear(44_100 if khz == 44 else 1000 * khz) for khz in (12, 16, 24, 32, 44, 48, 96, 192)},
    ".gsm": FORMATS["gsm"],
    ".vox": FORMATS["vox"],
    ".g722": FORMATS["g722"],
    ".g729": FORMATS["g729"],
}


def parse_raw(text: str) -> RawFormat:
    """The format that `FORMAT[:RATE[:CHANNELS]]` means.

    Raises:
        ValueError: there is no such format, or the numbers are none; the message says what is expected.

    >>> parse_raw("alaw").rate_hz, parse_raw("s16le:16000:2").channels
    (8000, 2)
    """
    name, *numbers = text.split(":")
    known = FORMATS.get(name)
    if known is None:
        raise ValueError(f"{name!r} is no format without a header; expected one of {', '.join(FORMATS)}")
    if len(numbers) > 2 or not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise ValueError(f"{text!r}: expected FORMAT[:RATE[:CHANNELS]] with whole numbers, as in s16le:16000:2")
    rate_hz, channels = (*map(int, numbers), *(known.rate_hz, known.channels)[len(numbers) :])
    if known.fixed and (rate_hz, channels) != (known.rate_hz, known.channels):
        raise ValueError(f"{text!r}: {name} is always {known.rate_hz} Hz and one channel")
    return replace(known, rate_hz=rate_hz, channels=channels)


def raw_format(path: str, raw: str | None) -> RawFormat | None:
    """What a file is if it has no header: by `--raw` where that is given, else by its suffix; None if neither says it.

    >>> raw_format("call.sln16", None).rate_hz, raw_format("call.wav", None)
    (16000, None)
    """
    return SUFFIXES.get(os.path.splitext(without_query(path))[1].lower()) if raw is None else parse_raw(raw)


def contradiction(form: RawFormat, head: bytes) -> str:
    """Why bytes cannot be of a format, as a part of a sentence; empty where they can.

    >>> contradiction(FORMATS["gsm"], bytes(66))
    'its frames do not begin as those of GSM do'
    """
    if form.subtype == "GSM610":
        starts = head[::_GSM_FRAME_BYTES]
        if any(byte & 0xF0 != _GSM_MARK for byte in starts):
            return "its frames do not begin as those of GSM do"
    return ""
