"""Filters choose what they say, treat empty cells as SQL does, and explain mistakes by the nearest name."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.analysis.filters.expressions import parse
from sertag.analysis.filters.tokens import ExpressionError

COLUMNS = {
    "path": "text",
    "channel": "channel",
    "role": "text",
    "status": "text",
    "emotion": "text",
    "neg_q1": "probability",
    "neg_q4": "probability",
    "attention": "probability",
    "segments": "count",
    "queue": "text",
}
LABELS = ("angry", "happy", "neutral")
ROW: dict[str, Any] = {
    "path": "calls/2026-03-02 a.wav",
    "channel": 1,
    "role": "customer",
    "status": "ok",
    "emotion": None,
    "neg_q1": 0.2,
    "neg_q4": 0.7,
    "attention": None,
    "segments": 12,
    "queue": "007",
    "day": "2026-03-02",
}


def matches(text: str, row: dict[str, Any] = ROW) -> bool:
    return parse(text, columns=COLUMNS | {"day": "text"}, labels=LABELS).matches(row)


@pytest.mark.parametrize(
    "text",
    [
        "role = customer and neg_q4 > 0.6",
        "role = 'customer' AND neg_q4 >= .7",
        "neg_q4 - neg_q1 > 0.4",
        "-neg_q1 < 0 and 2 * (neg_q1 + neg_q4) / 3 > 0.5",
        "(role = agent or neg_q4 > 0.6) and segments = 12",
        "not (role = agent)",
        "not role = agent and not not role = customer",
        "channel = 1",
        "channel in (0, 1) and channel not in (2, mix)",
        "queue = 007 and queue = 7 and queue = '007'",
        "queue != 008",
        "path ~ ' A.WAV' and path !~ mp3",
        "emotion is empty and role is not empty",
        "0.6 < neg_q4",
        "day >= 2026-03-01 and day = 2026-03-02",
        'role in (agent, "customer")',
        "neg_q4 > neg_q1",
        "attention > 0.5 or role = customer",
    ],
)
def test_what_is_true_is_chosen(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "role = customer and neg_q4 > 0.8",
        "role = Customer",
        "attention > 0.5",
        "not attention > 0.5",  # an empty cell makes neither true
        "attention <= 0.5",
        "emotion != neutral",
        "emotion in (angry, happy)",
        "attention > 0.5 and role = customer",
        "neg_q4 / 0 > 1",
        "channel = mix",
        "emotion is not empty",
        "not emotion is empty",
        "day < 2026-03-02",
    ],
)
def test_what_is_false_or_unknown_is_not_chosen(text: str) -> None:
    assert not matches(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rol = customer", "no column 'rol'; did you mean 'role'?"),
        ("NEG_Q4 > 1", "did you mean 'neg_q4'?"),
        ("neg_q4 > attnetion", "neg_q4 is a number, 'attnetion' is not; did you mean 'attention'?"),
        ("emotion = angri", "emotion is never 'angri'; did you mean 'angry'?"),
        ("status = good", "there is ok, no_speech, too_short"),
        ("role = customer neg_q4 > 1", "expected `and`, `or` or the end, found 'neg_q4'"),
        ("role =", "it ends here"),
        ("(role = customer", "a parenthesis is not closed"),
        ("role customer", "expected one of = =="),
        ("role = é$", "cannot be read at '$'"),
        ("  ", "the filter is empty"),
        ("role is customer", "expected `empty`"),
        ("role in customer", "expected a list in parentheses"),
        ("role in (customer", "a parenthesis is not closed"),
        ("and", "expected a column"),
        ("neg_q4 + angry > 1", "no column 'angry'"),
        ("not " * 200 + "role = agent", "more than 100 levels"),
        ("(" * 200, "more than 100 levels"),
        ("neg_q4 > 0.6x", "cannot be read at '0.6x'"),
    ],
)
def test_mistakes_are_explained(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=r"filter|the filter is empty") as error:
        matches(text)
    assert message in str(error.value)


def test_columns_and_words_are_known_afterwards() -> None:
    found = parse("role = customer or role in (x, y) and neg_q4 > 1", columns=COLUMNS)
    assert found.columns == {"role", "neg_q4"}
    assert found.words == {"role": ("customer", "x", "y")}


@given(st.text("()=<>~ andorinot0.5_q4rle'\"-+*/,", max_size=60))
def test_nothing_but_an_explanation_comes_of_nonsense(text: str) -> None:
    with suppress(ExpressionError):
        assert matches(text) in (True, False)
