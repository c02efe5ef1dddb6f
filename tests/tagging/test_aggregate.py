"""Every column by examples that were worked out by hand, and by what must hold for any call."""

from __future__ import annotations

import dataclasses
import math
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sertag.records import Sentiment, Status, Trend
from sertag.tagging.aggregate import attention, pooled
from tests.onnx_models import tiny_spec
from tests.scored import FRAME_HZ, SPEC, row_of, scored_windows


def course(angry: list[float]) -> list[list[float]]:
    return [[value, (1 - value) / 2, (1 - value) / 2] for value in angry]


def test_the_row_takes_over_what_was_measured() -> None:
    found = row_of(scored_windows([[0.2, 0.7, 0.1]]))
    assert (found.status, found.problem) == (Status.OK, None)
    assert (found.duration_s, found.speech_s, found.loudness_dbfs, found.clipped_pct) == (20.0, 10.0, -21.5, 0.25)
    assert (found.talk_pct, found.overtalk_s, found.silence_s, found.longest_silence_s) == (50.0, 1.0, 2.0, 1.5)
    assert found.interruptions == 3
    assert (found.channel, found.role, found.sample_rate) == (None, "", None)


@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_one_window_is_the_call(gain: float) -> None:
    windows = scored_windows([[0.2, 0.7, 0.1]])
    found = row_of(windows, spec=tiny_spec(row_gain=gain))
    assert found.probs == pytest.approx((0.2, 0.7, 0.1))
    assert (found.emotion, found.sentiment) == ("happy", Sentiment.POSITIVE)
    assert found.confidence == pytest.approx(0.7)
    assert found.margin == pytest.approx(0.5)
    assert found.fracs == (0.0, 1.0, 0.0)
    assert (found.arousal, found.valence) == (found.segments[0].arousal, found.segments[0].valence)
    assert found.peak_score == pytest.approx(0.2)
    assert found.attention == pytest.approx(0.2)


def geometric(first: list[float], second: list[float], share: float) -> list[float]:
    """Renormalised product of two windows, the first with a share of the weight."""
    product = [a**share * b ** (1 - share) for a, b in zip(first, second, strict=True)]
    return [value / sum(product) for value in product]


def test_probabilities_are_weighted_by_speech() -> None:
    active = np.ones(200, bool)
    active[40:75] = False  # the second window has 0.5 s of speech, the first one 4 s
    one, other = [0.8, 0.1, 0.1], [0.2, 0.5, 0.3]
    found = row_of(scored_windows([one, other]), active=active, spec=tiny_spec(row_gain=0.0))
    assert found.probs == pytest.approx(one)  # the other one is outside of the middle half
    assert found.fracs == pytest.approx((8 / 9, 1 / 9, 0.0))
    assert found.arousal == pytest.approx((8 * 0.825 + 0.645) / 9)
    assert found.valence == pytest.approx((8 * -0.48 + 0.26) / 9)


@pytest.mark.parametrize(
    ("seconds", "middle"), [(1, 0.0), (4, 0.0), (6, 0.25), (8, 0.5), (10, 0.75), (12, 1.0), (15, 1.0)]
)
def test_a_row_is_of_the_middle_half_of_its_speech(seconds: float, middle: float) -> None:
    """A mood that takes less than a quarter of a call does not change its row, one that takes three quarters is it."""
    usual, mood = [0.1, 0.2, 0.7], [0.8, 0.1, 0.1]
    weights = np.array([16.0 - seconds, seconds])
    found = pooled(np.array([usual, mood]), weights, window_s=16.0, gain=0.0, priors=(1 / 3,) * 3)
    assert found == pytest.approx(geometric(mood, usual, middle))


def test_what_was_likely_anyway_is_no_evidence() -> None:
    """A caller who sounds a little angrier than people usually do, all the time, is angry."""
    priors = MappingProxyType({"angry": 0.1, "happy": 0.1, "neutral": 0.8})
    spec = tiny_spec(row_gain=0.5, priors=priors)
    windows = scored_windows([[0.3, 0.1, 0.6]] * 30)
    found = row_of(windows, duration_s=120.0, spec=spec)
    assert (found.emotion, found.fracs[0]) == ("angry", 0.0)
    usual = row_of(scored_windows([[0.1, 0.1, 0.8]] * 30), duration_s=120.0, spec=spec)
    assert usual.probs == pytest.approx((0.1, 0.1, 0.8))


def test_speech_that_overlapping_windows_hold_counts_once() -> None:
    # The angry moment is heard by three windows, the calm ones by one each: 6 s against 8 s, not 12 s against 8 s.
    probs = [[1.0, 0, 0]] * 3 + [[0, 0, 1.0]] * 2
    found = row_of(scored_windows(probs, start_s=[0, 1, 2, 6, 10]))
    assert found.fracs == pytest.approx((6 / 14, 0, 8 / 14))
    assert found.arousal == pytest.approx((6 * 0.9 + 8 * 0.3) / 14)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=15))
