"""Every column by examples that were worked out by hand, and by what must hold for any call."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sertag.aggregate import Listening, Turns, channel_result, segments, turns
from sertag.records import ChannelResult, Segment, Sentiment, Status, Trend, Windows
from tests.onnx_models import tiny_spec

SPEC = tiny_spec()  # angry (negative), happy (positive), neutral (neutral); windows of 4 s
QUIET = Turns(talk_pct=50.0, overtalk_s=1.0, silence_s=2.0, longest_silence_s=1.5)


def windows(start_s: list[float], *, speech_s: list[float] | None = None, length_s: float = 4.0) -> Windows:
    begin = np.array(start_s, dtype=np.float64)
    speech = np.full(len(begin), 2.0) if speech_s is None else np.array(speech_s)
    return Windows(np.arange(len(begin)), begin, begin + length_s, speech, np.full(len(begin), -20.0))


def scored(
    probs: list[list[float]],
    *,
    start_s: list[float] | None = None,
    speech_s: list[float] | None = None,
    min_confidence: float = 0.0,
) -> list[Segment]:
    begin = [2.0 * i for i in range(len(probs))] if start_s is None else start_s
    return segments(
        windows(begin, speech_s=speech_s),
        np.array(probs, dtype=np.float64).reshape(len(probs), 3),
        spec=SPEC,
        min_confidence=min_confidence,
        first_index=0,
    )


def listening(*, duration_s: float = 20.0, speech_s: float = 10.0) -> Listening:
    return Listening(duration_s, speech_s, loudness_dbfs=-21.5, clipped_pct=0.25, turns=QUIET)


def row(
    probs: list[list[float]], *, min_confidence: float = 0.0, duration_s: float = 20.0, **more: object
) -> ChannelResult:
    found = scored(probs, min_confidence=min_confidence, **more)  # type: ignore[arg-type]
    return channel_result(found, listening(duration_s=duration_s), spec=SPEC, min_confidence=min_confidence)


def course(angry: list[float]) -> list[list[float]]:
    return [[value, (1 - value) / 2, (1 - value) / 2] for value in angry]


def test_a_segment_says_what_its_window_holds() -> None:
    found = segments(
        windows([3.0, 7.0], speech_s=[1.0, 5.0]),
        np.array([[0.2, 0.7, 0.1], [0.5, 0.2, 0.3]]),
        spec=SPEC,
        min_confidence=0.6,
        first_index=4,
    )
    assert found == [
        Segment(4, 3.0, 7.0, Status.OK, "happy", 0.7, Sentiment.POSITIVE, (0.2, 0.7, 0.1), 0.25, -20.0),
        Segment(5, 7.0, 11.0, Status.UNCERTAIN, None, 0.5, None, (0.5, 0.2, 0.3), 1.0, -20.0),
    ]


def test_the_row_takes_over_what_was_measured() -> None:
    found = row([[0.2, 0.7, 0.1]])
    assert (found.status, found.problem) == (Status.OK, None)
    assert (found.duration_s, found.speech_s, found.loudness_dbfs, found.clipped_pct) == (20.0, 10.0, -21.5, 0.25)
    assert (found.talk_pct, found.overtalk_s, found.silence_s, found.longest_silence_s) == (50.0, 1.0, 2.0, 1.5)
    assert (found.channel, found.role, found.sample_rate) == (None, "", None)


def test_one_window_is_the_call() -> None:
    found = row([[0.2, 0.7, 0.1]])
    assert found.probs == pytest.approx((0.2, 0.7, 0.1))
    assert (found.emotion, found.sentiment) == ("happy", Sentiment.POSITIVE)
    assert found.confidence == pytest.approx(0.7)
    assert found.margin == pytest.approx(0.5)
    assert found.fracs == (0.0, 1.0, 0.0)


def test_probabilities_are_the_speech_weighted_mean_of_logarithms() -> None:
    # 3 s of speech against 1 s: (0.8^3 * 0.2)^(1/4) and so on, then renormalised.
    found = row([[0.8, 0.1, 0.1], [0.2, 0.4, 0.4]], speech_s=[3.0, 1.0])
    raw = [(0.8**3 * 0.2) ** 0.25, (0.1**3 * 0.4) ** 0.25, (0.1**3 * 0.4) ** 0.25]
    assert found.probs == pytest.approx([value / sum(raw) for value in raw])
    assert found.fracs == (0.75, 0.0, 0.25) or found.fracs == (0.75, 0.25, 0.0)


def test_a_certain_window_does_not_make_a_probability_infinite() -> None:
    found = row([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert found.probs == pytest.approx((0.5, 0.5, 0.0), abs=1e-6)
    assert found.margin == pytest.approx(0.0)


@settings(deadline=None)
@given(st.data(), st.integers(1, 12))
def test_what_holds_for_any_call(data: st.DataObject, count: int) -> None:
    number = st.floats(0.01, 1)
    raw = np.array(data.draw(st.lists(st.lists(number, min_size=3, max_size=3), min_size=count, max_size=count)))
    speech_s = data.draw(st.lists(st.floats(0.4, 4), min_size=count, max_size=count))
    probs = raw / raw.sum(axis=1, keepdims=True)
    found = row(probs.tolist(), speech_s=speech_s, duration_s=2.0 * count + 2)
    assert math.fsum(found.probs) == pytest.approx(1)
    assert math.fsum(found.fracs) == pytest.approx(1)
    assert found.confidence == max(found.probs)
    assert found.margin == pytest.approx(found.confidence - sorted(found.probs)[-2])
    assert found.emotion == SPEC.labels[found.probs.index(max(found.probs))]
    lowest, highest = probs[:, 0].min(), probs[:, 0].max()
    for quarter in found.quarters:
        assert quarter is None or lowest - 1e-9 <= quarter <= highest + 1e-9
    assert found.peak_score == pytest.approx(highest)
    assert (found.trend is None) == (found.trend_label is None)
    if count < 6:
        assert found.trend is None


@settings(deadline=None)
@given(st.lists(st.floats(0.05, 0.9), min_size=2, max_size=8), st.floats(0.1, 10))
def test_only_the_shares_of_speech_matter(angry: list[float], factor: float) -> None:
    weights = np.linspace(0.05, 0.4, len(angry))
    one = row(course(angry), speech_s=weights.tolist())
    other = row(course(angry), speech_s=(weights * factor).tolist())
    assert one.probs == pytest.approx(other.probs)


def test_an_unsure_call_keeps_its_probabilities_but_names_no_emotion() -> None:
    found = row([[0.4, 0.35, 0.25]], min_confidence=0.5)
    assert found.status == Status.UNCERTAIN
    assert (found.emotion, found.sentiment) == (None, None)
    assert found.probs == pytest.approx((0.4, 0.35, 0.25))
    assert found.problem is not None
    assert found.problem.code == "low_confidence"
    assert found.problem.message == "confidence 0.400 is under 0.500"
    assert [segment.status for segment in found.segments] == [Status.UNCERTAIN]


def test_the_threshold_itself_is_sure() -> None:
    assert row([[0.5, 0.25, 0.25]], min_confidence=0.5).status == Status.OK


def test_quarters_are_of_the_recording_and_belong_to_the_centre_of_a_window() -> None:
    # Centres at 2, 6, 9, 18 s of 20 s: quarters 0, 1, 1, 3; nothing is heard in the third.
    found = row(course([0.1, 0.3, 0.6, 0.9]), start_s=[0, 4, 7, 16], speech_s=[2, 3, 1, 2])
    assert found.quarters == pytest.approx((0.1, (3 * 0.3 + 0.6) / 4, None, 0.9))


def test_a_window_that_ends_with_the_call_belongs_to_the_last_quarter() -> None:
    found = channel_result(
        segments(
            windows([0.0], length_s=40.0), np.array([[0.5, 0.3, 0.2]]), spec=SPEC, min_confidence=0, first_index=0
        ),
        listening(duration_s=20.0),
        spec=SPEC,
        min_confidence=0,
    )
    assert found.quarters == (None, None, None, pytest.approx(0.5))


@pytest.mark.parametrize(
    ("angry", "trend", "label"),
    [
        ([0.1] * 3 + [0.5] * 3, 0.4, Trend.WORSENING),
        ([0.5] * 3 + [0.1] * 3, -0.4, Trend.IMPROVING),
        ([0.3] * 3 + [0.35] * 3, 0.05, Trend.STEADY),
        ([0.1] * 2 + [0.5] * 3, None, None),
    ],
)
def test_the_trend_is_late_minus_early(angry: list[float], trend: float | None, label: Trend | None) -> None:
    # Centres 2, 4, 6 s lie in the first half of 14 s, 8, 10, 12 s in the second.
    found = row(course(angry), duration_s=14.0)
    assert found.trend == (None if trend is None else pytest.approx(trend))
    assert found.trend_label == label


def test_the_trend_weighs_by_speech() -> None:
    found = row(course([0.2, 0.2, 0.2, 0.2, 0.2, 0.8]), duration_s=14.0, speech_s=[1, 1, 1, 1, 1, 2])
    assert found.trend == pytest.approx((0.2 + 0.2 + 2 * 0.8) / 4 - 0.2)


def test_a_call_that_speaks_in_one_half_only_has_no_trend() -> None:
    found = row(course([0.1] * 6), duration_s=60.0)
    assert (found.trend, found.trend_label) == (None, None)
    assert found.quarters[0] == pytest.approx(0.1)


def test_the_peak_is_the_most_negative_window_and_the_first_of_equals() -> None:
    found = row(course([0.1, 0.7, 0.3, 0.7]))
    assert (found.peak_start_s, found.peak_score) == (2.0, pytest.approx(0.7))


def test_negative_is_the_sum_of_all_negative_labels() -> None:
    sentiment = dict.fromkeys(SPEC.labels, "negative") | {"neutral": "neutral"}
    spec = tiny_spec(sentiment=sentiment)
    found = channel_result(scored([[0.4, 0.3, 0.3]]), listening(), spec=spec, min_confidence=0)
    assert found.peak_score == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("duration_s", "speech_s", "status", "code"),
    [
        (60.0, 0.0, Status.NO_SPEECH, "no_speech"),
        (60.0, 0.2, Status.TOO_SHORT, "too_short"),
        (0.3, 0.0, Status.TOO_SHORT, "too_short"),
        (0.3, 0.3, Status.TOO_SHORT, "too_short"),
    ],
)
def test_a_channel_without_windows_says_why(duration_s: float, speech_s: float, status: Status, code: str) -> None:
    found = channel_result([], listening(duration_s=duration_s, speech_s=speech_s), spec=SPEC, min_confidence=0.5)
    assert found.status == status
    assert found.problem is not None
    assert found.problem.code == code
    assert f"{duration_s:.3f} s of audio" in found.problem.message
    empty = ("emotion", "confidence", "margin", "sentiment", "trend", "trend_label", "peak_start_s", "peak_score")
    assert [getattr(found, name) for name in empty] == [None] * len(empty)
    assert (found.probs, found.fracs, found.segments, found.quarters) == ((), (), (), (None,) * 4)
    assert (found.duration_s, found.loudness_dbfs, found.talk_pct) == (duration_s, -21.5, 50.0)


def test_turns_of_two_channels_by_hand() -> None:
    #                0 1 2 3 4 5 6 7 8 9  at 2 frames a second
    a = np.array([1, 1, 1, 0, 0, 0, 0, 1, 0, 0], bool)
    b = np.array([0, 0, 1, 1, 0, 0, 0, 1, 1, 0], bool)
    first, second = turns(np.stack([a, b]), frame_hz=2, duration_s=5)
    assert first == Turns(talk_pct=40.0, overtalk_s=1.0, silence_s=2.0, longest_silence_s=1.5)
    assert second == dataclasses.replace(first, talk_pct=40.0)


def test_overtalk_counts_whoever_is_talked_over() -> None:
    active = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]], bool)
    assert [found.overtalk_s for found in turns(active, frame_hz=1, duration_s=4)] == [1, 2, 1]


def test_one_channel_never_talks_over_itself() -> None:
    (found,) = turns(np.ones((1, 7), bool), frame_hz=1, duration_s=7)
    assert found == Turns(talk_pct=100.0, overtalk_s=0.0, silence_s=0.0, longest_silence_s=0.0)


def test_nobody_speaks() -> None:
    (found,) = turns(np.zeros((1, 401), bool), frame_hz=100, duration_s=4.0)
    assert found == Turns(talk_pct=0.0, overtalk_s=0.0, silence_s=4.0, longest_silence_s=4.0)


@given(st.integers(1, 4), st.integers(1, 80), st.integers(0, 99), st.floats(0, 1))
def test_what_holds_for_any_turns(channels: int, count: int, seed: int, talk: float) -> None:
    active = np.random.default_rng(seed).uniform(size=(channels, count)) < talk
    duration_s = (count - 0.5) / 10  # the last frame lies partly behind the end
    found = turns(active, frame_hz=10, duration_s=duration_s)
    assert len(found) == channels
    for each in found:
        assert 0 <= each.talk_pct <= 100
        assert 0 <= each.overtalk_s <= duration_s
        assert 0 <= each.longest_silence_s <= each.silence_s <= duration_s
        assert each.overtalk_s <= each.talk_pct / 100 * duration_s + 1e-9
        assert (each.silence_s, each.longest_silence_s) == (found[0].silence_s, found[0].longest_silence_s)
