from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from sertag.features import chunks
from sertag.features.mfcc import FrameStream, clip_features, coefficients
from sertag.features.vad import detect
from sertag.model.session import Model, load
from sertag.records import AudioFile, ChannelResult, FileResult, Options, Problem, Statistics, Status
from sertag.tagging import channel_state, pipeline
from sertag.tagging.pipeline import tag_file
from tests.conftest import LOUD, RATE_HZ, SOFT, speech_like
from tests.onnx_models import SpeechOutput, tiny_spec, write_model


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load(str(tiny_model))


@pytest.fixture(scope="module")
def paper(paper_model: Path) -> Model:
    return load(str(paper_model))


def written(path: Path, *channels: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, np.stack(channels, axis=1), rate_hz, subtype=subtype)
    return path


def tagged(path: Path, model: Model, **options: Any) -> FileResult:
    result = tag_file(AudioFile(str(path)), model=model, options=Options(**options))
    assert result.path == str(path)
    assert result.crash is None
    return result


def only(result: FileResult) -> ChannelResult:
    (row,) = result.channels
    return row


def test_a_stereo_call_has_a_row_for_each_channel(call: Path, model: Model) -> None:
    result = tagged(call, model, roles=("agent", "customer"))
    assert [(row.channel, row.role) for row in result.channels] == [(0, "agent"), (1, "customer")]
    for row in result.channels:
        assert row.status == Status.OK
        assert (row.duration_s, row.sample_rate) == (20.0, RATE_HZ)
        assert row.emotion in model.spec.labels
        assert sum(row.probs) == pytest.approx(1)
        assert 5 < (row.speech_s or 0) < 20
        assert row.talk_pct == pytest.approx(5 * (row.speech_s or 0))
        assert [segment.index for segment in row.segments] == list(range(len(row.segments)))
        assert {segment.start_s for segment in row.segments} <= {2.0 * i for i in range(9)}
    first, second = result.channels
    assert first.probs != second.probs
    assert (first.overtalk_s, first.silence_s) == (second.overtalk_s, second.silence_s)


def test_windows_of_a_channel_are_those_of_its_frames(call: Path, model: Model) -> None:
    """The same numbers by the shortest way: all frames at once, no chunks, no batches."""
    samples = soundfile.read(call, dtype="float32", always_2d=True)[0].T
    spec = model.spec
    for row, channel in zip(tagged(call, model).channels, samples, strict=True):
        stream = FrameStream(spec=spec.features, channels=1)
        log_mel = np.concatenate([stream.push(channel[None]), stream.flush()], axis=1)[0]
        active = detect(log_mel, spec=spec.features)
        frames = coefficients(log_mel, spec=spec.features)
        spoken = frames[active].astype(np.float64)
        statistics = Statistics(spoken.mean(axis=0), spoken.std(axis=0), int(active.sum()))
        kept = [start for start in range(0, 1601, 200) if active[start : start + 400].sum() >= 40]
        assert [segment.start_s for segment in row.segments] == [start / 100 for start in kept]
        for segment, start in zip(row.segments, kept, strict=True):
            expected = model.run(frames[None, start : start + 400], statistics=statistics)[0]
            np.testing.assert_allclose(segment.probs, expected, atol=1e-5)
            assert segment.speech_ratio == pytest.approx(active[start : start + 400].mean())
        assert row.speech_s == pytest.approx(active.sum() / 100)
        assert row.loudness_dbfs == pytest.approx(_level_dbfs(channel, active), abs=0.05)


