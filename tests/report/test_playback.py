"""Browsers find recordings by percent-encoded paths, and are not asked to play what they cannot."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from sertag.report.playback import find, not_played
from sertag.text import encode_path
from tests.audio_files import encoded, tones

PLAYED = [("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "ALAW")]
PLAYED += [("WAVEX", "PCM_16"), ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]


@pytest.mark.parametrize(("fmt", "subtype"), PLAYED)
def test_what_browsers_play(fmt: str, subtype: str | None) -> None:
    assert not_played(encoded(tones(0.5), format=fmt, subtype=subtype)[:4096]) == ""


@pytest.mark.parametrize(
    ("fmt", "subtype", "name"),
    [
        ("WAV", "GSM610", "a WAV file with GSM 6.10"),
        ("WAV", "IMA_ADPCM", "a WAV file with IMA ADPCM"),
        ("WAV", "MS_ADPCM", "a WAV file with ADPCM"),
        ("AIFF", "PCM_16", "an AIFF file"),
        ("AU", "ULAW", "an AU file"),
        ("RF64", "PCM_16", "an RF64 file"),
    ],
)
def test_what_they_do_not_play_has_a_name(fmt: str, subtype: str, name: str) -> None:
    assert not_played(encoded(tones(0.5), format=fmt, subtype=subtype)[:4096]) == name


def test_headers_that_are_cut_short_are_no_reason_to_stop() -> None:
    assert not_played(b"RIFF\0\0\0\0WAVE") == "a WAV file with codec 0x0000"
    assert not_played(b"") != ""


@pytest.mark.parametrize(
    "name", ["a#1.wav", "50%.wav", "a?b=1&c.wav", "<'\">.wav", "Grüße 1.wav", "caf\udce9.wav", "c:d.wav"]
)
def test_names_are_found_again_from_the_page(tmp_path: Path, name: str) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "pages").mkdir()
    file = tmp_path / "calls" / name
    file.write_bytes(encoded(tones(0.5)))
    path = encode_path(os.path.join("calls", name))
    source = find(path, root=str(tmp_path), page_folder=str(tmp_path / "pages"))
    assert source.url is not None
    assert source.url.startswith("../calls/")
    assert not set(source.url) & set("#?&<>'\": ")
    assert os.path.samefile(os.path.join(os.fsencode(tmp_path / "pages"), unquote_to_bytes(source.url)), file)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("gone.wav", "missing"),
        (".", "missing"),
        ("a\0b.wav", "missing"),
        ("-", "remote"),
        ("s3://bucket/a.wav", "remote"),
    ],
)
def test_what_cannot_be_played_says_why(tmp_path: Path, path: str, problem: str) -> None:
    source = find(path, root=str(tmp_path), page_folder=str(tmp_path))
    assert (source.url, source.problem) == (None, problem)
