"""What a file is by its first bytes; never an exception, whatever the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.audio.filetype import HEAD_BYTES, Decoder, sniff
from tests.audio_files import encoded, tones


@pytest.mark.parametrize("format", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "FLAC", "OGG", "CAF", "NIST", "VOC"])
def test_sound_files_go_to_libsndfile(format: str) -> None:
    subtype = "ULAW" if format == "VOC" else None
    assert sniff(encoded(tones(0.2), format=format, subtype=subtype)[:HEAD_BYTES]).decoder is Decoder.SNDFILE


def test_mp3_has_no_signature_and_is_looked_into() -> None:
    assert sniff(encoded(tones(0.2), format="MP3")[:HEAD_BYTES]).decoder is Decoder.UNKNOWN


@pytest.mark.parametrize(
    "head",
    [
        b"\0\0\0\x20ftypM4A ",
        b"0&\xb2u\x8ef\xcf\x11",
        b"#!AMR\n",
        b"\x1aE\xdf\xa3",
        b"\xff\xf1\x50\x80\x01\x1f\xfc\0\xff\xf1",  # two ADTS headers, the first frame 8 bytes long
        b"OggS" + bytes(24) + b"Speex   1.2",
        b"RIFF\0\0\0\0AVI ",
        (b"G" + bytes(187)) * 3,
    ],
)
def test_what_libsndfile_cannot_read_goes_to_pyav(head: bytes) -> None:
    assert sniff(head).decoder is Decoder.AV
    assert sniff(head).format  # else FFmpeg would guess


def test_a_mark_of_ogg_makes_no_ogg_of_a_text() -> None:
    assert sniff(b"#EXTM3U".ljust(28) + b"Speex   http://somewhere").decoder is Decoder.NONE


def test_text_is_no_mp3_even_where_it_begins_with_ones() -> None:
    assert sniff("date;agent;call\n".encode("utf-16")).decoder is Decoder.NONE
    assert sniff("ÿÿû says the file".encode()).decoder is Decoder.NONE
    assert sniff(b" \n\t").name == "blank text"


@given(st.binary(max_size=600))
def test_any_bytes_get_a_printable_name(head: bytes) -> None:
    assert sniff(head).name.isprintable()
