"""Corpora by their official file names: labels, speakers, and what is left out for which reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from export.corpora import LABELS, find_corpora, load
from export.errors import ExportError


def make_files(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"recording {number}".encode())
    return root


@pytest.mark.parametrize(
    ("corpus", "name", "speaker", "label"),
    [
        ("tess", "OAF_Pleasant_surprise/OAF_back_ps.wav", "OAF", "surprise"),
        ("tess", "OAF_neutral/OA_bite_neutral.wav", "OAF", "neutral"),
        ("tess", "YAF_angry/YAF_dog_angry.wav", "YAF", "angry"),
        ("ravdess", "Actor_12/03-01-02-01-01-02-12.wav", "12", "neutral"),
        ("ravdess", "Actor_12/03-01-08-02-01-02-12.wav", "12", "surprise"),
        ("emodb", "wav/03a01Fa.wav", "03", "happy"),
        ("emodb", "wav/16b10Tb.wav", "16", "sad"),
        ("emovo", "f1/gio-f1-b2.wav", "f1", "happy"),
        ("emovo", "m3/pau-m3-n5.wav", "m3", "fear"),
        ("nemo", "samples/EB0_surprised_12.wav", "EB0", "surprise"),
        ("nemo", "samples/WR0_happiness_90.wav", "WR0", "happy"),
    ],
)
def test_official_names_give_speaker_and_label(tmp_path, corpus, name, speaker, label):
    (clip,) = load(make_files(tmp_path, name), name=corpus).clips
    assert (clip.speaker, clip.label) == (speaker, label)
    assert clip.person == f"{corpus}/{speaker}"


def test_what_is_left_out_is_counted_by_reason(tmp_path):
    make_files(tmp_path, "03a01La.wav", "03a01Wa.wav", "readme.txt", "noise.wav")
    (tmp_path / "08a01Wa.wav").write_bytes((tmp_path / "03a01Wa.wav").read_bytes())
    corpus = load(tmp_path, name="emodb")
    assert [clip.path.name for clip in corpus.clips] == ["03a01Wa.wav"]
    assert corpus.skipped == {
        "label L has no counterpart": 1,
        "no audio suffix": 1,
        "name not of this corpus": 1,
        "identical recording": 1,
    }


def test_songs_and_videos_of_ravdess_are_left_out(tmp_path):
    make_files(tmp_path, "03-01-05-01-01-01-01.wav", "03-02-05-01-01-01-01.wav", "01-01-05-01-01-01-01.wav")
    corpus = load(tmp_path, name="ravdess")
    assert len(corpus.clips) == 1
    assert corpus.skipped == {"name not of this corpus": 2}


def test_the_recording_that_ravdess_published_twice_is_kept_once(tmp_path):
    make_files(tmp_path, "03-01-03-01-02-01-07.flac", "03-01-03-01-02-02-07.flac")  # re-encoded: other bytes
    corpus = load(tmp_path, name="ravdess")
    assert [clip.path.stem for clip in corpus.clips] == ["03-01-03-01-02-01-07"]


def test_an_unknown_label_is_refused_by_name(tmp_path):
    with pytest.raises(ExportError, match=r"OAF_back_bored.*'bored'.*angry"):
        load(make_files(tmp_path, "OAF_back_bored.wav"), name="tess")


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(ExportError, match="no clip named as in nemo"):
        load(make_files(tmp_path, "something.wav"), name="nemo")


def test_places_name_one_corpus_or_hold_several(tmp_path):
    make_files(tmp_path / "all", "tess/OAF_back_sad.wav", "emovo/f1/gio-f1-b2.wav", "other/x.wav")
    make_files(tmp_path / "mine", "EB0_anger_1.wav")
    found = find_corpora([str(tmp_path / "all"), f"nemo={tmp_path / 'mine'}"])
    assert [corpus.name for corpus in found] == ["tess", "emovo", "nemo"]


@pytest.mark.parametrize(
    ("places", "message"), [(["savee=x"], "unknown corpus 'savee'"), (["empty"], "no folder named tess")]
)
def test_places_that_hold_nothing_known_are_refused(places, message):
    with pytest.raises(ExportError, match=message):
        find_corpora(places)


def test_a_corpus_given_twice_is_refused(tmp_path):
    make_files(tmp_path, "tess/OAF_back_sad.wav")
    with pytest.raises(ExportError, match="tess is given twice"):
        find_corpora([str(tmp_path), f"tess={tmp_path / 'tess'}"])


def test_the_real_corpora_are_whole(data_dir):
    found = {corpus.name: corpus for corpus in find_corpora([str(data_dir)])}
    assert {name: len(corpus.clips) for name, corpus in found.items()} == {
        "tess": 2800,
        "ravdess": 1439,
        "emodb": 454,
        "emovo": 588,
        "nemo": 4481,
    }
    speakers = {name: len({clip.speaker for clip in corpus.clips}) for name, corpus in found.items()}
    assert speakers == {"tess": 2, "ravdess": 24, "emodb": 10, "emovo": 6, "nemo": 9}
    assert found["emodb"].skipped == {"label L has no counterpart": 81}
    assert Counter(clip.label for clip in found["tess"].clips) == dict.fromkeys(LABELS, 400)
