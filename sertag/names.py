"""File names in messages: a name may hold any byte, a terminal must not act on it."""

from __future__ import annotations

_JOINER = "\u200d"  # glues emoji together; invisible, but harmless and lost meaning would be worse


def display_name(path: str) -> str:
    r"""A path as it can be printed: control characters, direction marks and bytes that are no text are escaped.

    Args:
        path: as given or found; may hold surrogate escapes for bytes that are not valid UTF-8.

    Returns:
        One line of printable text; the same text where the name was printable.

    >>> print(display_name("calls/Grüße \U0001f4de.wav"), display_name("a\nb\x1b[31m\udcff.wav"))
    calls/Grüße 📞.wav a\nb\x1b[31m\xff.wav
    """
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() or c == _JOINER else _escaped(c) for c in path)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how os.fsdecode keeps a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
