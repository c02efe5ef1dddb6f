"""The measuring loop on tiny corpora: what a run says, that none is measured twice, and the commands around it."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests.corpora import emovo, tess

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("pandas", reason="the extra `export` is not installed")

import keras
from click.testing import CliRunner
from keras import Input, Sequential, layers

from benchmarks.accuracy import run as runs
from benchmarks.accuracy import store, suites
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.run import Work, measure, measure_run, plan
from benchmarks.accuracy.suites import SUITES, Suite
from export.corpora.clips import Corpus, data_hash
from export.corpora.decodable import drop_unusable
from export.corpora.loading import find_corpora
from export.errors import ExportError
from export.features.clip_windows import CONDITIONS
from export.recipes.base import Recipe, Task
from export.training import fit_clip
from sertag.spec import FeatureSpec
from tests.limits import largest_file
from tests.training import small_phone, untraced

LABELS = ("angry", "happy", "neutral", "sad")
SEQUENCE = FeatureSpec(framing="clip", n_fft=256, hop_length=256, n_mels=20, n_mfcc=8, dynamic_range_db=80.0)
SPEAKERS = Suite("tess", "TESS, the other speaker", ("tess",), "speakers", LABELS)
STRANGERS = Suite("emovo", "EMOVO, the other speaker", ("emovo",), "speakers", LABELS, only=("phone",))
ACROSS = Suite("corpora", "an unseen corpus out of two", ("tess", "emovo"), "corpora", LABELS)
RANDOM = Suite("random-tess", "at random", ("tess",), "random", LABELS, seeds=(1, 2))
REAL_SUITES = dict(SUITES)
TINY_SUITES = {suite.name: suite for suite in (SPEAKERS, STRANGERS, ACROSS, RANDOM)}


def build(task: Task) -> keras.Model:
    return Sequential(
        [
            Input((task.frames, task.columns), name="features"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(task.labels, activation="softmax"),
        ]
    )


TINY = Recipe("bilstm", "", "", "", build, SEQUENCE, window_s=1.0, offset_s=0.2, labels=LABELS, epochs=2, batch=16)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = MappingProxyType({"bilstm": TINY, "phone": small_phone()})
    for module in ("run", "__main__", "tables", "store"):
        monkeypatch.setattr(f"benchmarks.accuracy.{module}.RECIPES", known)
    for module in ("__main__", "tables", "suites"):
        monkeypatch.setattr(f"benchmarks.accuracy.{module}.SUITES", TINY_SUITES)
    for module in ("run", "__main__"):
        monkeypatch.setattr(f"benchmarks.accuracy.{module}.usable_cpus", lambda: 1)
    with untraced():
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    tess(folder / "tess", words=1)
    emovo(folder / "emovo")
    return folder


@pytest.fixture(scope="module")
def corpora(root: Path, cache: Path) -> dict[str, Corpus]:
    found = drop_unusable(find_corpora([str(root)]), jobs=1, least_s=0.1, report=lambda what, share: None)
    return {corpus.name: corpus for corpus in found}


def one(corpora: dict[str, Corpus], suite: Suite, recipe: Recipe, cache: Path, *, seed: int = 1) -> Any:
    work = Work(suite, dataclasses.replace(recipe, labels=LABELS), seed)
    return measure_run(work, runs._clips(corpora, work), cache=cache)[1]


def test_a_recipe_of_the_field_is_measured_clean_and_by_phone(corpora, cache):
    found = one(corpora, SPEAKERS, TINY, cache)
    assert (found["seed"], found["labels"], found["clips"], found["leaking"]) == (1, list(LABELS), 8, False)
    assert tuple(found["conditions"]) == CONDITIONS
    assert list(found["folds"]) == ["OAF", "YAF"]
    for name, own in found["conditions"].items():
        assert own["uar_low"] <= own["uar"] <= own["uar_high"]
        assert np.mean([fold[name]["accuracy"] for fold in found["folds"].values()]) == pytest.approx(own["accuracy"])
    assert {"date", "commit", "libraries", "took_s", "data_sha256", "protocol_version"} <= set(found)


def test_a_recipe_for_calls_is_asked_about_strangers_and_learns_from_everybody_else(corpora, cache, monkeypatch):
    learnt: list[int] = []
    true = runs.Experiment.fit

    def noted(experiment: Any, members: Any, **options: Any) -> Any:
        learnt.append(len(members))
        return true(experiment, members, **options)

    monkeypatch.setattr(runs.Experiment, "fit", noted)
    found = one(corpora, ACROSS, small_phone(), cache)
    assert tuple(found["conditions"]) == CONDITIONS
    assert list(found["folds"]) == ["emovo", "tess"]
    assert learnt == [len(corpora["tess"].clips), sum(clip.label in LABELS for clip in corpora["emovo"].clips)]
    means = [np.mean([fold[name]["uar"] for fold in found["folds"].values()]) for name in CONDITIONS]
    assert means == pytest.approx([own["uar"] for own in found["conditions"].values()], abs=1e-4)
    assert all(0 <= own["anger_auc"] <= 1 for own in found["conditions"].values())


def test_nobody_who_is_tested_is_learnt_from_or_calibrates(corpora, cache, monkeypatch):
    seen = []
    true = runs._scores

    def noted(experiment: Any, split: Any, **options: Any) -> Any:
        clips = experiment.clips
        seen.append([{clips[index].person for index in part} for part in (split.train, split.validation, split.test)])
        return true(experiment, split, **options)

    monkeypatch.setattr(runs, "_scores", noted)
    for suite in (SPEAKERS, ACROSS):
        one(corpora, suite, TINY, cache)
    one(corpora, STRANGERS, small_phone(), cache)
    assert len(seen) == 7
    for learn, inner, test in seen:
        assert test
        assert not test & (learn | inner)


class StopError(Exception):
    """Somebody pulled the plug."""


def test_a_run_that_was_interrupted_goes_on_with_the_fold_that_is_missing(corpora, cache, tmp_path, monkeypatch):
    trained: list[int] = []
    true = fit_clip._run_epoch

    def counted(*arguments: Any, number: int, **options: Any) -> Any:
        if trained == [1, 2, 1] and len(stop):
            stop.pop()
            raise StopError
        trained.append(number)
        return true(*arguments, number=number, **options)

    stop = [True]
    monkeypatch.setattr(fit_clip, "_run_epoch", counted)
    with pytest.raises(StopError):
        one(corpora, SPEAKERS, TINY, tmp_path)
    interrupted = one(corpora, SPEAKERS, TINY, tmp_path)
    assert trained == [1, 2, 1, 1, 2]  # two epochs each; the first fold is there, the second begins again
    undisturbed = one(corpora, SPEAKERS, TINY, cache)
    assert interrupted["conditions"] == undisturbed["conditions"]


def test_what_would_come_out_otherwise_is_measured_again(corpora, cache, tmp_path, monkeypatch):
    measured: list[int] = []

    def noted(work: Work, clips: Any, **_: Any) -> Any:
        measured.append(work.seed)
        own = {"seed": work.seed, "data_sha256": data_hash(clips), "protocol_version": store.PROTOCOL_VERSION}
        return work, known | own

    known = one(corpora, SPEAKERS, TINY, cache)
    monkeypatch.setattr(runs, "measure_run", noted)

    def again(own: dict[str, Corpus] = corpora) -> list[int]:
        measured.clear()
        measure(plan([SPEAKERS], ["bilstm"], seeds=(1, 2)), own, results=tmp_path, cache=cache, jobs=1)
        return list(measured)

    assert again() == [1, 2]
    assert again() == []
    fewer = dataclasses.replace(corpora["tess"], clips=corpora["tess"].clips[1:])
    assert again({**corpora, "tess": fewer}) == [1, 2]
    assert again() == [1, 2]
    monkeypatch.setattr(store, "PROTOCOL_VERSION", 99)
    assert again() == [1, 2]
    assert [run["seed"] for run in store.read(tmp_path, SPEAKERS)["bilstm"]] == [1, 2]


def test_seeds_of_an_older_protocol_are_not_averaged_with_new_ones(tmp_path, monkeypatch):
    run = {"protocol_version": store.PROTOCOL_VERSION, "seed": 1}
    for seed in (1, 2):
        store.add(tmp_path, SPEAKERS, "bilstm", run | {"seed": seed})
    monkeypatch.setattr(store, "PROTOCOL_VERSION", 99)
    store.add(tmp_path, SPEAKERS, "bilstm", run | {"seed": 2, "protocol_version": 99})
    assert [(own["seed"], own["protocol_version"]) for own in store.read(tmp_path, SPEAKERS)["bilstm"]] == [(2, 99)]


def test_the_plan_is_everything_that_is_asked():
    asked = plan(list(TINY_SUITES.values()), ["bilstm", "phone"])
    assert (
        len({(work.suite.name, work.recipe.name, work.seed) for work in asked})
        == len(asked)
        == 3 * 2 + 3 + 3 * 2 + 2 * 2
    )
    assert [work.seed for work in asked] == sorted(work.seed for work in asked)
    assert {work.recipe.name for work in asked if work.suite is STRANGERS} == {"phone"}
    assert [work.seed for work in plan([RANDOM], ["bilstm"], seeds=(7,))] == [7]


def test_the_real_suites_are_sound():
    for suite in REAL_SUITES.values():
        assert set(suite.corpora) <= {"tess", "ravdess", "emodb", "emovo", "nemo", "crema_d"}
        assert (suite.split == "random") == suite.name.startswith("random")
    for name in suites.CALL_RECIPES:
        assert [suite.name for suite in REAL_SUITES.values() if suite.asks(name)] == ["ravdess", "emodb", "crema_d"]
    assert {"phone", "phone-deep"} == set(suites.CALL_RECIPES)


def test_a_disk_that_fills_up_is_one_line(corpora, cache, tmp_path):
    (tmp_path / "file").write_text("")
    run = one(corpora, SPEAKERS, TINY, cache)
    with pytest.raises(ExportError, match=r"cannot keep what was measured: .*name another --out"):
        store.add(tmp_path / "file" / "x", SPEAKERS, "bilstm", run)
    with largest_file(0), pytest.raises(ExportError, match="cannot keep this for the next run"):
        one(corpora, SPEAKERS, TINY, tmp_path / "cache")


def command(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_measures_and_writes_tables(tmp_path, root, cache):
    options = ["--data", root / "tess".upper(), "-o", tmp_path, "--cache", cache, "-j", 1]
    options[1] = f"tess={root / 'tess'}"
    done = command("measure", *options, "--recipe", "bilstm")
    assert done.exit_code == 0, done.output
    assert {file.name for file in tmp_path.iterdir()} == {"tess.json", "random-tess.json", "recipes.csv", "README.md"}
    assert set(json.loads((tmp_path / "tess.json").read_text())["recipes"]) == {"bilstm"}
    page = (tmp_path / "README.md").read_text()
    assert "random 80/20, **leaking**, clean" in page
    (tmp_path / "README.md").unlink()
    assert command("tables", "-o", tmp_path).exit_code == 0
    assert (tmp_path / "README.md").read_text() == page
    options = ["--data", f"emovo={root / 'emovo'}", "-o", tmp_path, "--cache", cache]
    other = command("measure", *options, "--suite", "tess")
    assert other.exit_code == 1
    assert "no suite can be measured on emovo; needed are tess: tess" in other.output
