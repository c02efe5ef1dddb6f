"""Trials of configurations: on whom they are scored, what is written down, and that none is tried twice."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.corpora import emovo

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")

from export import search
from export.benches import PhoneBench
from export.clips import Corpus
from export.corpora import find_corpora
from export.errors import ExportError
from export.fit_phone import Settings
from export.phone_questions import CONDITIONS, Question, splits_of
from export.pieces import read_lines
from export.search import changed, try_out
from tests.export_command import run_export
from tests.limits import largest_file
from tests.training import one_process, small_phone, untraced

LABELS = ("angry", "happy", "neutral", "sad")
QUESTION = Question("emovo", "EMOVO", ("emovo",), LABELS, "speakers")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    small_phone(monkeypatch)
    one_process(monkeypatch)
    with untraced():
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    emovo(folder / "emovo", speakers=("f1", "f2", "m1", "m2"))
    return folder


@pytest.fixture(scope="module")
def corpora(root: Path) -> dict[str, Corpus]:
    return {corpus.name: corpus for corpus in find_corpora([str(root)])}


@pytest.fixture
def tried(corpora, root, tmp_path, monkeypatch) -> Any:
    """Try a configuration; notes who was learnt from and who was scored."""
    seen: list[tuple[set[str], set[str]]] = []
    true_run = PhoneBench.run

    def noted(self: PhoneBench, split: Any, **options: Any) -> Any:
        people = [{self.clips[index].person for index in part} for part in (split.learn, split.test)]
        seen.append((people[0], people[1]))
        return true_run(self, split, **options)

    monkeypatch.setattr(PhoneBench, "run", noted)

    def call(fold: int = 0, **changes: str) -> dict[str, Any]:
        return try_out(
            QUESTION,
            corpora,
            fold=fold,
            seed=1,
            changes=changes,
            note="as it is",
            cache=root / "cache",
            log=tmp_path / "search.jsonl",
        )

    call.seen, call.log = seen, tmp_path / "search.jsonl"  # type: ignore[attr-defined]
    return call


def test_the_speakers_of_the_fold_are_left_alone_and_all_others_are_scored_as_strangers(tried, corpora):
    clips = corpora["emovo"].clips
    for fold, split in enumerate(splits_of(QUESTION, clips, seed=1)):
        tried.seen.clear()
        tried(fold)
        tested = {clips[index].person for index in split.test}
        assert [learnt & scored for learnt, scored in tried.seen] == [set()] * 3
        assert set.union(*(learnt | scored for learnt, scored in tried.seen)) == {c.person for c in clips} - tested
        assert sum(len(scored) for _, scored in tried.seen) == 3


def test_a_trial_is_written_down_once(tried):
    line = tried(windows="2")
    assert read_lines(tried.log) == [line]
    assert (line["test"], line["fold"], line["seed"], line["changes"]) == ("emovo", 0, 1, {"windows": "2"})
    assert (line["note"], line["inner_folds"]) == ("as it is", 3)
    assert set(line["inner"]) == {*CONDITIONS, "noise, one clip", "noise, in a call"}
    assert all(0 <= own["uar"] <= 1 and 0 <= own["accuracy"] <= 1 for own in line["inner"].values())
    assert {"date", "commit", "keras", "rules", "took_s"} <= set(line)
    trainings = len(tried.seen)
    assert tried(windows="2") == line
    assert len(tried.seen) == trainings
    assert len(read_lines(tried.log)) == 1
    tried(windows="3")
    tried(1, windows="2")
    assert len(read_lines(tried.log)) == 3


def test_unseen_corpora_are_chosen_on_corpora(corpora, root, tmp_path, monkeypatch):
    """Of four corpora one is left alone; each of the others is scored by a network that has not heard it."""
    names = ("a", "b", "c", "d")
    clips = corpora["emovo"].clips
    parts = {
        name: Corpus(name, "", tuple(dataclasses.replace(clip, corpus=name) for clip in clips if clip.speaker == who))
        for name, who in zip(names, sorted({clip.speaker for clip in clips}), strict=True)
    }
    question = Question("corpora", "unseen", names, LABELS, "corpora")
    seen: list[tuple[set[str], set[str]]] = []
    true_run = PhoneBench.run

    def noted(self: PhoneBench, split: Any, **options: Any) -> Any:
        seen.append(tuple({self.clips[index].corpus for index in part} for part in (split.learn, split.test)))
        return true_run(self, split, **options)

    monkeypatch.setattr(PhoneBench, "run", noted)
    options = {"seed": 1, "changes": {}, "note": "", "cache": root / "cache", "log": tmp_path / "log"}
    line = try_out(question, parts, fold=1, **options)
    assert seen == [({"c", "d"}, {"a"}), ({"a", "d"}, {"c"}), ({"a", "c"}, {"d"})]
    assert line["inner_folds"] == 3
    for found in line["inner"].values():
        assert list(found["corpora"]) == ["a", "c", "d"]
        for name in ("uar", "accuracy", "anger_auc"):
            own = [figures[name] for figures in found["corpora"].values() if name in figures]
            assert found[name] == pytest.approx(sum(own) / len(own), abs=1e-4)
    angry = [name for name, own in found["corpora"].items() if "anger_auc" in own]
    assert angry == [name for name in ("a", "c", "d") if "angry" in {clip.label for clip in parts[name].clips}]


def test_what_is_changed_is_what_is_trained_with(tried, monkeypatch):
    found: list[Settings] = []
    true = search.PhoneBench.__init__

    def noted(self: PhoneBench, *arguments: Any, settings: Settings, **options: Any) -> None:
        found.append(settings)
        true(self, *arguments, settings=settings, **options)

    monkeypatch.setattr(search.PhoneBench, "__init__", noted)
    line = tried(learning_rate="0.01")
    other = tried(**{"mixture.clean": "0.25"})
    assert (found[0].learning_rate, found[0].mixture.clean) == (0.01, 0.5)
    assert (found[1].learning_rate, found[1].mixture.clean) == (2e-3, 0.25)
    assert line["changes"] != other["changes"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": "3"}, "--set depth: no such setting; expected one of seed, folds"),
        ({"labels": "angry"}, "--set labels: no such setting"),
        ({"window_frames": "3"}, "--set window_frames: no such setting"),
        ({"mixture.depth": "3"}, "--set mixture.depth: no such setting; expected one of clean, noisy, file"),
        ({"features.bands": "3"}, "--set features.bands: no such setting; expected one of kind, rate_hz"),
        ({"settings.seed": "3"}, "--set settings.seed: no such setting"),
        ({"epochs": "many"}, "--set epochs=many: expected int, such as"),
        ({"epochs": "1.5"}, "--set epochs=1.5: expected int"),
        ({"mixture.clean": "half"}, "--set mixture.clean=half: expected float"),
    ],
)
def test_what_is_no_setting_is_refused(changes, message):
    with pytest.raises(ExportError, match=message):
        changed(Settings(), changes)


def test_a_fold_that_is_not_there_is_refused(tried):
    with pytest.raises(ExportError, match="there is no fold 4; emovo has 4, from 0 on"):
        tried(4)
    assert not tried.log.exists()


def test_a_disk_that_is_full_is_one_line(tried):
    with largest_file(10**6):
        tried()  # the features are kept
    tried.log.unlink()
    with largest_file(10), pytest.raises(ExportError, match=r"search\.jsonl: cannot write down what was tried"):
        tried()


def run(*arguments: object) -> Any:
    return run_export("search", "phone", *arguments)


def test_the_command_prints_its_line(root, tmp_path, monkeypatch):
    monkeypatch.setattr("export.phone_questions.QUESTIONS", (QUESTION,))
    places = ["--data", f"emovo={root / 'emovo'}", "--cache", root / "cache", "-o", tmp_path / "s.jsonl"]
    done = run(*places, "--test", "emovo", "--set", "windows=2", "--note", "twice as long")
    assert done.exit_code == 0, done.output
    assert [json.loads(done.stdout.splitlines()[-1])] == read_lines(tmp_path / "s.jsonl")
    assert read_lines(tmp_path / "s.jsonl")[0]["note"] == "twice as long"
    assert run(*places, "--test", "tess").exit_code == 2
    assert run(*places, "--test", "emovo", "--set", "epochs").exit_code == 2
    refused = run(*places, "--test", "emovo", "--set", "depth=2")
    assert (refused.exit_code, "no such setting" in refused.output) == (1, True)
