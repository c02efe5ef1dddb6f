"""The recordings of a run, from its paths and its list of paths; the list may be UTF-8, UTF-16 or UTF-32."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from typing import BinaryIO

from sertag.audio.discover import discover
from sertag.errors import DecodeError, SertagError
from sertag.records import AudioFile
from sertag.remote.urls import is_url, shown
from sertag.run.checks import output_files
from sertag.run.settings import Request, RequestError
from sertag.text import display_name


def inputs(request: Request, *, empty_folders: bool = False, count_only: bool = False) -> Iterator[AudioFile]:
    """The recordings of a request, found lazily.

    Args:
        request: settings of the run.
        empty_folders: also yield arguments and links that lead to empty folders, with a problem.
        count_only: take each URL for one recording, because to ask for it once more costs time and money.

    Yields:
        The recordings of the shard, and everything with a problem: a folder that cannot be accessed may hold recordings
        of every shard.

    Raises:
        RequestError: the list cannot be read.

    >>> [file.path for file in inputs(Request(paths=("-",)))]
    ['-']
    """
    files = discover(
        _paths(request),
        include=request.include,
        exclude=request.exclude,
        is_output=output_files(request),
        empty_folders=empty_folders,
        storage=None if count_only else request.storage,
    )
    shard = request.shard
    return files if shard is None else (file for file in files if file.problem is not None or shard.has(file.path))


def is_empty_shard(request: Request) -> bool:
    """Whether the other shards of a request without recordings may have some."""
    if request.shard is None or not can_be_read_again(request):
        return request.shard is not None
    return any(True for _ in inputs(replace(request, shard=None)))


def nothing_found(request: Request) -> str:
    """The message for a run without any recording.

    >>> nothing_found(Request(paths=("a", "b", "c", "d"))).partition(";")[0]
    'no audio found in a, b, c, …'
    """
    given = [*request.paths, *([f"the list {request.files_from}"] if request.files_from else [])]
    names = ", ".join(display_name(shown(name)) for name in given[:3]) + (", …" if len(given) > 3 else "")
    advice = "directories are searched for audio suffixes, or for --include"
    return f"no audio found in {names}; {advice}; output files are unchanged"


def can_be_read_again(request: Request) -> bool:
    """Whether the inputs can be found a second time to count them.

    A list that is not a regular file can be read only once, and a prefix in a storage should be.

    >>> can_be_read_again(Request(paths=(), files_from="-"))
    False
    """
    return not any(map(is_url, request.paths)) and (request.files_from is None or os.path.isfile(request.files_from))


def _paths(request: Request) -> Iterator[str]:
    yield from request.paths
    if request.files_from is None:
        return
    with ExitStack() as opened:
        try:
            here = request.files_from == "-"
            stream = sys.stdin.buffer if here else opened.enter_context(open_list(request.files_from, request.storage))
            for path in read_list(stream, null=request.null):
                yield "./-" if path == "-" else path  # in a list it is a file of that name, not standard input
        except (OSError, PathListError, DecodeError) as error:
            name = "-, standard input" if here else display_name(shown(request.files_from))
            reason = error.strerror or error if isinstance(error, OSError) else error
            raise RequestError(f"--files-from {name}: {reason}") from error


def open_list(path: str, storage: str) -> BinaryIO:
    """Open a list of paths: a file, or a URL with the settings of its storage."""
    if not is_url(path):
        return open(path, "rb")
    from sertag.remote.reading import open_url

    return open_url(path, options=storage)


_CHUNK_BYTES = 65536
_HEAD_BYTES = 8  # four characters in UTF-16: no other list has a zero byte in every second position

_MARKS = (  # longer marks first, because that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, ""),
)


class PathListError(SertagError):
    """The encoding of a list is not supported."""


def read_list(stream: BinaryIO, *, null: bool) -> Iterator[str]:
    r"""Read the paths of a list, lazily.

    Args:
        stream: binary, because names are bytes.
        null: names end with a zero byte, as `find -print0` writes them, instead of with a line end. A line ends with
            `\n` or `\r\n`; in a list that has no `\n` at all, with `\r`.

    Yields:
        Paths as Python names them (`os.fsdecode`); empty ones are left out.

    Raises:
        PathListError: the list looks like UTF-16 without a byte-order mark, or is damaged UTF-16 or UTF-32.

    >>> import io
    >>> list(read_list(io.BytesIO(b"a.wav\r\n\n b.wav\n"), null=False))
    ['a.wav', ' b.wav']
    >>> list(read_list(io.BytesIO("a.wav\r\nb.wav".encode("utf-16")), null=False))
    ['a.wav', 'b.wav']
    """
    chunks = _utf8(stream)
    for name in _split(chunks, b"\0") if null else _lines(chunks):
        if name:
            yield os.fsdecode(name)


def _utf8(stream: BinaryIO) -> Iterator[bytes]:
    """The list without its byte-order mark, as it is or from UTF-16 or UTF-32."""
    chunks = _chunks(stream)
    head = b""
    while len(head) < _HEAD_BYTES and (chunk := next(chunks, b"")):  # a pipe gives what is there, perhaps a byte
        head += chunk
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            chunks = chain((head[len(mark) :],), chunks)
            return _from_utf16(chunks, encoding) if encoding else chunks
    _refuse_utf16(head[:_HEAD_BYTES])
    return chain((head,), chunks)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)  # which does not wait for the rest of a chunk
    while chunk := read(_CHUNK_BYTES):
        yield chunk


def _from_utf16(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        message = (
            f"begins with the byte-order mark of {encoding[:6].upper()}, but is not valid; write it again as UTF-8"
        )
        raise PathListError(message, code="bad_list") from error


def _refuse_utf16(head: bytes) -> None:
    even, odd = head[::2], head[1::2]
    if len(head) >= 4 and any(not any(zeros) and all(others) for zeros, others in ((even, odd), (odd, even))):
        raise PathListError("looks like UTF-16 without a byte-order mark; write it as UTF-8", code="bad_list")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    lines = _split(chunks, b"\n")
    first, second = next(lines), next(lines, None)
    if second is None:  # no `\n`: the line ends may be `\r`, as on old Macs
        yield from first.split(b"\r")
        return
    yield from (line.removesuffix(b"\r") for line in chain((first, second), lines))


def _split(chunks: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    """The names between the separators; at least one, which may be empty."""
    rest = bytearray()
    for chunk in chunks:
        *names, tail = chunk.split(separator)
        for name in names:
            yield bytes(rest + name)
            rest.clear()
        rest += tail
    yield bytes(rest)