def test_a_finer_hop_changes_little(angry: list[float]) -> None:
    """With half the hop and windows whose answers lie between those of their neighbours, rows stay as they are."""
    duration_s = 2.0 * len(angry) + 2
    coarse = row_of(scored_windows(course(angry), start_s=[2.0 * i for i in range(len(angry))]), duration_s=duration_s)
    fine_angry = np.interp(np.arange(2 * len(angry) - 1) / 2, np.arange(len(angry)), angry).tolist()
    starts = [1.0 * i for i in range(len(fine_angry))]
    fine = row_of(scored_windows(course(fine_angry), start_s=starts), duration_s=duration_s)
    steepest = float(np.abs(np.diff(angry)).max())
    assert fine.arousal == pytest.approx(coarse.arousal, abs=0.25 * steepest + 1e-9)
    assert fine.attention == pytest.approx(coarse.attention, abs=0.25 * steepest + 1e-9)
    assert fine.peak_score == pytest.approx(coarse.peak_score, abs=0.25 * steepest + 1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 0.98), min_size=1, max_size=8), st.integers(2, 4))
def test_windows_that_are_given_twice_count_once(angry: list[float], times: int) -> None:
    starts = [4.0 * i for i in range(len(angry))]
    once = row_of(scored_windows(course(angry), start_s=starts), duration_s=40.0, spec=tiny_spec(row_gain=0.3))
    again = scored_windows(course(np.repeat(angry, times).tolist()), start_s=np.repeat(starts, times).tolist())
    twice = row_of(again, duration_s=40.0, spec=tiny_spec(row_gain=0.3))
    for name in ("probs", "fracs", "confidence", "attention", "arousal", "valence", "peak_start_s", "peak_score"):
        assert getattr(twice, name) == pytest.approx(getattr(once, name))


def test_many_windows_that_agree_are_surer_than_one() -> None:
    def confidence(count: int, gain: float) -> float:
        found = row_of(scored_windows([[0.2, 0.3, 0.5]] * count), duration_s=4.0 * count, spec=tiny_spec(row_gain=gain))
        assert found.confidence is not None
        return found.confidence

    assert confidence(100, 0.0) == pytest.approx(0.5)
    assert confidence(1, 0.5) == pytest.approx(0.5)
    power = 1 + 0.5 * math.log2(100)
    expected = 0.5**power / (0.5**power + 0.3**power + 0.2**power)
    assert confidence(100, 0.5) == pytest.approx(expected)
    assert confidence(1, 0.5) < confidence(10, 0.5) < confidence(100, 0.5) < 1


def test_a_certain_window_does_not_make_a_probability_infinite() -> None:
    found = row_of(scored_windows([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), spec=tiny_spec(row_gain=1.0))
    assert found.probs == pytest.approx((0.5, 0.5, 0.0), abs=0.01)
    assert found.margin == pytest.approx(0.0)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(any), min_size=1, max_size=9),
    st.floats(0, 10),
    st.floats(0.4, 3600),
    st.permutations([0.1, 0.2, 0.7]),
)
def test_pooled_probabilities_are_probabilities_in_any_order_of_windows(
    raw: list[list[float]], gain: float, speech_s: float, priors: list[float]
) -> None:
    probs = np.array(raw) / np.array(raw).sum(axis=1, keepdims=True)
    weights = np.full(len(probs), speech_s / len(probs))
    found = pooled(probs, weights, window_s=4.0, gain=gain, priors=priors)
    assert math.fsum(found) == pytest.approx(1)
    assert (found >= 0).all()
    assert pooled(probs[::-1], weights, window_s=4.0, gain=gain, priors=priors) == pytest.approx(found)
    assert pooled(np.array([priors] * 3), np.ones(3), window_s=1.0, gain=gain, priors=priors) == pytest.approx(priors)


