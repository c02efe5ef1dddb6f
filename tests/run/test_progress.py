from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from rich.console import Console

from sertag.records import AudioFile
from sertag.run.messages import progress
from sertag.run.messages.progress import Progress
from sertag.run.summary import Tally, last_line
from tests.results import no_speech, ok, unreadable


def three_files() -> Iterator[AudioFile]:
    return (AudioFile(f"{index}.wav") for index in range(3))


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=140))
    monkeypatch.setenv("TERM", "xterm")
    return screen


def test_live_line_says_what_has_been_done(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_terminal(monkeypatch)
    tally = Tally()
    with Progress(tally, files=three_files) as shown:
        for result in (ok(), no_speech(), unreadable("b.wav")):
            tally.add(result)
            shown.advance()
    said = screen.getvalue()
    assert "3/3 files" in said
    assert "1 failed" in said
    assert "15 s of audio" in said
    assert "times real time" in said


def test_without_a_count_there_is_no_total(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_terminal(monkeypatch)
    tally = Tally()
    with Progress(tally, files=None) as shown:
        tally.add(ok())
        shown.advance()
    assert "1 file " in screen.getvalue()
    assert "/1" not in screen.getvalue()


def test_line_in_a_file_comes_now_and_then(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sertag")
    tally = Tally()
    with Progress(tally, files=None) as shown:
        shown.advance()
        assert caplog.messages == []
        monkeypatch.setattr(progress, "_PLAIN_EVERY_S", 0.0)
        tally.add(unreadable("b.wav"))
        shown.advance()
    assert caplog.messages == ["1 file · 0 s of audio · 0 times real time · 1 failed"]


def test_last_line_counts_rows_by_status() -> None:
    tally = Tally()
    for result in (ok(channels=2), no_speech(), unreadable("b.wav")):
        tally.add(result)
    line = last_line(tally, where="table in r.csv")
    assert line.startswith("3 files, 4 rows (2 ok, 1 no_speech, 1 unreadable); 15 s of audio in ")
    assert line.endswith("; table in r.csv")