def _level_dbfs(channel: np.ndarray, active: np.ndarray) -> float:
    hops = channel[: len(channel) // 80 * 80].reshape(-1, 80)
    return float(10 * np.log10(np.square(hops[active[: len(hops)]]).mean()))


def test_clips_are_cut_as_papers_do(call: Path, paper: Model) -> None:
    samples, rate_hz = soundfile.read(call, dtype="float32", always_2d=True)
    resampled = soxr.resample(samples, rate_hz, 22050, quality="HQ")
    for channel, row in enumerate(tagged(call, paper).channels):
        assert [segment.start_s for segment in row.segments][:2] == [0.5, 2.5]
        for segment in row.segments:
            start = round(segment.start_s * 22050)
            clip = resampled[start : start + 66_150, channel]
            expected = paper.run(clip_features(clip, spec=paper.spec.features)[None])[0]
            np.testing.assert_allclose(segment.probs, expected, atol=1e-4)


def test_a_channel_is_tagged_as_if_it_were_alone(call: Path, model: Model, tmp_path: Path) -> None:
    samples = soundfile.read(call, dtype="int16", always_2d=True)[0]
    for channel, row in enumerate(tagged(call, model).channels):
        alone = only(tagged(written(tmp_path / "alone.wav", samples[:, channel]), model))
        assert alone.segments == row.segments
        assert alone.probs == row.probs
        assert (alone.speech_s, alone.talk_pct, alone.loudness_dbfs) == (row.speech_s, row.talk_pct, row.loudness_dbfs)
        assert alone.overtalk_s == 0


@pytest.mark.parametrize("number", [0, 1])
def test_one_channel_can_be_asked_for(call: Path, model: Model, number: int) -> None:
    row = only(tagged(call, model, channels=number, roles=("agent", "customer")))
    assert row == tagged(call, model, roles=("agent", "customer")).channels[number]


def test_a_channel_that_is_not_there_is_a_failure(call: Path, model: Model) -> None:
    row = only(tagged(call, model, channels=2))
    assert (row.channel, row.status) == (None, Status.FAILED)
    assert row.problem is not None
    assert row.problem.code == "no_such_channel"
    assert "has 2 channel(s), --channels asks for number 2" in row.problem.message
    assert str(call) in row.problem.message


def test_channels_can_be_mixed_down(call: Path, model: Model, tmp_path: Path) -> None:
    row = only(tagged(call, model, channels="mix", roles=("agent", "customer")))
    assert (row.channel, row.role, row.overtalk_s) == ("mix", "", 0.0)
    mean = soundfile.read(call, dtype="float32", always_2d=True)[0].mean(axis=1)
    alone = only(tagged(written(tmp_path / "mean.wav", mean, subtype="FLOAT"), model))
    assert alone.segments == row.segments


def test_only_the_wanted_role_is_scored(call: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tagged(call, model, roles=("agent", "customer")).channels[1]
    scored: list[int] = []
    predict = model.predict
    monkeypatch.setattr(model, "predict", lambda batch, **more: scored.append(len(batch)) or predict(batch, **more))
    row = only(tagged(call, model, roles=("agent", "customer"), only_role="customer"))
    assert row == expected
    assert sum(scored) == len(row.segments)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"roles": ("a", "b", "c"), "only_role": "b"}, "role_not_separate"),  # fewer channels than speakers
        ({"roles": ("a", "b"), "only_role": "b", "channels": "mix"}, "role_not_separate"),
        ({"roles": ("a", "b"), "only_role": "b", "channels": 0}, "no_such_role"),
        ({"roles": ("a", "b"), "only_role": "c"}, "no_such_role"),
    ],
)
def test_nobody_else_is_scored_in_place_of_a_role(call: Path, model: Model, options: dict[str, Any], code: str) -> None:
    row = only(tagged(call, model, **options))
    assert (row.status, row.probs) == (Status.FAILED, ())
    assert row.problem is not None
    assert row.problem.code == code
    assert options["only_role"] in row.problem.message


def test_a_mono_file_has_the_only_role_there_is(model: Model, tmp_path: Path) -> None:
    path = written(tmp_path / "mono.wav", speech_like(8))
    for channels in ("split", "mix"):
        row = only(tagged(path, model, roles=("customer",), only_role="customer", channels=channels))
        assert row.status == Status.OK


def test_two_channels_of_one_signal_are_called_so(model: Model, tmp_path: Path) -> None:
    speech = speech_like(10)
    path = written(tmp_path / "dual.wav", speech, speech * np.float32(0.99))
    result = tagged(path, model)
    assert [row.status for row in result.channels] == [Status.OK, Status.OK]
    for row in result.channels:
        assert row.problem is not None
        assert row.problem.code == "same_signal"
        assert "dual.wav: has the same signal in all 2 channels" in row.problem.message


