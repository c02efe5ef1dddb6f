"""What one finished training leaves behind for people and programs: tables, pictures and figures in a folder.

A split that has a speaker in both halves is marked so wherever its figures are: in the JSON, in every row of the table
and in the titles of the pictures.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from export.arrays import Ints, Probs
from export.errors import ExportError
from export.evaluation.metrics import Figures, figures
from export.plots import confusion_matrix, training_curves
from export.tables import write_csv
from sertag.tables.writers import write_json

if TYPE_CHECKING:
    from export.training.loop import Epoch

LEAKING, DISJOINT = "speakers in both halves", "speakers apart"
MACRO = "macro average"


@dataclass(frozen=True, slots=True)
class Scored:
    """Test clips in one condition."""

    probs: Probs  # float64 (n, k); a clip without an answer has a wrong one of no confidence
    truth: Ints  # int64 (n,), indices of labels
    unanswered: int = 0  # how many of them got no answer


def write_artefacts(
    out: Path,
    *,
    model: Path,
    title: str,
    labels: tuple[str, ...],
    history: Sequence[Epoch],
    kept: int,
    conditions: Mapping[str, Scored],
    leaking: bool,
    facts: Mapping[str, object],
) -> None:
    """Write everything about one finished training, each file in one step; the same values give the same bytes.

    - `history.csv`: a row an epoch: epoch, loss, accuracy, val_loss, val_accuracy;
    - `training.png`: the same as curves;
    - `confusion-CONDITION.png`: what each class was taken for;
    - `report.csv`: precision, recall, F1 and support of each condition and class, and their mean over the classes
      that occur; a figure that is not defined is an empty cell (see `export.evaluation.metrics`), and no part of the
      mean;
    - `metrics.json`: which model file it is about, whether the split leaks, the facts, and all figures of each
      condition; the model card takes its figures from here.

    Args:
        out: the folder, made where it is not there.
        model: the model file, which is there.
        title: what was trained on what, for the pictures.
        labels: in the order of the probabilities.
        history: of the training, in order.
        kept: number of the epoch whose weights were kept.
        conditions: test clips by condition, e.g. `clean` and `phone`; the names become parts of file names.
        leaking: a speaker of the test clips was learnt from.
        facts: what else is known, as JSON has it: protocol, seed, versions, data.

    Raises:
        ExportError: scores that are no numbers.
        OutputError: a file cannot be written.
    """
    for name, scored in conditions.items():
        if not np.isfinite(scored.probs).all():
            message = f"{title}, {name}: scores that are no numbers: the training diverged"
            raise ExportError(f"{message}; take a smaller learning rate", code="bad_result")
    split, mark = (LEAKING, f" ({LEAKING})") if leaking else (DISJOINT, "")
    measured = {name: figures(own.probs, own.truth, labels=labels) for name, own in conditions.items()}
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "history.csv", pd.DataFrame([dataclasses.asdict(epoch) for epoch in history]))
    tables = [_report(name, own, labels) for name, own in measured.items()]
    write_csv(out / "report.csv", pd.concat(tables).assign(split=split))
    document = {
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "title": title,
        "leaking": leaking,
        "split": split,
        "labels": list(labels),
        "epochs": len(history),
        "kept_epoch": kept,
        "conditions": {
            name: {**dataclasses.asdict(own), "unanswered": conditions[name].unanswered}
            for name, own in measured.items()
        },
        "facts": dict(facts),
    }
    write_json(str(out / "metrics.json"), document)
    training_curves(history, out / "training.png", kept=kept, title=f"{title}{mark}")
    for name, own in measured.items():
        shares = f"{own.clips} clips, UAR {100 * own.uar:.1f} %, accuracy {100 * own.accuracy:.1f} %"
        shown = f"{title}, {name}: {shares}{mark}"
        confusion_matrix(own.confusion, labels, out / f"confusion-{name}.png", title=shown)


def _report(condition: str, found: Figures, labels: Sequence[str]) -> pd.DataFrame:
    """A row a class and one of their means; precision counts in it for the classes that occur and were predicted."""
    table = pd.DataFrame(
        {"precision": found.precision, "recall": found.recall, "f1": found.f1}, index=[*labels, MACRO], dtype=float
    )
    occurs = table.loc[[*found.recall], "precision"]
    table.loc[MACRO] = [occurs.mean(), found.uar, found.macro_f1]
    table["support"] = [*np.sum(found.confusion, axis=1), found.clips]
    table.insert(0, "condition", condition)
    return table.rename_axis("label").reset_index()[["condition", "label", "precision", "recall", "f1", "support"]]
