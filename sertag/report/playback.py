"""The URL of a recording for the page, and whether browsers can play it.

The content decides, never the name. What plays was tried in Chromium and Firefox from `file:`: WAV with PCM, float,
µ-law and A-law, FLAC, MP3, Ogg, MP4 and WebM; GSM, ADPCM, AIFF, AU and samples without a header do not.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from urllib.parse import quote

from sertag.audio.filetype import HEAD_BYTES, sniff
from sertag.text import decode_path

_CODECS = {0x02: "ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x40: "G.721", 0x45: "G.726", 0x55: "MP3", 0x64: "G.726"}
_PLAYED_CODECS = (0x01, 0x03, 0x06, 0x07)
_EXTENSIBLE = 0xFFFE


@dataclass(frozen=True, slots=True)
class Source:
    """A recording as a page sees it.

    Attributes:
        url: relative to the page, percent-encoded; None where there is nothing to play.
        problem: `missing`, `remote` (it has an address, or came through a pipe), `format`, or empty.
        format: what browsers do not play, for a message; else empty.
        file: where the recording is, as Python opens it; None where it is not.
        mtime_s: when it was written, seconds since 1970; None where it is not here.
    """

    url: str | None = None
    problem: str = ""
    format: str = ""
    file: str | None = None
    mtime_s: float | None = None


def find(path: str, *, root: str, page_folder: str) -> Source:
    """Look for a recording.

    Args:
        path: as in a table.
        root: folder that relative paths start from.
        page_folder: where the page will be.
    """
    if path == "-" or "://" in path:
        return Source(problem="remote")
    file = os.path.join(root, decode_path(path))
    try:
        status = os.stat(file)
        if not stat.S_ISREG(status.st_mode):
            return Source(problem="missing")
        with open(file, "rb") as stream:
            unplayed = not_played(stream.read(HEAD_BYTES))
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return Source(problem="missing")
    url = None if unplayed else _relative_url(file, page_folder)
    return Source(url, "format" if unplayed else "", unplayed, file, status.st_mtime)


def not_played(head: bytes) -> str:
    """What a file is, if browsers do not play it; empty if they do.

    Args:
        head: the first `HEAD_BYTES` bytes.

    >>> not_played(b"fLaC" + bytes(20)), not_played(b".snd" + bytes(20))
    ('', 'an AU file')
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        codec = _wav_codec(head)
        return "" if codec in _PLAYED_CODECS else f"a WAV file with {_CODECS.get(codec, f'codec 0x{codec:04x}')}"
    if head[:4] in (b"fLaC", b"OggS", b"\x1aE\xdf\xa3") or head[:3] == b"ID3" or head[4:8] == b"ftyp":
        return ""
    if len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0:  # frames of MP3 or AAC
        return ""
    return sniff(head).name


def _wav_codec(head: bytes) -> int:
    place = head.find(b"fmt ") + 8
    codec = int.from_bytes(head[place : place + 2], "little") if place >= 8 else 0
    return int.from_bytes(head[place + 24 : place + 26], "little") if codec == _EXTENSIBLE else codec


def _relative_url(file: str, folder: str) -> str:
    # Not `realpath`: a browser follows links as well, and a name stays the one that people know.
    relative = os.path.relpath(os.path.abspath(file), os.path.abspath(folder))
    return quote(os.fsencode(relative), safe="/")
