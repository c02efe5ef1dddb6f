"""Recordings in which nobody speaks: collected from folders and made, and read again as a corpus."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.corpora import no_speech
from export.corpora.loading import find_corpora
from export.corpora.no_speech import Source, collect
from export.errors import ExportError
from tests.export_command import run_export

MADE = {"tones": 10, "keys": 10, "hiss": 10, "street": 10}


def recordings(folder: Path, *, count: int, seconds: float = 0.5) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        samples = 0.1 * np.random.default_rng([number, *folder.name.encode()]).standard_normal(round(seconds * 8000))
        soundfile.write(folder / f"{number:03}.wav", samples, 8000)
    return folder


def test_what_is_collected_is_read_as_the_corpus(tmp_path):
    music, typing = recordings(tmp_path / "music", count=3), recordings(tmp_path / "typing" / "deep", count=2)
    sources = [Source("music", music, "CC0"), Source("typing", typing.parent, "GPL-3")]
    assert collect(sources, out=tmp_path / "out") == 5 + 40
    (corpus,) = find_corpora([f"no_speech={tmp_path / 'out'}"])
    assert Counter(clip.source for clip in corpus.clips) == {"music": 3, "typing": 2, **MADE}
    assert {clip.label for clip in corpus.clips} == {"no_speech"}
    assert {clip.licence for clip in corpus.clips if clip.source == "typing"} == {"GPL-3"}
    assert "music: CC0" in corpus.licence
    assert set(corpus.skipped) <= {"no audio suffix"}  # the manifest itself


def test_no_source_weighs_more_than_all_others(tmp_path, monkeypatch):
    monkeypatch.setattr(no_speech, "_MOST_FILES", 4)
    monkeypatch.setattr(no_speech, "_MOST_S", 0.25)
    collect([Source("music", recordings(tmp_path / "music", count=9), "CC0")], out=tmp_path / "out")
    kept = sorted((tmp_path / "out").glob("music-*.flac"))
    assert len(kept) == 3  # every third of nine
    assert {soundfile.info(place).duration for place in kept} == {0.25}


def test_what_is_made_is_decided_by_the_seed(tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        collect([], out=tmp_path / name, seed=seed)
    files = {place.name for place in (tmp_path / "one").glob("*.flac")}
    assert len(files) == 40
    for file in sorted(files)[::7]:
        one, again, other = (soundfile.read(tmp_path / name / file)[0] for name in ("one", "again", "other"))
        np.testing.assert_array_equal(one, again)
        assert one.shape != other.shape or np.abs(one - other).max() > 1e-3
        assert 0.04 < np.abs(one).max() < 0.51
        assert len(one) >= 12 * 16000


def test_a_folder_without_recordings_is_one_error(tmp_path):
    (tmp_path / "music").mkdir()
    with pytest.raises(ExportError, match="music: no recording, expected some of music"):
        collect([Source("music", tmp_path / "music", "CC0")], out=tmp_path / "out")


def test_the_command_collects(tmp_path):
    folder = recordings(tmp_path / "music", count=2)
    done = run_export("no-speech", f"music={folder}:CC BY 4.0", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "out")
    (corpus,) = find_corpora([f"no_speech={tmp_path / 'out'}"])
    assert {clip.licence for clip in corpus.clips if clip.source == "music"} == {"CC BY 4.0"}


@pytest.mark.parametrize("word", ["music", "music=", "music=folder", "=folder:CC0", "music=:CC0", "music=folder:"])
def test_a_source_without_name_folder_or_licence_is_refused(tmp_path, word):
    done = run_export("no-speech", word, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "is not NAME=DIR:LICENCE" in " ".join(done.stderr.split())
