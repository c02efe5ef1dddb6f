"""Filters over the columns of a table: `role = customer and neg_q4 > 0.6`.

Syntax (reference: `docs/tables.md`): comparisons (`= != < <= > >=`), `~` and `!~` (contains, ignoring case), `in (a,
b)`, `is empty`, `is not empty`, joined by `and`, `or`, `not` and parentheses; numbers can be added, subtracted,
multiplied and divided. Text of more than one word is quoted. As in SQL, a comparison with an empty cell is neither true
nor false, and neither is its negation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sertag.analysis.filters.operands import OPERATORS, Cell, Operand, both, compared, computed, either, negation
from sertag.analysis.filters.tokens import KEYWORDS, ExpressionError, Tokens, nearest, split
from sertag.analysis.loading import is_number
from sertag.tables.readers import ReadRow


@dataclass(frozen=True, slots=True)
class Expression:
    """A filter.

    Attributes:
        matches: returns whether a row matches.
        columns: columns in the filter.
        words: words that each column is compared with.
    """

    matches: Callable[[ReadRow], bool]
    columns: frozenset[str]
    words: Mapping[str, tuple[str, ...]]


def parse(text: str, *, columns: Mapping[str, str], labels: tuple[str, ...] = ()) -> Expression:
    """Parse a filter.

    Args:
        text: the filter.
        columns: kind of each column by name, as in `tables.columns`.
        labels: emotions of the table.

    Raises:
        ExpressionError: a column does not exist, a word is in the wrong place, or a column cannot have a value.

    >>> found = parse("neg_q4 > 0.6 and not role = agent", columns={"neg_q4": "probability", "role": "text"})
    >>> [found.matches({"neg_q4": value, "role": "customer"}) for value in (0.7, 0.5, None)]
    [True, False, False]
    """
    tokens = Tokens(text, columns, labels, split(text))
    if not tokens.left:
        raise ExpressionError("the filter is empty; write one such as: role = customer and neg_q4 > 0.6")
    condition = _either(tokens)
    if tokens.left:
        _, found, at = tokens.left[0]
        raise tokens.error(f"expected `and`, `or` or the end, found {found!r}", at)
    words = {column: tuple(words) for column, words in tokens.words.items()}
    return Expression(lambda row: condition(row) is True, frozenset(tokens.used), words)


def _either(tokens: Tokens) -> Cell:
    found = _both(tokens)
    while tokens.skip("or"):
        found = either(found, _both(tokens))
    return found


def _both(tokens: Tokens) -> Cell:
    found = _not(tokens)
    while tokens.skip("and"):
        found = both(found, _not(tokens))
    return found


def _not(tokens: Tokens) -> Cell:
    if tokens.skip("not"):
        tokens.open()
        inner = _not(tokens)
        tokens.close()
        return negation(inner)
    if tokens.next_is("(") and _is_condition(tokens):
        tokens.take()
        tokens.open()
        inner = _either(tokens)
        tokens.close(")")
        return inner
    return _comparison(tokens)


def _is_condition(tokens: Tokens) -> bool:
    """Whether a parenthesis contains a condition, and not an arithmetic expression."""
    depth = 0
    for kind, text, _ in tokens.left:
        depth += (text == "(") - (text == ")") if kind == "sign" else 0
        if (kind == "sign" and text in OPERATORS) or (kind == "word" and text.lower() in KEYWORDS):
            return True
        if depth == 0:
            return False
    return True


def _comparison(tokens: Tokens) -> Cell:
    at = tokens.at
    left = _sum(tokens, first=True)
    if tokens.skip("is"):
        return _emptiness(tokens, left)
    negated = tokens.skip("not")
    if tokens.skip("in"):
        found = _member(tokens, left, at)
        return negation(found) if negated else found
    if negated or not tokens.next_is(*OPERATORS):
        raise tokens.error(f"expected one of {' '.join(OPERATORS)}, `in` or `is empty`")
    sign = tokens.take()[1]
    return compared(tokens, sign, left, _sum(tokens), at)


def _emptiness(tokens: Tokens, left: Operand) -> Cell:
    wanted = not tokens.skip("not")
    if not tokens.skip("empty"):
        raise tokens.error("expected `empty`")
    return lambda row: (left.cell(row) is None) is wanted


def _member(tokens: Tokens, left: Operand, at: int) -> Cell:
    if not tokens.skip("("):
        raise tokens.error("expected a list in parentheses behind `in`")
    tokens.open()
    found = compared(tokens, "=", left, _sum(tokens), at)
    while tokens.skip(","):
        found = either(found, compared(tokens, "=", left, _sum(tokens), at))
    tokens.close(")")
    return found


def _sum(tokens: Tokens, *, first: bool = False) -> Operand:
    found = _product(tokens, first=first)
    while tokens.next_is("+", "-"):
        found = computed(tokens, found, tokens.take(), _product(tokens, first=True))
    return found


def _product(tokens: Tokens, *, first: bool) -> Operand:
    found = _operand(tokens, first=first)
    while tokens.next_is("*", "/"):
        found = computed(tokens, found, tokens.take(), _operand(tokens, first=True))
    return found


def _operand(tokens: Tokens, *, first: bool) -> Operand:
    """A column, a number, text, or an expression in parentheses; a word after a sign is text if it is no column."""
    kind, text, at = tokens.take()
    if kind == "number":
        number = float(text)
        return Operand(lambda row: number, number=True, literal=text)
    if kind == "text":
        content = text.strip(text[0]) if text[0] in "'\"" else text
        return Operand(lambda row: content, number=False, literal=content)
    if text == "-":
        inner = _operand(tokens, first=True)
        return computed(tokens, Operand(lambda row: 0.0, number=True, literal="0"), ("sign", "-", at), inner)
    if text == "(":
        tokens.open()
        found = _sum(tokens, first=True)
        tokens.close(")")
        return found
    if kind == "word" and text.lower() not in KEYWORDS:
        return _word(tokens, text, at, first=first)
    raise tokens.error(f"expected a column, a number or text, found {text!r}", at)


def _word(tokens: Tokens, text: str, at: int, *, first: bool) -> Operand:
    if text in tokens.columns:
        tokens.used.add(text)
        return Operand(lambda row: row.get(text), number=is_number(tokens.columns[text]), column=text)
    if first:
        raise tokens.error(f"no column {text!r}; {nearest(text, tokens.columns)}", at)
    return Operand(lambda row: text, number=False, literal=text)
