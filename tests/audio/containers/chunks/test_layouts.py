"""What the sizes in chunked files declare against what is there."""

from __future__ import annotations

import io
import struct

import pytest

from sertag.audio.containers.chunks.layouts import aiff_layout, au_layout, caf_layout, riff_layout
from sertag.audio.containers.layout import Layout
from tests.audio_files import encoded, tones, wav, with_format_tag

MEASURES = {
    "WAV": riff_layout,
    "RF64": riff_layout,
    "W64": riff_layout,
    "AIFF": aiff_layout,
    "AU": au_layout,
    "CAF": caf_layout,
}


def measure(content: bytes, format: str = "WAV") -> Layout:
    return MEASURES[format](io.BytesIO(content), start=0, size_bytes=len(content))


@pytest.mark.parametrize("format", MEASURES)
@pytest.mark.parametrize("seconds", [0.1, 2])
def test_sound_files_need_nothing(format: str, seconds: float) -> None:
    content = encoded(tones(seconds, channels=3), format=format)
    layout = measure(content, format)
    assert (layout.pieces, layout.declared_ratio, layout.end) == ((), 1, len(content))


@pytest.mark.parametrize("format", MEASURES)
def test_half_the_samples_are_declared_to_be_twice_as_many(format: str) -> None:
    content = encoded(tones(10), format=format)
    assert measure(content[: len(content) - 80_000], format).declared_ratio == pytest.approx(2, abs=0.01)


def test_little_endian_au_files() -> None:
    content = b"dns." + struct.pack("<5I", 24, 1000, 3, 8000, 1) + bytes(500)
    assert measure(content, "AU").declared_ratio == pytest.approx(2, abs=0.05)


def test_a_length_of_zero_is_replaced_by_what_is_there() -> None:
    layout = measure(wav(tones(1), data_size=0))
    head, sound = layout.pieces
    assert sound == range(44, 16_044)
    assert isinstance(head, bytes)
    assert head[-4:] == struct.pack("<I", 16_000)


def test_what_was_recorded_behind_the_declared_end_is_taken() -> None:
    layout = measure(wav(tones(3), data_size=1000))
    assert layout.pieces[-1] == range(44, 48_044)
    assert layout.declared_ratio == pytest.approx(1000 / 48_000)


def test_a_little_behind_the_declared_end_is_not_sound() -> None:
    layout = measure(wav(tones(1), tail=b"?" * 2000))
    assert layout.end == 16_044
    assert layout.declared_ratio == 1


@pytest.mark.parametrize("extra", [b"LIST\x02\0\0\0ab", b"\0" * 300, b"short", b"TAG" + bytes(125), b"LIST\xff\0\0\0a"])
def test_chunks_filler_and_tags_may_follow(extra: bytes) -> None:
    layout = measure(wav(tones(1), tail=extra))
    assert (layout.declared_ratio, layout.notes) == (1, ())
    assert sum(map(len, layout.sounds)) == 16_000


def test_two_sound_chunks_are_one_recording() -> None:
    more = tones(1)
    data = (more * 32767).astype("<i2").tobytes()
    layout = measure(wav(more, tail=b"data" + struct.pack("<I", len(data)) + data))
    assert [len(sound) for sound in layout.sounds] == [16_000, 16_000]
    assert layout.declared_ratio == 1


def test_sizes_of_long_files_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder that counts in 32 bits leaves what is beyond 4 GiB, here 64 KiB, out of the size."""
    monkeypatch.setattr("sertag.audio.containers.chunks.walk._WRAP_BYTES", 1 << 16)
    layout = measure(wav(tones(10), data_size=160_000 % (1 << 16), tail=b""))
    assert sum(map(len, layout.sounds)) == 160_000
    assert layout.declared_ratio == 1


def test_files_that_are_too_long_for_a_riff_header_get_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sertag.audio.containers.chunks.layouts._LONGEST_RIFF_BYTES", 1000)
    head = measure(wav(tones(1), data_size=0)).pieces[0]
    assert isinstance(head, bytes)
    assert head[:4] == b"RF64"
    assert struct.unpack("<QQQ", head[20:44]) == (len(head) - 8 + 16_000, 16_000, 8000)


def test_the_codec_of_a_wav_file_is_read() -> None:
    assert measure(with_format_tag(wav(tones(0.1)), 0x0083)).codec == 0x83
    assert measure(wav(tones(0.1))[:18]).codec is None


@pytest.mark.parametrize("format", MEASURES)
def test_headers_cut_anywhere_are_no_error(format: str) -> None:
    content = encoded(tones(0.01), format=format)
    for count in range(len(content)):
        assert 0 <= measure(content[:count], format).end <= max(1, count)
