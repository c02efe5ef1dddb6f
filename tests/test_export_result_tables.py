"""Tables made of pieces: what is counted together, what a mean is over, what is said of cells that are not whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import phone_pieces
from export.recipes import RECIPES
from export.result_tables import Cell, as_markdown, read_cells, write_tables
from export.results import code_behind
from sertag.errors import OutputError

Counts = Sequence[Sequence[int]]
GOOD, BAD = [[4, 0], [0, 4]], [[0, 4], [0, 4]]


def condition(confusion: Counts, *, unanswered: Sequence[int] = (0, 0), ece: float = 0.1) -> dict[str, Any]:
    return {
        "clips": int(np.sum(confusion)) + sum(unanswered),
        "ece": ece,
        "unanswered": list(unanswered),
        "confusion": [list(row) for row in confusion],
    }


def write_piece(
    place: Path,
    *,
    recipe: str = "bilstm",
    protocol: str = "speakers",
    corpora: Sequence[str] = ("tess",),
    fold: str = "OAF",
    seed: int = 1,
    folds: int = 2,
    clean: Any = None,
    phone: Any = None,
    date: str = "2026-11-21",
    commit: str = "abc1234",
    code: str | None = None,
) -> None:
    piece = {
        "recipe": recipe,
        "protocol": protocol,
        "corpora": list(corpora),
        "seed": seed,
        "fold": fold,
        "folds": folds,
        "labels": ["angry", "sad"],
        "code": code_behind(RECIPES[recipe]) if code is None else code,
        "conditions": {"clean": clean or condition(GOOD), "phone": phone or condition(BAD)},
        "date": date,
        "commit": commit,
    }
    folder = place / recipe
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{protocol}-{'+'.join(corpora)}-{fold}-{seed}.json".lower()).write_text(json.dumps(piece))


def write_answer(place: Path, *, test: str, fold: str, labels: Sequence[str], clean: Any) -> None:
    """A piece of the default model's own protocol."""
    answered = {name: value for name, value in clean.items() if name != "unanswered"}
    found = dict.fromkeys(("clean", "phone", "clean, in a call"), answered)
    piece = {"test": test, "fold": fold, "seed": 1, "folds": 1, "labels": list(labels), "conditions": found}
    piece["code"] = code_behind(RECIPES["phone"])
    (place / "protocol").mkdir(exist_ok=True)
    (place / "protocol" / f"{test}-{fold}-1.json").write_text(json.dumps(piece | {"date": "2026-11-22", "commit": "b"}))


