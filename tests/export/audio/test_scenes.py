"""Where a call is made: level, kind and makers of the noise, and that a call stays in one place."""

from __future__ import annotations

import numpy as np
import pytest

from export.audio.codecs import CODECS, LINE_HZ
from export.audio.noise import BABBLE_VOICES
from export.audio.scenes import Surroundings, draw_surroundings, surround
from export.audio.telephone import level_dbfs
from tests.conftest import speech_like

CLIPS = [speech_like(1.5 + 0.1 * seed, seed=seed) for seed in range(10)]
LOUD_DBFS = float(np.median([level_dbfs(clip) for clip in CLIPS]))
STREET = Surroundings(babble=False, snr_db=10.0, stored_as=None)
CANTEEN = Surroundings(babble=True, snr_db=10.0, stored_as=None)


def noise_of(place: Surroundings, clips: list[np.ndarray] = CLIPS, *, seed: int = 1) -> list[np.ndarray]:
    heard = surround(clips, place=place, speech_dbfs=LOUD_DBFS, rng=np.random.default_rng(seed))
    return [after - before for after, before in zip(heard, clips, strict=True)]


@pytest.mark.parametrize("place", [STREET, CANTEEN])
def test_the_call_has_one_noise_at_its_level(place):
    noise = noise_of(place)
    assert [len(own) for own in noise] == [len(clip) for clip in CLIPS]
    assert level_dbfs(np.concatenate(noise)) == pytest.approx(LOUD_DBFS - 10, abs=0.1)


@pytest.mark.parametrize("place", [STREET, CANTEEN])
def test_soft_and_loud_clips_keep_their_distance_to_it(place):
    softer = [CLIPS[0] / 10, *CLIPS[1:]]
    assert level_dbfs(noise_of(place, softer)[0]) == pytest.approx(level_dbfs(noise_of(place)[0]), abs=1.5)


def test_the_same_seed_gives_the_same_noise_and_another_another():
    first, again, other = (np.concatenate(noise_of(CANTEEN, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(np.corrcoef(first, other)[0, 1]) < 0.2


def test_babble_sounds_like_voices_and_a_street_does_not():
    def spectrum(samples: np.ndarray) -> np.ndarray:
        power = np.abs(np.fft.rfft(np.concatenate(samples), 1 << 18)) ** 2
        bands = np.log(power[: 1 << 17].reshape(64, -1).mean(axis=1) + 1e-9)
        return np.asarray(bands)

    street, canteen, speech = (spectrum(samples) for samples in (noise_of(STREET), noise_of(CANTEEN), CLIPS))
    assert np.corrcoef(canteen, speech)[0, 1] > np.corrcoef(street, speech)[0, 1]


def test_too_few_clips_for_other_voices_come_from_a_street():
    few = CLIPS[: BABBLE_VOICES - 1]
    np.testing.assert_array_equal(np.concatenate(noise_of(CANTEEN, few)), np.concatenate(noise_of(STREET, few)))
    many = CLIPS[:BABBLE_VOICES]
    assert (np.concatenate(noise_of(CANTEEN, many)) != np.concatenate(noise_of(STREET, many))).any()


def test_a_clip_of_one_sample_comes_through():
    heard = surround([np.ones(1, np.float32)], place=STREET, speech_dbfs=-20.0, rng=np.random.default_rng(1))
    assert [clip.shape for clip in heard] == [(1,)]


def test_places_are_of_every_kind():
    rng = np.random.default_rng(1)
    drawn = [draw_surroundings(rng) for _ in range(400)]
    assert {place.stored_as for place in drawn} == {None, *CODECS}
    assert 0.4 < np.mean([place.babble for place in drawn]) < 0.6
    assert 8 <= min(place.snr_db for place in drawn) < max(place.snr_db for place in drawn) <= 25
    assert LINE_HZ == 8000
