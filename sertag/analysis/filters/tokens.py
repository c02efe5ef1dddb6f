"""Tokens of a filter, and error messages that quote it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sertag.errors import SertagError

Token = tuple[str, str, int]  # kind, text, position

KEYWORDS = frozenset(("and", "or", "not", "in", "is", "empty"))

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\"|\d{4}-\d\d-\d\d(?![\w-]))|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)(?![\w.])"
    r"|(?P<word>[^\W\d][\w.]*)|(?P<sign><=|>=|!=|<>|==|!~|[-=<>~()+*/,]))"
)
_DEEPEST = 100


class ExpressionError(SertagError):
    """A filter cannot be understood."""


@dataclass(slots=True)
class Tokens:
    """The tokens of a filter that are not parsed yet, and what was found so far.

    Attributes:
        text: the filter.
        columns: kind of each column by name.
        labels: emotions of the table.
        left: remaining tokens.
        used: columns in the filter.
        words: words that columns are compared with.
    """

    text: str
    columns: Mapping[str, str]
    labels: tuple[str, ...]
    left: list[Token]
    used: set[str] = field(default_factory=set)
    words: dict[str, list[str]] = field(default_factory=dict)
    _depth: int = 0

    @property
    def at(self) -> int:
        """Position of the next token."""
        return self.left[0][2] if self.left else len(self.text)

    def next_is(self, *wanted: str) -> bool:
        """Whether the next token is one of these words or signs."""
        return bool(self.left) and self.left[0][0] in ("word", "sign") and self.left[0][1].lower() in wanted

    def skip(self, wanted: str) -> bool:
        """Take the next token if it is this word or sign."""
        found = self.next_is(wanted)
        if found:
            self.left.pop(0)
        return found

    def take(self) -> Token:
        """Take the next token."""
        if not self.left:
            raise self.error("it ends here, expected a column, a number or text")
        return self.left.pop(0)

    def open(self) -> None:
        """Enter a parenthesis or a negation."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.error(f"more than {_DEEPEST} levels of parentheses and `not`")

    def close(self, sign: str = "") -> None:
        """Leave a level; the next token must be `sign` if one is given."""
        if sign and not self.skip(sign):
            raise self.error("a parenthesis is not closed")
        self._depth -= 1

    def error(self, message: str, at: int | None = None) -> ExpressionError:
        """The error for a position, by default that of the next token."""
        at = self.at if at is None else at
        near = f" at {self.text[at : at + 20]!r}" if at < len(self.text) else ""
        return ExpressionError(f"filter {self.text!r}: {message}{near}; see docs/tables.md", code="bad_filter")


def split(text: str) -> list[Token]:
    """The tokens of a filter: words, numbers, quoted text and signs.

    Raises:
        ExpressionError: a character is not allowed.

    >>> split("role != 'a b'")
    [('word', 'role', 0), ('sign', '!=', 5), ('text', "'a b'", 8)]
    """
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            message = f"filter {text!r}: cannot be read at {text[at : at + 20].strip()!r}"
            raise ExpressionError(
                f"{message}; quote text that is no single word; see docs/tables.md", code="bad_filter"
            )
        kind = match.lastgroup or ""
        tokens.append((kind, match[kind], match.start(kind)))
        at = match.end()
    return tokens


def nearest(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """Advice that names the most similar name, or all known names.

    >>> nearest("neg4", ("neg_q1", "neg_q4")), nearest("x", ("a", "b"))
    ("did you mean 'neg_q4'?", 'there is a, b')
    """
    lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"did you mean {lower[near[0]]!r}?" if near else f"there is {', '.join(known)}"
