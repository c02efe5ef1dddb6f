"""The simulated telephone: band, level, noise and codec of a line."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from export.audio.telephone import LINE_CODECS, LINE_HZ, Line, draw_line, level_dbfs, transmit

PLAIN = Line(
    low_hz=300,
    high_hz=3400,
    order=6,
    tilt_db=0,
    level_dbfs=-20,
    snr_db=60,
    noise_slope_db=0,
    hum_db=-60,
    codec="µ-law",
)


def tone(freq_hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * freq_hz * np.arange(round(seconds * LINE_HZ)) / LINE_HZ)).astype(np.float32)


def send(samples: np.ndarray, line: Line, *, seed: int = 1) -> np.ndarray:
    return transmit(samples, line=line, speech_dbfs=level_dbfs(samples), rng=np.random.default_rng(seed))


@pytest.mark.parametrize("codec", LINE_CODECS)
@pytest.mark.parametrize("count", [1, 319, 321, 8000])
def test_every_codec_keeps_length_and_range(codec, count):
    rng = np.random.default_rng(3)
    samples = rng.standard_normal(count).astype(np.float32)
    sent = send(samples, dataclasses.replace(PLAIN, codec=codec, level_dbfs=0))
    assert sent.dtype == np.float32
    assert sent.shape == (count,)
    assert np.abs(sent).max() <= 1


@pytest.mark.parametrize(("freq_hz", "least_loss_db", "most_loss_db"), [(1000, -1, 1), (60, 30, 99), (3900, 6, 99)])
def test_the_band_passes_speech_and_stops_the_rest(freq_hz, least_loss_db, most_loss_db):
    loss_db = PLAIN.level_dbfs - level_dbfs(send(tone(freq_hz), PLAIN))
    assert least_loss_db <= loss_db <= most_loss_db


def test_soft_and_loud_clips_of_a_call_keep_their_distance():
    soft = tone(1000) * np.float32(0.1)
    levels = [
        level_dbfs(transmit(clip, line=PLAIN, speech_dbfs=-23, rng=np.random.default_rng(1)))
        for clip in (tone(1000), soft)
    ]
    assert levels[0] - levels[1] == pytest.approx(20, abs=0.5)


def test_noise_has_the_level_of_the_line():
    noisy = dataclasses.replace(PLAIN, snr_db=10, low_hz=150, high_hz=3700)
    silence = np.zeros(LINE_HZ, np.float32)
    sent = transmit(silence, line=noisy, speech_dbfs=-30, rng=np.random.default_rng(1))
    assert level_dbfs(sent) == pytest.approx(-30, abs=1.5)


def test_the_same_seed_gives_the_same_line_and_samples():
    lines = [draw_line(np.random.default_rng(5)) for _ in range(2)]
    assert lines[0] == lines[1]
    np.testing.assert_array_equal(send(tone(500), lines[0]), send(tone(500), lines[1]))
    assert (send(tone(500), lines[0]) != send(tone(500), lines[0], seed=2)).any()
