"""What a training leaves in its folder: every figure right, undefined ones empty, leaking splits marked everywhere."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the extra `export` is not installed")
pytest.importorskip("pandas", reason="the extra `export` is not installed")

from export.evaluation import report
from export.evaluation.metrics import figures
from export.evaluation.report import MACRO, write_artefacts
from export.training.loop import Epoch

LABELS = ("angry", "fear", "happy", "sad")
NAMES = {
    "history.csv",
    "training.png",
    "confusion-clean.png",
    "confusion-phone.png",
    "report.csv",
    "metrics.json",
}
# Nobody is happy and nobody is called sad: angry 2 of 3 right, fear 2 of 2, sad 0 of 1; happy was said once, wrongly.
TRUTH = np.array([0, 0, 0, 1, 1, 3])
PREDICTED = np.array([0, 0, 1, 1, 1, 2])
CLEAN = figures(np.eye(4)[PREDICTED] * 0.8 + 0.05, TRUTH, labels=LABELS)
PHONE = figures(np.eye(4)[TRUTH], TRUTH, labels=LABELS)
OUTCOME: dict[str, Any] = dict(
    title="lstm on tess",
    labels=LABELS,
    history=(Epoch(1, 1.5, 0.25, 1.25, 0.5), Epoch(2, 0.75, 0.5, float("nan"), 0.25)),
    kept=1,
    conditions={"clean": CLEAN, "phone": PHONE},
    leaking=False,
    facts={"protocol": "speakers", "seed": 1, "data": {"tess": "ab12"}},
)


def rows(place: Path) -> list[dict[str, str]]:
    with place.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_artefacts(tmp_path / "run" / "fold-1", model=Path(__file__), **OUTCOME)
    return tmp_path / "run" / "fold-1"


def test_everything_is_there_and_nothing_else(written):
    assert {path.name for path in written.iterdir()} == NAMES


def test_the_history_is_a_row_an_epoch(written):
    assert (written / "history.csv").read_text() == (
        "epoch,loss,accuracy,val_loss,val_accuracy\n1,1.5,0.25,1.25,0.5\n2,0.75,0.5,,0.25\n"
    )


def test_the_report_has_every_class_and_leaves_undefined_figures_empty(written):
    found = {(row["condition"], row["label"]): row for row in rows(written / "report.csv")}
    assert list(found) == [(name, label) for name in ("clean", "phone") for label in (*LABELS, MACRO)]
    cells = {
        label: tuple(found["clean", label][column] for column in ("precision", "recall", "f1", "support"))
        for label in (*LABELS, MACRO)
    }
    assert cells["angry"] == ("1", "0.666667", "0.8", "3")
    assert cells["fear"] == ("0.666667", "1", "0.8", "2")
    assert cells["happy"] == ("0", "", "", "0")  # said once, wrongly; there was none to be found
    assert cells["sad"] == ("", "0", "0", "1")  # never said
    # Means over the three that occur, precision over the two of them that were ever said.
    assert cells[MACRO] == ("0.833333", "0.555556", "0.533333", "6")


def test_the_json_has_the_facts_and_the_figures(written):
    found = json.loads((written / "metrics.json").read_text())
    clean = found["conditions"]["clean"]
    assert clean["confusion"] == [[2, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]
    assert (clean["clips"], clean["accuracy"]) == (6, pytest.approx(4 / 6))
    assert (clean["uar"], clean["macro_f1"], clean["ece"]) == (CLEAN.uar, CLEAN.macro_f1, CLEAN.ece)
    assert set(clean["recall"]) == {"angry", "fear", "sad"}
    assert set(clean["precision"]) == {"angry", "fear", "happy"}
    assert found["conditions"]["phone"]["uar"] == 1
    assert found["conditions"]["phone"]["unanswered"] == 0
    assert found["facts"] == OUTCOME["facts"]
    assert found["model_sha256"] == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    assert (found["labels"], found["kept_epoch"], found["epochs"]) == (list(LABELS), 1, 2)


@pytest.mark.parametrize("leaking", [True, False])
def test_speakers_in_both_halves_are_told_in_every_file(tmp_path, monkeypatch, leaking):
    titles = []
    monkeypatch.setattr(report, "training_curves", lambda *_, title, **__: titles.append(title))
    monkeypatch.setattr(report, "confusion_matrix", lambda *_, title, **__: titles.append(title))
    write_artefacts(tmp_path, model=Path(__file__), **{**OUTCOME, "leaking": leaking})
    words = "speakers in both halves"
    assert len(titles) == 3
    assert [words in title for title in titles] == [leaking] * 3
    assert {row["split"] for row in rows(tmp_path / "report.csv")} == {words if leaking else "speakers apart"}
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["leaking"] is leaking
    assert (found["split"] == words) is leaking


def test_the_same_training_writes_the_same_bytes(written, tmp_path):
    write_artefacts(tmp_path / "again", model=Path(__file__), **OUTCOME)
    for name in NAMES:
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes()
