"""The committed results: one file a suite, one table, one page, and all three say the same."""

from __future__ import annotations

import csv
import json

import pytest

pytest.importorskip("pandas", reason="the extra `export` is not installed")
pytest.importorskip("jinja2", reason="the extra `export` is not installed")

from benchmarks.accuracy import store, tables
from benchmarks.accuracy.run import OPEN
from benchmarks.accuracy.store import CALLS, is_current, read_calls
from benchmarks.accuracy.suites import CALL_RECIPES, SUITES
from export.recipes import RECIPES


def test_table_and_page_are_those_of_the_files(tmp_path):
    rows = tables.recipe_rows(store.RESULTS)
    advice = "run `python -m benchmarks.accuracy tables`"
    assert (store.RESULTS / tables.RECIPES_CSV).read_text() == rows.to_csv(index=False), advice
    assert (store.RESULTS / tables.PAGE).read_text() == tables.as_page(store.RESULTS, rows), advice


def test_there_is_one_file_a_suite_and_nothing_else():
    tables_and_pages = {"recipes.csv", "trials.csv", "robustness.json", "README.md", CALLS, OPEN}
    assert {place.name for place in store.RESULTS.iterdir()} <= {f"{name}.json" for name in SUITES} | tables_and_pages


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_answers_are_of_recipes_that_are_asked_and_by_the_protocol_of_today(suite):
    found = store.read(store.RESULTS, suite)
    assert set(found) <= {name for name in RECIPES if suite.asks(name)}
    for runs in found.values():
        assert all(set(run["conditions"]) == {"clean", "phone"} and is_current(run) for run in runs)


@pytest.mark.parametrize("name", ["random-tess", "tess", "random-mixed", "mixed", "mixed-corpora"])
def test_every_recipe_of_the_field_that_is_asked_has_an_answer(name):
    suite = SUITES[name]
    assert {recipe for recipe in RECIPES if suite.asks(recipe)} <= set(store.read(store.RESULTS, suite))


def test_entries_of_calls_are_of_recipes_for_calls():
    found = [(run["recipe"], run["seed"]) for run in read_calls(store.RESULTS / CALLS)]
    assert len(set(found)) == len(found)
    assert {recipe for recipe, _ in found} <= set(CALL_RECIPES)


def test_trials_made_elsewhere_are_marked():
    with (store.RESULTS / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 256
    assert sum(row["code"] == "not in the repository" for row in rows) == 202
    page = " ".join((store.RESULTS / tables.PAGE).read_text().split())
    assert "the other 202 by scripts that are not in it" in page


def test_a_page_without_results_says_so(tmp_path):
    page = tables.write(tmp_path)
    assert "Nothing was measured yet." in page.read_text()


def test_figures_of_an_older_protocol_are_marked(tmp_path):
    for name in ("tess", "random-tess"):
        document = json.loads((store.RESULTS / f"{name}.json").read_text())
        for recipe, runs in document["recipes"].items():
            for run in runs:
                run["protocol_version"] = store.PROTOCOL_VERSION - (recipe == "bilstm")
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    page = tables.write(tmp_path).read_text()
    (line, *_) = [line for line in page.splitlines() if line.startswith("| `bilstm` | 6 |")]
    assert line.count("†") == 4
    assert all("†" not in line for line in page.splitlines() if line.startswith("| `lstm-masked` |"))


def test_a_corpus_learnt_from_fewer_is_not_taken_for_one_learnt_from_four(tmp_path):
    found = store.read_json(store.RESULTS / "mixed-corpora.json")
    store.write_json(tmp_path / "mixed-corpora.json", found)
    found["recipes"]["cnn-augmented"][0]["folds"]["tess"]["clean"]["uar"] = 0.123
    store.write_json(tmp_path / "corpora.json", found)
    rows = tables.recipe_rows(tmp_path)
    page = tables.as_page(tmp_path, rows)
    own = rows[(rows.recipe == "cnn-augmented") & (rows.tested == "tess") & (rows.condition == "clean")]
    uar = {row.suite: f"{100 * row.uar:.1f} (1)" for row in own.itertuples()}
    ours, theirs = page.split("## One of TESS, RAVDESS and CREMA-D")
    (line,) = [line for line in ours.split("## tess")[1].split("## ")[0].splitlines() if "cnn-augmented" in line]
    assert uar["corpora"] in line
    assert uar["mixed-corpora"] not in line
    assert f"| `cnn-augmented` | {uar['mixed-corpora']}" in theirs
