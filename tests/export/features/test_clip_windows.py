"""Windows of clips: those that the tagger would score, made once, kept, and never half written."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.audio.telephone import over_a_line
from export.corpora.clips import Clip
from export.errors import ExportError
from export.features import clip_windows
from export.features.clip_windows import CLEAN, CONDITIONS, PHONE, ClipData, Job, Windows, prepare_clips, tagged_windows
from export.recipes import RECIPES
from export.recipes.base import Recipe
from sertag.model.session import load
from sertag.records import AudioFile, Options
from sertag.spec import FeatureSpec
from sertag.tagging.pipeline import tag_file
from tests.conftest import RATE_HZ, speech_like
from tests.limits import largest_file
from tests.onnx_models import PAPER_FEATURES, tiny_spec, write_model

SEQUENCE = FeatureSpec(framing="clip", n_fft=256, hop_length=256, n_mels=20, n_mfcc=8, dynamic_range_db=80.0)
SPEC = tiny_spec(SEQUENCE, window_s=1.1, hop_s=1.1, offset_s=0.5, min_speech_s=0.1)
JOB = Job(SPEC, seed=1)
PLAIN = dataclasses.replace(RECIPES["bilstm"], features=SEQUENCE)
NOISY = dataclasses.replace(PLAIN, augmentations=("noise", "shift"))


def write(place: Path, samples: np.ndarray, *, number: int = 0) -> Clip:
    soundfile.write(place, samples, RATE_HZ, subtype="PCM_16")
    return Clip(place, "own", "a", "angry", "", "", "", f"{number:08x}" * 5)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Clips of three windows, one window, silence, less than a window, and two windows."""
    seconds = (3.4, 1.8, 1.5, 0.7, 2.6)
    levels = (0.2, 0.2, 0.0, 0.2, 0.2)
    return [
        write(tmp_path / f"{number}.wav", speech_like(s, seed=number) if level else np.zeros(12000), number=number)
        for number, (s, level) in enumerate(zip(seconds, levels, strict=True))
    ]


def prepared(clips: list[Clip], cache: Path, *, recipe: Recipe = PLAIN, job: Job = JOB, jobs: int = 1) -> ClipData:
    return prepare_clips(clips, augmentations=recipe.augmentations, job=job, cache=cache, jobs=jobs)


def of_clip(windows: Windows, index: int) -> np.ndarray:
    return windows.features[windows.starts[index] : windows.starts[index + 1]]


@pytest.mark.parametrize("features", [SEQUENCE, PAPER_FEATURES])
def test_a_network_is_trained_on_what_the_tagger_gives_the_model(tmp_path, clips, monkeypatch, features):
    spec = dataclasses.replace(SPEC, features=features)
    model = load(str(write_model(tmp_path / "m.onnx", spec)))
    data = prepared(clips, tmp_path / "cache", job=Job(spec, 1)).versions[CLEAN]
    given: list[np.ndarray] = []
    predict = type(model).predict
    monkeypatch.setattr(
        type(model), "predict", lambda self, features: given.append(features) or predict(self, features)
    )
    counts = []
    for index, clip in enumerate(clips):
        given.clear()
        (channel,) = tag_file(
            AudioFile(str(clip.path)), model=model, options=Options("mix", min_confidence=0.0)
        ).channels
        own = of_clip(data, index)
        counts.append(len(own))
        if len(own):
            np.testing.assert_array_equal(np.concatenate(given), own)
        speech_s = [item.speech_ratio * (item.end_s - item.start_s) for item in channel.segments]
        np.testing.assert_allclose(data.speech_s[data.starts[index] : data.starts[index + 1]], speech_s)
    assert counts[2] == 0  # silence has no window
    assert max(counts) >= 2
    assert data.features.dtype == np.float32
    assert data.features.shape[1:] == ((40, 1) if features.pooling == "mean" else (SPEC.window_frames, 8))


def test_first_windows_leave_out_who_has_none(tmp_path, clips):
    windows = prepared(clips, tmp_path / "cache").versions[CLEAN]
    features, heard = windows.first_of(np.array([0, 2, 4]))
    np.testing.assert_array_equal(heard, [0, 4])
    np.testing.assert_array_equal(features, [of_clip(windows, 0)[0], of_clip(windows, 4)[0]])
    nobody, heard = windows.first_of(np.array([2]))
    assert len(nobody) == len(heard) == 0


def test_the_phone_is_a_line_of_the_clips_own(tmp_path, clips):
    data = prepared(clips, tmp_path / "cache")
    assert tuple(data.versions) == CONDITIONS
    assert data.clips == tuple(clips)
    samples, _ = soundfile.read(clips[0].path, dtype="float32")
    sent = over_a_line(samples, digest=clips[0].digest, seed=1)
    expected, _ = tagged_windows(write(tmp_path / "sent.wav", sent).path, spec=SPEC)
    np.testing.assert_array_equal(of_clip(data.versions[PHONE], 0), expected)


