"""What it costs to train on recordings alone whose licences allow commercial use.

Asked of corpora that are in no such training: each is scored by networks that were trained on all other corpora, and by
one that was trained on the open recordings. Labels are as likely as each other, as networks take them to be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.calls import by_clip, part, uar
from export.arrays import Ints
from export.corpora.clips import allows_trade
from export.corpora.ordinary import UNACTED
from export.errors import ExportError
from export.evaluation.metrics import area_under_curve
from export.features.clip_windows import CONDITIONS
from export.features.material import UNKNOWN
from export.training.cross_validate import pool_of
from export.training.fit_windows import Answers
from export.training.trainer import Trainer, folds_of, out_of_fold
from sertag.output import Output

OPEN = "open.json"


def measure_open(trainer: Trainer, *, out: Path) -> Path:
    """Compare both trainings and write down what they reach.

    Args:
        trainer: with all corpora.
        out: folder of the results.

    Returns:
        The file.

    Raises:
        ExportError: no corpus is left that the open recordings do not hold, or none is open.
        OutputError: the file cannot be written.
    """
    experiment = trainer.experiment
    is_open = np.array([allows_trade(clip.licence) for clip in experiment.clips])
    closed = {clip.corpus for clip in experiment.clips} - {
        clip.corpus for clip, free in zip(experiment.clips, is_open, strict=True) if free
    }
    tested = np.array([clip.corpus in closed - set(UNACTED) for clip in experiment.clips])
    if not is_open.any() or not tested.any():
        message = "expected corpora whose licences allow commercial use, and others to test on; add --data"
        raise ExportError(message, code="no_data")
    folds = folds_of(experiment.clips, settings=trainer.settings)
    everything = out_of_fold(trainer, folds)
    model, _ = trainer.trained(np.flatnonzero(is_open), "open")
    entry: dict[str, Any] = {"seed": trainer.settings.seed, "conditions": {}}
    for name in CONDITIONS:
        _, answers, rows = experiment.window_answers(model, name, np.flatnonzero(tested))
        found = Answers(everything[name].probs.copy(), everything[name].speech.copy())
        found.probs[rows], found.speech[rows] = answers.probs, answers.speech
        entry["conditions"][name] = {
            "all": _figures(trainer, everything[name], name, folds=folds, tested=tested),
            "open": _figures(trainer, found, name, folds=folds, tested=tested),
        }
    return _add(out, experiment.recipe.name, entry)


def read_open(results: Path) -> dict[str, Any]:
    """Recipe -> what was measured; nothing where there is no file."""
    place = results / OPEN
    return dict(json.loads(place.read_text(encoding="utf-8"))) if place.exists() else {}


def _figures(trainer: Trainer, answers: Answers, condition: str, *, folds: Ints, tested: Any) -> dict[str, Any]:
    """UAR and anger AUC of each tested corpus, and their means."""
    experiment = trainer.experiment
    pool = pool_of(experiment, {condition: answers}, conditions=[condition])
    clip_of = experiment.data.versions[condition].clip_of
    heard = answers.speech >= experiment.spec.min_speech_probability
    clip = clip_of[(experiment.truth[clip_of] != UNKNOWN) & heard]
    angry = experiment.spec.labels.index("angry")
    found: dict[str, Any] = {}
    for fold in np.unique(folds[tested]):
        own = tested[clip] & (folds[clip] == fold)
        truth, _, probs = by_clip(part(pool, own), clip[own], np.ones(int(own.sum()), dtype=np.bool_))
        corpus = experiment.clips[int(clip[own][0])].corpus
        found[corpus] = {
            "uar": round(uar(probs.argmax(axis=1) == truth, truth), 4),
            "anger_auc": round(area_under_curve(probs[:, angry], truth == angry), 4),
        }
    means = {key: round(float(np.mean([own[key] for own in found.values()])), 4) for key in ("uar", "anger_auc")}
    return {"corpora": found, "mean": means}


def _add(results: Path, recipe: str, entry: Mapping[str, Any]) -> Path:
    results.mkdir(parents=True, exist_ok=True)
    with Output(str(results / OPEN)) as output:
        output.write((json.dumps(read_open(results) | {recipe: entry}, indent=1) + "\n").encode())
    return results / OPEN
