"""Pieces of Markdown, filled to 120 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

_WIDTH = 120


def filled(text: str) -> str:
    r"""Fill paragraphs, which empty lines divide, and the items of lists; headings and tables stay.

    >>> filled("# One\n\ntwo\nthree\n\n\n- four\nfive\n- six")
    '# One\n\ntwo three\n\n- four five\n- six\n'
    """
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    return "\n\n".join(part if part[0] in "#|" else _fill(part) for part in paragraphs) + "\n"


def table(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    r"""A table.

    >>> print(table(["corpus", "clips"], [["a|b", 3]]))
    | corpus | clips |
    | --- | --- |
    | a\|b | 3 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _fill(text: str) -> str:
    """Fill one paragraph or list; a line that ended in a hyphen would be shown with a space after it."""
    items = re.split(r"\n(?=- )", text)
    indent = "  " if text.startswith("- ") else ""
    return "\n".join(
        textwrap.fill(
            " ".join(item.split()), _WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
        )
        for item in items
    )


def _cell(value: Any) -> str:
    """Names are other people's: no character of theirs may end a cell or a line."""
    return " ".join(str(value).replace("|", "\\|").split())
