"""Where speakers' neutral speech lies, on invented windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.corpora.clips import Clip
from export.features.clip_windows import Windows
from export.features.material import NeutralSpeech, find_neutral_speech

SPEAKERS = ("ann", "ann", "ben", "ben", "cas")
NEUTRAL = np.array([True, False, True, True, False])


def found(*, columns: int = 3) -> tuple[Windows, NeutralSpeech]:
    clips = [Clip(Path(f"{n}.wav"), "a", who, "", "", "", "", f"{n:040x}") for n, who in enumerate(SPEAKERS)]
    features = np.arange(6 * 2 * 3, dtype=np.float16).reshape(6, 2, 3)
    windows = Windows(features, np.array([0, 1, 2, 4, 5, 6]), np.ones(6))  # the third clip has two windows
    return windows, find_neutral_speech(clips, windows, neutral=NEUTRAL, columns=columns)


def test_means_are_those_of_the_neutral_frames_of_each_speaker():
    windows, neutral = found()
    assert neutral.speaker_of.tolist() == [0, 0, 1, 1, -1]
    np.testing.assert_allclose(neutral.means[0], windows.features[0].mean(axis=0))
    np.testing.assert_allclose(neutral.means[1], windows.features[[2, 3, 4]].mean(axis=(0, 1)))


def test_windows_keep_their_distance_from_neutral_speech():
    windows, neutral = found()
    features, clip_of = windows.features.astype(np.float32), windows.clip_of
    for seed in range(10):
        moved = neutral.exchanged(features, clip_of, rng=np.random.default_rng(seed))
        for row, clip in enumerate(clip_of):
            own = neutral.speaker_of[clip]
            if own < 0:
                np.testing.assert_array_equal(moved[row], features[row])
                continue
            apart = features[row] - neutral.means[own]
            gaps = [np.abs(moved[row] - (mean + apart)).max() for mean in neutral.means]
            assert min(gaps) == pytest.approx(0.0, abs=1e-4)


def test_everybody_is_drawn():
    windows, neutral = found()
    features, clip_of = windows.features.astype(np.float32), windows.clip_of
    drawn = {
        round(float(neutral.exchanged(features, clip_of, rng=np.random.default_rng(seed))[0, 0, 0]), 3)
        for seed in range(30)
    }
    assert len(drawn) == len(neutral.means)


def test_where_nobody_is_neutral_nothing_moves():
    windows, _ = found()
    clips = [Clip(Path(f"{n}.wav"), "a", "ann", "", "", "", "", f"{n:040x}") for n in range(5)]
    nobody = find_neutral_speech(clips, windows, neutral=np.zeros(5, dtype=bool), columns=3)
    features = windows.features.astype(np.float32)
    np.testing.assert_array_equal(nobody.exchanged(features, windows.clip_of, rng=np.random.default_rng(1)), features)


def test_columns_behind_those_that_are_exchanged_stay():
    windows, neutral = found(columns=2)
    features = windows.features.astype(np.float32)
    moved = neutral.exchanged(features, windows.clip_of, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(moved[:, :, 2], features[:, :, 2])
    assert np.abs(moved[:, :, :2] - features[:, :, :2]).max() > 1.0
