"""Pieces of Markdown, filled to 120 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

_WIDTH = 120


def filled(text: str) -> str:
    r"""Fill paragraphs, which empty lines divide; headings, tables and lists stay.

    >>> filled("# One\n\ntwo\nthree\n\n\n")
    '# One\n\ntwo three\n'
    """
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    return "\n\n".join(part if part[0] in "#|-" else _fill(part) for part in paragraphs) + "\n"


def table(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    r"""A table.

    >>> print(table(["corpus", "clips"], [["a|b", 3]]))
    | corpus | clips |
    | --- | --- |
    | a\|b | 3 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def bullets(items: Sequence[str]) -> str:
    r"""A list.

    >>> bullets(["one", "two"])
    '- one\n- two'
    """
    return "\n".join(_fill(item, first="- ", others="  ") for item in items)


def _fill(text: str, *, first: str = "", others: str = "") -> str:
    """Fill one paragraph; a line that ended in a hyphen would be shown with a space after it."""
    return textwrap.fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False, break_long_words=False
    )


def _cell(value: Any) -> str:
    """Names are other people's: no character of theirs may end a cell or a line."""
    return " ".join(str(value).replace("|", "\\|").split())
