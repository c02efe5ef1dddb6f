"""A table as bytes and as text: a file, an object in a storage, or standard input."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterator
from typing import BinaryIO, TextIO, cast

from sertag.errors import DecodeError, SertagError
from sertag.records import STDIN
from sertag.remote.reading import open_url
from sertag.remote.urls import is_url, shown
from sertag.tables.formats import format_of
from sertag.text import display_name


class TableError(SertagError):
    """A file cannot be read as a table."""


def name_of(path: str) -> str:
    """A table as messages call it."""
    return "standard input" if path == STDIN else display_name(shown(path))


def open_source(path: str, *, expected: str, storage: str = "") -> BinaryIO:
    """Open a table.

    Args:
        path: of a file, a URL, or `-` for standard input.
        expected: what it should be, for messages.
        storage: settings for URLs, from `remote.options`.

    Raises:
        TableError: it cannot be opened.
    """
    try:
        if path == STDIN:
            return sys.stdin.buffer
        return open_url(path, options=storage) if is_url(path) else open(path, "rb")
    except DecodeError as error:  # its message begins with the name
        folder = error.code == "not_found" and format_of(path) is None
        advice = "; the URL of a folder of --partition-by ends with /" if folder else ""
        raise TableError(f"{error}; expected {expected}{advice}", code=error.code) from error
    except OSError as error:
        message = f"{name_of(path)}: cannot be opened: {error.strerror or error}; expected {expected}"
        raise TableError(message, code="not_found") from error


def text_of(source: BinaryIO) -> TextIO:
    """A table as text, in UTF-8, or in UTF-16 with a mark."""
    buffer = source if isinstance(source, io.BufferedReader) else io.BufferedReader(cast(io.BytesIO, source))
    return io.TextIOWrapper(cast(BinaryIO, buffer), encoding=_encoding(buffer.peek(2)), errors="strict", newline="")


def lines_of(name: str, stream: TextIO, *, expected: str) -> Iterator[str]:
    """Lines of a text.

    Args:
        name: of the file, for messages.
        stream: of `text_of`.
        expected: what the file should be, for messages.

    Raises:
        TableError: it is no text, or cannot be read to its end.
    """
    try:
        yield from stream
    except UnicodeError as error:
        message = f"{name}: is not UTF-8 text; expected {expected}; if a spreadsheet saved it, save it as CSV UTF-8"
        raise TableError(message, code="no_table") from error
    except OSError as error:
        message = f"{name}: cannot be read: {error.strerror or error}; expected {expected}"
        raise TableError(message, code="unreadable") from error


def _encoding(head: bytes) -> str:
    return "utf-16" if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
