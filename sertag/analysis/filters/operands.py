"""Operands and comparisons of filters, combined by SQL's three-valued logic."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sertag.analysis.filters.tokens import Token, Tokens, nearest
from sertag.records import Sentiment, Status, Trend
from sertag.tables.readers import ReadRow

Cell = Callable[[ReadRow], Any]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "~": lambda cell, text: str(text).casefold() in str(cell).casefold(),
    "!~": lambda cell, text: str(text).casefold() not in str(cell).casefold(),
}
ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass(slots=True)
class Operand:
    """One side of a comparison; `literal` is the value as typed, if it is no column."""

    cell: Cell
    number: bool
    column: str | None = None
    literal: str | None = None


def compared(tokens: Tokens, sign: str, left: Operand, right: Operand, at: int) -> Cell:
    """A comparison: of numbers if one side is a number and both can be, else of text.

    Raises:
        ExpressionError: the comparison can never be true.
    """
    _check(tokens, sign, left, right, at)
    _check(tokens, sign, right, left, at)
    compare = OPERATORS[sign]

    def cell(row: ReadRow) -> bool | None:
        a, b = left.cell(row), right.cell(row)
        if a is None or b is None:
            return None
        if "~" in sign:
            return compare(a, b)
        if left.number or right.number:
            x, y = _as_number(a), _as_number(b)
            if x is not None and y is not None:
                return compare(x, y)
            a, b = left.literal or a, right.literal or b
        return compare(str(a), str(b))

    return cell


def computed(tokens: Tokens, left: Operand, sign: Token, right: Operand) -> Operand:
    """The result of an arithmetic operation; empty if an operand is empty, or after a division by zero.

    Raises:
        ExpressionError: an operand is text.
    """
    for side in (left, right):
        if side.literal is not None and not side.number:
            raise tokens.error(f"{side.literal!r} is text and cannot be computed with", sign[2])
    compute = ARITHMETIC[sign[1]]

    def cell(row: ReadRow) -> float | None:
        a, b = _as_number(left.cell(row)), _as_number(right.cell(row))
        return None if a is None or b is None or (b == 0 and sign[1] == "/") else compute(a, b)

    return Operand(cell, number=True)


def both(left: Cell, right: Cell) -> Cell:
    """Logical and: true if both are true, false if one is false, else None."""

    def cell(row: ReadRow) -> bool | None:
        a, b = left(row), right(row)
        return False if a is False or b is False else None if a is None or b is None else True

    return cell


def either(left: Cell, right: Cell) -> Cell:
    """Logical or: true if one is true, false if both are false, else None."""

    def cell(row: ReadRow) -> bool | None:
        a, b = left(row), right(row)
        return True if a is True or b is True else None if a is None or b is None else False

    return cell


def negation(inner: Cell) -> Cell:
    """Logical not; None stays None."""
    return lambda row: None if (value := inner(row)) is None else not value


def _check(tokens: Tokens, sign: str, column: Operand, other: Operand, at: int) -> None:
    """Refuse a comparison that can never be true: of a number with a word, or with an emotion no model has."""
    if column.number and column.literal is None and other.literal is not None and not other.number and "~" not in sign:
        message = f"{column.column or 'what is computed'} is a number, {other.literal!r} is not"
        raise tokens.error(f"{message}; {nearest(other.literal, tokens.columns)}", at)
    if column.column is None or other.literal is None or sign not in ("=", "==", "!=", "<>"):
        return
    allowed = {
        "status": tuple(status.value for status in Status),
        "sentiment": tuple(sentiment.value for sentiment in Sentiment),
        "trend_label": tuple(trend.value for trend in Trend),
        "emotion": tokens.labels,
    }.get(column.column, ())
    if allowed and other.literal not in allowed:
        message = f"{column.column} is never {other.literal!r}; {nearest(other.literal, allowed)}"
        raise tokens.error(message, at)
    tokens.words.setdefault(column.column, []).append(other.literal)


def _as_number(cell: Any) -> float | None:
    try:
        return None if cell is None else float(cell)
    except ValueError:
        return None
