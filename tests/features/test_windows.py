from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sertag.features.chunks import cut_chunks
from sertag.features.frames import Chunk, Frames
from sertag.features.mfcc import activity_spec, clip_features
from sertag.features.windows import clips, cut_windows, fit_frames, window_batches
from sertag.records import Windows
from sertag.spec import FeatureSpec, ModelSpec
from tests.conftest import speech_like
from tests.onnx_models import PAPER_FEATURES, tiny_spec

CALLS = tiny_spec()  # frames of 10 ms, windows of 4 s, hop 2 s
PAPER = tiny_spec(PAPER_FEATURES, offset_s=0.5)
COARSE = FeatureSpec(rate_hz=1000, fmax_hz=500.0, n_fft=256, hop_length=100, n_mels=4, n_mfcc=4)  # 10 frames a second
FIELDS = [field.name for field in dataclasses.fields(Windows)]


def recording(count: int, *, spec: ModelSpec, seed: int = 0) -> Frames:
    """Frames of one channel; samples of a ramp where the recipe cuts clips."""
    hop = activity_spec(spec.features).hop_length
    power = np.random.default_rng(seed).uniform(0, 0.1, (1, count)).astype(np.float32)
    ramp = np.arange(max(1, (count - 1) * hop), dtype=np.float32)[None] if spec.features.framing == "clip" else None
    return Frames(np.zeros((1, count, 1), np.float32), power, ramp)


def windows_of(
    frames: Frames, active: np.ndarray, *, spec: ModelSpec, hop_s: float | None = None, core_frames: int = 10**9
) -> list[Windows]:
    """The windows of each chunk of a recording of one channel."""
    activity = activity_spec(spec.features)
    frame_hz = activity.frame_rate_hz
    ahead = round(spec.window_s * frame_hz) + 1
    chunks = cut_chunks([frames], core_frames=core_frames, lookahead_frames=ahead, hop_length=activity.hop_length)
    samples = frames.samples.shape[1] if frames.samples is not None else (len(active) - 1) * activity.hop_length
    return [
        cut_windows(
            chunk,
            active[chunk.first_frame :][: chunk.frames.power.shape[1]],
            channel=0,
            spec=spec,
            frame_hz=frame_hz,
            hop_s=spec.hop_s if hop_s is None else hop_s,
            duration_s=samples / activity.rate_hz if chunk.last else None,
        )
        for chunk in chunks
    ]


def joined(parts: list[Windows]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS}


def expected_starts(held: int, *, length: int, offset: int, hop: int, least: int) -> list[int]:
    """The grid from the offset, one more window at the end where `least` or more is left over, always at least one."""
    offset = offset if held > offset else max(0, held - length)
    starts = list(range(offset, max(0, held - length) + 1, hop))
    if not starts:
        return [max(held - length, offset)]
    left_over = held - starts[-1] - length
    return [*starts, held - length] if left_over >= least else starts


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 100), st.integers(0, 60), st.integers(1, 70))
def test_windows_lie_on_the_grid_and_reach_the_end(held: int, length: int, offset: int, hop: int) -> None:
    spec = tiny_spec(
        COARSE, window_s=max(1, length) / 10, hop_s=max(1, hop) / 10, offset_s=offset / 10, min_speech_s=0.1
    )
    (found,) = windows_of(recording(held, spec=spec), np.ones(held, bool), spec=spec)
    expected = expected_starts(held, length=length, offset=offset, hop=hop, least=1)
    assert found.starts.tolist() == expected
    np.testing.assert_allclose(found.start_s, np.array(expected) / 10)
    np.testing.assert_allclose(found.end_s, np.minimum(found.start_s + length / 10, (held - 1) / 10))


@settings(deadline=None, max_examples=200)
@given(
    held=st.integers(1, 900),
    own=st.integers(5, 400),
    length=st.integers(1, 80),
    hop=st.integers(1, 90),
    offset=st.integers(0, 30),
    seed=st.integers(0, 9),
    talk=st.sampled_from([1.0, 0.7, 0.2, 0.0]),
)
def test_short_chunks_give_the_windows_of_one_long_section(
    held: int, own: int, length: int, hop: int, offset: int, seed: int, talk: float
) -> None:
    spec = tiny_spec(
        COARSE,
        window_s=length / 10,
        hop_s=hop / 10,
        offset_s=min(offset, own - 1) / 10,
        min_speech_s=min(0.3, length / 10),
    )
    frames = recording(held, spec=spec, seed=seed)
    active = np.random.default_rng(seed).uniform(size=held) < talk
    whole = joined(windows_of(frames, active, spec=spec))
    parts = windows_of(frames, active, spec=spec, core_frames=own)
    found = joined(parts)
    for name in ("start_s", "end_s", "speech_s", "loudness_dbfs"):
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-6, atol=1e-6, err_msg=name)
    assert (np.diff(found["start_s"]) > 0).all()


