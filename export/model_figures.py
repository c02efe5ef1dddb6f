"""How a model was measured, in words for its file, and the figures themselves, which stand in `metrics.json` beside it.

Figures are not part of the model file: its SHA-256 is in every row and every journal, and must not change because
something was measured once more.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from export.artefacts import Scored
from export.benches import ANSWERS_RIGHT, Bench, Trial
from export.calibration import scale
from export.dataset import Ints
from export.fit import Scores
from export.out_of_fold import Measured, Results, Rows
from export.protocols import Split
from export.settings import Settings

_PROTOCOLS = MappingProxyType(
    {
        "speakers": "nobody who is tested was learnt from",
        "random": "random split of the clips, the same speakers on both sides, so the figures say nothing of strangers",
        "corpora": "no corpus that is tested was learnt from",
    }
)


def summary_of_cross_validation(results: Results, settings: Settings, *, developed: bool) -> dict[str, object]:
    """Protocol, in words; the settings were found on speakers of public corpora, which has to be said of these."""
    by_corpus = results.folds_by == "corpus"
    parts, strangers = len(results.speakers_by_fold), results.strangers
    split = (
        f"every corpus scored by a network that learnt from the {parts - 1} others and heard nothing of it"
        if by_corpus
        else f"{parts} folds by speaker over all corpora; every clip scored once by a network that never heard its "
        "speaker"
    )
    compared = f" settings were compared on {strangers} out of these, held out in the same way;" if developed else ""
    return {
        "protocol": (
            f"{split}; length of training fixed beforehand;{compared} temperature and least confidence of a "
            f"{'corpus' if by_corpus else 'fold'} from the others"
        ),
        "min_confidence": (
            f"the least confidence over which {settings.answers_right:.0%} of the answers to clips of unseen "
            f"{strangers} are right, corpora weighted equally, all conditions together"
        ),
    }


def figures_of_cross_validation(results: Results) -> dict[str, object]:
    """Figures by condition and of rows."""
    return {
        "rows": results.rows and _rows(results.rows),
        "conditions": {name: _condition(measured) for name, measured in results.conditions.items()},
    }


def summary_of_trial(*, split: Split, protocol: str, inner: str) -> dict[str, object]:
    """Protocol of a training that was tested on one side of a split; `inner` says whose clips chose the epoch."""
    return {
        "protocol": (
            f"{_PROTOCOLS[protocol]}; tested on {split.name}, {len(split.test)} clips; learnt from "
            f"{len(split.learn)}; the epoch was chosen on {len(split.inner)} others {inner}"
        ),
        "min_confidence": (
            f"the least confidence over which {ANSWERS_RIGHT:.0%} of the answers to the clips that chose the "
            "epoch are right"
        ),
    }


def scored_clips(trial: Trial, *, bench: Bench, split: Split) -> dict[str, Scored]:
    """Calibrated probabilities of the tested clips by condition; one without an answer has a wrong one."""
    return {name: _scored(scores, bench.truth[split.test], trial.temperature) for name, scores in trial.scores.items()}


def _scored(scores: Scores, truth: Ints, temperature: float) -> Scored:
    labels = scores.log_probs.shape[1]
    probs = scale(scores.log_probs, temperature=temperature)
    probs[~scores.answered] = np.eye(labels)[(truth[~scores.answered] + 1) % labels] * 1e-9
    return Scored(probs, truth, unanswered=int((~scores.answered).sum()))


def _rows(rows: Rows) -> dict[str, object]:
    return {
        "rows": rows.rows,
        "accuracy": round(rows.accuracy, 4),
        "mean_confidence": round(rows.confidence, 4),
        "coverage": round(rows.answered.coverage, 4),
        "accuracy_of_answers": round(rows.answered.accuracy, 4),
    }


def _condition(measured: Measured) -> dict[str, object]:
    return {
        "uar": round(measured.uar, 4),
        "accuracy": round(measured.accuracy, 4),
        "ece": round(measured.ece, 4),
        "coverage": round(measured.answered.coverage, 4),
        "accuracy_of_answers": round(measured.answered.accuracy, 4),
        "corpora": {
            name: {
                "chance": round(own.chance, 4),
                "uar": round(own.uar, 4),
                "accuracy": round(own.accuracy, 4),
                "recall": {label: round(value, 3) for label, value in own.recall.items()},
            }
            for name, own in measured.corpora.items()
        },
    }
