"""Standard input holds what files hold, and has no end and no length of its own."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from sertag.audio.decode import open_audio
from tests.audio.decode.reading import feed, put, read, read_with_problem, refusal
from tests.audio_files import encoded, tones, wav


@pytest.mark.parametrize("format", ["WAV", "FLAC", "MP3", "OGG", "AIFF", "AU"])
def test_standard_input_holds_what_files_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    content = encoded(tones(2, rate_hz=16000, channels=2), rate_hz=16000, format=format)
    feed(monkeypatch, content)
    with open_audio("-") as audio:
        found = np.concatenate(list(audio.blocks(rate_hz=8000)), axis=1)
    assert audio.problem is None
    assert np.array_equal(found, read(put(tmp_path, content), rate_hz=8000))


def test_large_standard_input_goes_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sertag.audio.streams._STDIN_IN_MEMORY_BYTES", 1000)
    feed(monkeypatch, wav(tones(2)))
    assert np.abs(read("-") - tones(2).T).max() < 1e-4


@pytest.mark.parametrize("claimed", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_pipe_that_knows_no_length(monkeypatch: pytest.MonkeyPatch, claimed: int) -> None:
    feed(monkeypatch, wav(tones(2), data_size=claimed))
    assert read_with_problem("-") == (2, None)


def test_standard_input_that_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b"")
    assert refusal("-").code == "empty_file"
    monkeypatch.setattr(sys, "stdin", None)
    assert refusal("-").code == "not_found"


def test_standard_input_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sertag.audio.streams._STDIN_BYTES", 10_000)
    feed(monkeypatch, wav(tones(1)))
    assert refusal("-").code == "too_large"


def test_standard_input_that_fits_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: object, /) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile", lambda max_size: Full())
    feed(monkeypatch, wav(tones(1)))
    error = refusal("-")
    assert error.code == "no_space"
    assert "No space left on device" in str(error)
