from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sertag.records import ChannelResult, Problem, Segment, Sentiment, Status, Trend
from sertag.storage.journal_codec import StoredSegments, dumps, loads
from sertag.tables.columns import result_rows, segment_rows
from tests.results import ORIGIN, no_speech, ok, ok_channel, unreadable

numbers = st.floats(allow_nan=False)
texts = st.text(st.characters(exclude_categories=()), max_size=8)  # lone surrogates too: any name can be in a message
problems = st.none() | st.builds(Problem, code=texts, message=texts)


def maybe(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | values


@st.composite
def channels(draw: st.DrawFn) -> ChannelResult:
    labels = draw(st.integers(2, 8))
    probs = st.tuples(*[numbers] * labels)
    measured = {
        "index": st.integers(0, 10**6),
        "start_s": numbers,
        "end_s": numbers,
        "speech_ratio": numbers,
        "loudness_dbfs": numbers,
    }
    spoken = st.builds(
        Segment,
        **measured,
        status=st.sampled_from([status for status in Status if status != Status.NO_SPEECH]),
        emotion=maybe(texts),
        confidence=numbers,
        sentiment=maybe(st.sampled_from(Sentiment)),
        probs=probs,
        arousal=numbers,
        valence=numbers,
    )
    nothing = {"emotion": None, "confidence": None, "sentiment": None, "probs": ()}
    music = st.builds(
        Segment, **measured, status=st.just(Status.NO_SPEECH), **{k: st.just(v) for k, v in nothing.items()}
    )
    segments = spoken | music
    result = st.builds(
        ChannelResult,
        channel=st.none() | st.just("mix") | st.integers(0, 63),
        status=st.sampled_from(Status),
        role=texts,
        problem=problems,
        duration_s=maybe(numbers),
        sample_rate=maybe(st.integers(1, 10**6)),
        segments=st.lists(segments, max_size=4).map(tuple),
        emotion=maybe(texts),
        sentiment=maybe(st.sampled_from(Sentiment)),
        probs=probs | st.just(()),
        fracs=probs | st.just(()),
        quarters=st.tuples(*[maybe(numbers)] * 4),
        trend=maybe(numbers),
        trend_label=maybe(st.sampled_from(Trend)),
        clipped_pct=maybe(numbers),
        attention=maybe(numbers),
        arousal_quarters=st.tuples(*[maybe(numbers)] * 4),
        valence_quarters=st.tuples(*[maybe(numbers)] * 4),
        interruptions=maybe(st.integers(0, 10**4)),
    )
    return draw(result)


def restored(given: tuple[ChannelResult, ...]) -> tuple[ChannelResult, ...]:
    return loads(dumps(given))


@settings(max_examples=80, deadline=None)
@given(st.lists(channels(), max_size=3).map(tuple))
def test_what_is_read_is_what_was_written_to_the_last_bit(given: tuple[ChannelResult, ...]) -> None:
    text = dumps(given)
    assert text.isascii()
    assert "\n" not in text
    found = restored(given)
    assert found == given
    for before, after in zip(given, found, strict=True):
        assert repr(tuple(after.segments)) == repr(before.segments)  # types and signs of zero too
        assert [repr(getattr(after, name)) for name in ("probs", "quarters", "trend", "problem", "trend_label")] == [
            repr(getattr(before, name)) for name in ("probs", "quarters", "trend", "problem", "trend_label")
        ]


@pytest.mark.parametrize("result", [ok(channels=2), no_speech(), unreadable("x.wav")], ids=lambda r: r.path)
def test_rows_and_windows_are_the_same(result: object) -> None:
    from dataclasses import replace

    again = replace(result, channels=restored(result.channels))  # type: ignore[type-var,attr-defined]
    assert list(result_rows(again, origin=ORIGIN)) == list(result_rows(result, origin=ORIGIN))  # type: ignore[arg-type]
    assert list(segment_rows(again, origin=ORIGIN)) == list(segment_rows(result, origin=ORIGIN))  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    channel = ok_channel(np.int64(1))  # type: ignore[arg-type]
    assert restored((channel,)) == (channel,)


def test_windows_are_opened_only_where_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    decompress = zlib.decompress
    monkeypatch.setattr(zlib, "decompress", lambda data: opened.append(1) or decompress(data))
    again = restored(ok().channels)
    assert len(again[0].segments) == 2
    assert opened == []
    assert again[0].segments[1].index == 1
    assert opened == [1]


def test_stored_windows_are_equal_to_those_that_were_stored() -> None:
    segments = restored(ok().channels)[0].segments
    assert isinstance(segments, StoredSegments)
    assert segments == ok().channels[0].segments
    assert segments[:1] == ok().channels[0].segments[:1]
    assert segments != ok().channels[0].segments[:1]
    assert hash(segments) == hash(ok().channels[0].segments)
