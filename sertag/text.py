r"""Names of files as text: for readers of tables, who get every byte back, and for people, on whom nothing must act.

A name may hold any byte but zero, and text any character but those that are none. So a byte of a name that is not part
of valid UTF-8 is written as `\xe9`, and a backslash that would be read as the start of such an escape as `\x5c`. All
other names stay as they are, backslashes and all. `decode_path` undoes it.
"""

from __future__ import annotations

import os
import re

_JOINER = "\u200d"  # glues emoji together; invisible, but harmless and lost meaning would be worse
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
_LIKE_AN_ESCAPE = re.compile(rb"\\(?=x[0-9a-fA-F]{2})")


def encode_path(path: str) -> str:
    r"""A path as valid Unicode, from which `decode_path` makes the path again; no two paths become the same.

    Args:
        path: as Python names it; may hold surrogates for bytes that are not valid UTF-8.

    >>> print(encode_path("Grüße.wav"), encode_path("caf\udce9.wav"), encode_path(r"a\b\xe9.wav"))
    Grüße.wav caf\xe9.wav a\b\x5cxe9.wav
    """
    if path.isascii() and "\\x" not in path:
        return path
    return _LIKE_AN_ESCAPE.sub(rb"\\x5c", _bytes(path)).decode("utf-8", "backslashreplace")


def decode_path(text: str) -> str:
    r"""The path that a table, a log or a journal of sertag means.

    Args:
        text: from a `path` column; in CSV and TSV without the `'` that guards against formulas.

    Returns:
        The path as Python opens it; `os.fsencode` gives its bytes.

    >>> decode_path(r"caf\xe9.wav") == os.fsdecode(b"caf\xe9.wav")
    True
    >>> print(decode_path(r"a\b\x5cxe9.wav"))
    a\b\xe9.wav
    """
    return os.fsdecode(_ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode()))


def display_name(path: str) -> str:
    r"""A path as it can be printed: as in tables, with control characters and direction marks escaped as well.

    Args:
        path: as given or found; may hold surrogates for bytes that are not valid UTF-8.

    Returns:
        One line of printable text; the same text where the name was printable.

    >>> print(display_name("calls/Grüße \U0001f4de.wav"), display_name("a\nb\x1b[31m\udcff.wav"))
    calls/Grüße 📞.wav a\nb\x1b[31m\xff.wav
    """
    return display_text(encode_path(path))


def display_text(text: str) -> str:
    r"""A message as it can be printed, on one line; names in it are already as `display_name` gives them.

    >>> print(display_text("caf\\xe9.wav:\tis text"))
    caf\xe9.wav:\tis text
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == _JOINER else _escaped(c) for c in text)


def valid_text(text: str) -> str:
    r"""Text that can be written as UTF-8: what stands for no character is spelled out.

    >>> print(valid_text("odd \ud800 \udce9"))
    odd \ud800 \xe9
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(_escaped(c) if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def shown_bytes(data: bytes) -> str:
    r"""Bytes in a message: what is no printable ASCII is escaped.

    >>> print(shown_bytes(b"ID3\x04\xff"))
    'ID3\x04\xff'
    """
    return repr(data)[1:]


def audio_text(seconds: float) -> str:
    """An amount of audio for people.

    >>> audio_text(42), audio_text(150), audio_text(9000)
    ('42 s', '2.5 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"


def clock(seconds: float) -> str:
    """A time within a recording.

    >>> clock(75.4), clock(3675)
    ('1:15', '1:01:15')
    """
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "file"), plural(2000, "file")
    ('1 file', '2,000 files')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _bytes(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # no file here has such a name: half of a UTF-16 pair, or more than the locale can say
        return path.encode("utf-8", "surrogatepass")


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how os.fsdecode keeps a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
