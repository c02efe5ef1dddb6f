"""Objects as binary streams: read by ranges, at any position, a few blocks at a time.

Decoders call a stream from C, where exceptions are lost, so a failure is kept: the stream ends there, and `check` says
what happened. An object that is replaced while it is read is such a failure, never half of one and half of the other.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar, cast

from sertag.errors import DecodeError
from sertag.records import Problem, RemoteObject
from sertag.remote.blocks import Blocks
from sertag.remote.failures import changed, problem_of
from sertag.remote.filesystems import system_of, version_of
from sertag.remote.urls import is_web, refusal, scheme_of
from sertag.seekable import Seekable

_NO_RANGES = "range requests"  # in the exception of fsspec where a server sends the whole of a file instead of a part
_Stream = TypeVar("_Stream", bound="RemoteStream")


def open_object(found: RemoteObject, *, size_bytes: int | None = None) -> BinaryIO:
    """Open an object.

    Args:
        found: as it was found; where it has a version, the object must still be that one.
        size_bytes: as it was found; None if not known.

    Raises:
        DecodeError: it is not there, not allowed, was replaced, or the storage cannot be reached.
    """
    stream = _opened(found, RemoteStream)
    if (found.version not in (None, stream.version)) or size_bytes not in (None, stream.size_bytes):
        stream.close()
        problem = changed(found.url)
        raise DecodeError(problem.message, code=problem.code)
    return cast(BinaryIO, stream)


def open_url(url: str, *, options: str = "") -> io.BufferedReader:
    """Open a table or a list in a storage for reading; errors are `DecodeError`, those of reading `OSError`."""
    return io.BufferedReader(_opened(RemoteObject(url, options=options), _Failing), 1 << 20)


def check(stream: BinaryIO) -> None:
    """Whether a stream could be read as far as it was, and is still what it was; nothing for files.

    Raises:
        DecodeError: a request failed, or the object was replaced.
    """
    if isinstance(stream, RemoteStream):
        stream.check()


class RemoteStream(Seekable):
    """An open object.

    Attributes:
        version: as `filesystems.version_of`.
        failure: why a request failed; from then on the stream is at its end.
    """

    def __init__(self, found: RemoteObject) -> None:
        """Ask what the object is; nothing of it is read yet. Exceptions are those of fsspec."""
        super().__init__()
        self._url = found.url
        self._system, self._path = system_of(found.url, found.options)
        self.failure: Problem | None = None
        info = self._opened()
        if info.get("type") == "directory":
            raise FileNotFoundError(self._path)
        self._size_bytes: int = info["size"]
        self._blocks = Blocks(self._fetch, size_bytes=self._size_bytes)
        self.version = version_of(info)
        self._state = _state(info)

    @property
    def size_bytes(self) -> int:
        """Of the object."""
        return self._size_bytes

    def check(self) -> None:
        """Raise what went wrong, see `check`; asks the storage once more where it does not compare versions itself."""
        if self.failure is None and scheme_of(self._url) not in ("s3", "s3a"):  # s3fs sends If-Match
            try:
                now = _state(self._system.info(self._path))
                self.failure = None if now == self._state else changed(self._url)
            except Exception as error:  # of the libraries below; all of them mean that it cannot be known
                self.failure = problem_of(error, self._url)
        if self.failure is not None:
            raise DecodeError(self.failure.message, code=self.failure.code)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill `buffer`; less only at the end, and nothing after a failure."""
        view = memoryview(buffer).cast("B")
        count = min(len(view), self.size_bytes - self._position)
        if count <= 0 or self.failure is not None:
            return 0
        try:
            view[:count] = self._blocks.read(self._position, count)
        except Exception as error:  # whatever the libraries below raise: `check` will say it
            self.failure = problem_of(error, self._url)
            return 0
        self._position += count
        return count

    def close(self) -> None:
        """Release the blocks."""
        if not self.closed and hasattr(self, "_blocks"):
            self._blocks.close()
            self._file.close()
        super().close()

    def _opened(self) -> dict[str, Any]:
        """Open the object for ranges, or fetch all of it where there are none; what the storage says of it."""
        if not is_web(self._url):
            self._file: Any = self._system.open(self._path, mode="rb", cache_type="none")
            return dict(self._file.details)
        info: dict[str, Any] = self._system.info(self._path)
        if info["size"] and info.get("partial", True):
            self._file = self._system.open(self._path, size=info["size"], cache_type="none")
        else:
            info["size"] = self._fetch_whole()
        return info

    def _fetch(self, start: int, end: int) -> bytes:
        try:
            self._file.seek(start)
            return bytes(self._file.read(end - start))
        except ValueError as error:
            if _NO_RANGES not in str(error):
                raise
        self._fetch_whole()
        self._file.seek(start)
        return bytes(self._file.read(end - start))

    def _fetch_whole(self) -> int:
        """Fetch everything into a temporary file, which is read from then on; its size."""
        whole = tempfile.TemporaryFile()
        self._system.get_file(self._path, whole)
        self._file = whole
        return whole.seek(0, io.SEEK_END)


class _Failing(RemoteStream):
    """An object for readers that expect an exception where something goes wrong."""

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill `buffer`; less only at the end."""
        count = super().readinto(buffer)
        if self.failure is not None:
            raise OSError(None, self.failure.message)
        return count


def _opened(found: RemoteObject, kind: type[_Stream]) -> _Stream:
    problem = refusal(found.url)
    if problem is not None:
        raise DecodeError(problem.message, code=problem.code)
    with _as_decode_error(found.url):
        return kind(found)


@contextmanager
def _as_decode_error(url: str) -> Iterator[None]:
    """Turn what the libraries raise into one line, without their text, which may hold a signature."""
    try:
        yield
    except Exception as error:
        problem = problem_of(error, url)
        raise DecodeError(problem.message, code=problem.code) from None


def _state(info: dict[str, Any]) -> tuple[Any, ...]:
    """What is different after an object was replaced, as far as the server says it."""
    return info.get("size"), version_of(info), info.get("Last-Modified"), info.get("Content-MD5")
