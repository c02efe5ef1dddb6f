"""Figures in pieces: what there is to measure, what a piece says, and that none is measured twice."""

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

import keras
from keras import Input, Sequential, layers

from export.benches import ClipBench, Trial
from export.clips import Corpus
from export.corpora import find_corpora
from export.errors import ExportError
from export.fit import Scores
from export.metrics import merit
from export.protocols import PROTOCOLS, Split
from export.recipe import Recipe, Task
from export.recipes import RECIPES
from export.recipes.phone import RECIPE as PHONE_RECIPE
from export.results import SEEDS, Group, _condition, _recipe_of, _rules, measure, measure_group, plan
from sertag.errors import OutputError
from sertag.spec import FeatureSpec
from tests.export_command import run_export
from tests.limits import largest_file
from tests.training import untraced

LABELS = ("angry", "happy", "neutral", "sad")
SEQUENCE = FeatureSpec(framing="clip", n_fft=256, hop_length=256, n_mels=20, n_mfcc=8, dynamic_range_db=80.0)
OFFICIAL = ("tess", "ravdess", "emodb", "emovo", "nemo", "crema_d")


def build(task: Task) -> keras.Model:
    return Sequential(
        [
            Input((task.frames, task.columns), name="features"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(task.labels, activation="softmax"),
        ]
    )


TINY = Recipe(
    "bilstm", "", "", "", build, SEQUENCE, window_s=1.0, offset_s=0.2, labels=LABELS, epochs=2, batch=4
)  # in the place of a real one
SPEAKERS = Group("bilstm", "speakers", ("tess",), 1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    tess(folder / "tess")
    emovo(folder / "emovo", speakers=("f1", "m1"))
    return folder


@pytest.fixture(scope="module")
def corpora(root: Path) -> dict[str, Corpus]:
    return {corpus.name: corpus for corpus in find_corpora([str(root)])}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    use(monkeypatch, TINY)
    monkeypatch.setattr("export.fit._PREDICT_ROWS", 16)
    with untraced():
        yield


def use(monkeypatch: pytest.MonkeyPatch, recipe: Recipe) -> None:
    monkeypatch.setattr("export.results.RECIPES", MappingProxyType({recipe.name: recipe}))


def pieces(place: Path) -> dict[str, dict[str, Any]]:
    return {file.stem: json.loads(file.read_text()) for file in sorted(place.glob("*/*.json"))}


def test_the_plan_is_everything_the_tables_need():
    names = [name for name in RECIPES if not name.endswith("sentiment")]
    found = plan(names, PROTOCOLS, OFFICIAL)
    assert len(set(found)) == len(found)
    by = {protocol: [group for group in found if group.protocol == protocol] for protocol in PROTOCOLS}
    augmented = [name for name in names if name.endswith("augmented")]
    assert len(by["random"]) == 3 * len(SEEDS) * len(names) + len(SEEDS) * len(augmented)
    others = len(names) - 1  # the default model has a protocol of its own for strangers
    assert len(by["speakers"]) == 3 * len(SEEDS) * others
    assert [group.seed for group in by["corpora"]] == [1] * others
    assert {group.protocol for group in found if group.recipe == "phone"} == {"random"}
    assert {group.recipe for group in found if "crema_d" in group.corpora} == set(augmented)
    assert {group.corpora for group in by["corpora"]} == {("tess", "ravdess", "emodb", "emovo", "nemo")}
    assert [group.protocol for group in found] == ["random"] * len(by["random"]) + ["speakers"] * len(
        by["speakers"]
    ) + ["corpora"] * others
    assert found[: len(names)] == [Group(name, "random", ("tess",), 1) for name in names]


@pytest.mark.parametrize("missing", OFFICIAL)
def test_what_is_not_there_is_not_planned(missing):
    there = [name for name in OFFICIAL if name != missing]
    found = plan(list(RECIPES), PROTOCOLS, there)
    assert found == [group for group in plan(list(RECIPES), PROTOCOLS, OFFICIAL) if missing not in group.corpora]
    assert found


def test_the_plan_keeps_to_what_was_asked_for():
    found = plan(["bilstm"], ["speakers"], OFFICIAL)
    assert {(group.recipe, group.protocol) for group in found} == {("bilstm", "speakers")}
    assert plan(["bilstm"], PROTOCOLS, ["mine"]) == []


def test_the_default_model_has_the_labels_of_its_protocol_on_the_same_corpus():
    labels = {corpus: _recipe_of(Group("phone", "random", (corpus,), 1)).labels for corpus in OFFICIAL[:3]}
    assert "calm" in labels["ravdess"]
    assert "boredom" in labels["emodb"]
    assert labels["tess"] == PHONE_RECIPE.labels
    assert _recipe_of(SPEAKERS) is TINY


def test_figures_of_the_default_model_depend_on_its_training_too(monkeypatch, corpora):
    clips = corpora["tess"].clips
    before, other = _rules(PHONE_RECIPE, clips), _rules(TINY, clips)
    monkeypatch.setattr("export.results.code_of_training", lambda: "other settings")
    assert _rules(PHONE_RECIPE, clips) != before
    assert _rules(TINY, clips) == other


def test_a_piece_says_what_was_measured_and_how(tmp_path, corpora, cache):
    told = measure_group(SPEAKERS, [corpora["tess"]], place=tmp_path, cache=cache)
    found = pieces(tmp_path)
    assert list(found) == ["speakers-tess-oaf-1", "speakers-tess-yaf-1"]
    assert [line.partition(":")[0] for line in told] == [f"bilstm/{name}" for name in found]
    for name, piece in found.items():
        assert (piece["recipe"], piece["protocol"], piece["corpora"], piece["seed"]) == (
            "bilstm",
            "speakers",
            ["tess"],
            1,
        )
        assert piece["fold"].lower() in name
        assert (piece["leaking"], piece["inner_strangers"], piece["folds"]) == (False, False, 2)
        assert piece["labels"] == list(LABELS)
        assert piece["learnt"] == {"clips": 7, "speakers": 1, "inner_clips": 1}
        assert piece["epochs"] == {"run": 2, "kept": piece["epochs"]["kept"]}
        assert set(piece["conditions"]) == {"clean", "phone"}
        assert {"date", "commit", "python", "keras", "backend", "numpy", "training_s", "rules"} <= set(piece)
        for own in piece["conditions"].values():
            confusion, unanswered = np.array(own["confusion"]), np.array(own["unanswered"])
            assert confusion.sum() + unanswered.sum() == own["clips"] == 8
            assert (confusion.sum(axis=1) + unanswered == 2).all()
            assert (own["uar"], own["accuracy"]) == pytest.approx(merit(confusion, unanswered), abs=1e-4)
            assert 0 <= own["ece"] <= 1


def test_random_pieces_are_marked_as_leaking(tmp_path, corpora, cache):
    measure_group(Group("bilstm", "random", ("tess",), 3), [corpora["tess"]], place=tmp_path, cache=cache)
    ((name, piece),) = pieces(tmp_path).items()
    assert name == "random-tess-20-of-the-clips-3"
    assert (piece["leaking"], piece["folds"], piece["seed"]) == (True, 1, 3)


def test_across_corpora_each_is_tested_once(tmp_path, corpora, cache):
    group = Group("bilstm", "corpora", ("tess", "emovo"), 1)
    measure_group(group, list(corpora.values()), place=tmp_path, cache=cache)
    found = pieces(tmp_path)
    assert list(found) == ["corpora-all-emovo-1", "corpora-all-tess-1"]
    assert [piece["fold"] for piece in found.values()] == ["emovo", "tess"]
    assert not any(piece["leaking"] for piece in found.values())


class StopError(Exception):
    """Somebody pulled the plug."""


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folds that are trained from now on, not for real; a `stop` in front ends the run before the second one."""
    seen: list[str] = []

    def noted(self: ClipBench, split: Split, *, seed: int) -> Trial:
        if seen[:1] == ["stop"] and len(seen) == 2:
            raise StopError
        seen.append(split.name)
        nothing = Scores(np.zeros((len(split.test), len(LABELS))), np.ones(len(split.test), dtype=bool))
        return Trial(None, 2, 1, (), 1.0, 0.5, {"clean": nothing, "phone": nothing})

    monkeypatch.setattr(ClipBench, "run", noted)
    return seen


def test_a_group_that_was_interrupted_goes_on(tmp_path, corpora, cache, trainings, monkeypatch):
    trainings.append("stop")
    with pytest.raises(StopError):
        measure_group(SPEAKERS, [corpora["tess"]], place=tmp_path, cache=cache)
    assert list(pieces(tmp_path)) == ["speakers-tess-oaf-1"]
    trainings.clear()
    measure_group(SPEAKERS, [corpora["tess"]], place=tmp_path, cache=cache)
    assert trainings == ["YAF"]
    monkeypatch.setattr("export.results.bench_for", lambda *_, **__: pytest.fail("features were loaded for nothing"))
    assert measure_group(SPEAKERS, [corpora["tess"]], place=tmp_path, cache=cache) == []


def test_what_would_come_out_otherwise_is_measured_again(tmp_path, corpora, cache, trainings, monkeypatch):
    tess = corpora["tess"]

    def again(corpus: Corpus) -> int:
        trainings.clear()
        measure_group(SPEAKERS, [corpus], place=tmp_path, cache=cache)
        return len(trainings)

    assert again(tess) == 2
    assert again(dataclasses.replace(tess, clips=tess.clips[::-1])) == 0  # the order decides nothing
    assert again(dataclasses.replace(tess, clips=tess.clips[1:])) == 2
    other = dataclasses.replace(tess.clips[0], label="sad")
    assert again(dataclasses.replace(tess, clips=(other, *tess.clips[1:]))) == 2
    assert again(tess) == 2
    for recipe in (dataclasses.replace(TINY, claim="99 %"), dataclasses.replace(TINY, model="other words")):
        use(monkeypatch, recipe)
        assert again(tess) == 0
    for recipe in (dataclasses.replace(TINY, batch=3), dataclasses.replace(TINY, labels=LABELS[::-1])):
        use(monkeypatch, recipe)
        assert again(tess) == 2
    monkeypatch.setattr("export.results._RULES", 99)
    assert again(tess) == 2


def test_groups_are_measured_one_after_another(tmp_path, corpora, cache):
    groups = [dataclasses.replace(SPEAKERS, protocol="random", seed=seed) for seed in (1, 2)]
    told: list[tuple[str, float]] = []
    measure(groups, corpora, place=tmp_path, cache=cache, jobs=1, report=lambda what, share: told.append((what, share)))
    assert [share for _, share in told] == [0.5, 1.0, 1.0]
    assert told[0][0].startswith("results: bilstm/random-tess-20-of-the-clips-1: clean UAR ")
    told.clear()
    measure(groups, corpora, place=tmp_path, cache=cache, jobs=1, report=lambda what, share: told.append((what, share)))
    assert told == [("results", 1.0)]


def test_a_disk_that_fills_up_is_one_line_and_leaves_no_half_piece(tmp_path, corpora, cache):
    measure_group(Group("bilstm", "random", ("tess",), 1), [corpora["tess"]], place=tmp_path / "full", cache=cache)
    with largest_file(50), pytest.raises(OutputError, match=r"cannot write .*random-tess"):
        measure_group(Group("bilstm", "random", ("tess",), 1), [corpora["tess"]], place=tmp_path / "a", cache=cache)
    assert list((tmp_path / "a" / "bilstm").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot keep what was measured: Not a directory; name another --out"):
        measure_group(Group("bilstm", "random", ("tess",), 1), [corpora["tess"]], place=tmp_path / "file", cache=cache)


def test_where_nobody_got_an_answer_there_are_figures_all_the_same():
    nobody = Scores(np.zeros((3, 2)), np.zeros(3, dtype=bool))
    found = _condition(nobody, np.array([0, 1, 1]), 1.0, 2)
    assert (found["uar"], found["accuracy"], found["ece"], found["unanswered"]) == (0, 0, 0, [1, 2])


def run(*arguments: str) -> Any:
    return run_export("results", *arguments)


def test_the_command_measures_and_writes_tables(tmp_path, root, cache, monkeypatch):
    monkeypatch.setattr("export.results.SEEDS", (1, 2))
    options = [
        "--data",
        f"tess={root / 'tess'}",
        "--recipe",
        "bilstm",
        "-o",
        str(tmp_path),
        "--cache",
        str(cache),
        "-j",
        "1",
    ]
    done = run(*options, "--protocol", "random")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'README.md'}\n"
    assert set(pieces(tmp_path)) == {"random-tess-20-of-the-clips-1", "random-tess-20-of-the-clips-2"}
    assert "random 80/20, **leaking**, clean" in (tmp_path / "README.md").read_text()
    assert "unseen speakers, clean" not in (tmp_path / "README.md").read_text()
    done = run(*options, "--protocol", "speakers")
    assert done.exit_code == 0, done.output
    assert len(pieces(tmp_path)) == 6
    assert "unseen speakers, clean" in (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").unlink()
    monkeypatch.setattr("export.results.measure", lambda *_, **__: pytest.fail("was measured without --data"))
    done = run("-o", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert "| `bilstm` | 4 |" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "{root}/emovo=1"], "no such folder"),
        (["--data", "emovo={root}/emovo"], "nothing to measure on emovo; expected tess, ravdess or emodb for a start"),
        (
            ["--data", "tess={root}/tess", "--recipe", "phone", "--protocol", "speakers"],
            "`phone` on strangers is measured by `protocol phone`",
        ),
        (["-o", "{root}/none"], "cannot write"),
    ],
)
def test_what_cannot_be_measured_is_one_line(tmp_path, root, arguments, message):
    given = [argument.format(root=root) for argument in arguments]
    done = run(*([] if "-o" in given else ["-o", str(tmp_path)]), "--cache", str(tmp_path / "cache"), *given)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert message in done.stderr
    assert "Traceback" not in done.output
