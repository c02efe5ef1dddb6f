"""Corpora by their official file names: who says what in which emotion, what is left out, and what is refused."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from export.audio.clip_file import read_clip
from export.corpora.clips import Clip, Corpus
from export.corpora.labels import KNOWN, LABELS
from export.corpora.layouts import LAYOUTS
from export.corpora.loading import find_corpora, load, relabel
from export.errors import ExportError
from sertag.features.mfcc import FrameStream, coefficients
from sertag.features.vad import detect
from sertag.model.session import load as load_model
from sertag.spec import FeatureSpec
from tests.audio_files import encoded, tones
from tests.conftest import speech_like
from tests.corpora import make_files


def counts(corpus: Corpus) -> dict[str, int]:
    """How many were left out, by reason."""
    return {reason: len(names) for reason, names in corpus.skipped.items()}


def names_of(corpus: Corpus) -> list[str]:
    return [clip.path.name for clip in corpus.clips]


@pytest.mark.parametrize(
    ("corpus", "name", "speaker", "label", "sentence", "intensity"),
    [
        ("tess", "OAF_Pleasant_surprise/OAF_back_ps.wav", "OAF", "surprise", "back", ""),
        ("tess", "OAF_neutral/OA_bite_neutral.wav", "OAF", "neutral", "bite", ""),
        ("tess", "YAF_angry/YAF_dog_angry.wav", "YAF", "angry", "dog", ""),
        ("ravdess", "Actor_12/03-01-02-01-01-02-12.wav", "12", "calm", "01", "normal"),
        ("ravdess", "Actor_12/03-01-08-02-02-02-12.wav", "12", "surprise", "02", "strong"),
        ("emodb", "wav/03a01Fa.wav", "03", "happy", "a01", ""),
        ("emodb", "wav/16b10Tb.wav", "16", "sad", "b10", ""),
        ("emodb", "wav/08a02La.wav", "08", "boredom", "a02", ""),
        ("emovo", "f1/gio-f1-b2.wav", "f1", "happy", "b2", ""),
        ("emovo", "m3/pau-m3-n5.wav", "m3", "fear", "n5", ""),
        ("nemo", "samples/EB0_surprised_12.wav", "EB0", "surprise", "12", ""),
        ("nemo", "samples/WR0_happiness_90.wav", "WR0", "happy", "90", ""),
        ("crema_d", "AudioWAV/1001_DFA_ANG_XX.wav", "1001", "angry", "DFA", "unspecified"),
        ("crema_d", "AudioWAV/1091_IEO_DIS_LO.wav", "1091", "disgust", "IEO", "low"),
        ("crema_d", "AudioWAV/1010_IEO_FEA_MD.wav", "1010", "fear", "IEO", "medium"),
        ("crema_d", "AudioWAV/1089_IEO_HAP_HI.wav", "1089", "happy", "IEO", "high"),
        ("crema_d", "AudioWAV/1040_ITH_SAD_X.wav", "1040", "sad", "ITH", "unspecified"),
        ("crema_d", "AudioWAV/1076_MTI_SAD_X.wav", "1076", "sad", "MTI", "unspecified"),
        ("savee", "ALL/DC_a01.wav", "DC", "angry", "01", ""),
        ("savee", "AudioData/JE/sa15.wav", "JE", "sad", "15", ""),
        ("savee", "AudioData/KL/su02.wav", "KL", "surprise", "02", ""),
        ("savee", "JK/JK_n30.wav", "JK", "neutral", "30", ""),
    ],
)
def test_official_names_say_everything(tmp_path, corpus, name, speaker, label, sentence, intensity):
    (clip,) = load(make_files(tmp_path, name), name=corpus).clips
    assert (clip.speaker, clip.label, clip.sentence, clip.intensity) == (speaker, label, sentence, intensity)
    assert clip.person == f"{corpus}/{speaker}"
    assert clip.licence == LAYOUTS[corpus].licence


@pytest.mark.parametrize("corpus", LAYOUTS)
def test_every_layout_describes_itself(tmp_path, corpus):
    layout = LAYOUTS[corpus]
    assert set(layout.labels.values()) <= set(KNOWN)
    examples = layout.example.split(" or ")
    clips = [load(make_files(tmp_path / str(n), name), name=corpus).clips for n, name in enumerate(examples)]
    assert [len(found) for found in clips] == [1] * len(examples)


def test_what_is_left_out_is_counted_and_named_by_reason(tmp_path):
    make_files(tmp_path, "03a01La.wav", "03a01Wa.wav", "readme.txt", "noise.wav")
    (tmp_path / "08a01Wa.wav").write_bytes((tmp_path / "03a01Wa.wav").read_bytes())
    (tmp_path / "09a01Wa.wav").touch()
    (tmp_path / "10a01Wa.wav").symlink_to(tmp_path / "nowhere.wav")
    corpus = load(tmp_path, name="emodb")
    assert names_of(corpus) == ["03a01La.wav", "03a01Wa.wav"]
    assert corpus.skipped == {
        "no audio suffix": (str(tmp_path / "readme.txt"),),
        "name not of this corpus": (str(tmp_path / "noise.wav"),),
        "identical recording": (str(tmp_path / "08a01Wa.wav"),),
        "empty": (str(tmp_path / "09a01Wa.wav"),),
        "cannot be read (dangling_link)": (str(tmp_path / "10a01Wa.wav"),),
    }
    assert counts(corpus) == dict.fromkeys(corpus.skipped, 1)


def test_songs_and_videos_of_ravdess_are_left_out(tmp_path):
    make_files(tmp_path, "03-01-05-01-01-01-01.wav", "03-02-05-01-01-01-01.wav", "01-01-05-01-01-01-01.wav")
    corpus = load(tmp_path, name="ravdess")
    assert names_of(corpus) == ["03-01-05-01-01-01-01.wav"]
    assert counts(corpus) == {"name not of this corpus": 2}


@pytest.mark.parametrize("name", ["1000_DFA_ANG_XX.wav", "1092_DFA_ANG_XX.wav", "1001_DFA_ANG_ZZ.wav"])
def test_names_that_crema_d_does_not_have_are_left_out(tmp_path, name):
    corpus = load(make_files(tmp_path, name, "1001_DFA_SAD_XX.wav"), name="crema_d")
    assert counts(corpus) == {"name not of this corpus": 1}


def test_a_savee_name_that_nobody_claims_is_left_out(tmp_path):
    corpus = load(make_files(tmp_path, "AudioData/a01.wav", "AudioData/DC/a01.wav"), name="savee")
    assert [clip.speaker for clip in corpus.clips] == ["DC"]
    assert counts(corpus) == {"name not of this corpus": 1}


def test_savee_speakers_may_share_a_file_name(tmp_path):
    corpus = load(make_files(tmp_path, "DC/a01.wav", "JE/a01.wav"), name="savee")
    assert [clip.speaker for clip in corpus.clips] == ["DC", "JE"]


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_the_recording_that_ravdess_published_twice_is_kept_once(tmp_path, suffix):
    make_files(tmp_path, f"03-01-03-01-02-01-07.{suffix}", f"03-01-03-01-02-02-07.{suffix}")  # other bytes: re-encoded
    corpus = load(tmp_path, name="ravdess")
    assert [clip.path.stem for clip in corpus.clips] == ["03-01-03-01-02-01-07"]
    assert counts(corpus) == {"identical recording": 1}


def test_the_known_mistakes_of_crema_d_are_left_out_and_named(tmp_path):
    recording = encoded(tones(0.2))
    for name in ("1006_TIE_HAP_XX", "1006_TIE_NEU_XX", "1076_MTI_SAD_XX", "1001_DFA_ANG_XX"):
        (tmp_path / f"{name}.wav").write_bytes(recording + name[:8].encode())  # the first two are one recording
    corpus = load(tmp_path, name="crema_d")
    assert names_of(corpus) == ["1001_DFA_ANG_XX.wav"]
    assert corpus.skipped == {
        "one recording under two labels": tuple(str(tmp_path / f"1006_TIE_{label}_XX.wav") for label in ("HAP", "NEU")),
        "silent": (str(tmp_path / "1076_MTI_SAD_XX.wav"),),
    }


def test_any_other_recording_under_two_labels_of_a_published_corpus_is_refused(tmp_path):
    for name in ("1006_TIE_DIS_XX", "1006_TIE_SAD_XX"):
        (tmp_path / f"{name}.wav").write_bytes(encoded(tones(0.2)))
    with pytest.raises(ExportError, match="but the recording is the same"):
        load(tmp_path, name="crema_d")


def test_a_second_file_of_a_name_is_left_out_and_the_lossless_one_kept(tmp_path):
    make_files(tmp_path, "AudioMP3/1001_DFA_ANG_XX.mp3", "AudioWAV/1001_DFA_ANG_XX.wav", "copy/1001_DFA_ANG_XX.wav")
    corpus = load(tmp_path, name="crema_d")
    assert [str(clip.path.relative_to(tmp_path)) for clip in corpus.clips] == ["AudioWAV/1001_DFA_ANG_XX.wav"]
    assert counts(corpus) == {"second file of the same name": 2}


def test_an_empty_file_does_not_hide_the_second_one_of_its_name(tmp_path):
    make_files(tmp_path, "b/OAF_back_sad.wav")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "OAF_back_sad.wav").touch()
    corpus = load(tmp_path, name="tess")
    assert [clip.path.parent.name for clip in corpus.clips] == ["b"]
    assert counts(corpus) == {"empty": 1}


@pytest.mark.parametrize(
    ("corpus", "name", "code"),
    [
        ("tess", "OAF_back_bored.wav", "bored"),
        ("ravdess", "03-01-09-01-01-01-01.wav", "09"),
        ("emodb", "03a01Xa.wav", "X"),
        ("emovo", "abc-f1-b1.wav", "abc"),
        ("nemo", "EB0_disgust_1.wav", "disgust"),
        ("crema_d", "1001_DFA_SUR_XX.wav", "SUR"),
        ("savee", "DC_x01.wav", "x"),
    ],
)
def test_an_unknown_label_is_refused_by_name(tmp_path, corpus, name, code):
    with pytest.raises(ExportError, match=rf"{name}.*'{code}', expected one of {next(iter(LAYOUTS[corpus].labels))}"):
        load(make_files(tmp_path, name), name=corpus)


@pytest.mark.parametrize(
    ("corpus", "name"),
    [
        ("tess", "OAF_sad/OAF_back_angry.wav"),
        ("tess", "YAF_angry/OAF_back_angry.wav"),
        ("tess", "OAF_Fear/OAF_back_ps.wav"),
        ("ravdess", "Actor_02/03-01-05-01-01-01-01.wav"),
        ("emovo", "m1/rab-f1-b1.wav"),
        ("savee", "JE/DC_a01.wav"),
        ("nemo", "KS0/EB0_anger_1.wav"),
    ],
)
def test_a_folder_that_contradicts_the_name_is_refused(tmp_path, corpus, name):
    with pytest.raises(ExportError, match=rf"{name}: its name says .* its folder {Path(name).parent}") as refused:
        load(make_files(tmp_path, name), name=corpus)
    assert refused.value.code == "mixed_labels"


@pytest.mark.parametrize(
    "name",
    [
        "OAF_Fear/OAF_back_fear.wav",
        "OAF_Pleasant_surprise/OAF_back_ps.wav",
        "YAF_pleasant_surprised/YAF_back_ps.wav",
        "OAF_Sad/OAF_back_sad.wav",
        "OAF_files/OAF_back_sad.wav",
    ],
)
def test_official_folders_of_tess_agree_with_its_names(tmp_path, name):
    assert len(load(make_files(tmp_path, name), name="tess").clips) == 1


def test_one_recording_under_two_labels_is_refused_with_both_paths(tmp_path):
    make_files(tmp_path, "YAF_dog_sad.wav")
    for name in ("OAF_back_angry.wav", "OAF_bar_happy.wav"):
        (tmp_path / name).write_bytes(encoded(tones(0.2)))
    with pytest.raises(ExportError, match=r"OAF_back_angry\.wav is angry and .*OAF_bar_happy\.wav is happy") as refused:
        load(tmp_path, name="tess")
    assert refused.value.code == "mixed_labels"


def test_the_same_junk_under_two_labels_is_no_recording(tmp_path):
    header = encoded(tones(0.2))[:44]
    for name in ("OAF_back_angry.wav", "OAF_bar_happy.wav"):
        (tmp_path / name).write_bytes(header)
    assert counts(load(tmp_path, name="tess")) == {"no recording": 1}


@pytest.mark.parametrize("corpus", LAYOUTS)
def test_an_empty_folder_is_refused_with_what_was_expected(tmp_path, corpus):
    with pytest.raises(ExportError) as refused:
        load(make_files(tmp_path, "something.wav"), name=corpus)
    message = str(refused.value)
    assert f"no clip named as in {corpus}, left out: 1 name not of this corpus" in message
    assert LAYOUTS[corpus].example in message
    assert LAYOUTS[corpus].source in message


def test_places_name_one_corpus_or_hold_several(tmp_path):
    make_files(tmp_path / "all", "TESS/OAF_back_sad.wav", "emovo/f1/gio-f1-b2.wav", "other/x.wav")
    (tmp_path / "all" / "CREMA-D").mkdir()
    (tmp_path / "all" / "CREMA-D" / "1001_DFA_ANG_XX.wav").write_bytes(b"crema-d")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "EB0_anger_1.wav").write_bytes(b"nemo")
    found = find_corpora([str(tmp_path / "all"), f"nemo={tmp_path / 'mine'}"])
    assert [corpus.name for corpus in found] == ["tess", "emovo", "nemo", "crema_d"]


def test_any_other_name_is_data_of_ones_own(tmp_path):
    make_files(tmp_path / "calls", "angry/a.wav", "billing/b.wav")
    (tmp_path / "list.csv").write_text("path,label\nx.wav,sad\ny.wav,happy\n")
    (tmp_path / "x.wav").write_bytes(b"x")
    (tmp_path / "y.wav").write_bytes(b"y")
    (tmp_path / "tess").mkdir()
    (tmp_path / "tess" / "OAF_back_sad.wav").write_bytes(b"z")
    found = find_corpora([f"shop={tmp_path / 'list.csv'}", f"calls={tmp_path / 'calls'}", f"tess={tmp_path / 'tess'}"])
    assert [corpus.name for corpus in found] == ["tess", "calls", "shop"]
    assert {clip.label for clip in found[1].clips} == {"angry", "billing"}


def test_own_data_come_in_the_order_of_the_alphabet(tmp_path):
    places = []
    for number, name in enumerate("gcafbed"):
        for label in ("sad", "happy"):
            path = tmp_path / name / label / "x.wav"
            path.parent.mkdir(parents=True)
            path.write_bytes(f"{number} {label}".encode())
        places.append(f"{name}={tmp_path / name}")
    assert [corpus.name for corpus in find_corpora(places)] == list("abcdefg")


def test_a_folder_may_have_an_equals_sign_in_its_name(tmp_path, monkeypatch):
    make_files(tmp_path, "a=b/tess/OAF_back_sad.wav")
    monkeypatch.chdir(tmp_path)
    assert [corpus.name for corpus in find_corpora(["a=b"])] == ["tess"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "nowhere: no such folder, expected a folder, NAME=FOLDER or NAME=FILE.csv"),
        ("tess=nowhere", r"nowhere: is no folder; expected files such as OAF_angry/OAF_back_angry\.wav"),
        ("mine=nowhere", "nowhere: no such file or folder, expected a folder a label"),
        ("calls/a=b", "calls/a=b: no such folder"),
    ],
)
def test_places_that_are_not_there_are_refused(place, message):
    with pytest.raises(ExportError, match=message):
        find_corpora([place])


def test_a_folder_without_corpora_is_refused_even_beside_others(tmp_path):
    make_files(tmp_path, "tess/OAF_back_sad.wav", "other/x.wav")
    with pytest.raises(ExportError, match=rf"no folder named tess, .* under {tmp_path / 'other'}; .*any other name"):
        find_corpora([str(tmp_path), str(tmp_path / "other")])


@pytest.mark.parametrize("again", ["tess", "TESS"])
def test_a_corpus_given_twice_is_refused(tmp_path, again):
    make_files(tmp_path, "tess/OAF_back_sad.wav")
    with pytest.raises(ExportError, match=r"tess is given twice: .*tess and .*tess"):
        find_corpora([str(tmp_path), f"{again}={tmp_path / 'tess'}"])


def test_own_data_given_twice_is_refused(tmp_path):
    with pytest.raises(ExportError, match="mine is given twice: a and b"):
        find_corpora(["mine=a", "mine=b"])


def test_a_copy_of_a_corpus_under_another_name_is_refused(tmp_path):
    make_files(tmp_path, "tess/OAF_back_sad.wav", "tess/OAF_back_angry.wav", "tess/OAF_bar_sad.wav")
    for label, name in (("angry", "OAF_back_angry.wav"), ("sad", "OAF_back_sad.wav")):
        (tmp_path / "mine" / label).mkdir(parents=True)
        (tmp_path / "mine" / label / "copy.wav").write_bytes((tmp_path / "tess" / name).read_bytes())
    with pytest.raises(ExportError, match=r"2 recordings are in tess and again in mine, .* and .*copy\.wav for one"):
        find_corpora([str(tmp_path), f"mine={tmp_path / 'mine'}"])


def corpus_of(*labels: str, name: str = "c") -> Corpus:
    clips = (Clip(Path(f"{n}.wav"), name, "", label, "", "", "", str(n)) for n, label in enumerate(labels))
    return Corpus(name, "", tuple(clips))


def test_relabel_merges_leaves_out_and_says_so():
    (found,) = relabel([corpus_of("calm", "boredom", "angry", "boredom")], onto=LABELS)
    assert [clip.label for clip in found.clips] == ["neutral", "angry"]
    assert found.skipped == {"label boredom has no counterpart": ("1.wav", "3.wav")}


def test_relabel_follows_the_users_wishes_first():
    renamed = {"boredom": "sad", "calm": ""}
    (found,) = relabel([corpus_of("calm", "boredom", "angry")], onto=LABELS, label_map=renamed)
    assert [clip.label for clip in found.clips] == ["sad", "angry"]
    assert counts(found) == {"label calm has no counterpart": 1}


def test_relabel_keeps_what_was_left_out_before():
    corpus = replace(corpus_of("sad", "boredom", "angry"), skipped={"empty": ("x.wav",)}, flawed={"cut": ("0.wav",)})
    (found,) = relabel([corpus], onto=LABELS)
    assert counts(found) == {"empty": 1, "label boredom has no counterpart": 1}
    assert found.flawed == {"cut": ("0.wav",)}


@pytest.mark.parametrize(
    ("corpora", "renamed", "message", "code"),
    [
        (
            [corpus_of("sad", "angry"), corpus_of("boredom", name="d")],
            {},
            "d has boredom, the model only ang",
            "no_data",
        ),
        ([corpus_of("sad"), corpus_of("sad", name="d")], {}, "every clip of c, d counts as sad, one cl", "one_class"),
        ([corpus_of("calm", "neutral")], {}, "every clip of c counts as neutral", "one_class"),
        ([corpus_of("billing", "sad")], {}, "c: label 'billing' is none of .*--map FOUND=LABEL", "unknown_label"),
        ([corpus_of("sad", "angry")], {"calm": ""}, "--map calm: no clip has .* angry, sad", "unknown_label"),
        ([corpus_of("sad", "angry")], {"sad": "glad"}, "--map sad=glad", "unknown_label"),
    ],
)
def test_relabel_refuses_what_cannot_be_learnt_from(corpora, renamed, message, code):
    with pytest.raises(ExportError, match=message) as refused:
        relabel(corpora, onto=LABELS, label_map=renamed)
    assert refused.value.code == code


@given(labels=st.lists(st.sampled_from(KNOWN)), onto=st.sampled_from([LABELS, ("negative", "neutral", "positive")]))
def test_relabel_loses_no_clip_unnamed(labels, onto):
    corpus = corpus_of("angry", "happy", *labels)
    (found,) = relabel([corpus], onto=onto)
    named = [name for names in found.skipped.values() for name in names]
    assert sorted([str(clip.path) for clip in found.clips] + named) == sorted(str(clip.path) for clip in corpus.clips)
    assert {clip.label for clip in found.clips} <= set(onto)


def test_aiff_inside_a_wav_name_is_decoded_by_its_content(tmp_path):
    samples = tones(0.5, rate_hz=24414)
    (tmp_path / "OAF_back_sad.wav").write_bytes(encoded(samples, rate_hz=24414, format="AIFF", subtype="PCM_16"))
    (tmp_path / "OAF_bar_sad.wav").write_bytes(encoded(samples, rate_hz=24414, subtype="PCM_16"))
    odd, usual = (read_clip(clip.path, rate_hz=8000) for clip in load(tmp_path, name="tess").clips)
    np.testing.assert_array_equal(odd, usual)


def test_a_96_khz_original_keeps_its_length_and_pitch(tmp_path):
    time_s = np.arange(96000) / 96000
    soundfile.write(tmp_path / "OAF_back_sad.wav", 0.3 * np.sin(2 * np.pi * 440 * time_s), 96000)
    (clip,) = load(tmp_path, name="tess").clips
    samples = read_clip(clip.path, rate_hz=8000)
    assert len(samples) == 8000
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 440


def frames_of(samples: np.ndarray, *, spec: FeatureSpec) -> np.ndarray:
    """Frames as the tagger frames a channel: float32 (n,) -> (t, m)."""
    stream = FrameStream(spec=spec, channels=1)
    return np.asarray(np.concatenate([stream.push(samples[None]), stream.flush()], axis=1)[0])


def check_offset(samples: np.ndarray) -> None:
    """A DC offset of 0.1 changes nothing but the frames that reach over the ends, where it is a step from silence."""
    features = load_model("phone").spec.features
    ends = -(-features.n_fft // 2 // features.hop_length)  # frames
    plain, moved = (frames_of(x, spec=features)[ends:-ends] for x in (samples, samples + np.float32(0.1)))
    np.testing.assert_array_equal(detect(moved, spec=features), detect(plain, spec=features))
    difference = np.abs(coefficients(moved, spec=features) - coefficients(plain, spec=features))
    assert difference.max() < 0.01  # dB; coefficients are tens of dB


@pytest.mark.parametrize("level", [0.2, 0.003])
def test_a_dc_offset_changes_no_frame_but_those_at_the_ends(level):
    check_offset(speech_like(4.0, seed=5, level=level))


def test_a_dc_offset_changes_no_frame_of_real_clips_but_those_at_the_ends(data_dir):
    for name in ("tess/OAF_sad", "ravdess/Actor_05", "emovo/f1"):
        for path in sorted((data_dir / name).iterdir())[:4]:
            check_offset(read_clip(path, rate_hz=8000))


@pytest.fixture(scope="module")
def real(data_dir):
    """The real corpora by name; folders `calls` and `ordinary` stand beside them."""
    return {corpus.name: corpus for corpus in find_corpora([str(data_dir)])}


def test_the_real_corpora_are_whole(real):
    found = real
    assert {name: len(corpus.clips) for name, corpus in found.items()} == {
        "tess": 2800,
        "ravdess": 1439,
        "emodb": 535,
        "emovo": 588,
        "nemo": 4481,
        "crema_d": 7435,
    }
    skipped = {name: counts(corpus) for name, corpus in found.items() if counts(corpus)}
    assert skipped == {
        "ravdess": {"identical recording": 1},
        "crema_d": {"one recording under two labels": 6, "silent": 1},
    }
    speakers = {name: len({clip.speaker for clip in corpus.clips}) for name, corpus in found.items()}
    assert speakers == {"tess": 2, "ravdess": 24, "emodb": 10, "emovo": 6, "nemo": 9, "crema_d": 91}
    assert Counter(clip.label for clip in found["tess"].clips) == dict.fromkeys(LABELS, 400)
    assert Counter(clip.label for clip in found["ravdess"].clips)["calm"] == 192
    assert Counter(clip.label for clip in found["emodb"].clips)["boredom"] == 81
    assert counts(relabel([found["emodb"]], onto=LABELS)[0]) == {"label boredom has no counterpart": 81}


def test_every_real_clip_is_what_the_manifest_says(data_dir, real):
    mistakes = {stem for layout in LAYOUTS.values() for stem in layout.oddities}
    with (data_dir / "manifest.csv").open(encoding="utf-8", newline="") as file:
        told = {
            row["path"]: row
            for row in csv.DictReader(file)
            if row["corpus"] in LAYOUTS and Path(row["path"]).stem not in mistakes
        }
    clips = {clip.path.relative_to(data_dir).as_posix(): clip for corpus in real.values() for clip in corpus.clips}
    assert clips.keys() == told.keys()
    for path, row in told.items():
        clip = clips[path]
        label = "boredom" if row["original_label"] == "boredom" else row["emotion"]
        intensity = row["intensity"] or ("unspecified" if row["corpus"] == "crema_d" else "")
        said = (row["corpus"], row["speaker"].removeprefix("Actor_"), label, row["text_id"], intensity)
        assert (clip.corpus, clip.speaker, clip.label, clip.sentence, clip.intensity) == said, path
