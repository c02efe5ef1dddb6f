"""Speech counted once, against a plain count frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.records import BoolArray, ScoredWindows
from sertag.tagging.stretches import added_speech, cut_pieces, unspoken, worst_stretch


def spans(first: list[int], end: list[int]) -> ScoredWindows:
    nothing = np.zeros(len(first))
    return ScoredWindows(
        nothing,
        nothing,
        nothing,
        nothing,
        np.array(first, dtype=np.int64),
        np.array(end, dtype=np.int64),
        nothing[:, None],
        np.zeros((len(first), 0)),
        np.ones(len(first), dtype=np.bool_),
    )


def test_speech_that_two_windows_hold_is_halved() -> None:
    windows = spans([0, 2, 8], [4, 6, 10])
    active = np.ones(10, bool)
    assert added_speech(windows, cut_pieces(windows, active)).tolist() == [3.0, 3.0, 2.0]
    active[3] = False
    assert added_speech(windows, cut_pieces(windows, active)).tolist() == [2.5, 2.5, 2.0]


def test_the_worst_stretch_passes_over_silence() -> None:
    windows = spans([0, 10, 20], [10, 20, 30])
    active = np.ones(30, bool)
    active[12:18] = False  # 4 frames of speech in the middle
    pieces = cut_pieces(windows, active)
    start, mean = worst_stretch(np.array([0.1, 0.9, 0.5]), pieces, frames=8)
    assert (start, mean) == (10, pytest.approx((4 * 0.9 + 4 * 0.5) / 8))


def test_a_stretch_may_end_where_a_window_ends() -> None:
    windows = spans([0, 10], [10, 20])
    start, mean = worst_stretch(np.array([0.8, 0.2]), cut_pieces(windows, np.ones(20, bool)), frames=4)
    assert (start, mean) == (0, pytest.approx(0.8))  # the first of equals
    start, mean = worst_stretch(np.array([0.2, 0.8]), cut_pieces(windows, np.ones(20, bool)), frames=15)
    assert (start, mean) == (5, pytest.approx((5 * 0.2 + 10 * 0.8) / 15))


def test_less_speech_than_a_stretch_is_the_stretch() -> None:
    windows = spans([0, 2], [4, 6])
    active = np.array([0, 1, 1, 1, 1, 0], bool)
    start, mean = worst_stretch(np.array([0.2, 0.6]), cut_pieces(windows, active), frames=100)
    assert (start, mean) == (1, pytest.approx((0.2 + 0.4 + 0.4 + 0.6) / 4))


def test_speech_outside_all_windows_is_not_judged() -> None:
    windows = spans([0, 8], [4, 12])
    start, mean = worst_stretch(np.array([0.2, 0.6]), cut_pieces(windows, np.ones(12, bool)), frames=5)
    assert (start, mean) == (3, pytest.approx((0.2 + 4 * 0.6) / 5))


@st.composite
def channels(draw: st.DrawFn) -> tuple[ScoredWindows, BoolArray, np.ndarray]:
    """Windows of equal length on a grid, the last one aligned to the end, each with some speech."""
    length, hop = draw(st.integers(1, 12)), draw(st.integers(1, 15))
    count = draw(st.integers(length, 90))
    first = [*range(0, count - length + 1, hop), count - length]
    first = sorted(set(first))
    active = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    kept = [begin for begin in first if active[begin : begin + length].any()]
    if not kept:
        active[first[0]] = True
        kept = [begin for begin in first if active[begin : begin + length].any()]
    values = np.array(draw(st.lists(st.floats(0, 1), min_size=len(kept), max_size=len(kept))))
    return spans(kept, [begin + length for begin in kept]), active, values


@given(channels(), st.integers(1, 40))
def test_both_are_what_a_plain_count_finds(given: tuple[ScoredWindows, BoolArray, np.ndarray], frames: int) -> None:
    windows, active, values = given
    pieces = cut_pieces(windows, active)
    holders = [
        [i for i, (b, e) in enumerate(zip(windows.first_frame, windows.end_frame, strict=True)) if b <= frame < e]
        for frame in range(len(active))
    ]
    judged = [frame for frame in np.flatnonzero(active).tolist() if holders[frame]]
    added = np.zeros(len(values))
    for frame in judged:
        added[holders[frame]] += 1 / len(holders[frame])
    np.testing.assert_allclose(added_speech(windows, pieces), added, atol=1e-9)
    assert added_speech(windows, pieces).sum() == pytest.approx(len(judged))

    by_frame = [float(np.mean(values[holders[frame]])) for frame in judged]
    size = min(frames, len(judged))
    means = [float(np.mean(by_frame[i : i + size])) for i in range(len(judged) - size + 1)]
    start, mean = worst_stretch(values, pieces, frames=frames)
    assert mean == pytest.approx(max(means), abs=1e-9)
    assert means[judged.index(start)] == pytest.approx(max(means), abs=1e-8)
    assert start == min(frame for frame, value in zip(judged, means, strict=False) if value >= max(means) - 1e-12) or (
        means[judged.index(start)] >= max(means) - 2e-9
    )


@given(channels())
def test_all_of_it_is_the_weighted_mean(given: tuple[ScoredWindows, BoolArray, np.ndarray]) -> None:
    windows, active, values = given
    pieces = cut_pieces(windows, active)
    start, mean = worst_stretch(values, pieces, frames=10_000)
    assert mean == pytest.approx(np.average(values, weights=added_speech(windows, pieces)), abs=1e-9)
    assert active[start]


@given(st.integers(1, 8), st.integers(1, 10), st.integers(10, 60), st.integers(1, 60), st.integers(0, 999))
def test_music_is_what_windows_without_speech_alone_hold(
    length: int, hop: int, count: int, core: int, seed: int
) -> None:
    """However the recording is cut into sections."""
    rng = np.random.default_rng(seed)
    first = np.flatnonzero(np.arange(count - length + 1) % hop == 0)
    spans = np.stack([first, first + length], axis=1)
    is_speech = rng.uniform(size=len(first)) < 0.5
    spoken, other = np.zeros(count, bool), np.zeros(count, bool)
    for (begin, end), chosen in zip(spans, is_speech, strict=True):
        (spoken if chosen else other)[begin:end] = True

    found, later = [], np.zeros((2, 0), bool)
    for start in range(0, count, core):
        held = min(count - start, core + length)
        here = (first >= start) & (first < start + core)
        before = np.zeros((2, held), bool)
        before[:, : later.shape[1]] = later[:, :held]
        part, later = unspoken(spans[here] - start, is_speech[here], before=before, core=min(core, held))
        found.append(part)
    assert np.concatenate(found).tolist() == (other & ~spoken).tolist()
