"""Samples without a header: what names mean, and what an explicit format may say."""

from __future__ import annotations

import re

import pytest

from sertag.audio.headerless import FORMATS, SUFFIXES, contradiction, parse_raw, raw_format


@pytest.mark.parametrize(
    ("text", "subtype", "rate_hz", "channels"),
    [
        ("ulaw", "ULAW", 8000, 1),
        ("alaw:16000", "ALAW", 16000, 1),
        ("s16be:44100:2", "PCM_16", 44100, 2),
        ("gsm:8000:1", "GSM610", 8000, 1),
    ],
)
def test_formats_have_a_rate_and_channels_that_can_be_chosen(
    text: str, subtype: str, rate_hz: int, channels: int
) -> None:
    form = parse_raw(text)
    assert (form.subtype, form.rate_hz, form.channels) == (subtype, rate_hz, channels)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mulaw-ish", "expected one of ulaw"),
        ("", "expected one of ulaw"),
        ("ulaw:fast", "expected FORMAT[:RATE[:CHANNELS]]"),
        ("ulaw:8000:0", "expected FORMAT[:RATE[:CHANNELS]]"),
        ("ulaw:8000:1:2", "expected FORMAT[:RATE[:CHANNELS]]"),
        ("gsm:16000", "gsm is always 8000 Hz and one channel"),
        ("g722:8000", "g722 is always 16000 Hz"),
    ],
)
def test_what_is_no_format_is_named(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_raw(text)


def test_suffixes_are_those_of_exchanges() -> None:
    wanted = ".gsm .ul .ulaw .pcmu .al .alaw .pcma .sln .sln8 .sln16 .sln48 .slin .g722 .vox".split()
    assert set(wanted) <= set(SUFFIXES)
    assert SUFFIXES[".sln44"].rate_hz == 44_100
    assert raw_format("a/B.ULAW", None) == FORMATS["ulaw"]
    assert raw_format("a/b.ulaw", "alaw:16000") == parse_raw("alaw:16000")
    assert raw_format("a/b", None) is None


def test_gsm_frames_begin_with_the_same_bits() -> None:
    frames = (b"\xd5" + bytes(32)) * 5
    assert contradiction(FORMATS["gsm"], frames) == ""
    assert "do not begin" in contradiction(FORMATS["gsm"], frames + b"\x05" + bytes(32))
    assert contradiction(FORMATS["ulaw"], bytes(66)) == ""