@settings(deadline=None)
@given(st.data(), st.integers(1, 12))
def test_what_holds_for_any_call(data: st.DataObject, count: int) -> None:
    number = st.floats(0.01, 1)
    raw = np.array(data.draw(st.lists(st.lists(number, min_size=3, max_size=3), min_size=count, max_size=count)))
    probs = raw / raw.sum(axis=1, keepdims=True)
    duration_s = 2.0 * count + 2
    active = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(size=round(duration_s * FRAME_HZ)) < 0.6
    active[::10] = True  # some speech in every window
    windows = scored_windows(probs.tolist(), start_s=[2.0 * i for i in range(count)])
    found = row_of(windows, active=active, duration_s=duration_s)
    assert math.fsum(found.probs) == pytest.approx(1)
    assert math.fsum(found.fracs) == pytest.approx(1)
    assert found.confidence == max(found.probs)
    assert found.margin == pytest.approx(found.confidence - sorted(found.probs)[-2])
    assert found.emotion == SPEC.labels[found.probs.index(max(found.probs))]
    lowest, highest = probs[:, 0].min() - 1e-9, probs[:, 0].max() + 1e-9
    for quarter in found.quarters:
        assert quarter is None or lowest <= quarter <= highest
    assert lowest <= found.attention <= highest
    assert lowest <= found.peak_score <= highest
    assert active[round(found.peak_start_s * FRAME_HZ)]
    assert 0.3 - 1e-9 <= found.arousal <= 0.9 + 1e-9
    assert -0.7 - 1e-9 <= found.valence <= 0.8 + 1e-9
    for mine, others in ((found.arousal_quarters, found.quarters), (found.valence_quarters, found.quarters)):
        assert [value is None for value in mine] == [value is None for value in others]
    assert (found.trend is None) == (found.trend_label is None)
    if count < 6:
        assert found.trend is None


def test_an_unsure_call_keeps_its_probabilities_but_names_no_emotion() -> None:
    found = row_of(scored_windows([[0.4, 0.35, 0.25]]), min_confidence=0.5)
    assert found.status == Status.UNCERTAIN
    assert (found.emotion, found.sentiment) == (None, None)
    assert found.probs == pytest.approx((0.4, 0.35, 0.25))
    assert found.arousal is not None
    assert found.attention is not None
    assert found.problem is not None
    assert found.problem.code == "low_confidence"
    assert found.problem.message == "confidence 0.400 is under 0.500"
    assert [segment.status for segment in found.segments] == [Status.UNCERTAIN]


def test_the_threshold_itself_is_sure() -> None:
    assert row_of(scored_windows([[0.5, 0.25, 0.25]]), min_confidence=0.5).status == Status.OK


def test_a_direction_that_no_window_is_sure_of_is_still_that_of_the_row() -> None:
    found = row_of(scored_windows([[0.5, 0.4, 0.1]] * 2), spec=tiny_spec(clear_ratio=2.0))
    assert [segment.status for segment in found.segments] == [Status.UNCERTAIN] * 2
    assert (found.status, found.emotion, found.fracs) == (Status.OK, "angry", (1.0, 0.0, 0.0))


def test_quarters_are_of_the_recording_and_belong_to_the_centre_of_a_window() -> None:
    # Centres at 2, 6, 9, 18 s of 20 s: quarters 0, 1, 1, 3; nothing is heard in the third. The windows from 4 s and
    # from 7 s share a second, so each adds 3.5 s.
    found = row_of(scored_windows(course([0.1, 0.3, 0.6, 0.9]), start_s=[0, 4, 7, 16]))
    assert found.quarters == pytest.approx((0.1, (0.3 + 0.6) / 2, None, 0.9))
    high, low = (0.9 * 0.9 + 0.1 * 0.525), (0.1 * 0.9 + 0.9 * 0.525)
    assert found.arousal_quarters == pytest.approx((low, 0.45 * 0.9 + 0.55 * 0.525, None, high))
    assert found.valence_quarters == pytest.approx((0.29, -0.45 * 0.7 + 0.55 * 0.4, None, -0.59))


def test_a_window_that_ends_with_the_call_belongs_to_the_last_quarter() -> None:
    found = row_of(scored_windows([[0.5, 0.3, 0.2]], length_s=40.0), duration_s=20.0, active=np.ones(400, bool))
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
    found = row_of(scored_windows(course(angry)), duration_s=24.0)
    assert found.trend == (None if trend is None else pytest.approx(trend))
    assert found.trend_label == label


def test_the_trend_weighs_by_speech() -> None:
    active = np.ones(240, bool)
    active[120:140] = active[160:180] = False  # 2 s, 2 s and 4 s of speech in the second half
    found = row_of(scored_windows(course([0.2, 0.2, 0.2, 0.2, 0.2, 0.8])), duration_s=24.0, active=active)
    assert found.trend == pytest.approx((0.2 + 0.2 + 2 * 0.8) / 4 - 0.2)


def test_a_call_that_speaks_in_one_half_only_has_no_trend() -> None:
    found = row_of(scored_windows(course([0.1] * 6)), duration_s=60.0)
    assert (found.trend, found.trend_label) == (None, None)
    assert found.quarters[0] == pytest.approx(0.1)