def test_a_short_word_on_an_otherwise_silent_line_keeps_channels_apart(model: Model, tmp_path: Path) -> None:
    word = np.zeros(RATE_HZ * 60, dtype=np.float32)
    word[RATE_HZ * 30 : RATE_HZ * 32] = speech_like(2)
    result = tagged(written(tmp_path / "word.wav", word, np.zeros_like(word)), model)
    assert [row.status for row in result.channels] == [Status.OK, Status.NO_SPEECH]
    assert result.channels[0].problem is None


def test_one_signal_on_two_channels_is_no_role_alone(model: Model, tmp_path: Path) -> None:
    speech = speech_like(10)
    row = only(
        tagged(written(tmp_path / "dual.wav", speech, speech), model, roles=("agent", "customer"), only_role="customer")
    )
    assert row.status == Status.FAILED
    assert row.emotion is None
    assert row.probs == ()
    assert row.problem is not None
    assert row.problem.code == "role_not_separate"


def test_a_silent_channel_is_told_apart(model: Model, tmp_path: Path) -> None:
    speech = speech_like(20, seed=1)
    first, second = tagged(written(tmp_path / "half.wav", speech, 0 * speech), model).channels
    assert (first.status, second.status) == (Status.OK, Status.NO_SPEECH)
    assert (second.speech_s, second.talk_pct, second.overtalk_s) == (0.0, 0.0, 0.0)
    assert (second.emotion, second.probs, second.segments) == (None, (), ())
    assert second.loudness_dbfs == -100
    assert second.silence_s == first.silence_s == pytest.approx(20 - (first.speech_s or 0), abs=0.02)


def test_a_file_shorter_than_a_window_has_one_padded_window(model: Model, paper: Model, tmp_path: Path) -> None:
    path = written(tmp_path / "short.wav", speech_like(1.6, seed=1))
    row = only(tagged(path, model))
    (segment,) = row.segments
    assert (segment.start_s, segment.end_s) == (0.0, 1.6)
    assert row.probs == pytest.approx(segment.probs)
    (clip,) = only(tagged(path, paper)).segments
    assert (clip.start_s, clip.end_s) == (0.5, 1.6)


@pytest.mark.parametrize(("count", "rate_hz"), [(1, 48_000), (1, 8000), (80, 8000), (1600, 8000)])
def test_a_few_samples_are_too_short(model: Model, paper: Model, tmp_path: Path, count: int, rate_hz: int) -> None:
    path = written(tmp_path / "blip.wav", np.full(count, 0.5), rate_hz=rate_hz)
    for each in (model, paper):
        row = only(tagged(path, each))
        assert (row.channel, row.status) == (0, Status.TOO_SHORT)
        assert row.duration_s == count / rate_hz


def test_the_user_may_choose_step_and_threshold(call: Path, model: Model) -> None:
    rows = tagged(call, model, hop_s=1.0, min_confidence=0.99).channels
    for row, usual in zip(rows, tagged(call, model).channels, strict=True):
        assert (row.status, row.emotion) == (Status.UNCERTAIN, None)
        assert len(row.segments) > 1.5 * len(usual.segments)
        by_start = {segment.start_s: segment.probs for segment in row.segments}
        for segment in usual.segments:  # the batch that a window is in may change the last digit
            assert by_start[segment.start_s] == pytest.approx(segment.probs, abs=1e-6)


def test_the_threshold_of_the_model_is_the_default(call: Path, tmp_path: Path) -> None:
    doubting = load(str(write_model(tmp_path / "doubting.onnx", tiny_spec(min_confidence=0.99))))
    assert tagged(call, doubting).status == Status.UNCERTAIN
    assert tagged(call, doubting, min_confidence=0.0).status == Status.OK


def test_rows_and_windows_have_thresholds_of_their_own(call: Path, tmp_path: Path) -> None:
    spec = tiny_spec(min_confidence=0.99, row_min_confidence=0.0)
    model = load(str(write_model(tmp_path / "doubting.onnx", spec)))
    for row in tagged(call, model).channels:
        assert row.status == Status.OK
        assert {segment.status for segment in row.segments} == {Status.UNCERTAIN}
    for row in tagged(call, model, min_confidence=0.0).channels:
        assert {row.status, *(segment.status for segment in row.segments)} == {Status.OK}
    for row in tagged(call, model, min_confidence=0.99).channels:
        assert {row.status, *(segment.status for segment in row.segments)} == {Status.UNCERTAIN}