@settings(deadline=None, max_examples=60)
@given(held=st.integers(1, 4000), own=st.integers(400, 2000), hop_s=st.sampled_from([0.5, 2.0, 3.0, 7.3]))
def test_short_chunks_give_the_clips_of_one_long_section(held: int, own: int, hop_s: float) -> None:
    frames = recording(held, spec=PAPER)
    active = np.ones(held, bool)
    whole = joined(windows_of(frames, active, spec=PAPER, hop_s=hop_s))
    found = joined(windows_of(frames, active, spec=PAPER, hop_s=hop_s, core_frames=own))
    for name in ("start_s", "end_s", "speech_s", "loudness_dbfs"):
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_a_window_knows_its_speech_and_its_level() -> None:
    active = np.zeros(1001, bool)
    active[100:250] = True  # 1.5 s, all in the first window, 0.5 s of it in the second
    frames = recording(1001, spec=CALLS)
    power = np.full((1, 1001), 0.5, np.float32)
    power[0, 100:200] = 0.01
    power[0, 200:250] = 0.04
    frames = dataclasses.replace(frames, power=power)
    (found,) = windows_of(frames, active, spec=CALLS)
    assert found.start_s.tolist() == [0, 2]
    assert found.end_s.tolist() == [4, 6]
    assert found.speech_s == pytest.approx([1.5, 0.5])
    assert found.loudness_dbfs == pytest.approx([10 * np.log10(0.02), 10 * np.log10(0.04)], abs=1e-4)


@pytest.mark.parametrize(("speech_frames", "count"), [(39, 0), (40, 1)])
def test_windows_with_too_little_speech_are_left_out(speech_frames: int, count: int) -> None:
    active = np.zeros(401, bool)
    active[:speech_frames] = True
    (found,) = windows_of(recording(401, spec=CALLS), active, spec=CALLS)
    assert len(found.starts) == count


def test_digital_silence_called_speech_has_the_lowest_level() -> None:
    frames = dataclasses.replace(recording(401, spec=CALLS), power=np.zeros((1, 401), np.float32))
    (found,) = windows_of(frames, np.ones(401, bool), spec=CALLS)
    assert found.loudness_dbfs.tolist() == [-100]


@pytest.mark.parametrize(
    ("seconds", "starts_s"),
    [
        (0.4, [0.0]),  # nothing is left behind the offset, so all of it is taken
        (0.9, [0.5]),
        (2.0, [0.5]),
        (3.5, [0.5]),
        (3.8, [0.5]),  # less uncovered than a window needs of speech
        (4.0, [0.5, 1.0]),
        (5.5, [0.5, 2.5]),
    ],
)
def test_clips_begin_where_papers_cut_them(seconds: float, starts_s: list[float]) -> None:
    samples = speech_like(seconds, rate_hz=22050)
    activity = activity_spec(PAPER.features)
    count = 1 + len(samples) // activity.hop_length
    frames = Frames(np.zeros((1, count, 1), np.float32), np.ones((1, count), np.float32), samples[None])
    spec = dataclasses.replace(PAPER, min_speech_s=0.4 if seconds > 1 else 0.1)
    (found,) = windows_of(frames, np.ones(count, bool), spec=spec)
    assert found.start_s == pytest.approx(starts_s, abs=1e-4)
    cut = clips(found, samples, length=66_150)
    for clip, start_s in zip(cut, starts_s, strict=True):
        begin = round(start_s * 22050)
        assert np.array_equal(clip, samples[begin : begin + 66_150])
        expected = clip_features(samples[begin : begin + 66_150], spec=PAPER.features)
        assert np.array_equal(clip_features(clip, spec=PAPER.features), expected)
    assert found.end_s[-1] <= len(samples) / 22050 + 1e-9


def test_batches_hold_every_window_once() -> None:
    source = np.arange(60, dtype=np.float32).reshape(30, 2)
    starts = np.array([0, 3, 6, 20, 25])
    zeros = np.zeros(5)
    windows = Windows(starts, zeros, zeros, zeros, zeros, starts, starts + 1)
    batches = list(window_batches(windows, source, length=5, padding=np.zeros(2, np.float32), size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    expected = np.stack([source[start : start + 5] for start in starts])
    assert np.array_equal(np.concatenate(batches), expected)


def test_a_recording_shorter_than_a_window_is_padded_with_silence() -> None:
    (found,) = windows_of(recording(60, spec=CALLS), np.ones(60, bool), spec=CALLS)
    assert found.starts.tolist() == [0]
    assert found.end_s == pytest.approx([0.59])
    source = np.ones((60, 3), np.float32)
    (batch,) = window_batches(found, source, length=400, padding=np.float32([-9, 1, 2]), size=16)
    assert batch.shape == (1, 400, 3)
    assert np.array_equal(batch[0, :60], source)
    assert np.array_equal(batch[0, 60:], np.tile(np.float32([-9, 1, 2]), (340, 1)))


def test_short_clips_are_padded_with_zeros_and_long_ones_cut() -> None:
    spec = FeatureSpec(framing="clip", n_mfcc=2)
    frames = np.ones((5, 2), np.float32)
    assert fit_frames(frames, spec=spec, length=5) is frames
    assert fit_frames(frames, spec=spec, length=3).shape == (3, 2)
    padded = fit_frames(frames, spec=spec, length=8)
    assert np.array_equal(padded, [[1, 1]] * 5 + [[0, 0]] * 3)
    pooled = np.ones((40, 1), np.float32)
    assert fit_frames(pooled, spec=PAPER.features, length=130) is pooled


def test_a_later_section_without_windows_gives_none() -> None:
    chunk = Chunk(1000, 50, False, recording(500, spec=CALLS))
    found = cut_windows(chunk, np.ones(500, bool), channel=0, spec=CALLS, frame_hz=100, hop_s=30, duration_s=None)
    assert len(found.starts) == 0
