"""Figures from pieces: equal to those counted by hand over all clips, and nothing on the page that no piece says."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the extra `export` is not installed")

from matplotlib.figure import Figure

from export import phone_pieces, phone_summary
from export.metrics import figures
from export.phone_page import as_markdown, card_section
from export.phone_pieces import read_pieces, read_shown
from export.phone_protocol import _condition
from export.phone_questions import CONDITIONS, Question
from export.phone_summary import sum_of, summarise, write_summary
from export.pieces import keep
from export.recipe import Recipe
from export.recipes.phone import RECIPE
from export.surety import from_plain, surety
from sertag.errors import OutputError
from tests.limits import largest_file

LABELS = ("angry", "happy", "neutral")
SPEAKERS = Question("tess", "TESS, the other speaker", ("tess",), LABELS, "speakers")
ACROSS = Question("corpora", "an unseen corpus", ("tess", "emovo"), LABELS, "corpora", distorted=True)
UNASKED = Question("emodb", "EmoDB", ("emodb",), LABELS, "speakers")
TINY = Recipe("phone", "", "", "", RECIPE.build, RECIPE.features, labels=LABELS)
SECONDS = 3.0
CODE = "def"

Answers = tuple[np.ndarray, np.ndarray]  # float64 (n, k), int64 (n,)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (phone_pieces, phone_summary):
        monkeypatch.setattr(module, "QUESTIONS", (SPEAKERS, UNASKED, ACROSS))


def page_of(summary: dict[str, Any]) -> str:
    return as_markdown(summary, code=CODE)


def answers(fold: str, seed: int, condition: str) -> Answers:
    """Drawn; folds differ in size, conditions in how often they are right."""
    count, clear = {"OAF": (9, 1.0), "YAF": (21, 3.0), "tess": (12, 2.0), "emovo": (30, 1.0)}[fold]
    rng = np.random.default_rng([seed, *map(ord, fold), *map(ord, condition)])
    truth = np.arange(count) % 3
    odds = rng.gamma(1.0, size=(count, 3)) + clear * rng.random() * np.eye(3)[truth]
    return odds / odds.sum(axis=1, keepdims=True), truth


def piece(test: str, fold: str, seed: int, **more: Any) -> dict[str, Any]:
    own = {name: answers(fold, seed, name) for name in CONDITIONS}
    return {
        "test": test,
        "fold": fold,
        "seed": seed,
        "folds": 2,
        "rules": "abc",
        "code": CODE,
        "date": f"2031-02-0{seed}",
        "commit": f"c0ffee{seed}",
        "conditions": {
            name: _condition(probs, truth, recipe=TINY, seconds=np.full(len(truth), SECONDS))
            for name, (probs, truth) in own.items()
        },
        **more,
    }


def both(fold: Sequence[str], seed: int, condition: str) -> Answers:
    """The answers of several folds, one behind the other."""
    parts = [answers(name, seed, condition) for name in fold]
    return np.concatenate([probs for probs, _ in parts]), np.concatenate([truth for _, truth in parts])


@pytest.fixture
def speakers() -> list[dict[str, Any]]:
    return [piece("tess", fold, seed) for seed in (1, 2) for fold in ("OAF", "YAF")]


@pytest.fixture
def across() -> list[dict[str, Any]]:
    survived = {"tess": (10, 9), "emovo": (30, 11)}
    return [
        piece(
            "corpora",
            fold,
            seed,
            survival={"MP3": {"windows": windows, "same": same}, "µ-law": {"windows": windows, "same": windows}},
        )
        for seed in (1, 2, 3)
        for fold, (windows, same) in survived.items()
    ]


def over_seeds(values: Sequence[float]) -> dict[str, Any]:
    return {"mean": pytest.approx(np.mean(values), abs=1e-4), "sd": pytest.approx(np.std(values, ddof=1), abs=1e-4)}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_folds_of_speakers_are_counted_together_and_seeds_averaged(speakers, condition):
    summary = summarise({"tess": speakers})
    found = summary["tests"]["tess"]
    assert (found["title"], found["labels"], found["seeds"], found["clips"]) == (SPEAKERS.title, list(LABELS), 2, 30)
    assert found["complete"]
    own = found["conditions"][condition]
    pooled = [both(("OAF", "YAF"), seed, condition) for seed in (1, 2)]
    expected = [figures(probs, truth, labels=LABELS) for probs, truth in pooled]
    assert own["uar"] == over_seeds([item.uar for item in expected])
    assert own["accuracy"] == over_seeds([item.accuracy for item in expected])
    assert own["ece"] == over_seeds([item.ece for item in expected])
    halves = [surety(*item).uar_at(0.5) for item in pooled]
    assert own["uar_of_the_surest_half"] == over_seeds(halves)
    gains = [half - item.uar for half, item in zip(halves, expected, strict=True)]
    assert own["gain_of_the_surest_half"] == over_seeds(gains)


def test_sentiment_and_anger_are_means_over_the_folds(speakers):
    own = summarise({"tess": speakers})["tests"]["tess"]["conditions"]["phone"]
    folds = [[piece["conditions"]["phone"] for piece in speakers if piece["seed"] == seed] for seed in (1, 2)]
    assert own["sentiment_uar"] == over_seeds([np.mean([item["sentiment_uar"] for item in each]) for each in folds])
    assert own["anger_auc"] == over_seeds([np.mean([item["anger"]["auc"] for item in each]) for each in folds])
    for share in ("50%", "80%"):
        alarms = [np.mean([item["anger"]["false_alarms_an_hour"][share] for item in each]) for each in folds]
        assert own[f"false_alarms_an_hour_at_{share}"] == over_seeds(alarms)


def test_where_corpora_are_the_folds_each_weighs_the_same(across):
    found = summarise({"corpora": across})["tests"]["corpora"]
    assert (found["seeds"], found["clips"], found["complete"]) == (3, 42, True)
    own = found["conditions"]["clean"]
    for key in ("uar", "accuracy"):
        means = [
            np.mean([getattr(figures(*answers(fold, seed, "clean"), labels=LABELS), key) for fold in ("tess", "emovo")])
            for seed in (1, 2, 3)
        ]
        assert own[key] == over_seeds(means)
    pooled = [both(("tess", "emovo"), seed, "clean") for seed in (1, 2, 3)]
    assert own["ece"] == over_seeds([figures(*item, labels=LABELS).ece for item in pooled])


def test_each_fold_has_its_figures_over_the_seeds(across):
    folds = summarise({"corpora": across})["tests"]["corpora"]["folds"]
    assert list(folds) == ["emovo", "tess"]
    for fold, found in folds.items():
        expected = [figures(*answers(fold, seed, "phone"), labels=LABELS) for seed in (1, 2, 3)]
        assert tuple(found) == tuple(CONDITIONS)
        assert found["phone"]["uar"] == over_seeds([item.uar for item in expected])
        assert found["phone"]["ece"] == over_seeds([item.ece for item in expected])
        assert "anger_auc" in found["phone"]


def test_folds_without_anger_are_left_out_of_its_mean(speakers):
    kept = [item["conditions"]["clean"]["anger"]["auc"] for item in speakers if item["fold"] == "YAF"]
    for item in speakers:
        if item["fold"] == "OAF":
            item["conditions"]["clean"]["anger"] = None
    found = summarise({"tess": speakers})["tests"]["tess"]
    assert found["conditions"]["clean"]["anger_auc"] == over_seeds(kept)
    assert "anger_auc" not in found["folds"]["OAF"]["clean"]
    for item in speakers:
        item["conditions"]["clean"]["anger"] = None
    summary = summarise({"tess": speakers})
    assert "anger_auc" not in summary["tests"]["tess"]["conditions"]["clean"]
    row = next(line for line in page_of(summary).splitlines() if line.startswith("| clean |"))
    assert row.endswith("|  |  |  |")


def test_one_seed_has_no_spread(speakers):
    found = summarise({"tess": [item for item in speakers if item["seed"] == 2]})["tests"]["tess"]
    assert found["seeds"] == 1
    assert {item["sd"] for item in found["conditions"]["clean"].values()} == {0.0}
    assert "30 clips, 1 seed, chance 33.3 %." in page_of(summarise({"tess": speakers[:2]}))


@pytest.mark.parametrize("missing", range(4))
def test_missing_folds_are_told(speakers, missing):
    told = "Not all folds are measured yet."
    assert told not in page_of(summarise({"tess": speakers}))
    del speakers[missing]
    summary = summarise({"tess": speakers})
    assert not summary["tests"]["tess"]["complete"]
    assert page_of(summary).count(told) == 1


def test_pieces_of_other_rules_are_told(speakers):
    told = "Not all pieces are of the same code and clips: measure the older ones again."
    assert told not in page_of(summarise({"tess": speakers}))
    speakers[3]["rules"] = "abd"
    summary = summarise({"tess": speakers})
    assert (summary["tests"]["tess"]["alike"], summary["tests"]["tess"]["complete"]) == (False, True)
    assert page_of(summary).count(told) == 1


def trials(*folds: int, test: str = "tess") -> list[dict[str, Any]]:
    return [{"test": test, "fold": fold} for fold in folds]


def test_trials_that_scored_what_is_tested_are_told(speakers):
    summary = summarise({"tess": speakers}, trials=[*trials(1, 0), *trials(0, test="emodb")])
    assert summary["tests"]["tess"]["trials"] == {"scored": 2, "corpora": ["tess"]}
    told = "Tested is the recipe of the model, which was chosen by 2 trials that scored clips of tess: to it, they are"
    for page in (page_of(summary), card_section(summary)):
        assert " ".join(page.split()).count(told) == 1
    assert "Tested is" not in page_of(summarise({"tess": speakers}, trials=trials(0, test="emodb")))


def test_unseen_corpora_on_which_the_recipe_was_chosen_are_told(across):
    def told(*used: dict[str, Any]) -> str:
        return " ".join(page_of(summarise({"corpora": across}, trials=used)).split())

    assert "by 2 trials that scored clips of tess: to it" in told(*trials(0), *trials(0, test="emodb"), *trials(1))
    assert "by 2 trials that scored clips of emovo, tess: to it" in told(*trials(0), *trials(1, test="corpora"))
    assert "by 1 trial that scored clips of tess: to it" in told(*trials(0, test="corpora"))
    assert "Tested is" not in told()


def test_no_sentence_is_taken_for_a_row_of_the_table_before_it(across):
    lines = page_of(summarise({"corpora": across}, trials=trials(0))).splitlines()
    behind = [after for row, after in itertools.pairwise(lines) if row.startswith("|") and not after.startswith("|")]
    assert len(behind) >= 3
    assert set(behind) == {""}


def test_figures_of_other_code_are_told(speakers, across):
    told = "**The recipe or its training has changed since some of this was measured.**"
    assert told not in page_of(summarise({"tess": speakers, "corpora": across}))
    speakers[0]["code"] = "0ld"
    assert page_of(summarise({"tess": speakers, "corpora": across})).count(told) == 1
    assert told in as_markdown(summarise({"corpora": across}), code="n3w")
    assert told not in card_section(summarise({"tess": speakers}))  # which is what the model was made with


def test_labels_that_survive_are_shares_of_all_windows(across):
    calls = {
        "test": "calls",
        "date": "2031-02-09",
        "commit": "c0ffee9",
        "behaviour": "abc",
        "survival": {"MP3": {"windows": 8, "same": 7}, "µ-law": {"windows": 0, "same": 0}},
    }
    summary = summarise({"corpora": across, "calls": [calls]})
    assert summary["labels_that_survive"] == {"MP3": 0.5, "µ-law": 1.0}
    assert summary["labels_that_survive_in_calls"] == {"MP3": 0.875, "µ-law": 0.0}
    assert "calls" not in summary["tests"]
    lines = page_of(summary).splitlines()
    assert "| MP3 | 50.0 | 87.5 |" in lines
    only = page_of(summarise({"calls": [calls]})).splitlines()
    assert "| MP3 | 87.5 |" in only


def test_one_seed_has_no_deviation_and_one_day_no_range(speakers):
    first = [piece | {"date": "2031-02-01"} for piece in speakers if piece["seed"] == speakers[0]["seed"]]
    page = page_of(summarise({"tess": first}))
    assert "1 seed, chance" in page
    assert " ± " not in page.split("## TESS")[1]
    assert "Measured 2031-02-01 at" in page


def test_the_page_holds_what_the_pieces_say(speakers, across):
    summary = summarise({"tess": speakers, "corpora": across})
    page = page_of(summary)
    lines = page.splitlines()
    assert [line for line in lines if line.startswith("#")] == [
        "# What the default model reaches on strangers",
        "## TESS, the other speaker",
        "## an unseen corpus",
        "## What a label survives",
    ]
    assert "30 clips, 2 seeds, chance 33.3 %." in page
    assert "Measured 2031-02-01 to 2031-02-03 at c0ffee1, c0ffee2, c0ffee3." in page
    own = summary["tests"]["tess"]["conditions"]["phone, in a call"]
    cells = [
        cell.strip() for cell in next(line for line in lines if line.startswith("| phone, in a call |")).split("|")
    ]
    assert cells[2:8] == [
        f"{100 * own['uar']['mean']:.1f} ± {100 * own['uar']['sd']:.1f}",
        f"{100 * own['accuracy']['mean']:.1f} ± {100 * own['accuracy']['sd']:.1f}",
        f"{own['ece']['mean']:.3f} ± {own['ece']['sd']:.3f}",
        f"{100 * own['gain_of_the_surest_half']['mean']:.1f} ± {100 * own['gain_of_the_surest_half']['sd']:.1f}",
        f"{100 * own['sentiment_uar']['mean']:.1f} ± {100 * own['sentiment_uar']['sd']:.1f}",
        f"{own['anger_auc']['mean']:.3f} ± {own['anger_auc']['sd']:.3f}",
    ]
    alarms = own["false_alarms_an_hour_at_80%"]
    assert cells[9] == f"{alarms['mean']:.1f} ± {alarms['sd']:.1f}"
    fold = summary["tests"]["corpora"]["folds"]["emovo"]["clean"]
    told = f"{100 * fold['uar']['mean']:.1f} ± {100 * fold['uar']['sd']:.1f}; {fold['anger_auc']['mean']:.3f} ±"
    assert next(line for line in lines if line.startswith("| emovo |")).startswith(f"| emovo | {told}")
    assert page.count("UAR % and anger AUC by tested corpus") == 1
    assert all(len(line) <= 120 or line.startswith("|") for line in lines)


@pytest.fixture
def kept(tmp_path, speakers, across) -> Path:
    for number, item in enumerate([*speakers, *across]):
        keep(tmp_path / "protocol" / f"{number}.json", item)
    return tmp_path / "protocol"


@pytest.mark.usefixtures("kept")
def test_everything_is_written_from_the_pieces_alone(tmp_path, speakers, across, monkeypatch):
    monkeypatch.setattr(phone_summary, "code_of_training", lambda: CODE)
    assert write_summary(tmp_path) == tmp_path / "phone.md"
    summary = summarise({"tess": speakers, "corpora": across})
    assert json.loads((tmp_path / "phone.json").read_text(encoding="utf-8")) == summary
    assert (tmp_path / "phone.md").read_text(encoding="utf-8") == page_of(summary)
    for name in ("phone-reliability.png", "phone-coverage.png"):
        assert struct.unpack(">4xII", (tmp_path / name).read_bytes()[12:24]) == (760, 620)
    (tmp_path / "search.jsonl").write_text(json.dumps(trials(1)[0]) + "\n", encoding="utf-8")
    write_summary(tmp_path)
    found = json.loads((tmp_path / "phone.json").read_text(encoding="utf-8"))
    assert found == summarise({"tess": speakers, "corpora": across}, trials=trials(1)) != summary
    before = {file.name: file.read_bytes() for file in tmp_path.glob("phone*")}
    write_summary(tmp_path)
    assert before == {file.name: file.read_bytes() for file in tmp_path.glob("phone*")}
    assert len(before) == 4


MERITS = {
    "as it is": {"tess": 0.5, "emodb": 0.41, "nemo": 0.3},
    "half as long": {"tess": 0.4, "emodb": 0.42, "nemo": 0.2},
}
CHOSEN = {
    "merits": MERITS,
    "chosen": {"tess": "as it is", "emodb": "half as long", "nemo": "as it is"},
    "codes": [CODE],
    "dates": ["2031-02-01"],
    "commits": ["c0ffee1"],
}


def test_the_page_says_what_would_have_been_chosen_without_the_tested_corpus(speakers):
    summary = summarise({"tess": speakers}, choice=CHOSEN)
    page = page_of(summary)
    assert "## The recipe without the corpus that is tested" in page
    assert "| candidate | without tess | without emodb | without nemo |" in page
    assert "| as it is | **50.0** | 41.0 | **30.0** |" in page
    assert "| half as long | 40.0 | **42.0** | 20.0 |" in page
    told = "Without tess, nemo the recipe would be the same. Without emodb it would be the one named `half as long`."
    assert f"{told} Measured 2031-02-01 at c0ffee1." in page.replace("\n", " ")
    assert "has changed since" not in page
    assert "has changed since" in page_of(summarise({"tess": speakers}, choice=CHOSEN | {"codes": [CODE, "older"]}))
    assert "The recipe without" not in page_of(summarise({"tess": speakers}))


def test_where_nothing_else_would_have_been_chosen_the_figures_are_untouched(speakers):
    found = summarise({"tess": speakers}, choice=CHOSEN, trials=trials(0))["tests"]["tess"]
    assert (found["untouched"], found["candidates"]) == (True, ["as it is"])
    plain = summarise({"tess": speakers})["tests"]["tess"]
    assert (plain["untouched"], plain["candidates"]) == (False, [])
    assert found["conditions"] == plain["conditions"]
    assert found["uar_of_the_recipe"] == {name: own["uar"] for name, own in plain["conditions"].items()}
    page = " ".join(page_of(summarise({"tess": speakers}, choice=CHOSEN, trials=trials(0))).split())
    assert "Tested is the recipe of the model: the same would have been chosen without any clip of what" in page
    assert "not wholly unseen" not in page


# Of unseen corpora: what was chosen without TESS is the recipe, what was chosen without EMOVO is not.
OTHER = CHOSEN | {
    "merits": {"as it is": {"tess": 0.5, "emovo": 0.3}, "half as long": {"tess": 0.4, "emovo": 0.4}},
    "chosen": {"tess": "as it is", "emovo": "half as long"},
}


def of_emovo(*seeds: int, candidate: str = "half as long") -> list[dict[str, Any]]:
    """Pieces of another candidate, which answers otherwise."""
    own = {"candidate": candidate, "rules": candidate, "date": "2031-03-01"}
    return [piece("corpora", "emovo", seed + 5) | own | {"seed": seed} for seed in seeds]


def test_figures_come_from_what_was_chosen_without_the_tested_corpus(across):
    older = of_emovo(1, candidate="no noise")
    others = of_emovo(3, 1, 2)
    summary = summarise({"corpora": across}, choice=OTHER, chosen={"corpora": [*others, *older]}, trials=trials(0))
    found = summary["tests"]["corpora"]
    assert (found["untouched"], found["candidates"]) == (True, ["as it is", "half as long"])
    assert (found["seeds"], found["complete"], found["alike"]) == (3, True, True)
    plain = summarise({"corpora": across})
    expected = summarise({"corpora": [own for own in across if own["fold"] == "tess"] + others})
    assert found["conditions"] == expected["tests"]["corpora"]["conditions"] != plain["tests"]["corpora"]["conditions"]
    assert found["folds"] == expected["tests"]["corpora"]["folds"]
    recipe = plain["tests"]["corpora"]["conditions"]
    assert found["uar_of_the_recipe"] == {name: own["uar"] for name, own in recipe.items()}
    assert summary["labels_that_survive"] == plain["labels_that_survive"]  # asked of the recipe alone
    assert summary["dates"][-1] == "2031-03-01"
    told = (
        "Tested is what was chosen without any clip of the tested corpus (`as it is`, `half as long`; see below). The "
        "recipe of the model itself, chosen by 1 trial that scored clips of tess, reaches UAR %: clean "
        f"{100 * recipe['clean']['uar']['mean']:.1f} ± "
    )
    page = " ".join(page_of(summary).split())
    assert told in page
    assert "Therefore its main decisions were made again" in page


@pytest.mark.parametrize("seeds", [(), (2,), (1, 3)])
def test_until_all_of_it_is_measured_figures_are_those_of_the_recipe(across, seeds):
    summary = summarise({"corpora": across}, choice=OTHER, chosen={"corpora": of_emovo(*seeds)})
    found = summary["tests"]["corpora"]
    assert not found["untouched"]
    assert found["conditions"] == summarise({"corpora": across})["tests"]["corpora"]["conditions"]
    told = "Without any of them `as it is`, `half as long` would have been chosen, which is not measured with all seeds"
    page = " ".join(page_of(summary).split())
    assert told in page
    assert "were made again without" not in page


def test_pieces_of_other_rules_than_their_candidate_are_told(across):
    others = of_emovo(1, 2, 3)
    others[1]["rules"] = "older"
    found = summarise({"corpora": across}, choice=OTHER, chosen={"corpora": others})["tests"]["corpora"]
    assert (found["untouched"], found["alike"]) == (True, False)


def test_code_of_another_candidate_is_code_of_the_figures(across):
    others = [own | {"code": "0ther"} for own in of_emovo(1, 2, 3)]
    assert summarise({"corpora": across}, choice=OTHER, chosen={"corpora": others})["codes"] == ["0ther", "def"]
    assert summarise({"corpora": across}, choice=OTHER, chosen={"corpora": others[1:]})["codes"] == ["def"]


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """Every picture that is written."""
    found: list[Figure] = []
    true = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *given, **options: (found.append(figure), true(figure, *given, **options))
    )
    return found


@pytest.mark.usefixtures("kept")
def test_pictures_show_all_seeds_and_folds_over_the_phone_in_a_call(tmp_path, drawn):
    write_summary(tmp_path)
    reliability, coverage = drawn
    assert "phone, in a call" in reliability.get_suptitle()
    parts = [answers(fold, seed, "phone, in a call") for seed in (1, 2) for fold in ("OAF", "YAF")]
    expected = sum_of(surety(*part) for part in parts)
    _, line, other = reliability.axes[0].lines
    assert [line.get_label(), other.get_label()] == [SPEAKERS.title, ACROSS.title]
    np.testing.assert_allclose(line.get_ydata(), [point.right for point in expected.reliability()])
    np.testing.assert_allclose(line.get_xdata(), [point.confidence for point in expected.reliability()], atol=1e-4)
    np.testing.assert_allclose(coverage.axes[0].lines[0].get_xydata(), expected.curve())


def test_without_pieces_there_is_a_page_and_no_picture(tmp_path):
    write_summary(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"phone.json", "phone.md"}
    found = json.loads((tmp_path / "phone.json").read_text())
    assert (found["tests"], found["labels_that_survive"], found["dates"]) == ({}, {}, [])
    assert "What a label survives" not in (tmp_path / "phone.md").read_text()


def test_pieces_are_read_by_their_question(kept):
    found = read_pieces(kept)
    assert {name: len(own) for name, own in found.items()} == {"tess": 4, "corpora": 6}


def test_a_disk_that_fills_up_is_one_line_and_leaves_the_old_page(kept, tmp_path):
    write_summary(tmp_path)
    before = (tmp_path / "phone.json").read_bytes()
    with largest_file(100), pytest.raises(OutputError, match=r"cannot write .*phone\.json"):
        write_summary(tmp_path)
    assert (tmp_path / "phone.json").read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


def test_counts_are_summed():
    parts = [surety(*answers("OAF", seed, "clean")) for seed in (1, 2, 3)]
    found = sum_of(iter(parts))
    np.testing.assert_array_equal(found.counts, sum(part.counts for part in parts))
    np.testing.assert_array_equal(sum_of([from_plain([], labels=3), parts[0]]).counts, parts[0].counts)


def test_the_code_of_all_pieces_is_told_but_not_that_of_calls(speakers, across):
    calls = {"test": "calls", "date": "2031-02-09", "commit": "c0ffee9", "behaviour": "abc", "survival": {}}
    for item in across:
        item["code"] = "0ther"
    assert summarise({"tess": speakers, "corpora": across, "calls": [calls]})["codes"] == ["0ther", "def"]


@pytest.fixture
def untouched(kept, monkeypatch) -> list[dict[str, Any]]:
    """EMOVO with what was chosen without it, kept beside the pieces of the recipe."""
    others = of_emovo(1, 2, 3)
    for number, item in enumerate(others):
        keep(kept.parent / "chosen" / f"{number}.json", item)
    for module in (phone_pieces, phone_summary):
        monkeypatch.setattr(module, "read_choice", lambda place: OTHER if place == kept.parent / "choice" else {})
    return others


def test_the_page_and_other_tables_show_the_same_pieces(untouched, tmp_path, speakers, across):
    shown = read_shown(tmp_path)
    assert shown["tess"] == sorted(speakers, key=lambda own: own["seed"])
    of_tess = [own for own in across if own["fold"] == "tess"]
    assert sorted(shown["corpora"], key=lambda own: (own["fold"], own["seed"])) == untouched + of_tess
    write_summary(tmp_path)
    summary = json.loads((tmp_path / "phone.json").read_text(encoding="utf-8"))
    again = summarise({"tess": speakers, "corpora": [*untouched, *of_tess]})["tests"]
    assert all(summary["tests"][name]["conditions"] == again[name]["conditions"] for name in ("tess", "corpora"))


def test_pictures_show_what_the_page_shows(tmp_path, untouched, across, drawn):
    write_summary(tmp_path)
    (*_, other), _ = (picture.axes[0].lines for picture in drawn)
    pieces = [*untouched, *(own for own in across if own["fold"] == "tess")]
    counts = (own["conditions"]["phone, in a call"]["surety"] for own in pieces)
    expected = sum_of(from_plain(own, labels=3) for own in counts)
    np.testing.assert_allclose(other.get_ydata(), [point.right for point in expected.reliability()])
