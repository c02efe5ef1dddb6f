"""What the first bytes of a file say it is. Standard library only; content decides, never the name.

Used by decode to choose a decoder before one is called, because decoders guess: libsndfile takes any file that begins
with eleven set bits for MP3 and then complains on standard error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import BinaryIO

from sertag.audio.streams import read_at

HEAD_BYTES = 4096  # enough for every signature below
_PACKET_BYTES = 188  # of an MPEG transport stream
_CERTAIN_BYTES = 4
_SCAN_BYTES, _SIGNATURE_BYTES = 1 << 20, 64

# Beginnings of recordings that are long enough not to occur inside the samples of another one.
_RECORDING = re.compile(
    rb"(?:RIFF|RF64|BW64|RIFX)....WAVE|FORM....AIF[FC]|fLaC\x00\x00\x00\x22|OggS\x00[\x02\x06]|caff\x00\x01\x00\x00desc"
    rb"|riff\x2e\x91\xcf\x11|\.snd\x00\x00..........\x00\x00|\x1aE\xdf\xa3.{1,40}?(?:matroska|webm)"
    rb"|\x00\x00\x00.ftyp(?:[3A-Za-z])|#!AMR|\x00\x00\x01\xba[\x21\x44]|Creative Voice File\x1a|NIST_1A\n   1024\n",
    re.DOTALL,
)


class Decoder(Enum):
    """Who can read a kind of content."""

    SNDFILE = "libsndfile"
    AV = "PyAV"
    NONE = "nobody"
    UNKNOWN = "perhaps the MPEG decoder, which looks for its frames"


@dataclass(frozen=True, slots=True)
class Content:
    """A kind of content.

    Attributes:
        name: for a message, to be read after "is" or "looks like".
        decoder: who can read it.
        format: what FFmpeg calls the container. It must not guess: of a text it makes a list of other files to read.
        certain: the signature is too long to occur at the start of samples without a header.
    """

    name: str
    decoder: Decoder
    format: str = ""
    certain: bool = False


# (offset, bytes, what it is, FFmpeg's name for the container); the first match decides.
_AUDIO = (
    (0, b"RIFX", "a big-endian WAV file", "wav"),
    (0, b"RF64", "an RF64 file", "wav"),
    (0, b"BW64", "a BW64 file", "wav"),
    (0, b"riff\x2e\x91\xcf\x11", "a W64 file", "w64"),
    (0, b"fLaC", "a FLAC file", "flac"),
    (0, b".snd", "an AU file", "au"),
    (0, b"dns.", "a little-endian AU file", "au"),
    (0, b"caff", "a CAF file", "caf"),
    (0, b"NIST_1A", "a NIST Sphere file", "nistsphere"),
    (0, b"Creative Voice File", "a VOC file", "voc"),
    *((0, bytes([0x64, 0xA3, machine, 0]), "an IRCAM file", "ircam") for machine in range(5)),
    *((0, bytes([0, machine, 0xA3, 0x64]), "an IRCAM file", "ircam") for machine in range(5)),
)
_AV = (
    (4, b"ftyp", "an MP4 or M4A file", "mov"),
    (4, b"moov", "a QuickTime file", "mov"),
    (4, b"mdat", "a QuickTime file", "mov"),
    (4, b"wide", "a QuickTime file", "mov"),
    (4, b"styp", "a piece of an MP4 file", "mov"),
    (4, b"moof", "a piece of an MP4 file", "mov"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "a WMA file", "asf"),
    (0, b"#!AMR", "an AMR file", "amr"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM file", "matroska"),
    (0, b"ADIF", "an AAC file", "aac"),
    (0, b"\x0bw", "an AC-3 file", "ac3"),
    (0, b"FLV\x01", "an FLV file", "flv"),
    (0, b"\x00\x00\x01\xba", "an MPEG programme stream", "mpeg"),
    (0, b"wvpk", "a WavPack file", "wv"),
    (0, b"MAC ", "a Monkey's Audio file", "ape"),
    (0, b"TTA1", "a TTA file", "tta"),
    (0, b"MPCK", "a Musepack file", "mpc8"),
    (0, b"MP+", "a Musepack file", "mpc"),
    (0, b"\x7f\xfe\x80\x01", "a DTS file", "dts"),
)
_OTHER = (
    (0, b"%PDF", "a PDF document", ""),
    (0, b"PK\x03\x04", "a ZIP archive or office document", ""),
    (0, b"\x1f\x8b", "a gzip archive; unpack it first", ""),
    (0, b"BZh", "a bzip2 archive; unpack it first", ""),
    (0, b"\xfd7zXZ", "an xz archive; unpack it first", ""),
    (0, b"7z\xbc\xaf", "a 7-Zip archive; unpack it first", ""),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it first", ""),
    (0, b"\x89PNG", "a PNG picture", ""),
    (0, b"\xff\xd8\xff", "a JPEG picture", ""),
    (0, b"GIF8", "a GIF picture", ""),
    (0, b"\x7fELF", "a program", ""),
    (0, b"MZ", "a program", ""),
    (0, b"#!SILK", "a SILK file, which no decoder here reads; convert it to WAV first", ""),
    (1, b"#!SILK", "a SILK file, which no decoder here reads; convert it to WAV first", ""),
    (0, b"MThd", "a MIDI file, which holds notes and no sound", ""),
    (0, b"SQLite format 3", "an SQLite database", ""),
    (0, b"\x00\x05\x16\x07", "macOS metadata and no recording; leave such files out with --exclude '._*'", ""),
)


def sniff(head: bytes) -> Content:
    """Say what a file is by its first bytes.

    Args:
        head: the first `HEAD_BYTES` bytes, fewer where the file is shorter.

    >>> sniff(b"RIFF....WAVEfmt ").name, sniff(b"Dear Sir").name
    ('a WAV file', "text that begins with 'Dear Sir'")
    """
    if head[:4] in (b"RIFF", b"FORM"):
        return replace(_iff(head), certain=True)
    if head[:4] == b"OggS":
        return replace(_ogg(head), certain=True)
    for signatures, decoder in ((_AV, Decoder.AV), (_AUDIO, Decoder.SNDFILE), (_OTHER, Decoder.NONE)):
        for offset, magic, name, format in signatures:
            if head.startswith(magic, offset):
                return Content(name, decoder, format, certain=len(magic) >= _CERTAIN_BYTES)
    if _is_adts(head):
        return Content("an AAC file", Decoder.AV, "aac")
    if _is_transport_stream(head):
        return Content("an MPEG transport stream", Decoder.AV, "mpegts")
    return _described(head)


def begins_recording(head: bytes) -> bool:
    """Whether bytes begin a container of sound beyond doubt.

    >>> begins_recording(b"RIFF....WAVEfmt "), begins_recording(b"RIFF")
    (True, False)
    """
    return _RECORDING.match(head) is not None


def find_recording(data: bytes) -> int | None:
    """Where the first container of sound begins inside bytes; None where none does.

    >>> find_recording(b"samples RIFF....WAVEfmt "), find_recording(b"samples")
    (8, None)
    """
    found = _RECORDING.search(data)
    return None if found is None else found.start()


def next_recording(stream: BinaryIO, start: int, stop: int) -> int:
    """Where the next container of sound begins, from `start` on; `stop` where there is none.

    Args:
        stream: seekable; its position is not kept.
        start: where to begin to look.
        stop: where to end.

    >>> import io
    >>> next_recording(io.BytesIO(b"samples RIFF....WAVEfmt "), 0, 24)
    8
    """
    position = start
    while position < stop:
        data = read_at(stream, position, min(_SCAN_BYTES + _SIGNATURE_BYTES, stop - position))
        place = find_recording(data)
        if place is not None:
            return position + place
        position += _SCAN_BYTES
    return stop


def _iff(head: bytes) -> Content:
    """The kind inside the two families of chunked files."""
    kind = head[8:12]
    if head[:4] == b"RIFF" and kind in (b"WAVE", b""):
        return Content("a WAV file", Decoder.SNDFILE, "wav")
    if head[:4] == b"FORM" and kind in (b"AIFF", b"AIFC", b"8SVX", b"16SV", b""):
        return Content("an AIFF file", Decoder.SNDFILE, "aiff" if kind[:3] == b"AIF" else "iff")
    if kind == b"AVI ":
        return Content("an AVI file", Decoder.AV, "avi")
    return Content(f"a RIFF or IFF file of the kind {kind.decode('latin-1')!r}", Decoder.NONE)


def _ogg(head: bytes) -> Content:
    """The codec stands in the first packet, behind the head of a page with one lacing value."""
    for magic, name in ((b"Speex   ", "an Ogg file with Speex"), (b"\x7fFLAC", "an Ogg file with FLAC")):
        if head.startswith(magic, 28):
            return Content(name, Decoder.AV, "ogg")
    return Content("an Ogg file", Decoder.SNDFILE, "ogg")


def _is_adts(head: bytes) -> bool:
    """Two AAC frames, one behind the other (ISO/IEC 13818-7, 6.2)."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return False
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    following = head[length : length + 2]
    return length >= 7 and (len(following) < 2 or (following[0] == 0xFF and following[1] & 0xF6 == 0xF0))


def _is_transport_stream(head: bytes) -> bool:
    return len(head) > 2 * _PACKET_BYTES and head[0] == head[_PACKET_BYTES] == head[2 * _PACKET_BYTES] == 0x47


def _described(head: bytes) -> Content:
    if not head.strip(b"\0"):
        return Content("nothing but zero bytes", Decoder.UNKNOWN)
    for encoding in ("utf-16", "utf-8") if head[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8",):
        text = head.decode(encoding, "ignore")
        if len(text.encode(encoding)) > 0.9 * len(head) and _is_text(text):
            return Content(_described_text(text), Decoder.NONE, certain=len(head) >= _CERTAIN_BYTES)
    return Content(f"no known kind of file (its first bytes are {head[:8].hex(' ')})", Decoder.UNKNOWN)


def _is_text(text: str) -> bool:
    return sum(c.isprintable() or c in "\t\r\n" for c in text) > 0.98 * len(text)


def _described_text(text: str) -> str:
    start = text.strip("\ufeff \t\r\n")
    if not start:
        return "blank text"
    return "a web page or XML" if start[0] == "<" else f"text that begins with {start[:20].splitlines()[0]!r}"
