"""What headers promise against what files hold."""

from __future__ import annotations

import io
import struct

import pytest

from sertag.audio.headers import Layout, au_layout, form_layout, ogg_layout, riff_layout
from tests.audio_files import encoded, tones, wav, with_format_tag

MEASURES = {"WAV": riff_layout, "RF64": riff_layout, "AIFF": form_layout, "AU": au_layout}


def measure(content: bytes, format: str = "WAV") -> Layout:
    return MEASURES[format](io.BytesIO(content), size_bytes=len(content))


@pytest.mark.parametrize("format", MEASURES)
@pytest.mark.parametrize("seconds", [0, 0.1, 2])
def test_sound_files_need_nothing(format: str, seconds: float) -> None:
    layout = measure(encoded(tones(seconds, channels=3), format=format), format)
    assert (layout.pieces, layout.promised, layout.note) == ((), 1, "")


@pytest.mark.parametrize("format", MEASURES)
def test_half_the_samples_are_a_promise_of_twice_as_many(format: str) -> None:
    content = encoded(tones(10), format=format)
    assert measure(content[: len(content) - 80_000], format).promised == pytest.approx(2, abs=0.01)


def test_little_endian_au_files() -> None:
    content = b"dns." + struct.pack("<6I", 24, 1000, 3, 8000, 1, 0) + bytes(500)
    assert measure(content, "AU").promised == pytest.approx(2, abs=0.05)


def test_a_length_of_zero_is_replaced_by_what_is_there() -> None:
    content = wav(tones(1), data_size=0)
    layout = measure(content)
    assert layout.pieces == (range(0, 40), struct.pack("<I", 16_000), range(44, 16_044))


def test_a_length_that_is_too_small_is_believed_and_told() -> None:
    layout = measure(wav(tones(1), data_size=1000))
    assert layout.pieces == ()
    assert "15000 bytes follow" in layout.note


@pytest.mark.parametrize("extra", [b"LIST\x02\0\0\0ab", b"\0" * 300, b"short"])
def test_chunks_and_filler_may_follow(extra: bytes) -> None:
    assert measure(wav(tones(1), tail=extra)).note == ""


def test_the_codec_of_a_wav_file_is_read() -> None:
    assert measure(with_format_tag(wav(tones(0.1)), 0x0083)).codec == 0x83
    assert measure(wav(tones(0.1))[:18]).codec is None


def test_headers_cut_anywhere_are_no_error() -> None:
    for format, content in (("WAV", wav(tones(0.01))), ("AIFF", encoded(tones(0.01), format="AIFF"))):
        for count in range(len(content)):
            assert measure(content[:count], format).promised >= 1


def test_the_end_mark_of_ogg() -> None:
    content = encoded(tones(3), format="OGG")
    assert ogg_layout(io.BytesIO(content), size_bytes=len(content)).note == ""
    cut = content[: len(content) // 2]
    assert "end mark" in ogg_layout(io.BytesIO(cut), size_bytes=len(cut)).note
