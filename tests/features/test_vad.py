"""`sertag.features.vad`: what must be found, what must not, and that level, rate and length do not matter."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import speech_signals as signals
from benchmarks.speed.speech_streams import loud_frames
from sertag.features.mfcc import FrameStream, activity_spec
from sertag.features.vad import detect, smooth
from sertag.records import BoolArray, FloatArray
from sertag.spec import FeatureSpec
from tests.conftest import speech_like

SPEC = FeatureSpec(kind="log_mel", floor_power=1e-9)
RATE_HZ = SPEC.rate_hz
CLIP_SPEC = FeatureSpec(framing="clip", rate_hz=22050, n_fft=2048, win_length=2048, hop_length=512, fmax_hz=11025)
NOT_SPEECH = dict(signals.not_speech(20.0, rng=np.random.default_rng(1)))


def heard(samples: FloatArray, spec: FeatureSpec = SPEC) -> BoolArray:
    stream = FrameStream(spec=spec, channels=1)
    block = np.asarray(samples, dtype=np.float32)[None]
    log_mel = np.concatenate([stream.push(block), stream.flush()], axis=1)[0]
    return detect(log_mel.astype(np.float32), spec=spec)


def recall(found: BoolArray, truth: BoolArray) -> float:
    return float((found[: len(truth)] & truth).sum() / truth.sum())


def false_share(found: BoolArray, truth: BoolArray) -> float:
    return float((found[: len(truth)] & ~truth).mean())


def stressed(seconds: float, *, seed: int) -> FloatArray:
    """Speech-like sound whose syllables differ by up to 12 dB, as stressed and unstressed ones do."""
    samples = speech_like(seconds, seed=seed)
    stress_db = np.random.default_rng(seed).uniform(-12, 0, round(seconds / 0.25) + 2)
    gain_db = np.interp(np.arange(len(samples)) / RATE_HZ, np.arange(len(stress_db)) * 0.25, stress_db)
    return (samples * 10 ** (gain_db / 20)).astype(np.float32)


@pytest.fixture(scope="module")
def talk() -> tuple[FloatArray, BoolArray]:
    """Half a minute of phrases with pauses, and where they are."""
    parts = [part for seed in range(5) for part in (np.zeros(2 * RATE_HZ), stressed(4.0, seed=seed))]
    samples = signals.at_level(np.concatenate(parts).astype(np.float32), -26)
    return samples, loud_frames(samples)


@pytest.mark.parametrize("level_dbfs", [-50, -25, -8])
@pytest.mark.parametrize("name", NOT_SPEECH)
def test_what_is_no_speech_is_not_found(name: str, level_dbfs: float) -> None:
    sound = signals.at_level(NOT_SPEECH[name], level_dbfs)
    line = signals.at_level(signals.coloured(len(sound), 0.0, rng=np.random.default_rng(2)), -65)
    assert heard(sound).mean() < 0.02
    assert heard(signals.mu_law(sound + line)).mean() < 0.02


@pytest.mark.parametrize("slope_db", [-6, -3, 0, 3, 6])
@pytest.mark.parametrize("on_off_s", [(0.3, 0.3), (1.0, 1.0), (3.0, 1.0)])
def test_bursts_of_noise_of_any_colour_are_not_found(slope_db: float, on_off_s: tuple[float, float]) -> None:
    noise = signals.coloured(20 * RATE_HZ, slope_db, rng=np.random.default_rng(3))
    assert heard(signals.at_level(signals.cadence(noise, on_off_s), -25)).mean() < 0.02


def test_phrases_are_found_and_their_pauses_are_not(talk: tuple[FloatArray, BoolArray]) -> None:
    samples, truth = talk
    found = heard(samples)
    assert recall(found, truth) > 0.95
    assert false_share(found, truth) < 0.05


@pytest.mark.parametrize("peak_dbfs", [-40, -25, -10, 0, 6])
def test_level_does_not_matter(talk: tuple[FloatArray, BoolArray], peak_dbfs: float) -> None:
    samples, truth = talk
    gain = np.float32(10 ** (peak_dbfs / 20) / np.abs(samples).max())
    found = heard(np.clip(samples * gain, -1, 1))
    assert recall(found, truth) > 0.93
    assert false_share(found, truth) < 0.05


@pytest.mark.parametrize(("snr_db", "least"), [(20, 0.9), (10, 0.8), (5, 0.65)])
@pytest.mark.parametrize("slope_db", [0.0, -3.0])
def test_speech_in_noise_is_found(
    talk: tuple[FloatArray, BoolArray], slope_db: float, snr_db: float, least: float
) -> None:
    samples, truth = talk
    power_db = 10 * np.log10(np.mean(np.square(samples[np.repeat(truth, 80)[: len(samples)]])))
    noise = signals.band(signals.coloured(len(samples), slope_db, rng=np.random.default_rng(4)))
    found = heard(signals.mu_law(samples + signals.at_level(noise, power_db - snr_db)))
    assert recall(found, truth) > least
    assert false_share(found, truth) < 0.05


def test_crosstalk_35_db_under_own_speech_is_not_found(talk: tuple[FloatArray, BoolArray]) -> None:
    samples, truth = talk
    found = heard(np.concatenate([samples, samples * np.float32(10 ** (-35 / 20))]))
    assert recall(found[: len(truth)], truth) > 0.95
    assert found[len(truth) :].mean() < 0.02


def test_dc_offset_does_not_hide_speech(talk: tuple[FloatArray, BoolArray]) -> None:
    samples, truth = talk
    assert recall(heard(samples + np.float32(0.3)), truth) > 0.95


def test_speech_over_noise_that_sets_in_is_found_and_the_noise_is_not(talk: tuple[FloatArray, BoolArray]) -> None:
    samples, truth = talk
    noise = signals.at_level(signals.coloured(len(samples), 0.0, rng=np.random.default_rng(5)), -45)
    noise[: 12 * RATE_HZ] = 0
    found = heard(samples + noise)
    assert recall(found, truth) > 0.8
    assert false_share(found, truth) < 0.05


@pytest.mark.parametrize("seconds", [1.0, 2.0, 3.0])
def test_short_clips_that_are_all_speech_are_found(seconds: float) -> None:
    for seed in range(8):
        samples = stressed(12.0, seed=seed)
        truth = loud_frames(samples)
        n = round(seconds * 100)
        start = max(range(0, 1200 - n, 10), key=lambda first, of=truth, n=n: int(of[first : first + n].sum()))
        clip = samples[start * 80 : (start + n) * 80]
        assert heard(clip).sum() >= 0.6 * truth[start : start + n].sum()


@pytest.mark.parametrize("n", [1, 80, 400, 800, 1600])
def test_sections_shorter_than_a_syllable_have_an_answer_for_every_frame(n: int) -> None:
    for samples in (np.zeros(n, np.float32), speech_like(1.0, seed=1)[:n]):
        assert heard(samples).shape == (1 + n // SPEC.hop_length,)


def test_a_section_without_frames_has_no_answer() -> None:
    assert detect(np.empty((0, 40), np.float32), spec=SPEC).shape == (0,)


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec(kind="log_mel", hop_length=160),
        FeatureSpec(kind="log_mel", n_mels=64, fmin_hz=60, fmax_hz=3800),
        FeatureSpec(kind="log_mel", n_mels=6),
        FeatureSpec(rate_hz=16000, n_fft=512, win_length=400, hop_length=160, n_mels=80, fmax_hz=8000),
        activity_spec(CLIP_SPEC),
    ],
    ids=["hop 20 ms", "64 mels", "6 mels", "16 kHz", "22.05 kHz"],
)
def test_other_recipes_hear_the_same(talk: tuple[FloatArray, BoolArray], spec: FeatureSpec) -> None:
    samples, truth = talk
    found = heard(soxr.resample(samples, RATE_HZ, spec.rate_hz), spec)
    places = np.minimum((np.arange(len(truth)) * spec.frame_rate_hz / 100).astype(int), len(found) - 1)
    assert recall(found[places], truth) > 0.9
    assert false_share(found[places], truth) < 0.06
    busy = signals.cadence(signals.tones(20 * RATE_HZ, 480, 620), (0.5, 0.5)) / 4
    assert heard(soxr.resample(busy.astype(np.float32), RATE_HZ, spec.rate_hz), spec).mean() < 0.02


def test_input_is_left_as_it_was_and_the_answer_is_repeatable() -> None:
    log_mel = np.random.default_rng(6).normal(-50, 15, (3000, 40)).astype(np.float32)
    before = log_mel.copy()
    assert np.array_equal(detect(log_mel, spec=SPEC), detect(log_mel, spec=SPEC))
    assert np.array_equal(log_mel, before)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=12), st.booleans())
@settings(deadline=None)
def test_smoothing_leaves_no_short_gap_and_no_short_burst(lengths: list[tuple[int, int]], begins: bool) -> None:
    pieces = [np.full(n, (index % 2 == 0) == begins) for index, n in enumerate(x for pair in lengths for x in pair)]
    mask = np.concatenate([np.zeros(0, bool), *pieces])
    smoothed = smooth(mask, frame_rate_hz=100.0)
    edges = np.flatnonzero(np.diff(smoothed, prepend=False, append=False)).reshape(-1, 2)
    assert smoothed.shape == mask.shape
    assert np.all(edges[:, 1] - edges[:, 0] >= 10)
    assert np.all(edges[1:, 0] - edges[:-1, 1] >= 25)
    assert np.array_equal(smooth(smoothed, frame_rate_hz=100.0), smoothed)


def test_smoothing_bridges_a_stop_consonant_and_drops_a_click() -> None:
    mask = np.zeros(200, dtype=bool)
    mask[20:50] = mask[70:90] = True  # 0.2 s between
    mask[150:155] = True
    smoothed = smooth(mask, frame_rate_hz=100.0)
    assert np.flatnonzero(smoothed).tolist() == list(range(20, 90))


@pytest.mark.parametrize("corpus", ["tess", "ravdess", "emodb", "emovo", "nemo"])
def test_real_clips_are_found_clean_and_through_a_telephone(data_dir: Path, corpus: str) -> None:
    with (data_dir / "manifest.csv").open(encoding="utf-8", newline="") as handle:
        paths = [row["path"] for row in csv.DictReader(handle) if row["corpus"] == corpus]
    for path in paths[:: len(paths) // 20]:
        samples = _first_channel(data_dir / path)
        truth = loud_frames(samples)
        for version in (samples, signals.mu_law(signals.at_level(signals.band(samples), -45))):
            assert recall(heard(version), truth) > 0.69, path  # one clip of TESS, coded as Opus, has 0.699


def test_the_quietest_clips_are_speech(data_dir: Path) -> None:
    with (data_dir / "manifest.csv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["corpus"] == "ravdess" and row["emotion"] == "calm"]
    clips = [_first_channel(data_dir / row["path"]) for row in rows[::8]]
    quietest = sorted(clips, key=lambda samples: float(np.mean(samples**2)))[:10]
    assert float(np.mean(quietest[0] ** 2)) < 1e-5  # under -50 dBFS
    for samples in quietest:
        assert heard(samples).sum() > 80  # of clips that speak for 1.2 to 2.5 s


def test_both_sides_of_a_real_call_speak_in_turns(data_dir: Path) -> None:
    samples, _ = soundfile.read(data_dir / "calls" / "auto_repairs_40.wav", dtype="float32")
    caller, agent = (heard(channel) for channel in samples.T)
    assert 0.2 < caller.mean() < 0.6
    assert 0.2 < agent.mean() < 0.6
    assert (caller & agent).mean() < 0.1


def _first_channel(path: Path) -> FloatArray:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples[:, 0], rate_hz, RATE_HZ), dtype=np.float32)
