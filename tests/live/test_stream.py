"""Arrays in, events out: the last word is that of the batch, the first ones come at once, on any recording."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sertag
from sertag.audio.decode import open_audio
from sertag.errors import SertagError
from sertag.features import chunks
from sertag.live.events import End, Event, SpeechEnd, Start, Window, event_object
from sertag.live.session.session import Session
from sertag.live.stream import stream
from sertag.model.session import Model, load
from sertag.records import AudioFile, FileResult, Options, Status
from sertag.tables.columns import ModelInfo
from sertag.tables.writers import json_line, results_view
from sertag.tagging.pipeline import tag_file
from tests.conftest import RATE_HZ, speech_like

EXAMPLES = Path(__file__).parents[2] / "examples" / "calls"
CALLS = ("billing_complaint", "on_hold", "hung_up", "one_channel")


class SimulatedClock:
    """A clock that the audio itself turns: so many seconds a sample, and none for computing."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def origin_of(model: Model) -> ModelInfo:
    return ModelInfo(model.spec.labels, model.spec.name, model.sha256)


def blocks_of(path: Path | str, *, block_s: float = 0.02) -> tuple[int, Iterator[np.ndarray]]:
    with open_audio(str(path)) as audio:
        blocks = [block.copy() for block in audio.blocks(rate_hz=audio.rate_hz, block_s=block_s)]
        return audio.rate_hz, iter(blocks)


def batch_line(path: str, model: Model, options: Options | None = None) -> bytes:
    result = tag_file(AudioFile(path), model=model, options=options or Options())
    (document,) = results_view(origin_of(model)).objects(result)
    return json_line(document)


def live_line(end: Event, model: Model) -> bytes:
    assert isinstance(end, End)
    return json_line(event_object(end, origin=origin_of(model))["result"])


def heard_live(path: Path | str, model: Model, *, block_s: float = 0.02) -> tuple[list[Event], Session]:
    """The events of a recording that comes in real time, by a clock that the audio turns."""
    rate_hz, blocks = blocks_of(path, block_s=block_s)
    clock, session, events = SimulatedClock(), None, []
    for block in blocks:
        clock.now_s += block.shape[1] / rate_hz
        if session is None:
            shape = {"channels": len(block), "rate_hz": rate_hz}
            session = Session(model=model, options=Options(), path=str(path), clock=clock, **shape)
            events.append(session.start())
        events += session.push(np.ascontiguousarray(block.T))
    assert session is not None
    return [*events, *session.finish("hang_up")], session


@pytest.mark.parametrize("name", CALLS)
def test_the_end_is_the_row_of_the_batch_byte_for_byte(name: str) -> None:
    model = load("phone")
    (path,) = EXAMPLES.glob(f"*{name}.wav")
    rate_hz, blocks = blocks_of(path)
    *_, end = stream(blocks, rate_hz=rate_hz, model=model, name=str(path))
    assert live_line(end, model) == batch_line(str(path), model)


def test_a_real_call_through_a_simulated_clock_ends_as_the_batch(data_dir: Path) -> None:
    model, path = load(), data_dir / "calls" / "call_center_sample_alaw.wav"
    events, _ = heard_live(path, model)
    assert live_line(events[-1], model) == batch_line(str(path), model)
    provisional = [event for event in events if isinstance(event, Window) and event.provisional]
    assert provisional
    assert max(event.lag_ms for event in provisional) <= 1000


def test_windows_are_said_once_at_once_and_once_for_good(call: Path, tiny_model: Path) -> None:
    model = load(str(tiny_model))
    events, _ = heard_live(call, model)
    assert isinstance(events[0], Start)
    assert (events[0].channels, events[0].sample_rate) == (2, RATE_HZ)
    windows = [event for event in events if isinstance(event, Window)]
    said = [(w.channel, w.segment.start_s) for w in windows if w.provisional]
    final = [(w.channel, w.segment.start_s) for w in windows if not w.provisional and not w.withdrawn]
    assert len(set(said)) == len(said) > 10
    assert len(set(final)) == len(final) >= len(said) - 2
    assert [(c.channel, s.start_s) for c in events[-1].result.channels for s in c.segments] == sorted(final)
    assert [w.provisional for w in windows] == sorted((w.provisional for w in windows), reverse=True)


