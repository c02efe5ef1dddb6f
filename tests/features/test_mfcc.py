"""librosa 0.11 is the oracle: every coefficient within 1e-3, whatever the recipe and the sound.

The oracle is fed double precision, so that what is measured is sertag's error; the tests on real clips feed it what
`librosa.load` returns, as tutorials do.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertag.features.mfcc import (
    FrameStream,
    activity_spec,
    clip_features,
    coefficients,
    silence_coefficients,
    stream_frames,
)
from sertag.features.spectral.filterbank import mel_bands
from sertag.spec import FeatureSpec
from tests.conftest import speech_like
from tests.onnx_models import PAPER_FEATURES

librosa = pytest.importorskip("librosa")

TOLERANCE = 1e-3
CORPORA = ("tess", "ravdess", "emodb", "emovo", "nemo", "crema_d")
NOISE_FLOOR = np.random.default_rng(7).standard_normal(100_000).astype(np.float32) * np.float32(1e-2)
FAST = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def feature_specs(draw: st.DrawFn, framing: str = "clip") -> FeatureSpec:
    rate_hz = draw(st.sampled_from([4000, 8000, 11025, 16000, 22050, 44100, 48000]) | st.integers(4000, 48_000))
    n_fft = draw(st.sampled_from([64, 100, 255, 256, 400, 512, 1024, 2048]))
    # A band that hears a single bin hears its dips to nothing, where single precision has no digits left.
    n_mels = draw(st.integers(1, 80 if framing == "clip" else min(80, n_fft // 8)))
    fmin_hz = draw(st.sampled_from([0.0, 20.0, 300.0]) | st.floats(0, 0.2 * rate_hz))
    kind = draw(st.sampled_from(["mfcc", "log_mel"]))
    return FeatureSpec(
        kind=kind,
        rate_hz=rate_hz,
        framing=framing,
        n_fft=n_fft,
        win_length=draw(st.just(n_fft) | st.integers(2, n_fft)),
        hop_length=draw(st.integers(n_fft // 8, n_fft)),
        n_mels=n_mels,
        fmin_hz=fmin_hz,
        fmax_hz=draw(st.just(rate_hz / 2) | st.floats(fmin_hz + 0.1 * rate_hz, rate_hz / 2)),
        floor_power=draw(st.sampled_from([1e-10, 1e-7])),
        dynamic_range_db=None if framing == "channel" else draw(st.sampled_from([None, 60.0, 80.0])),
        n_mfcc=draw(st.integers(1, n_mels)),
        lifter=draw(st.sampled_from([0, 0, 22])) if kind == "mfcc" else 0,
    )


@st.composite
def sounds(draw: st.DrawFn, rate_hz: int, kinds: tuple[str, ...], longest_s: float = 1.5) -> np.ndarray:
    """Float32 (n,), from one sample on, of one of the kinds."""
    n = draw(st.integers(1, 3000) | st.integers(1, round(longest_s * rate_hz)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    time_s = np.arange(n) / rate_hz
    noise = rng.standard_normal(n)
    impulses = np.zeros(n)
    impulses[rng.integers(0, n, 3)] = 0.9
    tone_hz = rng.uniform(50, 0.45 * rate_hz)
    found = {
        "noise": 0.2 * noise,
        "quiet": 1e-4 * noise,
        "tone": 0.5 * np.sin(2 * np.pi * tone_hz * time_s),
        "chirp": 0.5 * np.sin(2 * np.pi * (50 * time_s + 0.2 * rate_hz * time_s**2 / max(time_s[-1], 1e-3))),
        "impulses": impulses,
        "silence": np.zeros(n),
        "speech": speech_like(n / rate_hz, rate_hz=rate_hz)[:n],
    }
    return found[draw(st.sampled_from(kinds))].astype(np.float32)


ALL_KINDS = ("noise", "quiet", "tone", "chirp", "impulses", "silence", "speech")


def oracle_log_mel(samples: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of clips under n_fft and of bands between two bins
        power = librosa.feature.melspectrogram(
            y=samples.astype(np.float64),
            sr=spec.rate_hz,
            n_fft=spec.n_fft,
            win_length=spec.win_length,
            hop_length=spec.hop_length,
            n_mels=spec.n_mels,
            fmin=spec.fmin_hz,
            fmax=spec.fmax_hz,
        )
    return librosa.power_to_db(power, amin=spec.floor_power, top_db=spec.dynamic_range_db)  # (m, t)


def oracle(samples: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    frames = oracle_log_mel(samples, spec)
    if spec.kind == "mfcc":
        frames = librosa.feature.mfcc(S=frames, n_mfcc=spec.n_mfcc, lifter=spec.lifter)
    deltas = [
        librosa.feature.delta(frames, width=spec.delta_width, order=order) for order in range(1, spec.delta_order + 1)
    ]
    return np.concatenate([frames, *deltas]).T  # (t, c)


def assert_same(found: np.ndarray, expected: np.ndarray, spec: FeatureSpec) -> None:
    # The lifter multiplies by up to 12 and lifts values over 1e4, where float32 itself has steps of 1e-3. In single
    # precision it also multiplies what the sum over the bands has lost by rounding.
    lifted = 1e-6 if spec.framing == "channel" else 2e-7
    np.testing.assert_allclose(found, expected, rtol=lifted if spec.lifter else 0, atol=TOLERANCE)


@FAST
@given(st.data())
def test_clips_equal_librosa(data: st.DataObject) -> None:
    spec = data.draw(feature_specs())
    samples = data.draw(sounds(spec.rate_hz, ALL_KINDS))
    found = clip_features(samples, spec=spec)
    assert found.dtype == np.float32
    assert found.shape[1] == spec.n_coefficients
    assert_same(found, oracle(samples, spec), spec)


@FAST
@given(st.data())
def test_channels_equal_librosa_in_single_precision(data: st.DataObject) -> None:
    spec = data.draw(feature_specs(framing="channel"))
    samples = data.draw(sounds(spec.rate_hz, ("noise", "quiet", "speech", "silence")))
    if samples.any():  # recordings have noise; what lies deeper is lost in the rounding of a single-precision transform
        samples = samples + np.abs(samples).max() * NOISE_FLOOR[: len(samples)]
    stream = FrameStream(spec=spec, channels=1)
    log_mel = np.concatenate([stream.push(samples[None]), stream.flush()], axis=1)[0]
    found = coefficients(log_mel, spec=spec)
    assert found.dtype == np.float32
    assert_same(found, oracle(samples, spec), spec)


@settings(FAST, max_examples=25)
@given(st.data(), st.sampled_from([3, 5, 9, 11]), st.sampled_from([1, 2]))
def test_derivatives_equal_librosa(data: st.DataObject, width: int, order: int) -> None:
    spec = FeatureSpec(framing="clip", n_mfcc=13, delta_width=width, delta_order=order, dynamic_range_db=80.0)
    kept = sounds(spec.rate_hz, ALL_KINDS).filter(lambda samples: len(samples) // spec.hop_length >= width)
    samples = data.draw(kept)
    found = clip_features(samples, spec=spec)
    assert found.shape[1] == 13 * (1 + order)
    assert_same(found, oracle(samples, spec), spec)


@pytest.mark.parametrize("count", [1, 80, 400, 719])
def test_derivatives_of_a_short_clip_continue_its_last_frame(count: int) -> None:
    spec = FeatureSpec(framing="clip", n_mfcc=5, delta_order=1)
    found = clip_features(speech_like(0.1)[:count], spec=spec)
    frames = found[:, :5].astype(np.float64)
    continued = np.concatenate([frames, np.repeat(frames[-1:], 9 - len(frames), axis=0)]) if len(frames) < 9 else frames
    expected = librosa.feature.delta(continued.T, width=9).T[: len(frames)]
    np.testing.assert_allclose(found[:, 5:], expected, atol=TOLERANCE)


@settings(FAST, max_examples=30)
@given(st.data())
def test_mel_bands_equal_librosa(data: st.DataObject) -> None:
    spec = data.draw(feature_specs())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = librosa.filters.mel(
            sr=spec.rate_hz, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.fmin_hz, fmax=spec.fmax_hz
        )
    np.testing.assert_allclose(mel_bands(spec=spec), expected.T, rtol=1e-5, atol=1e-9)


@settings(FAST, max_examples=30)
@given(st.data())
def test_any_split_into_blocks_gives_the_same_frames(data: st.DataObject) -> None:
    spec = data.draw(feature_specs(framing="channel"))
    samples = np.stack([data.draw(sounds(spec.rate_hz, ("noise",)))] * 2)
    sizes = data.draw(st.lists(st.integers(0, 4000), max_size=6))
    cuts = np.minimum(np.cumsum(sizes), samples.shape[1]).astype(int)
    whole, split, again = (_pushed(spec, samples, at) for at in ([], cuts, cuts))
    assert whole.shape == split.shape
    # Rows at the rest of a vector or of a matrix product are rounded otherwise: one step of float32.
    np.testing.assert_allclose(split, whole, atol=1e-4)
    assert split.tobytes() == again.tobytes()


@settings(FAST, max_examples=30)
@given(
    st.integers(1, 20_000),
    st.lists(st.integers(1, 5000), max_size=5),
    st.sampled_from([(256, 80), (64, 64), (512, 100)]),
)
def test_streamed_frames_equal_those_of_one_piece(count: int, sizes: list[int], shape: tuple[int, int]) -> None:
    n_fft, hop = shape
    spec = FeatureSpec(kind="log_mel", n_fft=n_fft, win_length=n_fft, hop_length=hop, n_mels=20, n_pitches=5)
    samples = np.random.default_rng(count).standard_normal((2, count)).astype(np.float32) * 0.1
    blocks = [block for block in np.split(samples, np.minimum(np.cumsum(sizes), count), axis=1) if block.size]
    pieces = list(stream_frames(blocks, spec=spec, keep_samples=True))
    columns, power = (np.concatenate([getattr(piece, name) for piece in pieces], 1) for name in ("columns", "power"))
    np.testing.assert_allclose(columns, _pushed(spec, samples, []), atol=1e-4)
    assert (columns.shape[2], power.shape) == (23, columns.shape[:2]) == (23, (2, 1 + count // hop))
    heard = [piece for piece in pieces if piece.samples is not None]
    assert np.array_equal(np.concatenate([piece.samples for piece in heard], axis=1), samples)
    # Whoever cuts the pieces by frames must find the samples of those frames.
    frames_so_far = np.cumsum([piece.power.shape[1] for piece in heard])
    assert (frames_so_far * hop <= np.cumsum([piece.samples.shape[1] for piece in heard])).all()


@settings(FAST, max_examples=20)
@given(st.lists(st.integers(3000, 9000), min_size=1, max_size=4), st.sampled_from([64, 80, 100]))
def test_power_is_the_mean_square_of_the_hop_that_a_frame_begins(sizes: list[int], hop: int) -> None:
    spec = FeatureSpec(kind="log_mel", hop_length=hop, n_mels=20)
    count = sum(sizes)
    rng = np.random.default_rng(count)
    steps = rng.uniform(0.01, 0.2, (2, 1 + count // hop)).repeat(hop, axis=1)[:, :count]  # loudness jumps every hop
    samples = (steps * rng.standard_normal((2, count))).astype(np.float32)
    pieces = stream_frames(np.split(samples, np.cumsum(sizes)[:-1], axis=1), spec=spec, keep_samples=False)
    power = np.concatenate([piece.power for piece in pieces], axis=1)
    hops = np.pad(samples, ((0, 0), (0, hop - count % hop))).reshape(2, -1, hop)
    # Each block loses its mean, which for thousands of samples of noise is nearly nothing.
    np.testing.assert_allclose(power[:, :-1], np.square(hops).mean(axis=2)[:, :-1], atol=3e-3)


def test_an_offset_has_no_power() -> None:
    tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(8000) / 8000)
    frames = next(iter(stream_frames([np.float32([tone, tone + 0.5])], spec=FeatureSpec(), keep_samples=False)))
    np.testing.assert_allclose(frames.power[1], frames.power[0], rtol=1e-3)
    assert frames.power.mean() == pytest.approx(0.005, rel=1e-3)
    assert frames.samples is None


def test_nothing_comes_of_an_empty_recording() -> None:
    assert list(stream_frames([], spec=FeatureSpec(), keep_samples=True)) == []


def test_silence_is_the_floor() -> None:
    spec = FeatureSpec(n_mfcc=13, delta_order=1, floor_power=1e-9)
    stream = FrameStream(spec=spec, channels=1)
    log_mel = np.concatenate([stream.push(np.zeros((1, 4000), np.float32)), stream.flush()], axis=1)[0]
    np.testing.assert_allclose(log_mel, -90, atol=1e-5)
    np.testing.assert_allclose(coefficients(log_mel, spec=spec)[20], silence_coefficients(spec=spec), atol=1e-3)
    assert silence_coefficients(spec=spec)[13:] == pytest.approx(0, abs=1e-4)


def test_a_waveform_stays_as_it_is() -> None:
    samples = speech_like(0.5)
    spec = FeatureSpec(kind="waveform", framing="clip")
    assert np.array_equal(clip_features(samples, spec=spec), samples[:, None])


@pytest.mark.parametrize(("rate_hz", "n_fft"), [(8000, 256), (16000, 512), (22050, 512), (44100, 1024)])
def test_clips_are_listened_to_in_frames_of_about_32_ms(rate_hz: int, n_fft: int) -> None:
    spec = activity_spec(FeatureSpec(rate_hz=rate_hz, framing="clip", fmax_hz=rate_hz / 2, kind="log_mel"))
    assert (spec.n_fft, spec.framing, spec.fmax_hz) == (n_fft, "channel", 4000)
    assert spec.frame_rate_hz == pytest.approx(100, rel=0.01)
    channel = FeatureSpec()
    assert activity_spec(channel) is channel


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_paper_recipe_equals_the_tutorials_on_real_clips(data_dir: Path, corpus: str) -> None:
    """`librosa.load(path, offset=0.5, duration=3)` and the mean of 40 coefficients over time."""
    for path in _real_clips(data_dir, corpus):
        y, rate_hz = librosa.load(path, sr=22050, offset=0.5, duration=3, res_type="soxr_hq")
        expected = np.mean(librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40).T, axis=0)
        native, native_hz = soundfile.read(path, dtype="float32", always_2d=True)
        cut = native[round(0.5 * native_hz) :][: round(3 * native_hz)].mean(axis=1)
        found = clip_features(soxr.resample(cut, native_hz, 22050, quality="HQ"), spec=PAPER_FEATURES)
        assert found.shape == (40, 1)
        np.testing.assert_allclose(found[:, 0], expected, atol=TOLERANCE, err_msg=path.name)


@pytest.mark.parametrize("corpus", CORPORA)
def test_frames_of_calls_equal_librosa_on_real_clips(data_dir: Path, corpus: str) -> None:
    spec = FeatureSpec(floor_power=1e-9)
    for path in _real_clips(data_dir, corpus):
        native, native_hz = soundfile.read(path, dtype="float32", always_2d=True)
        samples = soxr.resample(native[:, 0], native_hz, spec.rate_hz, quality="HQ")
        found = coefficients(_pushed(spec, samples[None], [])[0], spec=spec)
        np.testing.assert_allclose(found, oracle(samples, spec), atol=TOLERANCE, err_msg=path.name)


def test_threads_of_the_linear_algebra_library_change_no_bit() -> None:
    """Workers run on one thread and the parent on as many as there are, and both must write the same rows."""
    digests = {_digest_with_threads(count) for count in (1, 4)}
    assert len(digests) == 1


_DIGEST = """
import hashlib, numpy as np
from sertag.features.mfcc import coefficients, stream_frames
from sertag.features.spectral.filterbank import mel_bands
from sertag.spec import FeatureSpec
digest = hashlib.sha256()
for shape in ({}, {"n_mels": 13, "n_mfcc": 13}, {"n_fft": 2048, "win_length": 2048, "hop_length": 512, "n_mels": 128}):
    spec = FeatureSpec(**shape)
    samples = np.random.default_rng(0).standard_normal((1, 480_000)).astype(np.float32)
    (frames, rest) = stream_frames([samples], spec=spec, keep_samples=False)
    for found in (frames.columns, frames.power, coefficients(frames.columns[0], spec=spec)):
        digest.update(found.tobytes())
print(digest.hexdigest())
"""


def _digest_with_threads(count: int) -> str:
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(count))}
    command = [sys.executable, "-c", _DIGEST]
    root = Path(__file__).parents[2]
    return subprocess.run(command, env=environment, cwd=root, check=True, capture_output=True, text=True).stdout


def _pushed(spec: FeatureSpec, samples: np.ndarray, cuts: Any) -> np.ndarray:
    stream = FrameStream(spec=spec, channels=len(samples))
    return np.concatenate([*(stream.push(block) for block in np.split(samples, cuts, axis=1)), stream.flush()], axis=1)


def _real_clips(data_dir: Path, corpus: str, count: int = 3) -> list[Path]:
    """A few clips spread over a corpus, long enough to have something left behind the offset."""
    with (data_dir / "manifest.csv").open(encoding="utf-8") as rows:
        names = [
            row["path"]
            for row in csv.DictReader(rows)
            if row["path"].startswith(f"{corpus}/") and float(row["duration_s"]) > 0.8
        ]
    return [data_dir / name for name in names[:: max(1, len(names) // count)][:count]]
