"""Who speaks when, by patterns that were worked out by hand, and by what must hold for any of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.tagging.talk import TalkStats, interruptions, talk_stats

FRAME_HZ = 10.0


def speaking(length: int, *spans: tuple[int, int]) -> np.ndarray:
    active = np.zeros(length, bool)
    for begin, end in spans:
        active[begin:end] = True
    return active


def test_two_channels_by_hand() -> None:
    #                0 1 2 3 4 5 6 7 8 9  at 2 frames a second
    a = np.array([1, 1, 1, 0, 0, 0, 0, 1, 0, 0], bool)
    b = np.array([0, 0, 1, 1, 0, 0, 0, 1, 1, 0], bool)
    first, second = talk_stats(np.stack([a, b]), frame_hz=2, duration_s=5)
    assert first == TalkStats(talk_pct=40.0, overtalk_s=1.0, silence_s=2.0, longest_silence_s=1.5, interruptions=0)
    assert second == TalkStats(talk_pct=40.0, overtalk_s=1.0, silence_s=2.0, longest_silence_s=1.5, interruptions=1)


def test_overtalk_counts_whoever_is_talked_over() -> None:
    active = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]], bool)
    assert [found.overtalk_s for found in talk_stats(active, frame_hz=1, duration_s=4)] == [1, 2, 1]


def test_one_channel_never_talks_over_itself() -> None:
    (found,) = talk_stats(np.ones((1, 7), bool), frame_hz=1, duration_s=7)
    assert found == TalkStats(talk_pct=100.0, overtalk_s=0.0, silence_s=0.0, longest_silence_s=0.0, interruptions=None)


def test_nobody_speaks() -> None:
    (found,) = talk_stats(np.zeros((1, 401), bool), frame_hz=100, duration_s=4.0)
    assert found == TalkStats(talk_pct=0.0, overtalk_s=0.0, silence_s=4.0, longest_silence_s=4.0, interruptions=None)


@pytest.mark.parametrize(
    ("mine", "other", "count"),
    [
        ([(5, 30)], [(0, 10)], 1),  # 0.5 s together, then the other one stops
        ([(8, 30)], [(0, 10)], 0),  # 0.2 s: a change of turns
        ([(7, 30)], [(0, 10)], 1),  # 0.3 s
        ([(10, 30)], [(0, 10)], 0),  # it waited
        ([(5, 9)], [(0, 30)], 0),  # "mhm"
        ([(0, 30)], [(0, 10)], 0),  # both begin at once
        ([(5, 20)], [(0, 20)], 0),  # both end at once
        ([(5, 60)], [(0, 35)], 1),  # 3.0 s
        ([(5, 60)], [(0, 36)], 0),  # it went on
        ([(5, 30)], [(0, 10), (13, 40)], 0),  # a breath of 0.3 s is no end of a turn
        ([(5, 30)], [(0, 10), (15, 20)], 1),  # a pause of 0.5 s is
        ([(5, 12), (15, 30)], [(0, 10)], 1),  # nor does a breath end one's own
        ([(5, 20), (45, 60)], [(0, 10), (30, 50)], 2),
        ([], [(0, 10)], 0),
        ([(5, 30)], [], 0),
    ],
)
def test_who_interrupts(mine: list[tuple[int, int]], other: list[tuple[int, int]], count: int) -> None:
    active = np.stack([speaking(70, *mine), speaking(70, *other)])
    assert interruptions(active, frame_hz=FRAME_HZ)[0] == count


def test_a_turn_that_takes_two_from_their_turns_counts_once() -> None:
    active = np.stack([speaking(40, (5, 40)), speaking(40, (0, 10)), speaking(40, (2, 12))])
    assert interruptions(active, frame_hz=FRAME_HZ) == (1, 0, 1)


@given(st.integers(1, 4), st.integers(1, 80), st.integers(0, 99), st.floats(0, 1))
def test_what_holds_for_any_talk(channels: int, count: int, seed: int, talk: float) -> None:
    active = np.random.default_rng(seed).uniform(size=(channels, count)) < talk
    duration_s = (count - 0.5) / 10  # the last frame lies partly behind the end
    found = talk_stats(active, frame_hz=10, duration_s=duration_s)
    assert len(found) == channels
    for each in found:
        assert 0 <= each.talk_pct <= 100
        assert 0 <= each.overtalk_s <= duration_s
        assert 0 <= each.longest_silence_s <= each.silence_s <= duration_s
        assert each.overtalk_s <= each.talk_pct / 100 * duration_s + 1e-9
        assert (each.silence_s, each.longest_silence_s) == (found[0].silence_s, found[0].longest_silence_s)
        assert (each.interruptions is None) == (channels == 1)


@given(st.integers(2, 4), st.integers(1, 200), st.integers(0, 99))
def test_interruptions_are_those_of_a_plain_count(channels: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    active = np.repeat(rng.uniform(size=(channels, count)) < 0.5, 3, axis=1)
    expected = []
    turns = [_plain_turns(channel.tolist()) for channel in active]
    for mine in range(channels):
        others = [turn for number in range(channels) if number != mine for turn in turns[number]]
        expected.append(
            sum(any(b < begin and 3 <= e - begin <= 30 and e < end for b, e in others) for begin, end in turns[mine])
        )
    assert interruptions(active, frame_hz=FRAME_HZ) == tuple(expected)


def _plain_turns(active: list[bool]) -> list[tuple[int, int]]:
    turns: list[tuple[int, int]] = []
    for frame, speaks in enumerate(active):
        if speaks and turns and frame - turns[-1][1] < 5:
            turns[-1] = (turns[-1][0], frame + 1)
        elif speaks:
            turns.append((frame, frame + 1))
    return turns
