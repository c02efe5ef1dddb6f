"""Labelled recordings of one's own: folders and manifests, what is left out, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.corpora.clips import Corpus
from export.corpora.own_data import load
from export.errors import ExportError
from sertag.errors import SertagError
from tests.audio_files import encoded, tones
from tests.corpora import make_files


def said(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """File name -> label, speaker, sentence, intensity, licence."""
    return {
        clip.path.name: (clip.label, clip.speaker, clip.sentence, clip.intensity, clip.licence) for clip in corpus.clips
    }


def manifest(folder: Path, text: str | bytes, name: str = "manifest.csv") -> Path:
    place = folder / name
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return place


def test_a_folder_a_label_with_speakers_where_they_are_known(tmp_path):
    make_files(tmp_path, "angry/a.wav", "angry/anna/b.m4a", "Happiness/bert/studio/c.WAV", "on hold/d.opus")
    corpus = load(tmp_path, name="mine")
    assert said(corpus) == {
        "a.wav": ("angry", "", "", "", "not stated"),
        "b.m4a": ("angry", "anna", "", "", "not stated"),
        "c.WAV": ("happy", "bert", "", "", "not stated"),
        "d.opus": ("on_hold", "", "", "", "not stated"),
    }
    assert (corpus.name, corpus.licence) == ("mine", "not stated")
    assert {clip.corpus for clip in corpus.clips} == {"mine"}
    assert len({clip.digest for clip in corpus.clips}) == 4


def test_what_is_no_labelled_recording_is_counted_and_named(tmp_path):
    make_files(tmp_path, "sad/a.wav", "fear/b.wav", "loose.wav", "notes.txt", "sad/list.txt", "__MACOSX/sad/._a.wav")
    make_files(tmp_path / ".cache", "x.wav")
    (tmp_path / "sad" / "same.wav").write_bytes((tmp_path / "sad" / "a.wav").read_bytes())
    corpus = load(tmp_path, name="mine")
    assert sorted(said(corpus)) == ["a.wav", "b.wav"]
    assert {reason: [Path(name).name for name in names] for reason, names in corpus.skipped.items()} == {
        "hidden": ["x.wav", "._a.wav"],
        "not in a folder of a label": ["loose.wav"],
        "no audio suffix": ["notes.txt", "list.txt"],
        "identical recording": ["same.wav"],
    }


def test_two_spellings_of_a_folder_are_one_label(tmp_path):
    make_files(tmp_path, "w\u00fctend/a.wav", "wu\u0308tend/b.wav", "Joy/c.wav", "happiness/d.wav")
    assert {label for label, *_ in said(load(tmp_path, name="mine")).values()} == {"w\u00fctend", "happy"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_manifest_says_more(tmp_path, encoding, end):
    make_files(tmp_path, "calls/a.wav", 'calls/b, "the loud one".wav', "grün.flac")
    lines = (
        "Path, LABEL,speaker,agent id,Sentence,intensity,license",
        "calls/a.wav,Anger,anna,7,greeting,high,CC0",
        "",
        '"calls/b, ""the loud one"".wav",billing,,,,,',
        "grün.flac,sad,bert,8,,,CC BY 4.0",
        ",,,,,,",
    )
    corpus = load(manifest(tmp_path, end.join(lines).encode(encoding), "list.csv"), name="mine")
    assert said(corpus) == {
        "a.wav": ("angry", "anna", "greeting", "high", "CC0"),
        'b, "the loud one".wav': ("billing", "", "", "", "not stated"),
        "grün.flac": ("sad", "bert", "", "", "CC BY 4.0"),
    }
    assert corpus.licence == "CC BY 4.0; CC0; not stated"
    assert corpus.skipped == {}


def test_a_manifest_of_a_spreadsheet_may_separate_cells_by_semicolons(tmp_path):
    make_files(tmp_path, "a.wav", "b.wav")
    corpus = load(manifest(tmp_path, "path;label\na.wav;sad\nb.wav;joy\n"), name="mine")
    assert {name: label for name, (label, *_) in said(corpus).items()} == {"a.wav": "sad", "b.wav": "happy"}


def test_a_manifest_inside_a_folder_decides(tmp_path):
    make_files(tmp_path, "angry/a.wav", "angry/b.wav", "happy/c.wav")
    manifest(tmp_path, "path,label\nangry/a.wav,sad\nhappy/c.wav,happy\n")
    assert {name: label for name, (label, *_) in said(load(tmp_path, name="mine")).items()} == {
        "a.wav": "sad",
        "c.wav": "happy",
    }


def test_rows_without_a_recording_are_counted_and_named_with_their_line(tmp_path):
    make_files(tmp_path, "a.wav", "b.wav", "c.txt", "folder.wav/x.txt")
    text = "path,label\na.wav,sad\nb.wav,fear\nc.txt,sad\ngone.wav,sad\nfolder.wav,sad\na.wav,sad\nno name.wav,sad\n"
    corpus = load(manifest(tmp_path, text), name="mine")
    assert sorted(said(corpus)) == ["a.wav", "b.wav"]
    assert corpus.skipped == {
        "no audio suffix": (f"{tmp_path / 'c.txt'} (line 4)",),
        "no such file": tuple(
            f"{tmp_path / name} (line {line})"
            for name, line in (("gone.wav", 5), ("folder.wav", 6), ("no name.wav", 8))
        ),
        "identical recording": (str(tmp_path / "a.wav"),),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"manifest\.csv: is empty, expected the columns path,label and"),
        ("file,emotion\na.wav,sad\n", r"line 1: found the columns file, emotion, expected each once: path,label and"),
        ("path,label,label\na.wav,sad,sad\n", "line 1: found the columns path, label, label, expected each once"),
        ("path,label,license,licence\n", "line 1: found the columns path, label, license, licence"),
        ("path,label\na.wav,sad\nb, c.wav,sad\n", "line 3: found 3 cells, expected 2 .* in double quotes"),
        ("path,label\na.wav\n", "line 2: found 1 cells, expected 2"),
        ("path,label\n\n,sad\n", "line 3: the path is empty, expected a file relative to the manifest"),
        ("path,label\na.wav,\n", "line 2: label '', expected letters, digits and underscores .* such as angry"),
        ("path,label\na.wav,very angry!\n", "line 2: label 'very angry!', expected letters"),
        ("path,label\na.wav,1\n", "line 2: label '1', expected"),
        ('path,label\na.wav,sad\n"b.wav,sad\n', r"line 3: found 1 cells, expected 2"),
        ("path,label\na.wav,sad\nb.wav,gr\xfcn\n".encode("latin-1"), "is not UTF-8 text; .* save it as CSV UTF-8"),
        ("path,label\na.wav,sad\nb.wav,sad\n", "all 2 clips are labelled sad, one class only; expected two or more"),
        ("path,label\ngone.wav,sad\n", r"no clip, left out: 1 no such file \(.*gone\.wav \(line 2\)\); expected a fol"),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_refused_by_line(tmp_path, text, message):
    make_files(tmp_path, "a.wav", "b.wav")
    with pytest.raises(SertagError, match=message) as refused:
        load(manifest(tmp_path, text), name="mine")
    assert str(refused.value).startswith(f"{tmp_path / 'manifest.csv'}")


def test_one_recording_under_two_labels_is_refused_with_both_lines(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(tones(0.2)))
    (tmp_path / "b.wav").write_bytes(encoded(tones(0.2)))
    with pytest.raises(ExportError, match=r"line 2 \(a\.wav\) is sad and .*line 4 \(b\.wav\) is happy") as refused:
        load(manifest(tmp_path, "path,label\na.wav,sad\n\nb.wav,joy\n"), name="mine")
    assert refused.value.code == "mixed_labels"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no clip, left out: nothing; expected a folder a label"),
        (
            ["a.wav", "b.wav"],
            r"no clip, left out: 2 not in a folder of a label \(.*a\.wav, .*b\.wav\); expected a fold",
        ),
        (["data/angry/a.wav", "data/sad/b.wav"], "all 2 clips are labelled data, one class only; expected two or more"),
        (["angry/a.wav", "so, so/b.wav"], r"folder .*so, so: label 'so, so', expected letters, digits and underscores"),
    ],
)
def test_folders_that_say_too_little_are_refused(tmp_path, files, message):
    with pytest.raises(ExportError, match=message):
        load(make_files(tmp_path, *files), name="mine")


def test_a_name_of_control_characters_cannot_reach_the_terminal(tmp_path):
    make_files(tmp_path, "angry/a.wav", "\x1b[31mred\n/b.wav")
    with pytest.raises(ExportError) as refused:
        load(tmp_path, name="mine")
    assert str(refused.value).isprintable()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("any")


@given(
    rows=st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9), st.text("ab ,\"'\n;")),
        max_size=4,
    )
)
def test_any_text_is_refused_in_words(rows, folder):
    text = "path,label\n" + "\n".join(",".join(row) for row in rows)
    with pytest.raises(SertagError, match=r"manifest\.csv"):
        load(manifest(folder, text), name="mine")
