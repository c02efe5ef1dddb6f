"""From a source to the last event: stalls, faults, stops, exit codes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sertag.errors import Exit, SertagError
from sertag.live.events import End, Event, Gap, Start
from sertag.live.listen import Limits, exit_code, listen
from sertag.live.sources.source import SourceError
from sertag.model.session import load
from sertag.records import ChannelResult, FileResult, Options, Status
from tests.live.scripted import SPEECH, Script


def told(source: Script, tiny_model: Path, *, stall_s: float = 10, most_s: float = 1e9) -> list[Event]:
    events: list[Event] = []
    limits = Limits(stall_s, most_s)
    stop = threading.Event()
    end = listen(
        source, events.extend, model=load(str(tiny_model)), options=Options(), path="x", limits=limits, stop=stop
    )
    assert source.closed.is_set()
    assert events[-1] is end
    return events


def test_a_hang_up_ends_with_the_row(tiny_model: Path) -> None:
    events = told(Script(SPEECH), tiny_model)
    end = events[-1]
    assert isinstance(end, End)
    assert (end.reason, end.error, exit_code(end)) == ("hang_up", "", Exit.OK)
    assert end.result.channels[0].segments


def test_a_stall_is_told_when_it_begins_and_when_it_ends(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sertag.live.listen.STALL_S", 0.3)
    events = told(Script(SPEECH[:8000], 1.2, SPEECH[8000:]), tiny_model)
    first, second = [event for event in events if isinstance(event, Gap)]
    assert (first.cause, first.open, first.start_s) == ("stall", True, 1.0)
    assert (second.cause, second.open, second.start_s) == ("stall", False, 1.0)
    assert 0.3 <= first.duration_s < 1.2 <= second.duration_s < 3
    assert events[-1].result.duration_s == 8.0


def test_a_source_that_stalls_for_too_long_is_given_up(tiny_model: Path) -> None:
    end = told(Script(SPEECH, 30.0), tiny_model, stall_s=0.5)[-1]
    assert (end.reason, exit_code(end)) == ("stalled", Exit.SOME_FAILED)
    assert "nothing came for" in end.error
    assert end.result.channels[0].segments  # what was heard is not lost


def test_a_source_that_breaks_keeps_what_was_heard(tiny_model: Path) -> None:
    end = told(Script(SPEECH, SourceError("it is gone", code="microphone_gone")), tiny_model)[-1]
    assert (end.reason, end.error, exit_code(end)) == ("failed", "it is gone", Exit.SOME_FAILED)
    assert end.result.channels[0].segments


def test_a_fault_in_a_source_is_told(tiny_model: Path) -> None:
    end = told(Script(SPEECH, ZeroDivisionError("oh")), tiny_model)[-1]
    assert "ZeroDivisionError: oh; this is a fault of sertag" in end.error


def test_it_ends_after_the_longest_duration(tiny_model: Path) -> None:
    end = told(Script(*[SPEECH] * 5, 5.0), tiny_model, most_s=10.5)[-1]
    assert (end.reason, end.result.duration_s, exit_code(end)) == ("max_duration", 10.5, Exit.OK)


def test_whoever_wants_to_stop_gets_the_row(tiny_model: Path) -> None:
    stop, model = threading.Event(), load(str(tiny_model))
    source, events = Script(SPEECH, 30.0), []

    def emit(found: list[Event]) -> None:
        events.extend(found)
        if not isinstance(events[-1], Start):
            stop.set()

    limits = Limits(100, 1e9)
    end = listen(source, emit, model=model, options=Options(), path="x", limits=limits, stop=stop)
    assert (end.reason, end.result.duration_s, exit_code(end)) == ("interrupted", 8.0, Exit.OK)


def test_a_reader_that_left_ends_everything(tiny_model: Path) -> None:
    source = Script(SPEECH, 30.0)

    def emit(found: list[Event]) -> None:
        if not isinstance(found[0], Start):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        listen(
            source,
            emit,
            model=load(str(tiny_model)),
            options=Options(),
            path="x",
            limits=Limits(9, 9),
            stop=threading.Event(),
        )
    assert source.closed.is_set()
    assert [thread.name for thread in threading.enumerate() if thread.name == "sertag-final"] == []


def test_nothing_heard_is_no_success() -> None:
    nothing = FileResult("x", (ChannelResult(None, Status.UNREADABLE),))
    failed = FileResult("x", (ChannelResult(0, Status.FAILED, duration_s=4.0),))
    found = {
        (reason, result.duration_s): exit_code(End(reason, "", 0, 0, result))  # type: ignore[arg-type]
        for reason in ("end_of_stream", "hang_up", "interrupted", "stalled")
        for result in (nothing, failed)
    }
    assert found == {
        ("end_of_stream", 0.0): Exit.NOTHING_TAGGED,
        ("end_of_stream", 4.0): Exit.SOME_FAILED,
        ("hang_up", 0.0): Exit.OK,
        ("hang_up", 4.0): Exit.OK,
        ("interrupted", 0.0): Exit.OK,
        ("interrupted", 4.0): Exit.OK,
        ("stalled", 0.0): Exit.SOME_FAILED,
        ("stalled", 4.0): Exit.SOME_FAILED,
    }


def test_errors_of_a_session_are_told(tiny_model: Path) -> None:
    source = Script(SPEECH)
    with pytest.raises(SertagError, match="cannot be separated"):
        listen(
            source,
            lambda events: None,
            model=load(str(tiny_model)),
            options=Options(roles=("a", "b"), only_role="b"),
            path="x",
            limits=Limits(9, 9),
            stop=threading.Event(),
        )
    assert source.closed.is_set()
