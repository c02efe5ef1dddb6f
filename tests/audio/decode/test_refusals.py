"""What is no recording, or one of absurd numbers, is refused with its code and a message that names it."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.audio.decode.reading import put, read, refusal
from tests.audio_files import encoded, tones, wav


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"Dear Sir or Madam,\nplease find attached", "text that begins with 'Dear Sir or Madam,'"),
        ("Sehr geehrte Frau Müller".encode("utf-16"), "text that begins with 'Sehr geehrte"),
        (b"<!DOCTYPE html><html>404", "a web page"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"PK\x03\x04....", "a ZIP"),
        (b"\x89PNG\r\n", "a PNG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ....", "WEBP"),
        (b"\0" * 5000, "zero bytes"),
        (b"\xff" * 5000, "no known kind of file"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "macOS metadata"),
        (np.random.default_rng(0).bytes(300_000), "no known kind of file"),
        (b"\xff\xfb\x90\x00 once and never again" * 9, "no known kind of file"),
        (tones(3).tobytes(), "--raw says how they are written"),
    ],
)
def test_what_is_no_audio_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    error = refusal(put(tmp_path, content))
    assert error.code == "not_audio"
    assert says in str(error)
    assert str(error).isprintable()
    assert capfd.readouterr() == ("", "")


def test_an_empty_file(tmp_path: Path) -> None:
    assert refusal(put(tmp_path, b"")).code == "empty_file"


@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "OGG", "RF64", "W64", "CAF"])
def test_a_header_without_samples(tmp_path: Path, format: str) -> None:
    assert refusal(put(tmp_path, encoded(tones(0), format=format))).code == "no_samples"


def test_a_flac_header_without_samples(tmp_path: Path) -> None:
    whole = encoded(tones(1), format="FLAC")
    header = whole[:4] + bytes([whole[4] | 0x80]) + whole[5:42]  # STREAMINFO, marked as the last block of the header
    assert refusal(put(tmp_path, header)).code == "no_samples"


def test_a_header_without_samples_before_another_chunk(tmp_path: Path) -> None:
    listing = b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert refusal(put(tmp_path, wav(tones(0), tail=listing))).code == "no_samples"


@pytest.mark.parametrize("count", [3, 13, 20, 40])
def test_half_a_header(tmp_path: Path, count: int) -> None:
    assert refusal(put(tmp_path, wav(tones(1))[:count])).code in ("damaged", "not_audio", "no_samples")


def test_one_sample_is_a_recording(tmp_path: Path) -> None:
    assert read(put(tmp_path, wav(tones(1)[:1]))).shape == (1, 1)
    assert read(put(tmp_path, wav(tones(1)[:80])), rate_hz=22050).shape[1] == pytest.approx(220, abs=1)


def test_paths_that_lead_to_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    os.symlink("gone", tmp_path / "link.wav")
    assert refusal(str(tmp_path / "none.wav")).code == "not_found"
    assert refusal(str(tmp_path / "link.wav")).code == "not_found"
    assert refusal(str(tmp_path / "fifo.wav")).code == "not_a_file"
    assert refusal(str(tmp_path)).code == "not_a_file"


def test_a_file_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, wav(tones(1)))
    os.chmod(path, 0)
    if os.geteuid() == 0:  # rights do not bind root, so the refusal is played

        def refuse(path: str, **_: object) -> None:
            raise PermissionError(13, "Permission denied", path)

        monkeypatch.setattr(io, "FileIO", refuse)
    assert refusal(path).code == "permission_denied"


@pytest.mark.parametrize(
    ("channels", "rate_hz", "code"),
    [
        (255, 8000, "too_many_channels"),
        (65_535, 8000, "too_many_channels"),
        (0, 8000, "damaged"),
        (1, 0, "damaged"),
        (1, 1, "bad_rate"),
        (1, 1 << 31, "damaged"),  # a negative rate to libsndfile
        (2, 1_000_000, "bad_rate"),
    ],
)
def test_absurd_numbers_in_a_header(tmp_path: Path, channels: int, rate_hz: int, code: str) -> None:
    content = bytearray(wav(tones(1)))
    content[22:28] = struct.pack("<HI", channels, rate_hz)
    assert refusal(put(tmp_path, bytes(content))).code == code
