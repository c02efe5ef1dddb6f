"""What is found out about the recordings of a corpus, sound and broken ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas", reason="the extra `export` is not installed")

import pandas as pd

from export.corpora.clips import Clip, Corpus
from export.corpora.loading import load
from export.exploration.explore import median_clip, problems, readable, summary, survey
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
    found = survey(corpus_of(tmp_path, a_sad_1=encoded(stereo, rate_hz=22050)), report=quiet).iloc[0]
    assert (found.duration_s, found.rate_hz, found.channels, found.status, found.message) == (1.5, 22050, 2, "ok", "")
    expected_dbfs = 10 * np.log10(np.mean(stereo.mean(axis=1) ** 2))
    assert found.level_dbfs == pytest.approx(expected_dbfs, abs=0.01)
    assert found.dc_offset == pytest.approx(0, abs=1e-3)


def test_quiet_clips_and_dc_offsets_are_counted(tmp_path):
    recordings = {
        "a_sad_1": encoded(tones(1, level=0.002), subtype="FLOAT"),  # about -57 dBFS
        "a_sad_2": encoded(tones(1) + np.float32(0.02), subtype="FLOAT"),
        "a_sad_3": encoded(tones(1) - np.float32(0.02), subtype="FLOAT"),
        "a_sad_4": encoded(tones(1) + np.float32(0.005), subtype="FLOAT"),
        "a_sad_5": encoded(np.zeros((8000, 1), np.float32)),
    }
    corpus = corpus_of(tmp_path, **recordings)
    clips = survey(corpus, report=quiet)
    counted = summary(corpus, clips)
    assert (counted["quiet"], counted["dc_offset"]) == (2, 2)
    assert clips.level_dbfs[4] == pytest.approx(-90)


def test_what_cannot_be_read_is_named_and_what_is_cut_is_told(tmp_path):
    whole = tones(1)
    recordings = {
        "a_sad_1": encoded(whole),
        "a_sad_2": b"no audio at all",
        "a_happy_3": b"",
        "b_happy_4": wav(whole, data_size=4 * 8000),
    }
    corpus = corpus_of(tmp_path, **recordings)
    clips = survey(corpus, report=quiet)
    assert list(clips["status"]) == ["ok", "not_audio", "empty_file", "truncated"]
    assert len(readable(clips)) == 2
    found = problems(corpus, clips)
    assert [len(names) for names in found.values()] == [2, 1]
    assert "a_sad_2.wav" in found["could not be read"][0]
    assert "1.000 s could be read" in found["truncated"][0]


def test_progress_ends_at_one(tmp_path):
    told = []
    corpus = corpus_of(tmp_path, a_sad_1=encoded(tones(0.5)), a_sad_2=b"")
    survey(corpus, report=lambda what, share: told.append((what, share)))
    assert told == [("mine", 0.5), ("mine", 1.0)]


@pytest.mark.parametrize(
    ("durations_s", "expected"), [([2.0], 0), ([3.0, 1.0], 1), ([3.0, 1.0, 2.0], 2), ([1.0, 1.0, 1.0, 1.0], 1)]
)
def test_the_median_clip_is_the_same_in_any_order(durations_s, expected):
    clips = pd.DataFrame({"path": [f"{number}.wav" for number in range(len(durations_s))], "duration_s": durations_s})
    assert median_clip(clips)["path"] == median_clip(clips[::-1])["path"] == f"{expected}.wav"


def test_ravdess_is_quiet_as_is_known_of_it(data_dir):
    corpus = load(data_dir / "ravdess", name="ravdess")
    found = summary(corpus, survey(corpus, report=quiet))
    assert (found["clips"], found["unreadable"], found["truncated"], found["dc_offset"]) == (1439, 0, 0, 0)
    assert found["quiet"] == pytest.approx(176, abs=3)  # in the originals; a copy at another rate differs by a few
    assert found["shortest_s"] == pytest.approx(2.936, abs=0.01)
    assert found["longest_s"] == pytest.approx(5.272, abs=0.01)
