"""Names in messages can neither break a line nor act on a terminal."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from sertag.names import display_name


def test_printable_names_stay_as_they_are() -> None:
    for name in ("calls/a b.wav", "Grüße.wav", "電話.wav", "family 👩\u200d👧.wav", "=1+1.wav", "back\\slash.wav"):
        assert display_name(name) == name


def test_what_a_terminal_would_act_on_is_escaped() -> None:
    assert display_name("a\nb\r\t\x1b[2J\x9b.wav") == "a\\nb\\r\\t\\x1b[2J\\x9b.wav"
    assert display_name("\u202egnp.wav\u2028") == "\\u202egnp.wav\\u2028"
    assert display_name(os.fsdecode(b"\xff\x80.wav")) == "\\xff\\x80.wav"
    assert display_name("\ud800") == "\\ud800"


@given(st.text(st.characters(codec=None)))
def test_every_name_becomes_one_line_that_can_be_encoded(name: str) -> None:
    shown = display_name(name)
    assert shown.replace("\u200d", "").isprintable()
    assert len(shown.encode().splitlines()) <= 1
