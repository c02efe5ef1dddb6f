from __future__ import annotations

import pickle
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.model.session import Prediction
from sertag.records import ScoredWindows, Segment, Sentiment, Status, Windows
from sertag.tagging.segments import affect_of, is_clear, join_windows, scored, segments, speech_windows
from tests.onnx_models import tiny_spec
from tests.scored import SPEC, scored_windows

LABELS = ("angry", "sad", "happy", "surprise", "neutral")
FIVE = tiny_spec(
    labels=LABELS,
    sentiment=MappingProxyType(
        dict(zip(LABELS, ("negative", "negative", "positive", "positive", "neutral"), strict=True))
    ),
    clear_ratio=2.0,
)


def test_a_segment_says_what_its_window_holds() -> None:
    windows = scored_windows([[0.2, 0.7, 0.1], [0.5, 0.2, 0.3]], start_s=[3.0, 7.0], speech_s=[1.0, 5.0])
    first, second = segments(windows, spec=SPEC, min_confidence=0.6)
    happy = (0, 3.0, 7.0, Status.OK, "happy", 0.7, Sentiment.POSITIVE, (0.2, 0.7, 0.1), 0.25, -20.0)
    assert first == Segment(*happy, pytest.approx(0.2 * 0.9 + 0.7 * 0.75 + 0.1 * 0.3), pytest.approx(0.42))
    doubtful = (1, 7.0, 11.0, Status.UNCERTAIN, None, 0.5, None, (0.5, 0.2, 0.3), 1.0, -20.0)
    assert second == Segment(*doubtful, pytest.approx(0.5 * 0.9 + 0.2 * 0.75 + 0.3 * 0.3), pytest.approx(-0.19))
    assert pickle.loads(pickle.dumps((first, second))) == (first, second)  # noqa: S301 - our own


def test_a_window_of_music_says_so_and_nothing_else() -> None:
    windows = scored_windows([[0.2, 0.7, 0.1]] * 2, is_speech=[True, False], speech_s=[2.0, 1.0])
    found = segments(windows, spec=SPEC, min_confidence=0.0)
    assert [segment.status for segment in found] == [Status.OK, Status.NO_SPEECH]
    assert found[1] == Segment(1, 4.0, 8.0, Status.NO_SPEECH, None, None, None, (), 0.25, -20.0, None, None)


@pytest.mark.parametrize(
    ("probs", "status", "emotion"),
    [
        ([0.5, 0.1, 0.2, 0.1, 0.1], Status.OK, "angry"),
        ([0.4, 0.1, 0.2, 0.2, 0.1], Status.OK, "angry"),  # exactly twice the strongest; their sum does not count
        ([0.45, 0.05, 0.1, 0.3, 0.1], Status.UNCERTAIN, None),  # anger or surprise: aroused, direction unknown
        ([0.3, 0.0, 0.4, 0.1, 0.2], Status.UNCERTAIN, None),  # and so the other way round
        ([0.4, 0.38, 0.1, 0.02, 0.1], Status.OK, "angry"),  # another negative label is no opposite
        ([0.3, 0.0, 0.3, 0.0, 0.4], Status.OK, "neutral"),  # neutral has none
    ],
)
def test_a_direction_must_be_clear(probs: list[float], status: Status, emotion: str | None) -> None:
    (found,) = segments(scored_windows([probs]), spec=FIVE, min_confidence=0.0)
    assert (found.status, found.emotion) == (status, emotion)
    assert found.probs == tuple(probs)
    assert found.confidence == max(probs)


def test_a_clear_direction_is_not_enough() -> None:
    (found,) = segments(scored_windows([[0.4, 0.1, 0.2, 0.2, 0.1]]), spec=FIVE, min_confidence=0.5)
    assert found.status == Status.UNCERTAIN


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_without_the_rule_every_direction_is_clear(raw: list[list[float]]) -> None:
    assert is_clear(np.array(raw), spec=SPEC).all()


@given(st.lists(st.floats(0.01, 1), min_size=5, max_size=5))
def test_affect_lies_within_the_labels(raw: list[float]) -> None:
    arousal, valence = affect_of(scored_windows((np.array([raw]) / sum(raw)).tolist()), spec=FIVE)
    assert arousal is not None
    assert valence is not None
    assert 0.2 - 1e-9 <= arousal[0] <= 0.9 + 1e-9
    assert -0.7 - 1e-9 <= valence[0] <= 0.8 + 1e-9


def test_a_certain_window_has_the_affect_of_its_label() -> None:
    spec = tiny_spec(arousal=MappingProxyType({"angry": 1.0}), valence=MappingProxyType({"angry": -0.9}))
    arousal, valence = affect_of(scored_windows(np.eye(3).tolist()), spec=spec)
    assert arousal is not None
    assert valence is not None
    assert arousal.tolist() == [1.0, 0.75, 0.3]
    assert valence.tolist() == [-0.9, 0.8, 0.0]


def test_sections_are_joined_in_order() -> None:
    def part(start_s: float, is_speech: bool) -> ScoredWindows:
        one = np.array([start_s])
        frame = np.array([round(start_s * 10)])
        windows = Windows(np.array([0]), one, one + 4, one * 0 + 2, one * 0 - 20, frame, frame + 40)
        probs = np.array([[start_s / 10, 0.0, 1 - start_s / 10]])
        return scored(windows, [Prediction(probs, np.zeros((1, 0)), np.array([float(is_speech)]))], spec=SPEC)

    joined = join_windows([part(0.0, True), part(4.0, False)])
    assert joined is not None
    assert joined.start_s.tolist() == [0.0, 4.0]
    assert joined.first_frame.tolist() == [0, 40]
    assert joined.end_frame.tolist() == [40, 80]
    assert joined.probs.tolist() == [[0.0, 0.0, 1.0], [0.4, 0.0, 0.6]]
    assert speech_windows(joined).start_s.tolist() == [0.0]
    assert speech_windows(joined).probs.tolist() == [[0.0, 0.0, 1.0]]
    assert join_windows([]) is None
