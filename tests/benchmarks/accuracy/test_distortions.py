"""What recordings go through: each thing does what its name says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.accuracy.robustness import BABBLE, NAMES, SNR_DB, distort
from export.audio.noise import talk_at_once
from export.audio.telephone import LINE_HZ
from tests.conftest import speech_like

VOICES = [speech_like(3.0, seed=seed) for seed in range(20, 28)]
CHATTER = talk_at_once(VOICES)
CALL = np.stack([speech_like(4.0, seed=1), speech_like(4.0, seed=2)])  # (2, n)
CODECS = ("µ-law", "A-law", "GSM 06.10", "Opus", "MP3")
RESAMPLED = (*CODECS, "through 16 kHz", "through 44.1 kHz")
NOISY = ("street, 15 dB", BABBLE)
IN_PLACE = tuple(name for name in NAMES if name not in {"0.25 s later", "through 16 kHz", "through 44.1 kHz"})
LOST = "2 % of the packets lost"
PACKET = 160  # samples of 20 ms


def changed(
    samples: np.ndarray, name: str, *, rate_hz: int = LINE_HZ, seed: int = 1, babble: np.ndarray = CHATTER
) -> tuple[np.ndarray, int]:
    return distort(samples, name=name, rate_hz=rate_hz, babble=babble, rng=np.random.default_rng(seed))


def level_db(samples: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


def lag(one: np.ndarray, other: np.ndarray) -> int:
    """Samples by which `one` comes later."""
    size = 2 * len(one)
    found = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    return int((np.argmax(found) + size // 2) % size - size // 2)


def test_these_are_all_distortions():
    assert len(set(NAMES)) == len(NAMES) == 13
    assert set(CODECS) | set(NOISY) < set(NAMES)


@pytest.mark.parametrize(("name", "gain_db"), [("12 dB louder", 12.0), ("12 dB fainter", -12.0)])
def test_a_gain_is_exact(name, gain_db):
    heard, rate_hz = changed(CALL, name)
    np.testing.assert_array_equal(heard, (CALL * 10 ** (gain_db / 20)).astype(np.float32))
    assert rate_hz == LINE_HZ


def test_what_gets_louder_is_not_clipped():
    assert np.abs(changed(np.ones((1, 8), np.float32), "12 dB louder")[0]).min() > 3.9


@pytest.mark.parametrize("rate_hz", [8000, 11025, 48000])
def test_a_shift_is_exact(rate_hz):
    heard, same_hz = changed(CALL, "0.25 s later", rate_hz=rate_hz)
    silence = round(0.25 * rate_hz)
    assert same_hz == rate_hz
    assert not heard[:, :silence].any()
    np.testing.assert_array_equal(heard[:, silence:], CALL)


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_noise_lies_15_db_under_each_channel(name, rate_hz):
    samples = np.stack([CALL[0], CALL[1] / 10])
    heard, _ = changed(samples, name, rate_hz=rate_hz)
    for channel, own in zip(heard, samples, strict=True):
        assert level_db(own) - level_db(channel - own) == pytest.approx(SNR_DB, abs=0.5)


@pytest.mark.parametrize("name", NOISY)
def test_under_silence_there_is_no_noise(name):
    samples = np.stack([CALL[0], np.zeros_like(CALL[0])])
    heard, _ = changed(samples, name)
    assert (heard[0] != samples[0]).any()
    assert not heard[1].any()


def test_traffic_rumbles_and_swells():
    noise = changed(np.stack([speech_like(30.0)]), "street, 15 dB")[0][0] - speech_like(30.0)
    power = np.abs(np.fft.rfft(noise)) ** 2
    freqs_hz = np.fft.rfftfreq(len(noise), 1 / LINE_HZ)
    octaves = [power[(freqs_hz >= low) & (freqs_hz < 1.1 * low)].mean() for low in (200, 400, 800, 1600)]
    np.testing.assert_allclose(-np.diff(10 * np.log10(octaves)), 6, atol=1.5)
    levels_db = [level_db(second) for second in np.split(noise, 30)]
    assert max(levels_db) - min(levels_db) > 3


def test_babble_is_made_of_the_voices_at_the_rate_of_the_recording():
    voices = speech_like(4.0, seed=9)
    heard, _ = changed(np.full((1, 8000), 0.1, np.float32), BABBLE, rate_hz=16000, babble=voices)
    noise = heard[0] - 0.1
    there = soxr.resample(voices, 8000, 16000)
    start = lag(np.pad(noise, (0, len(there) - 8000)), there) % len(there)
    assert np.corrcoef(noise, np.roll(there, start)[:8000])[0, 1] > 0.99


def test_babble_that_is_shorter_than_the_recording_goes_on():
    heard, _ = changed(CALL, BABBLE, babble=CHATTER[:500])
    noise = (heard - CALL)[0]
    np.testing.assert_allclose(noise[:500], noise[500:1000], atol=1e-4)
    assert level_db(CALL[0]) - level_db(noise) == pytest.approx(SNR_DB, abs=0.5)


def test_all_voices_of_babble_are_as_loud():
    loud, soft = (np.random.default_rng(seed).standard_normal(9000).astype(np.float32) for seed in (1, 2))
    both = talk_at_once([loud, soft[:8000] / 1000])
    assert both.dtype == np.float32
    assert both.shape == (8000,)
    parts = [np.corrcoef(both, voice[:8000])[0, 1] for voice in (loud, soft)]
    assert parts == pytest.approx([np.sqrt(0.5)] * 2, abs=0.03)


def test_babble_has_eight_voices_and_silent_ones_do_no_harm():
    silent = np.zeros(24_000, np.float32)
    np.testing.assert_array_equal(talk_at_once([*VOICES, speech_like(1.0)]), CHATTER)
    np.testing.assert_array_equal(talk_at_once([VOICES[0], silent]), talk_at_once(VOICES[:1]))


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_keeps_length_order_and_time(name):
    heard, rate_hz = changed(CALL, name)
    assert rate_hz == LINE_HZ
    assert heard.shape == CALL.shape
    for channel, own in zip(heard, CALL, strict=True):
        assert lag(channel, own) == 0
        assert np.corrcoef(channel, own)[0, 1] > 0.9
        assert level_db(channel) == pytest.approx(level_db(own), abs=1.5)
        assert (channel != own).any()


def test_codecs_differ_and_clip_what_is_too_loud():
    heard = {name: changed(np.clip(9 * CALL, -2, 2), name)[0] for name in CODECS}
    assert len({samples.tobytes() for samples in heard.values()}) == len(CODECS)
    limited = changed(np.clip(9 * CALL, -1, 1), "µ-law")[0]
    np.testing.assert_array_equal(heard["µ-law"], limited)


@pytest.mark.parametrize("count", [1, 319, 321, 4001])
@pytest.mark.parametrize("name", CODECS)
def test_a_codec_keeps_any_length(name, count):
    assert changed(CALL[:, :count], name)[0].shape == (2, count)


def test_opus_has_12_kbit_a_second(monkeypatch):
    sizes: list[int] = []
    read = soundfile.read

    def noted(memory, **options):
        sizes.append(len(memory.getvalue()))
        return read(memory, **options)

    monkeypatch.setattr("export.audio.telephone.soundfile.read", noted)
    changed(CALL, "Opus")
    assert [8 * size / 4 / 1000 for size in sizes] == pytest.approx([12, 12], abs=2.5)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_lost_packet_is_the_one_before_at_half_its_level(seed):
    heard, _ = changed(CALL, LOST, seed=seed)
    packets, own = (samples.reshape(2, -1, PACKET) for samples in (heard, CALL))
    for number in range(packets.shape[1]):
        if (packets[:, number] != own[:, number]).any():  # in both channels, as they travel in one packet
            assert number > 0
            np.testing.assert_array_equal(packets[:, number], packets[:, number - 1] / 2)


def test_two_packets_of_a_hundred_are_lost():
    noise = np.random.default_rng(1).standard_normal((1, 5000 * PACKET)).astype(np.float32)
    heard, _ = changed(noise, LOST)
    lost = (heard != noise).reshape(-1, PACKET).all(axis=1)
    assert 0.015 < lost.mean() < 0.025
    assert (heard == noise).reshape(-1, PACKET).all(axis=1).sum() + lost.sum() == 5000  # whole packets only


@pytest.mark.parametrize("name", IN_PLACE)
def test_channels_stay_apart(name):
    samples = np.stack([CALL[0], 0 * CALL[0]])
    swapped = changed(samples[::-1], name)[0]
    heard = changed(samples, name)[0]
    np.testing.assert_array_equal(heard, swapped[::-1])
    np.testing.assert_array_equal(heard[:1], changed(samples[:1], name)[0])  # alone as in company
    assert level_db(heard[1] + 1e-9) < -60


@pytest.mark.parametrize(("name", "to_hz"), [("through 16 kHz", 16000), ("through 44.1 kHz", 44100)])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050])
def test_another_rate_has_the_same_sound(name, to_hz, rate_hz):
    heard, found_hz = changed(CALL, name, rate_hz=rate_hz)
    assert found_hz == to_hz
    assert heard.shape[1] == pytest.approx(CALL.shape[1] * to_hz / rate_hz, abs=1)
    back = soxr.resample(heard.T, to_hz, rate_hz).T
    count = min(back.shape[1], CALL.shape[1])
    for channel, own in zip(back, CALL, strict=True):
        assert np.corrcoef(channel[:count], own[:count])[0, 1] > 0.95


@pytest.mark.parametrize("rate_hz", [4000, 8000, 11025, 44100, 48000])
@pytest.mark.parametrize("count", [1, 2, 161])
@pytest.mark.parametrize("name", NAMES)
def test_any_rate_and_the_shortest_recording_come_through(name, count, rate_hz, request):
    if count == 1 and name in RESAMPLED and np.lib.NumpyVersion(np.__version__) < "2.4.0":
        reason = "NumPy before 2.4 gives the transpose of one sample strides that soxr refuses"
        request.applymarker(pytest.mark.xfail(raises=ValueError, strict=True, reason=reason))
    heard, found_hz = changed(np.full((3, count), 0.1, np.float32), name, rate_hz=rate_hz)
    assert heard.dtype == np.float32
    assert heard.shape[0] == 3
    assert heard.shape[1] >= 1
    assert np.isfinite(heard).all()
    if name in CODECS:
        assert found_hz == LINE_HZ


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_what_is_drawn_and_the_recording_is_left_alone(name):
    samples = CALL.copy()
    one, again, other = (changed(samples, name, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(samples, CALL)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any() == (name in {*NOISY, LOST})
