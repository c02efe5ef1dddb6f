"""What is known of a channel's speech: equal to what numpy says of the whole, however it came in."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest

from sertag.features.normalization import BLOCK_FRAMES, channel_statistics, speech_sums
from sertag.features.spectral.pitch import VOICING
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

SPEECH = FeatureSpec(n_mfcc=10, normalisation="channel_speech")
VOICE = FeatureSpec(n_mfcc=10, n_pitches=20, normalisation="channel_voice")


def frames(count: int, *, spec: FeatureSpec = VOICE, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    made = rng.normal(-20, 5, (count, spec.n_coefficients)).astype(np.float32)
    made[:, VOICING] = rng.random(count)
    return made


@pytest.mark.parametrize("cuts", [[], [1], [200, 700]])
def test_every_frame_weighs_the_same_with_channel_speech(cuts):
    whole = frames(1000, spec=SPEECH)
    sums = reduce(add, (speech_sums(part, spec=SPEECH) for part in np.split(whole, cuts)))
    found = channel_statistics(sums, spec=SPEECH)
    np.testing.assert_allclose(found.mean, whole.mean(axis=0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(found.std, whole.std(axis=0, dtype=np.float64), rtol=1e-5)
    assert found.speech_frames == 1000
    assert found.mean.dtype == found.std.dtype == np.float32


@pytest.mark.parametrize("cuts", [[], [BLOCK_FRAMES], [2 * BLOCK_FRAMES]])
def test_with_channel_voice_frames_weigh_their_voicing_and_deviate_from_what_is_around(cuts):
    whole = frames(2 * BLOCK_FRAMES + 50)
    whole[:BLOCK_FRAMES, 0] += 30  # louder for a while, which is no deviation inside a window
    sums = reduce(add, (speech_sums(part, spec=VOICE) for part in np.split(whole, cuts)))
    found = channel_statistics(sums, spec=VOICE)
    weights = whole[:, VOICING].astype(np.float64) + 0.02
    np.testing.assert_allclose(found.mean, np.average(whole, axis=0, weights=weights), rtol=1e-5)
    squares = np.zeros(whole.shape[1])
    for block in np.split(np.arange(len(whole)), [BLOCK_FRAMES, 2 * BLOCK_FRAMES]):
        own, weight = whole[block].astype(np.float64), weights[block, None]
        mean = (weight * own).sum(axis=0) / weight.sum()
        squares += (weight * (own - mean) ** 2).sum(axis=0)
    np.testing.assert_allclose(found.std, np.sqrt(squares / weights.sum()), rtol=1e-5)
    assert found.std[0] < 6 < whole[:, 0].std()
    assert found.speech_frames == pytest.approx(weights.sum())


def test_whispered_speech_still_has_a_mean():
    whole = frames(300)
    whole[:, VOICING] = 0
    found = channel_statistics(speech_sums(whole, spec=VOICE), spec=VOICE)
    np.testing.assert_allclose(found.mean, whole.mean(axis=0, dtype=np.float64), rtol=1e-5, atol=1e-6)
    assert found.speech_frames == pytest.approx(6)


@pytest.mark.parametrize("spec", [SPEECH, VOICE], ids=["speech", "voice"])
def test_no_speech_has_finite_statistics(spec):
    found = channel_statistics(speech_sums(frames(0, spec=spec), spec=spec), spec=spec)
    assert not found.mean.any()
    assert not found.std.any()
    assert found.speech_frames == 0
