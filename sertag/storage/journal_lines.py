r"""The format of the lines of a journal; a checksum ensures that a line is read as it was written or not at all.

Used by `journal`. There are two kinds; each begins with a checksum of the rest and a digest of all settings:

    ["5f0e1a77","91c2…",".","calls/a.wav",480044,1772442061000000000,[[0,"ok",…]]]

is the result of a file: the folder that the path starts from; path, size and mtime in nanoseconds; the channels. All
but checksum and channels is its key. Names are valid text (see `text`).

    ["0c7e91aa","91c2…",[21,804]]

says that the results at these offsets of the file have been removed from the table, or are in it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as _json
from typing import NamedTuple

from sertag.text import decode_path, encode_path

HEADER = b'{"sertag_journal":1}\n'
_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_RESULT = re.compile(rb'\["[0-9a-f]{8}",("[0-9a-f]{16}",%b,%b,\d+,-?\d+),' % (_TEXT, _TEXT))
_MOVED = re.compile(rb'\["[0-9a-f]{8}",("[0-9a-f]{16}"),(\[\d+(?:,\d+)*\])\]\n')
_TAIL_BYTES = 1 << 22  # of a journal; a line of a day of audio has a tenth of it
_SUM, _SUMMED = len('["'), len('["5f0e1a77",')  # start of the checksum, and of the part that it covers


class Line(NamedTuple):
    """A valid line.

    Attributes:
        key: key of a result; for the other kind, the digest of the settings.
        moved: offsets of results that were removed from the table or put back; empty for a result.
    """

    key: bytes
    moved: frozenset[int] = frozenset()

    @property
    def folder(self) -> str:
        """The folder that the path of a result starts from."""
        return decode_path(json.loads(b"[%b]" % self.key)[1])

    @property
    def path(self) -> str:
        """The path of a result."""
        return decode_path(json.loads(b"[%b]" % self.key)[2])


def parse(line: bytes) -> Line | None:
    """Parse a line; None if it is damaged."""
    key = parse_key(line)
    if key is not None:
        return Line(key)
    match = _MOVED.fullmatch(line)
    return Line(match[1], frozenset(json.loads(match[2]))) if match and _is_sound(line) else None


def parse_key(line: bytes) -> bytes | None:
    """The key of a result; None if the line is damaged, or of the other kind."""
    match = _RESULT.match(line)
    return match[1] if match and line.endswith(b"]\n") and _is_sound(line) else None


def last_print(path: str) -> str | None:
    """The digest of the settings of the last line of a journal; None if there is no journal, or no valid line."""
    try:
        with open(path, "rb") as reader:
            reader.seek(-min(_TAIL_BYTES, reader.seek(0, os.SEEK_END)), os.SEEK_END)
            lines = reader.read().splitlines(keepends=True)
    except OSError:
        return None
    found = next((line for line in map(parse, reversed(lines)) if line is not None), None)
    return None if found is None else found.key.partition(b",")[0].decode("ascii")


def channels_json(line: bytes) -> str:
    """The channels of a result, as JSON; the line must be valid."""
    match = _RESULT.match(line)
    if match is None:
        raise ValueError(f"not the line of a result: {line[:100]!r}")
    return str(line[match.end() : -len(b"]\n")], "ascii")


def result_key(print_: str, *, folder: str, path: str, size_bytes: int, mtime_ns: int) -> bytes:
    """The key of a result.

    Args:
        print_: digest of the settings, from `fingerprint_print`.
        folder: folder that a relative path starts from; empty for an absolute path.
        path: path of the file, as reached.
        size_bytes: size of the file.
        mtime_ns: modification time of the file.
    """
    text = f"{print_},{_json(encode_path(folder))},{_json(encode_path(path))},{size_bytes},{mtime_ns}"
    return text.encode("ascii")


def result_line(key: bytes, channels: str) -> bytes:
    """The line of a result; `channels` is JSON."""
    return _line(key + f",{channels}]\n".encode("ascii"))


def moved_line(print_: str, offsets: Iterable[int]) -> bytes:
    """The line of results that were removed from the table or put back."""
    return _line(f"{print_},{json.dumps(sorted(offsets), separators=(',', ':'))}]\n".encode("ascii"))


def fingerprint_print(fingerprint: object) -> str:
    """A short digest of all settings that determine rows besides the recordings, as JSON text."""
    return json.dumps(hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode("ascii")).hexdigest()[:16])


def _is_sound(line: bytes) -> bool:
    return line[_SUM : _SUM + 8] == b"%08x" % zlib.crc32(memoryview(line)[_SUMMED:])


def _line(summed: bytes) -> bytes:
    return b'["%08x",%b' % (zlib.crc32(summed), summed)
