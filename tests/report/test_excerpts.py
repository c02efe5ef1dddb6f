"""Pieces of recordings are made in a process of their own, whose end costs one piece."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertag.report import excerpts
from sertag.report.excerpts import Job, make
from tests.audio_files import tones


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """Silence, but for a chord from 5 to 6 s in channel 1."""
    samples = np.zeros((8000 * 12, 2), np.float32)
    samples[40_000:48_000, 1] = tones(1.0)[:, 0]
    soundfile.write(tmp_path / "call.wav", samples, 8000)
    return str(tmp_path / "call.wav")


def test_a_sound_is_cut_where_it_was_asked_for(recording: str) -> None:
    ((_, answer),) = make([Job("sound", recording, 4.0, 7.0)])
    assert isinstance(answer, dict)
    assert (answer["start_s"], answer["end_s"]) == (4.0, 7.0)
    data = base64.b64decode(answer["data"])
    assert data.startswith(b"OggS")
    samples, rate_hz = soundfile.read(io.BytesIO(data))
    loud = np.abs(samples[:, 1]) > 0.1
    assert (np.flatnonzero(loud)[[0, -1]] / rate_hz) == pytest.approx([1.0, 2.0], abs=0.05)
    assert np.abs(samples[:, 0]).max() < 0.05


def test_a_waveform_has_its_peaks_where_the_sound_is(recording: str) -> None:
    ((_, answer),) = make([Job("peaks", recording, 0.0, 12.0)])
    assert isinstance(answer, dict)
    silent, loud = (np.frombuffer(base64.b64decode(text), np.uint8) for text in answer["channels"])
    assert silent.max() == 0
    assert np.flatnonzero(loud)[[0, -1]] / len(loud) * 12 == pytest.approx([5.0, 6.0], abs=0.02)


def test_what_cannot_be_read_is_a_sentence_and_the_others_are_made(recording: str, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("Dear Sir")
    jobs = [Job("sound", str(text), 0, 1), Job("sound", recording, 99, 100), Job("peaks", recording, 0, 12)]
    answers = [answer for _, answer in make(jobs)]
    assert "is text that begins" in str(answers[0])
    assert "has no sound at 99.0 s" in str(answers[1])
    assert isinstance(answers[2], dict)


def test_a_recording_that_crashes_or_hangs_the_reader_costs_its_own_piece(
    recording: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import os, sys, time; sys.path[:] = sys.argv[1:]; from sertag.report import excerpts\n"
    program += "sound = excerpts._sound\n"
    program += "def fault(job):\n"
    program += "    if job.start_s == 1: os.abort()\n"
    program += "    if job.start_s == 2: time.sleep(99)\n"
    program += "    return sound(job)\n"
    program += "excerpts._sound = fault; excerpts.main()"
    monkeypatch.setattr(excerpts, "_PROGRAM", program)
    answers = [answer for _, answer in make([Job("sound", recording, start, 6.0) for start in (1, 2, 3)], timeout_s=8)]
    assert "crashed or took over 8 s" in str(answers[0])
    assert "crashed or took over 8 s" in str(answers[1])
    assert isinstance(answers[2], dict)


def test_more_jobs_than_a_pipe_holds(tmp_path: Path) -> None:
    jobs = [Job("sound", str(tmp_path / ("gone" * 50)), second, second + 1) for second in range(1000)]
    answers = list(make(jobs))
    assert [job for job, _ in answers] == jobs
    assert all("no such file" in str(answer) for _, answer in answers)