def test_half_the_hop_makes_nearly_the_same_row(call: Path, model: Model) -> None:
    for row, finer in zip(tagged(call, model).channels, tagged(call, model, hop_s=1.0).channels, strict=True):
        assert len(finer.segments) > 1.7 * len(row.segments)
        assert finer.probs == pytest.approx(row.probs, abs=0.03)
        assert finer.peak_score == pytest.approx(row.peak_score, abs=0.05)
        assert finer.attention == pytest.approx(row.attention, abs=0.03)
        assert (finer.arousal, finer.valence) == pytest.approx((row.arousal, row.valence), abs=0.03)
        assert finer.speech_s == row.speech_s


def test_who_interrupts_is_counted_for_channels_apart(model: Model, tmp_path: Path) -> None:
    """The second one begins a second before the first one ends."""
    silence = np.zeros(5 * RATE_HZ, np.float32)
    voices = np.concatenate([speech_like(6, seed=3), silence]), np.concatenate([silence, speech_like(6, seed=4)])
    path = written(tmp_path / "turns.wav", *voices)
    rows = tagged(path, model).channels
    assert [row.interruptions for row in rows] == [0, 1]
    assert only(tagged(path, model, channels=1)) == rows[1]
    assert only(tagged(path, model, channels="mix")).interruptions is None


def test_clipping_is_counted_channel_by_channel(model: Model, tmp_path: Path) -> None:
    speech = speech_like(5, level=0.1)
    loud = speech.copy()
    loud[::50] = 1.0
    path = written(tmp_path / "loud.wav", speech, loud, subtype="FLOAT")
    assert [row.clipped_pct for row in tagged(path, model).channels] == [0.0, pytest.approx(2.0)]
    assert only(tagged(path, model, channels="mix")).clipped_pct == pytest.approx(1.0)


def test_an_offset_changes_no_level(model: Model, tmp_path: Path) -> None:
    speech = speech_like(10, seed=1)
    rows = tagged(written(tmp_path / "offset.wav", speech, speech + 0.3, subtype="FLOAT"), model).channels
    assert rows[1].loudness_dbfs == pytest.approx(rows[0].loudness_dbfs, abs=0.1)
    assert rows[1].speech_s == pytest.approx(rows[0].speech_s, abs=0.3)


