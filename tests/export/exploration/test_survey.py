"""What is found out about the recordings of a corpus, sound and broken ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.corpora.clips import Clip, Corpus
from export.corpora.loading import load
from export.exploration.survey import survey
from tests.audio_files import encoded, tones, wav


def corpus_of(folder: Path, **recordings: bytes) -> Corpus:
    """A corpus of given files; a name is SPEAKER_LABEL_NUMBER."""
    clips = []
    for name, data in recordings.items():
        path = folder / f"{name}.wav"
        path.write_bytes(data)
        speaker, label, number = name.split("_")
        clips.append(Clip(path, "mine", speaker, label, number, "", "CC0", name))
    return Corpus(name="mine", licence="CC0", clips=tuple(clips))


def quiet(what: str, share: float) -> None:
    """Progress that nobody looks at."""


def test_a_recording_is_measured_at_its_own_rate(tmp_path):
    stereo = tones(1.5, rate_hz=22050, channels=2)
    (sound,) = survey(corpus_of(tmp_path, a_sad_1=encoded(stereo, rate_hz=22050)), report=quiet).sounds
    assert (sound.duration_s, sound.rate_hz, sound.channels, sound.truncated) == (1.5, 22050, 2, "")
    expected_dbfs = 10 * np.log10(np.mean(stereo.mean(axis=1) ** 2))
    assert sound.level_dbfs == pytest.approx(expected_dbfs, abs=0.01)
    assert sound.offset == pytest.approx(0, abs=1e-3)


def test_quiet_clips_and_dc_offsets_are_counted(tmp_path):
    recordings = {
        "a_sad_1": encoded(tones(1, level=0.002), subtype="FLOAT"),  # about -57 dBFS
        "a_sad_2": encoded(tones(1) + np.float32(0.02), subtype="FLOAT"),
        "a_sad_3": encoded(tones(1) - np.float32(0.02), subtype="FLOAT"),
        "a_sad_4": encoded(tones(1) + np.float32(0.005), subtype="FLOAT"),
        "a_sad_5": encoded(np.zeros((8000, 1), np.float32)),
    }
    found = survey(corpus_of(tmp_path, **recordings), report=quiet)
    assert (found.quiet, found.offset) == (2, 2)
    assert found.sounds[4].level_dbfs == pytest.approx(-90)


def test_what_cannot_be_read_is_named_and_what_is_cut_is_told(tmp_path):
    whole = tones(1)
    recordings = {
        "a_sad_1": encoded(whole),
        "a_sad_2": b"no audio at all",
        "a_happy_3": b"",
        "b_happy_4": wav(whole, data_size=4 * 8000),
    }
    found = survey(corpus_of(tmp_path, **recordings), report=quiet)
    assert [(item.clip.path.stem, item.code) for item in found.unreadable] == [
        ("a_sad_2", "not_audio"),
        ("a_happy_3", "empty_file"),
    ]
    assert "a_sad_2.wav" in found.unreadable[0].message
    assert [sound.clip.path.stem for sound in found.truncated] == ["b_happy_4"]
    assert "1.000 s could be read" in found.truncated[0].truncated
    assert len(found.sounds) == 2
    assert found.labels == {"happy": 2, "sad": 2}  # readable or not
    assert found.speakers == {"a": {"happy": 1, "sad": 2}, "b": {"happy": 1}}
    assert list(found.labels) == ["happy", "sad"]


def test_progress_ends_at_one(tmp_path):
    told = []
    corpus = corpus_of(tmp_path, a_sad_1=encoded(tones(0.5)), a_sad_2=b"")
    survey(corpus, report=lambda what, share: told.append((what, share)))
    assert told == [("mine", 0.5), ("mine", 1.0)]


def test_ravdess_is_quiet_as_is_known_of_it(data_dir):
    found = survey(load(data_dir / "ravdess", name="ravdess"), report=quiet)
    assert (len(found.sounds), len(found.unreadable), len(found.truncated)) == (1439, 0, 0)
    assert found.quiet == pytest.approx(176, abs=3)  # in the originals; a copy at another rate differs by a few
    assert found.offset == 0
    assert found.rates_hz.total() == 1439
    assert min(found.durations_s) == pytest.approx(2.936, abs=0.01)
    assert max(found.durations_s) == pytest.approx(5.272, abs=0.01)
