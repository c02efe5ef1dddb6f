"""Several recordings in one file, and the second decoder where the first one gives up."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sertag.audio import recording
from sertag.audio.decode import open_audio
from sertag.audio.decoders import opening
from sertag.audio.decoders.reader import BrokenError
from sertag.errors import DecodeError
from sertag.records import Problem
from tests.audio_files import encoded, tones, wav


def put(tmp_path: Path, content: bytes, name: str = "call") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


def heard(path: str) -> tuple[np.ndarray, Problem | None]:
    with open_audio(path) as audio:
        blocks = list(audio.blocks(rate_hz=audio.rate_hz))
        return np.concatenate(blocks, axis=1), audio.problem


@pytest.mark.parametrize(
    ("piece", "channels", "expected"),
    [
        ([[1, 2]], 1, [[1.5]]),
        ([[1]], 3, [[1, 1, 1]]),
        ([[1, 2]], 4, [[1, 1, 2, 2]]),
        ([[1, 3, 5, 7]], 2, [[2, 6]]),
        ([[1, 2, 6]], 2, [[3, 3]]),
        ([[1, 5]], 3, [[3, 3, 3]]),
    ],
)
def test_channels_are_spread_or_mixed(piece: list[list[float]], channels: int, expected: list[list[float]]) -> None:
    assert recording._with_channels(np.array(piece, dtype=np.float32), channels).tolist() == expected


@pytest.mark.parametrize(("count", "channels"), [(1, 2), (2, 1), (3, 1), (4, 2), (3, 2)])
def test_an_empty_piece_has_as_many_channels_as_are_wanted(count: int, channels: int) -> None:
    assert recording._with_channels(np.empty((0, count), np.float32), channels).shape == (0, channels)


def test_joined_recordings_are_sample_by_sample_what_they_were(tmp_path: Path) -> None:
    first, second = tones(2, channels=2), tones(1, channels=2, level=0.1)
    path = put(tmp_path, wav(first) + encoded(second, format="FLAC") + encoded(second, format="AIFF"))
    found, problem = heard(path)
    assert problem is None
    assert np.abs(found - np.concatenate([first, second, second]).T).max() < 2 / 32768


def test_what_cannot_be_read_behind_a_recording_is_named(tmp_path: Path) -> None:
    broken = encoded(tones(1), format="FLAC")[:60] + b"\x55" * 3000
    found, problem = heard(put(tmp_path, wav(tones(2)) + broken))
    assert found.shape[1] == 16_000
    assert problem is not None
    assert problem.code == "truncated"
    assert "2.000 s could be read" in problem.message


def test_a_little_in_front_of_a_recording_is_passed_and_named(tmp_path: Path) -> None:
    found, problem = heard(put(tmp_path, b"\x81\x82\x83" * 100 + wav(tones(2))))
    assert found.shape[1] == 16_000
    assert problem is not None
    assert "300 bytes in front of it" in problem.message


def test_where_the_first_decoder_refuses_the_second_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")

    class Refusing:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            raise BrokenError("its header is damaged")

    monkeypatch.setattr(opening, "SndfileReader", Refusing)
    for format in ("WAV", "FLAC", "OGG", "AIFF", "AU", "W64", "CAF", "MP3"):
        rate_hz = 16_000 if format == "MP3" else 8000
        content = encoded(tones(2, rate_hz=rate_hz), rate_hz=rate_hz, format=format)
        if format == "MP3":  # has no signature; FFmpeg is told what to look for
            continue
        found, problem = heard(put(tmp_path, content))
        assert found.shape[1] / rate_hz == pytest.approx(2, abs=0.05)
        assert problem is None


def test_without_a_second_decoder_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    broken = encoded(tones(1), format="FLAC")[:42] + b"\x55" * 3000
    with pytest.raises(DecodeError, match=r"pip install 'sertag\[av\]' brings a second decoder") as caught:
        heard(put(tmp_path, broken))
    assert caught.value.code == "damaged"


@pytest.mark.parametrize(
    "content",
    [
        wav(tones(1))[:30],
        encoded(tones(1), format="FLAC")[:42] + b"\x55" * 3000,
        encoded(tones(1), format="OGG")[:50] + bytes(3000),
        encoded(tones(1), format="AIFF")[:20] + b"\x55" * 3000,
        b"\0\0\0\x20ftypM4A " + bytes(20) + b"\0\0\1\0mdat" + bytes(100),
        b"\x1aE\xdf\xa3" + b"\x42\x82\x88matroska" + b"\x55" * 3000,
        b"#!AMR\n",
        b"RIFF\xff\0\0\0WAVEfmt \x12\0\0\0\x99\x99" + bytes(16) + b"data\x40\0\0\0" + bytes(64),
    ],
)
def test_no_word_of_a_library_reaches_a_user(tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        heard(put(tmp_path, content))
    message = str(caught.value)
    foreign = (
        "Invalid data",
        "Internal error",
        "SF_INFO",
        "patches welcome",
        "Errno",
        "pipe?",
        "Error in",
        "malformed",
    )
    assert not [word for word in foreign if word in message]
    assert message.startswith(str(tmp_path))
    assert capfd.readouterr() == ("", "")
