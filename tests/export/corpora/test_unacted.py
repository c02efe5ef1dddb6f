"""Speech that nobody acted: read from a manifest, with its sources, kinds and licences."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from export.corpora.loading import find_corpora
from export.corpora.own_data import load_unacted as load
from export.errors import ExportError
from export.exploration.explore import explore
from tests.corpora import write_clip

HEAD = "path,corpus,speaker,emotion,license,source,kind\n"


def data_folder(root: Path, *, rows: str | None = None) -> Path:
    """Two clips of two sources, a corpus and a folder of calls, as the data folder of the tests has them."""
    for seed, name in enumerate(("line/a.wav", "books/b.wav", "books/stray.wav")):
        write_clip(root / "ordinary" / name, seed=seed)
    write_clip(root / "emovo" / "f1" / "rab-f1-b1.wav", seed=8)
    write_clip(root / "calls" / "call.wav", seed=9)
    listed = (
        "ordinary/line/a.wav,ordinary,ann,neutral,MIT,line,telephone\n"
        "ordinary/books/b.wav,ordinary,bob,Neutral,CC BY 4.0,books,read\n"
        "ordinary/books/gone.wav,ordinary,cem,neutral,CC BY 4.0,books,read\n"
        "emovo/f1/rab-f1-b1.wav,emovo,f1,angry,free,,acted\n"
    )
    (root / "manifest.csv").write_text(HEAD + (listed if rows is None else rows))
    return root


def test_each_clip_has_its_source_kind_and_licence(tmp_path):
    (corpus,) = find_corpora([f"ordinary={data_folder(tmp_path) / 'ordinary'}"])
    assert [
        (clip.path.name, clip.speaker, clip.label, clip.source, clip.kind, clip.licence) for clip in corpus.clips
    ] == [
        ("b.wav", "bob", "neutral", "books", "read", "CC BY 4.0"),
        ("a.wav", "ann", "neutral", "line", "telephone", "MIT"),
    ]
    assert corpus.licence == "books: CC BY 4.0; line: MIT"
    assert {reason: [Path(name).name for name in names] for reason, names in corpus.skipped.items()} == {
        "no such file": ["gone.wav (line 4)"],
        "not in the manifest": ["stray.wav"],
    }


def test_a_folder_of_corpora_passes_over_what_is_none(tmp_path):
    assert [corpus.name for corpus in find_corpora([str(data_folder(tmp_path))])] == ["emovo"]


def test_the_manifest_may_lie_in_the_folder(tmp_path):
    place = write_clip(tmp_path / "a.wav", seed=1)
    (tmp_path / "manifest.csv").write_text(f"{HEAD}{place.name},ordinary,ann,neutral,MIT,line,read\n")
    assert len(load(tmp_path).clips) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [("", "none of the recordings of the corpus ordinary that it lists is there"), (None, "")],
)
def test_a_folder_without_a_listed_clip_is_refused(tmp_path, rows, message):
    root = data_folder(tmp_path, rows="" if rows == "" else None)
    if rows is None:
        (root / "manifest.csv").unlink()
        message = "no manifest.csv in this folder or beside it"
    with pytest.raises(ExportError, match=f"{message}; expected a manifest.csv with the columns path, corpus"):
        load(root / "ordinary")


def test_a_manifest_without_the_columns_is_refused(tmp_path):
    root = data_folder(tmp_path)
    (root / "manifest.csv").write_text("path,label\nordinary/line/a.wav,neutral\n")
    with pytest.raises(ExportError, match=r"manifest\.csv: none of .* with the columns path, corpus, speaker, emotion"):
        load(root / "ordinary")


def test_the_page_names_sources_and_licences(tmp_path):
    corpora = find_corpora([f"ordinary={data_folder(tmp_path) / 'ordinary'}"])
    page = explore(corpora, out=tmp_path / "look", report=lambda what, share: None).read_text()
    assert '<th scope="row">books</th><td>1</td><td>read</td><td>CC BY 4.0</td>' in page
    table = (tmp_path / "look" / "clips.csv").read_text().splitlines()
    assert ",MIT,line,telephone," in table[2]


def test_the_real_one_is_whole(data_dir):
    corpus = load(data_dir / "ordinary")
    assert (len(corpus.clips), dict(corpus.skipped)) == (1276, {})
    assert Counter(clip.label for clip in corpus.clips) == {"neutral": 1276}
    assert Counter(clip.source for clip in corpus.clips)["getgoing_calls"] == 147
    assert Counter(clip.kind for clip in corpus.clips)["telephone"] == 177
    assert len({clip.speaker for clip in corpus.clips}) == 475
    assert all(clip.licence for clip in corpus.clips)
