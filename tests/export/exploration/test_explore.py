"""The folder to look at corpora with: its page, its tables and its pictures."""

from __future__ import annotations

import csv
import dataclasses
import os
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the extra `export` is not installed")
pytest.importorskip("pandas", reason="the extra `export` is not installed")

from export.corpora.clips import Clip, Corpus
from export.exploration.explore import explore
from tests.audio_files import encoded, tones, wav
from tests.export.exploration.test_survey import corpus_of, quiet

VOID = {"meta", "img", "br", "link"}
STRANGE = "<b>&\"'"


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in order."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.alternatives: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(place.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.links += [str(found[name]) for name in ("href", "src") if name in found]
        self.ids |= {str(found["id"])} if "id" in found else set()
        self.alternatives += [str(found.get("alt"))] if tag == "img" else []
        assert not any(name.startswith("on") for name in found)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if self._open and self._open[-1] != "style" else ""


def rows(place: Path) -> list[dict[str, str]]:
    with place.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two speakers, three labels; of one label nothing can be read."""
    folder = tmp_path_factory.mktemp("corpus")
    recordings = {
        "a_sad_1": encoded(tones(0.5)),
        "a_sad_2": encoded(tones(1.0)),
        "b_sad_3": encoded(tones(1.5)),
        "b_happy_4": wav(tones(0.7), data_size=4 * 8000),
        "a_fear_5": b"no audio",
    }
    skipped = {"no audio suffix": ("notes.txt",), "label boredom has no counterpart": ("x.wav", "y.wav")}
    flawed = {"cut short": ("z.wav",)}
    return dataclasses.replace(corpus_of(folder, **recordings), skipped=skipped, flawed=flawed)


@pytest.fixture(scope="module")
def explored(mixed: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("look") / "here"
    assert explore((mixed,), out=folder, report=quiet) == folder / "index.html"
    return folder


def test_the_page_needs_nothing_from_elsewhere(explored):
    page = Page(explored / "index.html")
    assert "script" not in page.tags
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (explored / unquote(link)).is_file(), link
    assert sum(link.endswith(".png") for link in page.links) == 2 + 2  # labels, durations, and two labels' clips
    assert all(page.alternatives)
    assert "prefers-color-scheme: dark" in (explored / "index.html").read_text()


def test_the_page_tells_what_is_wrong_with_a_corpus(explored):
    text = Page(explored / "index.html").text
    for words in ("1 could not be read", "a_fear_5.wav: is ", "1 truncated", "b_happy_4.wav", "notes.txt", "CC0"):
        assert words in text
    assert "1 left out: no audio suffix" in text
    assert "2 left out: label boredom has no counterpart" in text
    assert "1 kept, but cut short" in text
    assert "z.wav" in text


def test_the_tables_have_every_clip(explored):
    (corpus,) = rows(explored / "corpora.csv")
    assert (corpus["clips"], corpus["speakers"], corpus["labels"]) == ("5", "2", "3")
    span = [corpus[column] for column in ("shortest_s", "median_s", "longest_s", "total_s")]
    assert span == ["0.5", "0.85", "1.5", "3.7"]
    assert (corpus["rates_hz"], corpus["truncated"], corpus["unreadable"]) == ("8000: 4", "1", "1")
    assert corpus["left_out"] == "1 no audio suffix; 2 label boredom has no counterpart"
    assert [(row["label"], row["clips"]) for row in rows(explored / "labels.csv")] == [
        ("fear", "1"),
        ("happy", "1"),
        ("sad", "3"),
    ]
    assert [tuple(row.values())[1:] for row in rows(explored / "speakers.csv")] == [
        ("a", "fear", "1"),
        ("a", "sad", "2"),
        ("b", "happy", "1"),
        ("b", "sad", "1"),
    ]
    clips = {Path(row["path"]).stem: row for row in rows(explored / "clips.csv")}
    assert {name: row["status"] for name, row in clips.items()} == {
        "a_sad_1": "ok",
        "a_sad_2": "ok",
        "b_sad_3": "ok",
        "b_happy_4": "truncated",
        "a_fear_5": "not_audio",
    }
    assert (clips["a_sad_2"]["duration_s"], clips["a_sad_2"]["rate_hz"]) == ("1", "8000")
    assert (clips["a_fear_5"]["duration_s"], clips["a_fear_5"]["level_dbfs"]) == ("", "")


def test_the_clip_of_median_length_is_shown(explored):
    text = Page(explored / "index.html").text
    assert "sad: a_sad_2.wav, speaker a, sentence 2, 1.00 s" in text
    assert "a_sad_1.wav" not in text


def test_the_same_corpora_give_the_same_bytes(explored, mixed, tmp_path):
    explore((mixed,), out=tmp_path / "again", report=quiet)
    files = sorted(path.relative_to(explored) for path in explored.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.*"))
    assert len(files) == 9
    for name in files:
        assert (explored / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_names_of_other_people_stay_text(tmp_path):
    """Corpus, label, speaker, file and licence may be anything a file system or a manifest can hold."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    path = folder / os.fsdecode(b"=<i>\xff\n#?%20.wav")
    path.write_bytes(encoded(tones(0.5)))
    clip = Clip(path, STRANGE, "=1+1", f"../{STRANGE}", "</td>", "", STRANGE, "0")
    names = (STRANGE, "..", "a/b", "a_b", "a%2Fb")
    corpora = tuple(Corpus(name, STRANGE, (clip,), MappingProxyType({STRANGE: (STRANGE,)})) for name in names)
    place = explore(corpora, out=tmp_path / "out", report=quiet)
    page = Page(place)
    assert not {"b", "i"} & set(page.tags)
    assert STRANGE in page.text
    assert r"=<i>\xff\n#?%20.wav" in page.text
    pictures = [place.parent / unquote(link) for link in page.links if link.endswith(".png")]
    assert len(set(pictures)) == 3 * len(names)
    assert all(picture.is_file() for picture in pictures)
    assert all(picture.resolve().is_relative_to(place.parent.resolve()) for picture in pictures)
    assert {row["speaker"] for row in rows(place.parent / "clips.csv")} == {"'=1+1"}


def test_a_corpus_of_which_nothing_can_be_read_still_has_its_page(tmp_path):
    corpus = corpus_of(tmp_path, a_sad_1=b"", a_sad_2=b"x" * 100)
    page = Page(explore((corpus,), out=tmp_path / "out", report=quiet))
    assert "2 could not be read" in page.text
    assert "none could be read" in page.text
    (row,) = rows(tmp_path / "out" / "corpora.csv")
    assert (row["unreadable"], row["median_s"], row["total_s"]) == ("2", "", "0")


def test_a_level_and_an_offset_are_told(tmp_path):
    corpus = corpus_of(tmp_path, a_sad_1=encoded(tones(1) + np.float32(0.1), subtype="FLOAT"))
    page = Page(explore((corpus,), out=tmp_path / "out", report=quiet))
    assert "Largest DC offset: 10.0" in page.text
    (row,) = rows(tmp_path / "out" / "corpora.csv")
    assert (row["quiet"], row["dc_offset"]) == ("0", "1")
