"""Windows to columns, whatever their length; and what a terminal shows of a recording, in any width and any letters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sertag.records import ChannelResult, FileResult, Problem, Segment, Sentiment, Status
from sertag.show.sound import Sound
from sertag.show.style import legend
from sertag.show.terminal import cursor, drawn, moments, timeline_width
from sertag.show.timeline import axis, cells, letters, spans, ticks
from sertag.text import clock
from tests.onnx_models import tiny_spec

LABELS = tiny_spec().labels
SENTIMENTS = {label: Sentiment(tiny_spec().sentiment[label]) for label in LABELS}
NEGATIVE = next(label for label in LABELS if SENTIMENTS[label] is Sentiment.NEGATIVE)
NEUTRAL = next(label for label in LABELS if SENTIMENTS[label] is Sentiment.NEUTRAL)


def window(start_s: float, emotion: str | None = NEUTRAL, *, confidence: float = 0.8, length_s: float = 3) -> Segment:
    status = Status.UNCERTAIN if emotion is None else Status.OK
    sentiment = None if emotion is None else SENTIMENTS[emotion]
    probs = (1 / len(LABELS),) * len(LABELS)
    return Segment(0, start_s, start_s + length_s, status, emotion, confidence, sentiment, probs, 1.0, -20.0)


def line(*segments: Segment, end_s: float, width: int) -> str:
    found = cells(segments, labels=LABELS, start_s=0, end_s=end_s, width=width)
    return "".join(cell.letter for cell in found)


def test_overlapping_windows_meet_in_the_middle() -> None:
    a, n = letters(LABELS)[NEGATIVE], letters(LABELS)[NEUTRAL]
    assert line(window(0, NEGATIVE), window(2), end_s=5, width=10) == a * 5 + n * 5


def test_what_lies_between_windows_is_silent() -> None:
    n = letters(LABELS)[NEUTRAL]
    silent = replace(window(6), status=Status.NO_SPEECH, emotion=None, confidence=None, probs=())
    assert line(window(0), silent, window(12, None), end_s=15, width=15) == n * 3 + "." * 9 + "???"


def test_one_outburst_is_seen_in_a_long_call() -> None:
    calm = [window(2.0 * i) for i in range(1800)]
    calm[900] = window(1800.0, NEGATIVE, confidence=0.5)
    assert line(*calm, end_s=3602, width=30).count(letters(LABELS)[NEGATIVE]) == 1


def test_letters_never_repeat() -> None:
    labels = ("sad", "scared", "sa", "as", "das", "s", "a", "d")
    assert len(set(letters(labels).values())) == len(labels)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0.1, 60), st.sampled_from([NEUTRAL, NEGATIVE, None])), max_size=40),
    st.floats(0.5, 600),
    st.integers(1, 120),
)
def test_any_windows_fit_any_width(found: list[tuple[float, float, str | None]], end_s: float, width: int) -> None:
    segments = [window(start_s, emotion, length_s=length_s) for start_s, length_s, emotion in sorted(found, key=str)]
    segments.sort(key=lambda segment: segment.start_s)
    assert len(cells(segments, labels=LABELS, start_s=0, end_s=end_s, width=width)) == width
    assert len(axis(start_s=0, end_s=end_s, width=width)) == width
    assert all(begin_s < end for begin_s, end, _, _ in spans(segments))


@pytest.mark.parametrize("end_s", [0.3, 7, 100, 5_000, 90_000, 700_000])
def test_times_are_round_and_few(end_s: float) -> None:
    found = ticks(start_s=0, end_s=end_s, most=10)
    assert found[0] == 0
    assert len(found) <= max(11, end_s / 43_200 + 1)
    assert clock(3661.9) == "1:01:01"


def sound(width: int, *, duration_s: float = 20.0, channels: int = 2) -> Sound:
    rng = np.random.default_rng(0)
    shape = (channels, width)
    low = rng.uniform(-1, 0, shape).astype(np.float32)
    speech = np.tile(np.linspace(0, 1, width), (channels, 1))
    return Sound(duration_s, low, -low, rng.uniform(-100, 0, shape), speech, np.zeros((*shape, 4)), (0, 4000))


def recording(name: str = "call.wav") -> FileResult:
    segments = (window(0), window(2, NEGATIVE, confidence=0.6), window(4, NEGATIVE, confidence=0.7), window(9, None))
    row = ChannelResult(0, Status.OK, "agent", segments=segments, emotion=NEGATIVE, confidence=0.7, speech_s=9.0)
    quiet = ChannelResult(
        1, Status.NO_SPEECH, "customer", problem=Problem("no_speech", "no speech in 20.000 s of audio")
    )
    return FileResult(name, (replace(row, duration_s=20.0), quiet))


@pytest.mark.parametrize("width", [10, 24, 40, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_a_recording_fits_its_terminal(width: int, unicode: bool) -> None:
    result = recording("calls/" + "long" * 30 + "\x1b[31m\n.wav")
    lines = drawn(result, sound(timeline_width(width)), spec=tiny_spec(), width=width, unicode=unicode)
    plain = [line.plain for line in lines]
    assert max(map(len, plain)) <= max(width, 24)
    text = "\n".join(plain)
    assert "\x1b" not in text
    assert text.isascii() is not unicode
    for name in ("agent", "customer", "emotion", "sure", "level", "talk", "0:00", "not sure"):
        assert name in text.replace("\n", " "), name


@pytest.mark.parametrize("width", [24, 40, 70, 200])
def test_a_legend_is_divided_between_its_entries_alone(width: int) -> None:
    lines = [line.plain for line in legend(tiny_spec(), width=width)]
    assert max(map(len, lines)) <= width
    entries = [entry for line in lines for entry in line.split("  ")]
    assert entries == [*(f"{letter} {label}" for label, letter in letters(LABELS).items()), "? not sure", ". no speech"]


def test_a_remark_on_the_file_stands_once_and_without_its_name() -> None:
    result = recording("calls/a.wav")
    remark = Problem("same_signal", "calls/a.wav: has the same signal in all 2 channels")
    both = FileResult(result.path, tuple(replace(channel, problem=remark) for channel in result.channels))
    text = [line.plain for line in drawn(both, sound(72), spec=tiny_spec(), width=80, unicode=True)]
    assert text.count("has the same signal in all 2 channels") == 1


def test_what_matters_is_listed_in_words() -> None:
    (moment,) = moments(recording())
    assert (moment.start_s, moment.end_s, moment.who, moment.emotion, moment.confidence) == (
        2,
        7,
        "agent",
        NEGATIVE,
        0.7,
    )
    lines = drawn(recording(), sound(72), spec=tiny_spec(), width=80, unicode=True)
    assert f"0:02-0:07  agent  {NEGATIVE} 70%" in [line.plain for line in lines]


def test_many_moments_are_cut_to_the_surest() -> None:
    segments = tuple(window(10.0 * i, NEGATIVE, confidence=0.5 + i / 100) for i in range(20))
    result = FileResult("x", (ChannelResult(0, Status.OK, segments=segments, duration_s=200.0),))
    text = [line.plain for line in drawn(result, sound(72, duration_s=200.0), spec=tiny_spec(), width=80, unicode=True)]
    assert text[-1] == "and 8 more"
    assert not any(line.startswith("0:10-") for line in text)
    assert any(line.startswith("3:10-") for line in text)


def test_a_cursor_stands_where_it_plays() -> None:
    assert cursor(10.0, sound(40), unicode=False).plain == "   0:10 " + " " * 20 + "^"
    assert cursor(99.0, sound(40), unicode=True).plain.endswith(" " * 39 + "▲")