def test_a_version_depends_on_the_clip_and_the_seed_alone(tmp_path, clips):
    whole = prepared(clips, tmp_path / "a", recipe=NOISY)
    part = prepared(clips[::-2], tmp_path / "b", recipe=NOISY)
    other = prepared(clips, tmp_path / "c", recipe=NOISY, job=Job(SPEC, 2))
    assert tuple(whole.versions) == (*CONDITIONS, "noise", "shift")
    for name in whole.versions:
        np.testing.assert_array_equal(of_clip(part.versions[name], 0), of_clip(whole.versions[name], 4))
        np.testing.assert_array_equal(of_clip(part.versions[name], 2), of_clip(whole.versions[name], 0))
    assert not np.array_equal(of_clip(whole.versions["noise"], 0), of_clip(whole.versions[CLEAN], 0))
    for name in (PHONE, "noise", "shift"):
        one, two = of_clip(whole.versions[name], 0), of_clip(other.versions[name], 0)
        assert one.shape != two.shape or np.abs(one - two).max() > 1e-3
    np.testing.assert_array_equal(of_clip(other.versions[CLEAN], 0), of_clip(whole.versions[CLEAN], 0))
    renamed = prepared([dataclasses.replace(clips[0], digest="5a" * 20)], tmp_path / "d", recipe=NOISY)
    one, two = renamed.versions["noise"].features[0], of_clip(whole.versions["noise"], 0)[0]
    assert np.abs(one - two).max() > 1e-3  # what is drawn, is drawn for each recording


def test_workers_make_the_same(tmp_path, clips):
    told: list[tuple[int, int]] = []
    alone = prepared(clips, tmp_path / "a")
    many = prepare_clips(
        clips,
        augmentations=PLAIN.augmentations,
        job=JOB,
        cache=tmp_path / "b",
        jobs=2,
        report=lambda *counts: told.append(counts),
    )
    for name in CONDITIONS:
        np.testing.assert_array_equal(many.versions[name].features, alone.versions[name].features)
        np.testing.assert_array_equal(many.versions[name].starts, alone.versions[name].starts)
    assert told == [(5, 5)]


def test_what_was_made_once_is_not_made_again(tmp_path, clips, monkeypatch):
    first = prepared(clips, tmp_path / "cache")
    make = clip_windows._make
    made: list[str] = []
    monkeypatch.setattr(clip_windows, "_make", lambda clip, name, job: made.append(name) or make(clip, name, job))
    again = prepared(clips[::-1], tmp_path / "cache")
    assert made == []
    np.testing.assert_array_equal(of_clip(again.versions[PHONE], 4), of_clip(first.versions[PHONE], 0))
    prepared(clips[:1], tmp_path / "cache", recipe=NOISY)
    assert made == ["noise", "shift"]  # only what is new
    made.clear()
    changed = dataclasses.replace(SPEC, features=dataclasses.replace(SEQUENCE, n_mfcc=7))
    prepared(clips[:1], tmp_path / "cache", job=Job(changed, 1))
    assert made == [CLEAN, PHONE]
    made.clear()
    prepared([dataclasses.replace(clips[0], digest="ff" * 20)], tmp_path / "cache")
    assert made == [CLEAN, PHONE]


@pytest.mark.parametrize("change", [{"window_s": 0.9}, {"hop_s": 0.9}, {"offset_s": 0.4}, {"min_speech_s": 0.2}])
def test_whatever_decides_a_window_has_a_folder_of_its_own(change):
    assert Job(dataclasses.replace(SPEC, **change), 1).folder != JOB.folder
    assert (
        Job(dataclasses.replace(SPEC, labels=("a", "b"), sentiment={"a": "neutral", "b": "neutral"}), 1).folder
        == JOB.folder
    )


def test_all_clips_without_speech_are_no_windows(tmp_path, clips):
    data = prepared(clips[2:3], tmp_path / "cache")
    assert data.versions[CLEAN].starts.tolist() == [0, 0]
    assert len(data.versions[CLEAN].features) == 0


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")
def test_a_clip_of_ten_samples_ends_nothing(tmp_path):
    clip = write(tmp_path / "short.wav", speech_like(0.01)[:10])
    recipe = dataclasses.replace(NOISY, augmentations=("noise", "shift", "pitch", "speed"))
    data = prepared([clip], tmp_path / "cache", recipe=recipe)
    assert all(len(windows.features) == 0 for windows in data.versions.values())


def test_a_clip_that_cannot_be_decoded_is_named(tmp_path):
    (tmp_path / "text.wav").write_text("no audio at all")
    clip = Clip(tmp_path / "text.wav", "own", "a", "angry", "", "", "", "ab" * 20)
    with pytest.raises(ExportError, match=r"text\.wav"):
        prepared([clip], tmp_path / "cache")


def files_under(folder: Path) -> list[Path]:
    return [place for place in folder.rglob("*") if not place.is_dir()]


@pytest.mark.parametrize("size", [0, 100, 2000])
def test_a_disk_that_fills_up_is_one_line_and_leaves_no_half_file(tmp_path, clips, size):
    cache = tmp_path / "cache"
    with (
        largest_file(size),
        pytest.raises(ExportError, match=r"cannot keep this for the next run: .*another folder with --cache") as caught,
    ):
        prepared(clips, cache)
    assert caught.value.code == "cannot_cache"
    assert all(place.suffix == ".npz" for place in files_under(cache))
    assert len(prepared(clips, cache).versions[CLEAN].features)  # and the same command goes on


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_called_full(tmp_path, clips):
    place = tmp_path / "cache" / JOB.folder / f"{clips[0].digest}-clean.npz"
    place.parent.mkdir(parents=True)
    place.with_name(f"{place.name}.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(ExportError, match="the disk is full; make room"):
        prepared(clips, tmp_path / "cache")
    assert files_under(tmp_path / "cache") == []


def test_a_cache_that_nobody_may_write_is_one_line(tmp_path, clips, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"cannot keep this for the next run: Not a directory.*--cache"):
        prepared(clips, tmp_path / "file")

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ExportError, match=r"cannot keep this for the next run: Read-only file system"):
        prepared(clips, tmp_path / "cache")
