"""Recipes for calls through what `benchmarks.accuracy.calls` asks: trained once a fold, written down once a seed.

`calls.json` has an entry a recipe and seed, `open.json` says what it costs to train on recordings alone whose licences
allow commercial use. Trainings lie in the cache, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import store
from benchmarks.accuracy.calls import compare, folds_calibrated, measure, names_of
from export.arrays import Ints
from export.corpora.clips import Corpus, allows_trade, data_hash
from export.corpora.ordinary import NAME as ORDINARY
from export.corpora.ordinary import UNACTED
from export.errors import ExportError
from export.evaluation.calibration import ANSWERS_RIGHT
from export.evaluation.call_calibration import ORDINARY_SHARE
from export.features.clip_windows import CONDITIONS
from export.features.material import UNACTED_SHARE, UNKNOWN
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe, restrict_labels
from export.training.experiment import PROTOCOL_VERSION, Experiment
from export.training.facts import versions
from export.training.loop import Answers
from export.training.out_of_fold import folds_of, out_of_fold, pool_of
from export.training.settings import Settings
from sertag.parallel.tasks import usable_cpus

OPEN = "open.json"


def experiment_for(
    recipe: Recipe, corpora: Sequence[Corpus], *, encoder: Path | None, cache: Path, report: Report
) -> Experiment:
    """A recipe for calls and its teacher with all clips, decodable ones with labels of the recipe."""
    clips = [clip for corpus in corpora for clip in corpus.clips]
    recipe, teacher = restrict_labels(recipe, {clip.label for clip in clips}), RECIPES.get(recipe.teacher)
    jobs = usable_cpus()
    return Experiment(clips, recipe=recipe, cache=cache, jobs=jobs, encoder=encoder, teacher=teacher, report=report)


def measure_calls(experiment: Experiment, corpora: Sequence[Corpus], *, seed: int, out: Path) -> Path:
    """Measure a recipe with one seed, on the corpora that it was made of, and write down what it reaches."""
    began = datetime.date.today().isoformat()
    if not any(corpus.name == ORDINARY for corpus in corpora):
        raise ExportError("no ordinary speech, which most of a call is; add --data ordinary=DIR", code="no_data")
    folds, scored = _scored(experiment, seed=seed)
    recipe, teacher = experiment.recipe, experiment.teacher
    entry = {
        "recipe": recipe.name,
        "seed": seed,
        "protocol_version": PROTOCOL_VERSION,
        "model": {
            "network": recipe.model,
            "labels": list(recipe.labels),
            "epochs": recipe.epochs,
            "versions": list(experiment.versions),
            "teacher": None if teacher is None else teacher.recipe.name,
            "encoder_sha256": experiment.encoder or None,
            "unacted_share": UNACTED_SHARE,
            "ordinary_share": ORDINARY_SHARE,
            "answers_right": ANSWERS_RIGHT,
            "corpora": [{"name": corpus.name, "clips": len(corpus.clips)} for corpus in corpora],
            "data_sha256": data_hash(experiment.clips),
        },
        "conditions": {name: _figures(experiment, scored[name], folds, name, seed=seed) for name in CONDITIONS},
        "date": began,
        "commit": store.commit(),
        "libraries": versions(),
    }
    return store.add_calls(out, entry)


def measure_open(experiment: Experiment, *, seed: int, out: Path) -> Path:
    """Compare trainings on all other corpora with one on open recordings, on corpora that are in neither."""
    clips = experiment.clips
    is_open = np.array([allows_trade(clip.licence) for clip in clips])
    held = {clip.corpus for clip, free in zip(clips, is_open, strict=True) if free}
    tested = np.array([clip.corpus not in {*held, *UNACTED} for clip in clips])
    if not is_open.any() or not tested.any():
        message = "expected corpora whose licences allow commercial use, and others to test on; add --data"
        raise ExportError(message, code="no_data")
    folds, everything = _scored(experiment, seed=seed)
    model = experiment.fit(np.flatnonzero(is_open), seed=seed, name="open").model
    names, labels = [clip.corpus for clip in clips], experiment.recipe.labels
    conditions: dict[str, dict[str, Any]] = {}
    for name in CONDITIONS:
        free = experiment.answers(model, name, np.arange(len(clips)))
        for trained_on, answers in (("all", everything[name]), ("open", free)):
            pool = pool_of(experiment, {name: answers}, conditions=[name])
            figures = compare(pool, np.where(tested, folds, -1), labels=labels, corpora=names)
            conditions.setdefault(name, {})[trained_on] = figures
    entry = {"seed": seed, "conditions": conditions}
    return store.write_json(out / OPEN, store.read_json(out / OPEN) | {experiment.recipe.name: entry})


def _scored(experiment: Experiment, *, seed: int) -> tuple[Ints, dict[str, Answers]]:
    """The fold of each clip, and what a network that was trained on the other folds says of it."""
    settings = Settings(protocol="cross-validated", folds_by="corpus", seed=seed)
    folds = folds_of(experiment.clips, settings=settings)
    return folds, out_of_fold(experiment, folds, settings=settings)


def _figures(experiment: Experiment, answers: Answers, folds: Ints, condition: str, *, seed: int) -> dict[str, Any]:
    """Figures of one condition; what calibrates a fold comes from the others."""
    pool = pool_of(experiment, {condition: answers}, conditions=[condition])
    calibrated = folds_calibrated(pool, folds, spec=experiment.spec, answers_right=ANSWERS_RIGHT, seed=seed)
    spoken = experiment.truth[experiment.versions[condition].clip_of] != UNKNOWN
    heard = answers.speech >= experiment.spec.min_speech_probability
    passed = {
        name: round(float(own.mean()), 4) if len(own) else None
        for name, own in (("speech", heard[spoken]), ("no_speech", heard[~spoken]))
    }
    names = names_of(folds, [own.corpus for own in experiment.clips])
    return {"taken_for_speech": passed, **measure(calibrated, corpora=names, seed=seed)}
