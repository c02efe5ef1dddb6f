"""What one finished training leaves behind for people and programs: tables, pictures and figures in a folder.

A split that has a speaker in both halves is marked so wherever its figures are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from export.evaluation.metrics import Figures
from export.plots import confusion_matrix, training_curves
from export.tables import write_csv
from sertag.tables.writers import write_json

if TYPE_CHECKING:
    from export.training.loop import Epoch

LEAKING, DISJOINT = "speakers in both halves", "speakers apart"
MACRO = "macro average"


def write_artefacts(
    out: Path,
    *,
    model: Path,
    title: str,
    labels: tuple[str, ...],
    history: Sequence[Epoch],
    kept: int,
    conditions: Mapping[str, Figures],
    leaking: bool,
    facts: Mapping[str, object],
) -> None:
    """Write everything about one finished training into a folder; the same values give the same bytes.

    - `history.csv`, `training.png`: a row an epoch, and the same as curves;
    - `report.csv`: precision, recall, F1 and support of each condition and class, and their mean over the classes that
      occur; a figure that is not defined is an empty cell, and no part of the mean;
    - `confusion-CONDITION.png`: what each class was taken for;
    - `metrics.json`: which model file it is about, whether the split leaks, the facts, and all figures, for the card.

    Args:
        out: the folder, made where it is not there.
        model: the model file, which is there.
        title: what was trained on what, for the pictures.
        labels: in the order of the confusion.
        history: of the training, in order.
        kept: number of the epoch whose weights were kept.
        conditions: figures by condition, e.g. `clean` and `phone`.
        leaking: a speaker of the test clips was learnt from.
        facts: what else is known, as JSON has it.
    """
    split, mark = (LEAKING, f" ({LEAKING})") if leaking else (DISJOINT, "")
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "history.csv", pd.DataFrame([asdict(epoch) for epoch in history]))
    write_csv(
        out / "report.csv",
        pd.concat([_report(name, found, labels) for name, found in conditions.items()]).assign(split=split),
    )
    document = {
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "title": title,
        "leaking": leaking,
        "split": split,
        "labels": list(labels),
        "epochs": len(history),
        "kept_epoch": kept,
        "conditions": {name: asdict(found) for name, found in conditions.items()},
        "facts": dict(facts),
    }
    write_json(str(out / "metrics.json"), document)
    training_curves(history, out / "training.png", kept=kept, title=f"{title}{mark}")
    for name, found in conditions.items():
        shares = f"{found.clips} clips, UAR {100 * found.uar:.1f} %, accuracy {100 * found.accuracy:.1f} %"
        place, shown = out / f"confusion-{name}.png", f"{title}, {name}: {shares}{mark}"
        confusion_matrix(found.confusion, labels, place, title=shown)


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