def test_the_peak_is_the_worst_stretch_of_nine_seconds() -> None:
    # A single bad window of 4 s in calm ones is no match for three that are rather bad.
    angry = [0.1, 0.9, 0.1, 0.1, 0.6, 0.6, 0.6, 0.1]
    found = row_of(scored_windows(course(angry)), duration_s=32.0)
    assert (found.peak_start_s, found.peak_score) == (16.0, pytest.approx(0.6))


def test_the_peak_passes_over_silence_and_begins_with_speech() -> None:
    active = np.ones(320, bool)
    active[160:163] = active[180:230] = False
    angry = [0.1, 0.1, 0.1, 0.1, 0.6, 0.6, 0.6, 0.1]
    found = row_of(scored_windows(course(angry)), duration_s=32.0, active=active)
    # 1.7 s and 5 s at 0.6 from 16.3 s on, and 2.3 s at 0.1, before them rather than behind them
    assert found.peak_start_s == 13.7
    assert found.peak_score == pytest.approx((6.7 * 0.6 + 2.3 * 0.1) / 9)


def test_attention_is_of_the_worst_half_minute_of_speech() -> None:
    angry = [0.1] * 20 + [0.7] * 6 + [0.1] * 20
    found = row_of(scored_windows(course(angry)), duration_s=184.0)
    worst = (24 * 0.7 + 6 * 0.1) / 30
    assert found.attention == pytest.approx(worst)
    scaled = row_of(scored_windows(course(angry)), duration_s=184.0, spec=tiny_spec(attention=(2.0, -1.0)))
    logit = 2 * math.log(worst / (1 - worst)) - 1
    assert scaled.attention == pytest.approx(1 / (1 + math.exp(-logit)))
    assert scaled.peak_score == found.peak_score


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 100), st.floats(-100, 100))
def test_attention_is_a_probability_and_sorts_calls(one: float, other: float, slope: float, offset: float) -> None:
    low, high = (attention(value, slope=slope, offset=offset) for value in sorted((one, other)))
    assert 0 <= low <= high <= 1


def test_negative_is_the_sum_of_all_negative_labels() -> None:
    sentiment = dict.fromkeys(SPEC.labels, "negative") | {"neutral": "neutral"}
    found = row_of(scored_windows([[0.4, 0.3, 0.3]]), spec=tiny_spec(sentiment=sentiment))
    assert found.peak_score == pytest.approx(0.7)
    assert found.attention == pytest.approx(0.7)


def test_music_takes_no_part_in_the_row() -> None:
    probs = [[0.1, 0.2, 0.7], [0.9, 0.05, 0.05], [0.1, 0.2, 0.7]]
    active = np.ones(120, bool)
    active[40:80] = False
    windows = scored_windows(probs, is_speech=[True, False, True])
    found = row_of(windows, active=active, duration_s=12.0)
    alone = row_of(scored_windows([probs[0], probs[2]], start_s=[0, 8]), active=active, duration_s=12.0)
    assert len(found.segments) == 3
    assert dataclasses.replace(found, segments=()) == dataclasses.replace(alone, segments=())


@pytest.mark.parametrize(
    ("count", "what"), [(1, "the only window with sound holds"), (3, "all 3 windows with sound hold")]
)
def test_a_channel_of_music_has_no_speech_and_says_why(count: int, what: str) -> None:
    windows = scored_windows([[0.9, 0.05, 0.05]] * count, is_speech=[False] * count)
    found = row_of(windows, active=np.zeros(200, bool), speech_s=0.0)
    assert found.status == Status.NO_SPEECH
    assert found.problem is not None
    assert found.problem.code == "no_speech"
    assert found.problem.message == f"no speech in 20.000 s of audio: {what} music, noise or tones"
    assert [segment.status for segment in found.segments] == [Status.NO_SPEECH] * count
    empty = ("emotion", "confidence", "attention", "arousal", "valence", "peak_start_s", "peak_score")
    assert [getattr(found, name) for name in empty] == [None] * len(empty)
    assert (found.probs, found.fracs, found.quarters) == ((), (), (None,) * 4)


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
    found = row_of(None, duration_s=duration_s, speech_s=speech_s, min_confidence=0.5)
    assert found.status == status
    assert found.problem is not None
    assert found.problem.code == code
    assert f"{duration_s:.3f} s of audio" in found.problem.message
    empty = ("emotion", "confidence", "margin", "sentiment", "trend", "trend_label", "peak_start_s", "peak_score")
    empty += ("attention", "arousal", "valence")
    assert [getattr(found, name) for name in empty] == [None] * len(empty)
    assert (found.probs, found.fracs, found.segments) == ((), (), ())
    assert (found.quarters, found.arousal_quarters, found.valence_quarters) == ((None,) * 4,) * 3
    assert (found.duration_s, found.loudness_dbfs, found.talk_pct) == (duration_s, -21.5, 50.0)