@pytest.mark.parametrize("which", ["model", "paper"])
def test_chunks_change_little(which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Windows stay where they are; at a seam the speech detector knows less of what surrounds a frame."""
    used: Model = request.getfixturevalue(which)
    path = written(tmp_path / "long.wav", speech_like(75, seed=1), speech_like(75, seed=2), subtype="ULAW")
    whole = tagged(path, used).channels
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "_CHUNK_S", 20.0)
        parts = tagged(path, used).channels
    for one, many in zip(whole, parts, strict=True):
        starts = [segment.start_s for segment in many.segments]
        assert starts == [segment.start_s for segment in one.segments]
        assert [segment.index for segment in many.segments] == list(range(len(starts)))
        assert many.speech_s == pytest.approx(one.speech_s, rel=0.04)
        assert (many.duration_s, many.clipped_pct) == (one.duration_s, one.clipped_pct)
        assert many.loudness_dbfs == pytest.approx(one.loudness_dbfs, abs=0.3)
        # The early chunks are normalised by less speech; cut clips are not normalised by the channel at all.
        tolerance = 0.02 if which == "model" else 1e-6
        np.testing.assert_allclose([s.probs for s in many.segments], [s.probs for s in one.segments], atol=tolerance)


def test_what_cannot_be_decoded_is_one_row(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("not audio at all\n" * 99)
    result = tagged(path, model)
    row = only(result)
    assert (row.channel, row.status, result.status) == (None, Status.UNREADABLE, Status.UNREADABLE)
    assert row.problem is not None
    assert row.problem.code == "not_audio"
    assert str(path) in row.problem.message


def test_a_missing_file_is_one_row(model: Model, tmp_path: Path) -> None:
    row = only(tagged(tmp_path / "gone.wav", model))
    assert row.status == Status.UNREADABLE
    assert row.problem is not None
    assert row.problem.code == "not_found"


def test_what_discovery_found_wrong_is_not_opened(call: Path, model: Model) -> None:
    problem = Problem("dangling_link", "points nowhere")
    result = tag_file(AudioFile(str(call), problem=problem), model=model, options=Options())
    assert only(result) == ChannelResult(channel=None, status=Status.UNREADABLE, problem=problem)


def test_what_nobody_foresaw_is_a_row_with_its_traceback(
    call: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("out of the blue")

    monkeypatch.setattr(pipeline, "talk_stats", broken)
    result = tag_file(AudioFile(str(call)), model=model, options=Options())
    row = only(result)
    assert (row.channel, row.status) == (None, Status.FAILED)
    assert row.problem is not None
    assert row.problem.code == "internal_error"
    assert "ZeroDivisionError: out of the blue" in row.problem.message
    assert str(call) in row.problem.message
    assert result.crash is not None
    assert "in broken" in result.crash


def test_a_truncated_recording_is_scored_and_says_so(call: Path, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(call.read_bytes()[: 8000 * 2 * 12])
    for row in tagged(path, model).channels:
        assert row.status == Status.OK
        assert row.duration_s == pytest.approx(12, abs=0.01)
        assert row.problem is not None
        assert row.problem.code == "truncated"


@pytest.mark.parametrize("channels", ["split", "mix"])
@pytest.mark.parametrize(("format", "says"), [("WAV", "announces 20 s"), ("MP3", "goes on after")])
def test_a_recording_that_is_too_long_is_a_failure(
    call: Path, model: Model, tmp_path: Path, format: str, channels: str, says: str
) -> None:
    samples, rate_hz = soundfile.read(call)
    path = tmp_path / "long"
    soundfile.write(path, samples, rate_hz, format=format)
    row = only(tagged(path, model, max_duration_s=15.0, channels=channels))
    assert (row.channel, row.status) == (None, Status.FAILED)
    assert row.problem is not None
    assert row.problem.code == "too_long"
    assert says in row.problem.message
    assert "expected 15 s at most" in row.problem.message
    assert tagged(path, model, max_duration_s=21.0, channels=channels).status == Status.OK


def test_days_of_silence_in_a_tiny_file_end_at_the_limit(model: Model, tmp_path: Path) -> None:
    """The header does not say how long it is, its last frame does; FLAC keeps a constant in a few bytes a block."""
    path = tmp_path / "bomb.flac"
    soundfile.write(path, np.zeros(RATE_HZ * 1800, np.int16), RATE_HZ)
    content = bytearray(path.read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])
    path.write_bytes(content)
    assert len(content) < 60_000
    row = only(tagged(path, model, max_duration_s=100.0))
    assert row.problem is not None
    assert row.problem.code == "too_long"
    assert "announces 1800 s" in row.problem.message


def test_too_little_memory_is_a_failure(call: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pipeline, "talk_stats", hungry)
    row = only(tagged(call, model))
    assert row.status == Status.FAILED
    assert row.problem is not None
    assert row.problem.code == "out_of_memory"


def test_the_same_file_gives_the_same_row(call: Path, model: Model) -> None:
    assert tagged(call, model) == tagged(call, model)


@pytest.fixture(scope="module")
def telling(telling_model: Path) -> Model:
    return load(str(telling_model))


def music_and_speech(path: Path, *, music_s: float = 24.0, speech_s: float = 24.0) -> Path:
    music = speech_like(music_s, seed=1, level=LOUD)
    return written(path, np.concatenate([music, speech_like(speech_s, seed=2, level=SOFT)]))


def test_music_is_no_speech_and_no_part_of_the_row(telling: Model, tmp_path: Path) -> None:
    path = music_and_speech(tmp_path / "hold.wav")
    row = only(tagged(path, telling))
    music = [segment for segment in row.segments if segment.status == Status.NO_SPEECH]
    speech = [segment for segment in row.segments if segment.status != Status.NO_SPEECH]
    assert len(music) > 5
    assert len(speech) > 5
    assert max(segment.start_s for segment in music) < 24 <= min(segment.end_s for segment in speech)
    assert row.status == Status.OK
    assert row.probs[0] == pytest.approx(np.mean([segment.probs[0] for segment in speech]), abs=0.01)
    assert row.peak_start_s is not None
    assert row.peak_start_s >= min(segment.start_s for segment in speech)
    quiet_until_s = min(segment.start_s for segment in speech)
    assert quiet_until_s >= 20
    assert row.speech_s is not None
    assert row.speech_s < 28
    assert row.talk_pct == pytest.approx(100 * row.speech_s / 48, abs=0.01)
    assert row.longest_silence_s >= quiet_until_s
    gate = only(tagged(path, load(str(write_model(tmp_path / "plain.onnx", telling.spec)))))
    assert row.loudness_dbfs < gate.loudness_dbfs - 5  # of the speech, which is the softer part


def test_a_channel_of_music_says_so(telling: Model, tmp_path: Path) -> None:
    sounds = speech_like(12, seed=1, level=LOUD), speech_like(12, seed=2, level=SOFT)
    path = written(tmp_path / "both.wav", *sounds)
    music, speech = tagged(path, telling).channels
    assert (music.status, music.speech_s, music.talk_pct, music.overtalk_s) == (Status.NO_SPEECH, 0.0, 0.0, 0.0)
    assert music.problem is not None
    assert "music, noise or tones" in music.problem.message
    assert {segment.status for segment in music.segments} == {Status.NO_SPEECH}
    assert (speech.status, speech.overtalk_s, speech.interruptions) == (Status.OK, 0.0, 0)


def test_channels_that_are_not_scored_are_as_the_gate_hears_them(telling: Model, tmp_path: Path) -> None:
    path = written(tmp_path / "both.wav", speech_like(12, seed=1, level=LOUD), speech_like(12, seed=2, level=SOFT))
    row = only(tagged(path, telling, channels=1))
    assert (row.overtalk_s or 0) > 1
    assert row.segments == tagged(path, telling).channels[1].segments


def test_models_that_do_not_tell_take_the_gate_for_granted(telling: Model, tmp_path: Path) -> None:
    plain = load(str(write_model(tmp_path / "plain.onnx", telling.spec)))
    path = music_and_speech(tmp_path / "hold.wav")
    assert Status.NO_SPEECH not in {segment.status for segment in only(tagged(path, plain)).segments}
    never = dataclasses.replace(telling.spec, min_speech_probability=0.0)
    loudest = SpeechOutput(loudest=-150.0)
    deaf = load(str(write_model(tmp_path / "deaf.onnx", never, speech=loudest)))
    assert only(tagged(path, deaf)) == only(tagged(path, plain))


def test_chunks_do_not_show_in_what_is_music(telling: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate hears a chunk at a time; with one that takes every frame for speech, only the model decides."""
    monkeypatch.setattr(channel_state, "detect", lambda frames, *, spec: np.ones(len(frames), bool))
    path = music_and_speech(tmp_path / "hold.wav", music_s=61.3, speech_s=58.2)
    whole = only(tagged(path, telling))
    assert {segment.status for segment in whole.segments} == {Status.NO_SPEECH, Status.OK}
    monkeypatch.setattr(pipeline, "chunk_frames", lambda **_: 700)
    parts = only(tagged(path, telling))
    for one, other in zip(parts.segments, whole.segments, strict=True):  # sums of power begin elsewhere
        assert dataclasses.replace(one, loudness_dbfs=other.loudness_dbfs) == other
        assert one.loudness_dbfs == pytest.approx(other.loudness_dbfs, abs=1e-4)
    changed = {"segments": whole.segments, "loudness_dbfs": whole.loudness_dbfs}
    assert dataclasses.replace(parts, **changed) == whole
    assert parts.loudness_dbfs == pytest.approx(whole.loudness_dbfs, abs=1e-4)
