"""What one finished training leaves behind for people and programs: tables, pictures and figures in a folder.

A split that has a speaker in both halves is marked so wherever its figures
are: in the JSON, in every row of the table and in the titles of the pictures.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
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

_REPORT_COLUMNS = ("condition", "label", "precision", "recall", "f1", "support", "split")


@dataclass(frozen=True, slots=True)
class Scored:
    """Test clips in one condition.

    Attributes:
        probs: float64 (n, k); a clip without an answer has a wrong one of no confidence.
        truth: int64 (n,), indices of labels.
        unanswered: how many of them got no answer.
    """

    probs: Probs
    truth: Ints
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished training.

    Attributes:
        title: what was trained on what, for the pictures.
        labels: in the order of the probabilities.
        history: of the training, in order.
        kept: number of the epoch whose weights were kept.
        conditions: test clips by condition, e.g. `clean` and `phone`; the names become parts of file names.
        leaking: a speaker of the test clips was learnt from.
        facts: what else is known, as JSON has it: protocol, seed, versions, data.
        figures: other figures by condition than those of the test clips taken together, as JSON has them.
    """

    title: str
    labels: tuple[str, ...]
    history: tuple[Epoch, ...]
    kept: int
    conditions: Mapping[str, Scored]
    leaking: bool
    facts: Mapping[str, object]
    figures: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def split(self) -> str:
        """Whether speakers are in both halves, in words."""
        return LEAKING if self.leaking else DISJOINT


def write_artefacts(outcome: Outcome, *, out: Path, model: Path) -> None:
    """Write everything about one training, each file in one step.

    - `history.csv`: a row an epoch: epoch, loss, accuracy, val_loss, val_accuracy;
    - `training.png`: the same as curves;
    - `confusion-CONDITION.png`: what each class was taken for;
    - `report.csv`: precision, recall, F1 and support of each condition and class, and their mean over the classes
      that occur; a figure that is not defined is an empty cell (see `export.evaluation.metrics`), and no part of the
      mean;
    - `metrics.json`: which model file it is about, whether the split leaks, the facts, and all figures of each
      condition; the model card takes its figures from here.

    Args:
        outcome: what to write; the same outcome gives the same bytes.
        out: the folder, made where it is not there.
        model: the model file, which is there.

    Raises:
        ExportError: scores that are no numbers.
        OutputError: a file cannot be written.
    """
    _refuse_divergence(outcome)
    measured = {name: figures(own.probs, own.truth, labels=outcome.labels) for name, own in outcome.conditions.items()}
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "history.csv", pd.DataFrame([dataclasses.asdict(epoch) for epoch in outcome.history]))
    write_csv(out / "report.csv", pd.DataFrame(_report(outcome, measured), columns=_REPORT_COLUMNS))
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    write_json(str(out / "metrics.json"), {"model_sha256": digest, **_metrics(outcome, measured)})
    mark = f" ({LEAKING})" if outcome.leaking else ""
    training_curves(outcome.history, out / "training.png", kept=outcome.kept, title=f"{outcome.title}{mark}")
    for name, own in measured.items():
        shares = f"{own.clips} clips, UAR {100 * own.uar:.1f} %, accuracy {100 * own.accuracy:.1f} %"
        title = f"{outcome.title}, {name}: {shares}{mark}"
        confusion_matrix(own.confusion, outcome.labels, out / f"confusion-{name}.png", title=title)


def _refuse_divergence(outcome: Outcome) -> None:
    for name, own in outcome.conditions.items():
        if not np.isfinite(own.probs).all():
            message = f"{outcome.title}, {name}: scores that are no numbers: the training diverged"
            raise ExportError(f"{message}; take a smaller learning rate", code="bad_result")


def _report(outcome: Outcome, measured: Mapping[str, Figures]) -> Iterator[tuple[object, ...]]:
    for name, own in measured.items():
        support = np.sum(own.confusion, axis=1)
        for label, clips in zip(outcome.labels, support, strict=True):
            shares = own.precision.get(label), own.recall.get(label), own.f1.get(label)
            yield name, label, *shares, int(clips), outcome.split
        precision = [own.precision[label] for label in own.recall if label in own.precision]
        mean = float(np.mean(precision)) if precision else None
        yield name, MACRO, mean, own.uar, own.macro_f1, own.clips, outcome.split


def _metrics(outcome: Outcome, measured: Mapping[str, Figures]) -> dict[str, object]:
    return {
        "title": outcome.title,
        "leaking": outcome.leaking,
        "split": outcome.split,
        "labels": list(outcome.labels),
        "epochs": len(outcome.history),
        "kept_epoch": outcome.kept,
        "conditions": {
            name: {**dataclasses.asdict(own), "unanswered": outcome.conditions[name].unanswered}
            for name, own in measured.items()
        },
        "facts": dict(outcome.facts),
        **outcome.figures,
    }
