r"""The lines of a journal: what stands in them, and that they are read as they were written or not at all.

Used by `journal`. There are two kinds, each with a checksum of the rest of it and the print of what decides rows:

    ["5f0e1a77","91c2…",".","calls/a.wav",480044,1772442061000000000,[[0,"ok",…]]]

is the result of a file: the folder that the path starts from; path, size and mtime in nanoseconds; the channels. All
but checksum and channels is its key. The names are valid text (see `names`).

    ["0c7e91aa","91c2…",[21,804]]

says that the results at these places of the file have left the table, or have come back into it.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from sertag.text import decode_path, encode_path

HEADER = b'{"sertag_journal":1}\n'
_RESULT = re.compile(rb'\["([0-9a-f]{8})",("[0-9a-f]{16}","(?:[^"\\]|\\.)*","(?:[^"\\]|\\.)*",\d+,-?\d+),.*\]\n')
_MOVED = re.compile(rb'\["([0-9a-f]{8})",("[0-9a-f]{16}"),(\[\d+(?:,\d+)*\])\]\n')
_SUMMED = len('["5f0e1a77",')  # where the part begins that the checksum is of


class Line(NamedTuple):
    """A sound line.

    Attributes:
        key: of a result; of the other kind the print alone.
        moved: places of results that have left the table or come back; empty for a result.
    """

    key: bytes
    moved: frozenset[int] = frozenset()

    @property
    def folder(self) -> str:
        """What the path of a result starts from."""
        return decode_path(json.loads(b"[%b]" % self.key)[1])

    @property
    def path(self) -> str:
        """The path of a result."""
        return decode_path(json.loads(b"[%b]" % self.key)[2])


def parse(line: bytes) -> Line | None:
    """Read a line; None where it is not as it was written."""
    found = _RESULT.fullmatch(line) or _MOVED.fullmatch(line)
    if found is None or int(found[1], 16) != zlib.crc32(memoryview(line)[_SUMMED:]):
        return None
    return Line(found[2], frozenset(json.loads(found[3])) if found.re is _MOVED else frozenset())


def result_key(print_: str, *, folder: str, path: str, size_bytes: int, mtime_ns: int) -> bytes:
    """The key of a result.

    Args:
        print_: what `fingerprint_print` gives.
        folder: that a relative path starts from; empty for an absolute one.
        path: of the file, as reached.
        size_bytes: of the file.
        mtime_ns: of the file.
    """
    words = print_, json.dumps(encode_path(folder)), json.dumps(encode_path(path)), str(size_bytes), str(mtime_ns)
    return ",".join(words).encode("ascii")


def result_line(key: bytes, channels: str) -> bytes:
    """The line of a result; the channels are JSON."""
    return _line(key + f",{channels}]\n".encode("ascii"))


def moved_line(print_: str, places: Iterable[int]) -> bytes:
    """The line of results that have left the table or come back."""
    return _line(f"{print_},{json.dumps(sorted(places), separators=(',', ':'))}]\n".encode("ascii"))


def fingerprint_print(fingerprint: object) -> str:
    """A short print of all that decides rows besides the recordings, as JSON text."""
    return json.dumps(hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode("ascii")).hexdigest()[:16])


def digest(key: bytes) -> bytes:
    """16 bytes that stand for a key of a hundred or more."""
    return hashlib.blake2b(key, digest_size=16).digest()


def _line(summed: bytes) -> bytes:
    return b'["%08x",%b' % (zlib.crc32(summed), summed)
