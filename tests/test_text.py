"""Every name becomes text that anybody can read, and the name again; in messages it cannot act on a terminal."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.text import decode_path, display_name, display_text, encode_path, valid_text

NAMES = st.binary(max_size=12).filter(lambda name: b"\0" not in name)
LIKE_ESCAPES = st.lists(st.sampled_from([b"\\", b"x", b"\\x5c", b"e9", b"\xe9", b"\xc3", b"\xa9", b"5", b"c", b"/"]))


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("calls/a b.wav", "Grüße.wav", "電話.wav", "C:\\calls\\new.wav", "a\\xyz.wav", "a\nb\x1b.wav", "'=1"):
        assert encode_path(name) == decode_path(name) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"caf\xe9.wav", r"caf\xe9.wav"),
        (b"caf\xc3\xa9 \xe9.wav", r"café \xe9.wav"),
        (rb"caf\xe9.wav", r"caf\x5cxe9.wav"),
        (rb"caf\xE9.wav", r"caf\x5cxE9.wav"),
        (rb"\x5cx5c", r"\x5cx5cx5c"),
        (b"\\\xe9", r"\\xe9"),
        (b"\\x\xe9", r"\x\xe9"),
        (b"\xed\xa0\x80.wav", r"\xed\xa0\x80.wav"),  # half of a UTF-16 pair, as Windows may hand it over
        (b"\xf0\x9f\x93\xde", r"\xf0\x9f\x93\xde"),
    ],
)
def test_bytes_that_are_no_text_are_escaped_and_what_looks_like_an_escape_is_too(name: bytes, text: str) -> None:
    assert encode_path(os.fsdecode(name)) == text
    assert os.fsencode(decode_path(text)) == name


@given(st.one_of(NAMES, LIKE_ESCAPES.map(b"".join)))
def test_every_name_is_recovered_from_valid_text(name: bytes) -> None:
    text = encode_path(os.fsdecode(name))
    assert text.encode("utf-8", "strict").decode() == text
    assert os.fsencode(decode_path(text)) == name


@given(st.text(st.characters(codec=None)))
def test_text_that_no_file_can_be_called_is_valid_too(name: str) -> None:
    encode_path(name).encode("utf-8", "strict")
    valid_text(name).encode("utf-8", "strict")


def test_upper_case_escapes_are_understood() -> None:
    assert os.fsencode(decode_path(r"caf\xE9.wav")) == b"caf\xe9.wav"


def test_printable_names_stay_as_they_are() -> None:
    for name in ("calls/a b.wav", "Grüße.wav", "電話.wav", "family 👩\u200d👧.wav", "=1+1.wav", "back\\slash.wav"):
        assert display_name(name) == name


def test_what_a_terminal_would_act_on_is_escaped() -> None:
    assert display_name("a\nb\r\t\x1b[2J\x9b.wav") == "a\\nb\\r\\t\\x1b[2J\\x9b.wav"
    assert display_name("\u202egnp.wav\u2028") == "\\u202egnp.wav\\u2028"
    assert display_name(os.fsdecode(b"\xff\x80.wav")) == "\\xff\\x80.wav"
    assert display_name("\ud800") == "\\xed\\xa0\\x80"


def test_names_in_messages_are_those_of_the_tables() -> None:
    for name in (b"caf\xe9.wav", rb"caf\xe9.wav", b"a\\b.wav"):
        shown = display_name(os.fsdecode(name))
        assert shown == encode_path(os.fsdecode(name))
        assert display_text(f"{shown}: is text") == f"{shown}: is text", "a message is not escaped twice"


@given(st.text(st.characters(codec=None)))
def test_every_name_becomes_one_line_that_can_be_encoded(name: str) -> None:
    shown = display_name(name)
    assert shown.replace("\u200d", "").isprintable()
    assert len(shown.encode().splitlines()) <= 1