@pytest.mark.parametrize("which", ["tiny_model", "paper_model"])
def test_windows_are_final_as_soon_as_their_chunk_is_scored(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A microphone that runs for days gets them while it runs, and the end is the row all the same."""
    monkeypatch.setattr(chunks, "_CHUNK_S", 20.0)
    path, model = tmp_path / "long.wav", load(str(request.getfixturevalue(which)))
    quiet = np.where(np.arange(70 * RATE_HZ) // RATE_HZ % 30 < 9, 0.01, 1)  # a level that says something else later
    sound = np.stack([speech_like(70, seed=3) * quiet, speech_like(70, seed=4)], axis=1)
    soundfile.write(path, sound, RATE_HZ)
    rate_hz, blocks = blocks_of(path, block_s=0.5)
    session = Session(model=model, channels=2, rate_hz=rate_hz, options=Options(roles=("agent",)), path=str(path))
    came: list[tuple[float, Window]] = []
    for block in blocks:
        events = session.push(np.ascontiguousarray(block.T))
        came += [(session.duration_s, event) for event in events if isinstance(event, Window)]
        deadline_s = time.monotonic() + 30
        while not session._final._samples.queue.empty():
            assert time.monotonic() < deadline_s
            time.sleep(0.001)
    *rest, end = session.finish("hang_up")
    early = [window for at_s, window in came if not window.provisional]
    assert {window.segment.start_s // 20 for window in early} == {0, 1}
    assert min(at_s for at_s, window in came if not window.provisional) < 40
    windows = [*(window for _, window in came), *(event for event in rest if isinstance(event, Window))]
    assert_each_is_said_and_then_final(windows)
    assert isinstance(end, End)
    for channel in end.result.channels:
        own = [w for w in windows if w.channel == channel.channel and not w.provisional]
        assert tuple(w.segment for w in own if not w.withdrawn) == channel.segments
        assert {w.role for w in own} == {channel.role}
    assert live_line(end, model) == batch_line(str(path), model, Options(roles=("agent",)))


def assert_each_is_said_and_then_final(windows: list[Window]) -> None:
    """No window is provisional twice or after it was final, and none stays provisional."""
    said: set[tuple[object, float]] = set()
    final: set[tuple[object, float]] = set()
    for window in windows:
        key = window.channel, round(window.segment.start_s, 3)
        assert key not in final
        if window.provisional:
            assert key not in said
            said.add(key)
        else:
            assert key in said or not window.withdrawn
            final.add(key)
    assert said <= final


def test_a_window_is_said_within_a_second_of_its_end(call: Path, tiny_model: Path) -> None:
    model, clock, late = load(str(tiny_model)), SimulatedClock(), []
    rate_hz, blocks = blocks_of(call)
    session = Session(model=model, channels=2, rate_hz=rate_hz, options=Options(), path="x", clock=clock)
    for block in blocks:
        clock.now_s += block.shape[1] / rate_hz
        for event in session.push(np.ascontiguousarray(block.T)):
            if isinstance(event, Window):
                late.append(session.duration_s - event.segment.end_s)
                assert event.lag_ms == pytest.approx(1000 * late[-1], abs=25)
    session.close()
    assert 0 < max(late) < 0.5


@pytest.mark.parametrize("block_s", [0.003, 0.2, 7.0])
def test_how_the_audio_is_cut_changes_nothing(call: Path, tiny_model: Path, block_s: float) -> None:
    model = load(str(tiny_model))
    events, _ = heard_live(call, model, block_s=block_s)
    assert live_line(events[-1], model) == batch_line(str(call), model)
    provisional = [event.segment for event in events if isinstance(event, Window) and event.provisional]
    assert len(provisional) > 10


def test_what_was_said_holds_for_nearly_all_windows(tiny_model: Path, tmp_path: Path) -> None:
    """Over minutes, so that old frames are forgotten while their statistics are not."""
    path, model = tmp_path / "long.wav", load(str(tiny_model))
    soundfile.write(path, speech_like(100, seed=3), RATE_HZ)
    events, _ = heard_live(path, model, block_s=0.1)
    windows = [event for event in events if isinstance(event, Window)]
    said = {w.segment.start_s: w.segment for w in windows if w.provisional}
    final = {w.segment.start_s: w.segment for w in windows if not w.provisional and not w.withdrawn}
    both = said.keys() & final.keys()
    assert len(both) >= 0.9 * len(final)
    late = [start_s for start_s in both if start_s > 60]
    assert np.mean([abs(said[s].confidence - final[s].confidence) < 0.05 for s in late]) > 0.9
    assert live_line(events[-1], model) == batch_line(str(path), model)


def test_models_that_cut_clips_are_heard_too(call: Path, paper_model: Path) -> None:
    model = load(str(paper_model))
    events, _ = heard_live(call, model)
    assert live_line(events[-1], model) == batch_line(str(call), model)
    windows = [event for event in events if isinstance(event, Window)]
    said = {(w.channel, w.segment.start_s): w.segment.probs for w in windows if w.provisional}
    final = {(w.channel, w.segment.start_s): w.segment.probs for w in windows if not w.provisional}
    assert len(said) >= 4
    for key in said.keys() & final.keys():
        assert said[key] == pytest.approx(final[key], abs=1e-6)


def test_the_end_of_speech_is_said_once_and_music_is_none(telling_model: Path) -> None:
    model, silence = load(str(telling_model)), np.zeros(2 * RATE_HZ, np.float32)
    speech, music = speech_like(4, seed=5, level=0.04), speech_like(24, seed=6, level=0.2)
    samples = np.concatenate([silence, speech, silence, music, silence])
    blocks = np.split(samples, range(800, len(samples), 800))
    events = [event for event in stream(blocks, rate_hz=RATE_HZ, model=model) if not isinstance(event, Start)]
    known = next(i for i, event in enumerate(events) if _status(event) is Status.NO_SPEECH)
    before = [event for event in events[:known] if isinstance(event, SpeechEnd)]
    assert before[0].start_s == pytest.approx(3, abs=1.1)
    assert before[0].end_s == pytest.approx(6, abs=0.2)
    assert before[0].lag_ms < 1000
    assert all(first.end_s <= second.start_s for first, second in itertools.pairwise(before))
    assert [event for event in events[known:] if isinstance(event, SpeechEnd)] == []


def _status(event: Event) -> Status | None:
    return event.segment.status if isinstance(event, Window) else None


def test_lost_audio_is_counted_and_keeps_its_time(call: Path, tiny_model: Path) -> None:
    model = load(str(tiny_model))
    session = Session(model=model, channels=2, rate_hz=RATE_HZ, options=Options(), path="x")
    samples = soundfile.read(call, dtype="float32")[0]
    session.push(samples[:40_000])
    gap, *_ = session.lose(24_000)
    session.push(samples[64_000:].copy())
    *windows, end = session.finish("hang_up")
    assert (gap.cause, gap.start_s, gap.duration_s, gap.filled) == ("overflow", 5, 3, True)
    assert end.dropped_ms == 3000
    assert all(event.dropped_ms == 3000 for event in windows)
    assert end.result.duration_s == pytest.approx(len(samples) / RATE_HZ)


def test_a_clock_that_is_set_back_makes_no_negative_lag(call: Path, tiny_model: Path) -> None:
    clock = SimulatedClock()
    session = Session(
        model=load(str(tiny_model)), channels=2, rate_hz=RATE_HZ, options=Options(), path="x", clock=clock
    )
    samples = soundfile.read(call, dtype="float32")[0]
    events = session.push(samples[:60_000].copy())
    clock.now_s -= 1e6
    events += session.push(samples[60_000:].copy())
    events += session.finish("hang_up")
    lags = [event.lag_ms for event in events if isinstance(event, Window | SpeechEnd | End)]
    assert lags
    assert min(lags) >= 0


def test_values_that_are_no_numbers_are_told_as_in_a_file(tmp_path: Path, tiny_model: Path) -> None:
    model, path = load(str(tiny_model)), tmp_path / "nan.wav"
    samples = speech_like(8, seed=2)
    samples[30_000:30_050] = np.nan
    samples[5] = 7.0
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    *_, end = stream(np.split(samples, 40), rate_hz=RATE_HZ, model=model, name=str(path))
    assert "no numbers" in end.result.channels[0].problem.message
    assert live_line(end, model) == batch_line(str(path), model)


def test_options_choose_what_is_said(call: Path, tiny_model: Path) -> None:
    rate_hz, blocks = blocks_of(call, block_s=0.1)
    found = list(blocks)
    options = {"roles": ("agent", "customer"), "only_role": "customer"}
    events = list(sertag.stream(found, rate_hz=rate_hz, model=str(tiny_model), **options))
    assert {(e.channel, e.role) for e in events if isinstance(e, Window | SpeechEnd)} == {(1, "customer")}
    assert [channel.role for channel in events[-1].result.channels] == ["customer"]
    mixed = list(sertag.stream(found, rate_hz=rate_hz, model=str(tiny_model), channels="mix", name=str(call)))
    assert {event.channel for event in mixed if isinstance(event, Window)} == {"mix"}
    model = load(str(tiny_model))
    assert live_line(mixed[-1], model) == batch_line(str(call), model, Options("mix"))


@pytest.mark.parametrize(
    ("wish", "code"),
    [({"channels": 2}, "no_such_channel"), ({"roles": ("a", "b", "c"), "only_role": "c"}, "role_not_separate")],
)
def test_a_channel_that_is_not_there_is_told_at_once(tiny_model: Path, wish: dict[str, object], code: str) -> None:
    events = stream(iter([np.zeros((2, 800), np.float32)]), rate_hz=RATE_HZ, model=str(tiny_model), **wish)
    with pytest.raises(SertagError) as error:
        next(events)
    assert error.value.code == code


@pytest.mark.parametrize("block", [np.zeros((2, 3, 4)), np.zeros((300, 10))])
def test_blocks_of_another_shape_are_refused(tiny_model: Path, block: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        list(stream([block], rate_hz=RATE_HZ, model=str(tiny_model)))
    with pytest.raises(ValueError, match="the first one had 1"):
        list(stream([np.zeros(800), np.zeros((2, 800))], rate_hz=RATE_HZ, model=str(tiny_model)))


def test_nothing_at_all_is_a_row_that_says_so(tiny_model: Path) -> None:
    start, end = stream([], rate_hz=RATE_HZ, model=str(tiny_model))
    assert isinstance(start, Start)
    assert (end.result.status, end.result.channels[0].problem.code) == (Status.UNREADABLE, "empty_file")


def test_a_stream_that_is_left_ends_its_thread(call: Path, tiny_model: Path) -> None:
    rate_hz, blocks = blocks_of(call)
    events = stream(blocks, rate_hz=rate_hz, model=str(tiny_model))
    next(events)
    next(events)
    events.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "sertag-final"] == []


def test_a_recording_that_gets_too_long_ends_in_a_row_that_says_so(tiny_model: Path) -> None:
    """The pipeline gives up early; what is pushed behind must not wait for it."""
    options = Options(max_duration_s=11)
    session = Session(model=load(str(tiny_model)), channels=1, rate_hz=RATE_HZ, options=options, path="x")
    for _ in range(60):
        session.push(np.zeros((RATE_HZ, 1), np.float32))
    *_, end = session.finish("hang_up")
    result: FileResult = end.result
    assert (result.status, result.channels[0].problem.code) == (Status.FAILED, "too_long")