def only(cells: list[Cell], name: str = "clean") -> Cell:
    (cell,) = [cell for cell in cells if cell.condition == name]
    return cell


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Cells of the table under a heading, head first."""
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_default_model_on_strangers_is_taken_from_its_own_protocol(tmp_path):
    write_piece(tmp_path, recipe="phone", protocol="random", corpora=("emodb",), fold="a random fifth", folds=1)
    labels = ("angry", "boredom", "sad")
    write_answer(tmp_path, test="emodb", fold="03", labels=labels, clean=condition([[1, 1, 0], [0, 2, 0], [0, 0, 2]]))
    write_answer(tmp_path, test="corpora", fold="nemo", labels=labels[:2], clean=condition(BAD))
    write_answer(tmp_path, test="tess-among-others", fold="OAF", labels=labels[:2], clean=condition(GOOD))
    write_answer(tmp_path, test="calls", fold="", labels=labels[:2], clean=condition(GOOD))
    found = {(cell.protocol, cell.tested): cell for cell in read_cells(tmp_path) if cell.condition == "clean"}
    assert set(found) == {("random", "emodb"), ("speakers", "emodb"), ("corpora", "nemo")}
    assert all(cell.recipe == "phone" for cell in found.values())
    assert found["speakers", "emodb"].uar == pytest.approx((0.5 + 1 + 1) / 3)
    assert (found["speakers", "emodb"].labels, found["speakers", "emodb"].dates) == (3, ("2026-11-22",))
    assert found["corpora", "nemo"].uar == pytest.approx(0.5)


def test_where_another_recipe_was_chosen_without_the_tested_corpus_it_takes_the_place_of_the_recipe(
    tmp_path, monkeypatch
):
    for name in ("03", "08"):
        write_answer(tmp_path, test="emodb", fold=name, labels=("angry", "sad"), clean=condition(GOOD))
    monkeypatch.setattr(phone_pieces, "read_choice", lambda place: {"chosen": {"emodb": "no noise in training"}})
    assert only(read_cells(tmp_path)).uar == pytest.approx(1.0)  # as long as that one is not measured
    (tmp_path / "chosen").mkdir()
    for name in ("03", "08"):
        file = tmp_path / "protocol" / f"emodb-{name}-1.json"
        piece = json.loads(file.read_text()) | {"candidate": "no noise in training"}
        piece["conditions"]["clean"]["confusion"] = [[3, 1], [1, 3]]
        (tmp_path / "chosen" / file.name).write_text(json.dumps(piece))
    assert only(read_cells(tmp_path)).uar == pytest.approx(0.75)


def test_folds_are_counted_together_before_anything_is_divided(tmp_path):
    """A fold with few clips of a class must not weigh as much as one with many."""
    write_piece(tmp_path, fold="OAF", clean=condition([[9, 0], [0, 9]], ece=0.0))
    write_piece(tmp_path, fold="YAF", clean=condition([[0, 1], [0, 1]], ece=0.4))
    found = only(read_cells(tmp_path))
    assert found.uar == pytest.approx((9 / 10 + 10 / 10) / 2)  # the mean of the folds' UAR would be 0.75
    assert found.accuracy == pytest.approx(19 / 20)
    assert found.ece == pytest.approx((18 * 0 + 2 * 0.4) / 20)
    assert (found.clips, found.seeds, found.complete, found.labels) == (20, 1, True, 2)


def test_clips_without_an_answer_are_errors(tmp_path):
    write_piece(tmp_path, protocol="random", folds=1, clean=condition(GOOD, unanswered=(4, 0)))
    found = only(read_cells(tmp_path))
    assert (found.uar, found.accuracy, found.clips) == (pytest.approx(0.75), pytest.approx(8 / 12), 12)


def test_mean_and_deviation_are_over_seeds(tmp_path):
    for seed, right in enumerate((4, 2, 0), start=1):
        write_piece(tmp_path, protocol="random", folds=1, seed=seed, clean=condition([[right, 4 - right], [0, 4]]))
    found = only(read_cells(tmp_path))
    values = [1.0, 0.75, 0.5]
    assert (found.uar, found.uar_sd) == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    assert (found.seeds, found.clips) == (3, 8)
    assert rows_of(as_markdown(read_cells(tmp_path)), "tess")[1][2] == "75.0 ± 25.0 (3)"


def test_one_seed_has_no_deviation(tmp_path):
    write_piece(tmp_path, protocol="random", folds=1)
    found = only(read_cells(tmp_path))
    assert (found.uar_sd, found.accuracy_sd) == (0, 0)
    assert rows_of(as_markdown([found]), "tess")[1][2] == "100.0 (1)"


def test_cells_of_a_recipe_that_has_changed_since_have_a_dagger(tmp_path):
    write_piece(tmp_path, fold="OAF")
    write_piece(tmp_path, fold="YAF", code="another training")
    write_piece(tmp_path, recipe="phone", fold="OAF", folds=1)
    cells = read_cells(tmp_path)
    assert [(cell.recipe, cell.current) for cell in cells[::2]] == [("bilstm", False), ("phone", True)]
    changed, same = rows_of(as_markdown(cells), "tess")[1:]
    assert changed == ["`bilstm`", "2", "100.0 (1) †", "50.0 (1) †"]
    assert same == ["`phone`", "2", "100.0 (1)", "50.0 (1)"]


@pytest.mark.parametrize(("missing", "star"), [((2, "YAF"), " *"), (None, "")])
def test_cells_whose_folds_are_not_all_there_have_a_star(tmp_path, missing, star):
    for seed in (1, 2):
        for fold in ("OAF", "YAF"):
            if (seed, fold) != missing:
                write_piece(tmp_path, fold=fold, seed=seed)
    cells = read_cells(tmp_path)
    assert [cell.complete for cell in cells] == [not star] * 2
    shown = rows_of(as_markdown(cells), "tess")[1]
    assert shown == ["`bilstm`", "2", f"100.0 ± 0.0 (2){star}", f"50.0 ± 0.0 (2){star}"]
    assert "A star marks cells whose folds are not all measured yet" in " ".join(as_markdown(cells).split())


def test_across_corpora_each_tested_one_has_a_table_of_its_own(tmp_path):
    across = ("tess", "ravdess", "emodb")
    write_piece(tmp_path, protocol="corpora", corpora=across, fold="emodb", folds=3)
    write_piece(tmp_path, protocol="corpora", corpora=across, fold="tess", folds=3, clean=condition(BAD))
    write_piece(tmp_path, protocol="random", folds=1)
    cells = read_cells(tmp_path)
    assert {(cell.tested, cell.protocol) for cell in cells} == {
        ("emodb", "corpora"),
        ("tess", "corpora"),
        ("tess", "random"),
    }
    assert all(cell.complete for cell in cells)
    page = as_markdown(cells)
    head, row = rows_of(page, "tess")
    assert head == [
        "recipe",
        "classes",
        "random 80/20, **leaking**, clean",
        "random 80/20, **leaking**, phone",
        "unseen corpus, clean",
        "unseen corpus, phone",
    ]
    assert row == ["`bilstm`", "2", "100.0 (1)", "50.0 (1)", "50.0 (1)", "50.0 (1)"]
    assert len(rows_of(page, "emodb")[0]) == 4


def test_a_recipe_without_figures_has_empty_cells(tmp_path):
    write_piece(tmp_path, protocol="random", folds=1)
    write_piece(tmp_path, recipe="lstm-masked", protocol="speakers", fold="OAF", folds=1)
    rows = rows_of(as_markdown(read_cells(tmp_path)), "tess")
    assert rows[1] == ["`bilstm`", "2", "100.0 (1)", "50.0 (1)", "", ""]
    assert rows[2] == ["`lstm-masked`", "2", "", "", "100.0 (1)", "50.0 (1)"]


def test_recipes_keep_their_order_and_mixtures_come_last(tmp_path):
    mixed = ("tess", "ravdess", "crema_d")
    for recipe in ("lstm-augmented", "cnn-augmented"):
        write_piece(tmp_path, recipe=recipe, protocol="random", corpora=mixed, folds=1)
        write_piece(tmp_path, recipe=recipe, protocol="random", corpora=("ravdess",), folds=1)
    page = as_markdown(read_cells(tmp_path))
    assert [row[0] for row in rows_of(page, "ravdess")[1:]] == ["`cnn-augmented`", "`lstm-augmented`"]
    assert page.index("## ravdess\n") < page.index("## tess+ravdess+crema_d\n")


def test_claims_stand_beside_what_is_reached(tmp_path):
    mixed = ("tess", "ravdess", "crema_d")
    write_piece(tmp_path, recipe="bilstm", protocol="random", folds=1, clean=condition([[3, 1], [0, 4]]))
    write_piece(tmp_path, recipe="cnn-augmented", protocol="random", corpora=mixed, folds=1)
    write_piece(tmp_path, recipe="lstm-batchnorm", protocol="speakers")  # not the protocol of its authors
    write_piece(tmp_path, recipe="lstm-masked", protocol="random", folds=1)  # nothing is claimed
    rows = rows_of(as_markdown(read_cells(tmp_path)), "What the authors claim")
    assert rows[0][2] == "reached here, accuracy %, random 80/20, **leaking**"
    assert rows[1:] == [
        ["`bilstm`", RECIPES["bilstm"].claim, "87.5 (1)", "tess"],
        ["`cnn-augmented`", RECIPES["cnn-augmented"].claim, "100.0 (1)", "tess+ravdess+crema_d"],
    ]


def test_without_claims_there_is_no_table_of_them(tmp_path):
    write_piece(tmp_path)
    assert "What the authors claim" not in as_markdown(read_cells(tmp_path))


def test_dates_and_commits_are_those_of_the_pieces(tmp_path):
    write_piece(tmp_path, fold="OAF", date="2026-11-21", commit="bbb")
    write_piece(tmp_path, fold="YAF", date="2026-11-23", commit="aaa")
    assert as_markdown(read_cells(tmp_path)).endswith("\nMeasured 2026-11-21 to 2026-11-23 at aaa, bbb.\n")
    write_piece(tmp_path, fold="YAF", date="2026-11-21", commit="bbb")
    assert as_markdown(read_cells(tmp_path)).endswith("\nMeasured 2026-11-21 at bbb.\n")


def test_page_and_summary_say_the_same(tmp_path):
    for fold in ("OAF", "YAF"):
        write_piece(tmp_path, fold=fold, clean=condition([[2, 1], [0, 3]]))
    page = write_tables(tmp_path)
    assert page == tmp_path / "README.md"
    assert page.read_text() == as_markdown(read_cells(tmp_path))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [(item["recipe"], item["tested"], item["condition"]) for item in summary] == [
        ("bilstm", "tess", "clean"),
        ("bilstm", "tess", "phone"),
    ]
    assert summary[0]["uar"] == round((2 / 3 + 1) / 2, 4)
    assert summary[0]["commits"] == ["abc1234"]
    before = page.read_bytes(), (tmp_path / "summary.json").read_bytes()
    write_tables(tmp_path)  # neither of the two files is taken for a piece
    assert (page.read_bytes(), (tmp_path / "summary.json").read_bytes()) == before
    assert sorted(place.name for place in tmp_path.iterdir()) == ["README.md", "bilstm", "summary.json"]


def test_nothing_measured_is_said(tmp_path):
    assert write_tables(tmp_path).read_text().endswith("\nNothing was measured yet.\n")
    assert json.loads((tmp_path / "summary.json").read_text()) == []
    with pytest.raises(OutputError, match=r"cannot write .*summary\.json"):
        write_tables(tmp_path / "none")


def test_lines_are_no_longer_than_the_project_allows(tmp_path):
    write_piece(tmp_path)
    page = as_markdown(read_cells(tmp_path))
    assert max(len(line) for line in page.splitlines() if not line.startswith("|")) <= 120
