"""Lists of paths are read in whatever encoding they are, or refused; none loses its first recording."""

from __future__ import annotations

import io
import os

import pytest

from sertag.run.inputs import PathListError, read_list

NAMES = ["calls/a b.wav", "Grüße/電話.wav", "📞.wav", " last"]


class Pipe(io.BytesIO):
    """Gives one byte at a time, as a slow program may."""

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(1)


def read(data: bytes, *, null: bool = False) -> list[str]:
    found = list(read_list(io.BytesIO(data), null=null))
    assert list(read_list(Pipe(data), null=null)) == found
    return found


def test_lists_are_read_by_line_and_by_zero_byte() -> None:
    lines = io.BytesIO(b"a.wav\r\nb c .wav\n\n\xff.wav\n last")
    assert list(read_list(lines, null=False)) == ["a.wav", "b c .wav", "\udcff.wav", " last"]
    zeros = io.BytesIO(b"new\nline.wav\0\0b.wav\r\0last")
    assert list(read_list(zeros, null=True)) == ["new\nline.wav", "b.wav\r", "last"]


def test_long_lists_split_names_nowhere() -> None:
    names = [f"{'d' * 50}/{i}.wav" for i in range(5000)]
    assert list(read_list(io.BytesIO("\0".join(names).encode()), null=True)) == names


ENCODINGS = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8-sig",
    "utf-16 with mark, little": "utf-16-le",
    "utf-16 with mark, big": "utf-16-be",
    "utf-32 with mark, little": "utf-32-le",
    "utf-32 with mark, big": "utf-32-be",
}


def encoded(text: str, encoding: str) -> bytes:
    mark = "\ufeff" if "mark" in encoding else ""
    return (mark + text).encode(ENCODINGS[encoding])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\0"], ids=["lf", "crlf", "cr", "null"])
@pytest.mark.parametrize("last_end", [True, False])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_and_line_end_is_read(encoding: str, last_end: bool, end: str) -> None:
    data = encoded(end.join(NAMES) + (end if last_end else ""), encoding)
    assert read(data, null=end == "\0") == NAMES


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_empty_list_has_no_paths(encoding: str) -> None:
    assert read(encoded("", encoding)) == []
    assert read(encoded("\r\n\n", encoding)) == []
    assert read(encoded("", encoding), null=True) == []


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_refused(encoding: str, null: bool) -> None:
    for data in ("calls/a.wav\0" if null else "calls/a.wav\r\n", "a" * 70_000, "a/"):
        with pytest.raises(PathListError, match="looks like UTF-16 without a byte-order mark; write it as UTF-8"):
            read(data.encode(encoding), null=null)


@pytest.mark.parametrize("data", ["a.wav\n".encode("utf-16")[:-1], b"\xff\xfea\0\x00\xd8\n\0"], ids=["odd", "half"])
def test_damaged_utf16_is_refused(data: bytes) -> None:
    with pytest.raises(PathListError, match="UTF-16, but is not valid"):
        read(data)


def test_names_of_few_letters_are_no_utf16() -> None:
    assert read(b"a\0bc\0d\0", null=True) == ["a", "bc", "d"]
    assert read(b"a\nb\nc\nd\n") == ["a", "b", "c", "d"]


def test_a_zero_separated_list_that_is_read_by_lines_shows() -> None:
    assert read(b"calls/a.wav\0calls/b.wav\0") == ["calls/a.wav\0calls/b.wav\0"]


def test_bytes_stay_bytes_with_and_without_a_mark() -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        assert [os.fsencode(name) for name in read(mark + b"caf\xe9.wav\n\xff\xfe\n")] == [b"caf\xe9.wav", b"\xff\xfe"]


def test_a_carriage_return_inside_a_line_belongs_to_the_name() -> None:
    assert read(b"a\rb.wav\nc.wav\n") == ["a\rb.wav", "c.wav"]
    assert read(b"a\rb.wav", null=True) == ["a\rb.wav"]
