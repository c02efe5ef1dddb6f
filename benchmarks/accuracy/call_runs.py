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
from export.evaluation.call_calibration import ORDINARY_SHARE
from export.features.clip_windows import CONDITIONS
from export.features.material import UNACTED_SHARE, UNKNOWN
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe, restrict_labels
from export.training.experiment import PROTOCOL_VERSION, Experiment
from export.training.facts import corpora_facts, versions
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
    return Experiment(
        clips,
        recipe=restrict_labels(recipe, {clip.label for clip in clips}),
        cache=cache,
        jobs=usable_cpus(),
        encoder=encoder,
        teacher=RECIPES.get(recipe.teacher),
        report=report,
    )


def measure_calls(experiment: Experiment, corpora: Sequence[Corpus], *, seed: int, out: Path) -> Path:
    """Measure a recipe with one seed, on the corpora that it was made of, and write down what it reaches.

    Raises:
        ExportError: fewer than two corpora, no ordinary speech, or a disk that is full.
        OutputError: the file cannot be written; the old one still stands.
    """
    began = datetime.date.today().isoformat()
    if not any(corpus.name == ORDINARY for corpus in corpora):
        raise ExportError("no ordinary speech, which most of a call is; add --data ordinary=DIR", code="no_data")
    settings = _settings(seed)
    folds = folds_of(experiment.clips, settings=settings)
    scored = out_of_fold(experiment, folds, settings=settings)
    entry = {
        "recipe": experiment.recipe.name,
        "seed": seed,
        "protocol_version": PROTOCOL_VERSION,
        "model": _facts(experiment, corpora, settings),
        "conditions": {name: _figures(experiment, scored[name], folds, name, settings) for name in CONDITIONS},
        "date": began,
        "commit": store.commit(),
        "libraries": versions(),
    }
    return store.add_calls(out, entry)


def measure_open(experiment: Experiment, *, seed: int, out: Path) -> Path:
    """Compare trainings on all other corpora with one on open recordings, on corpora that are in neither.

    Raises:
        ExportError: no corpus is left that the open recordings do not hold, or none is open.
        OutputError: the file cannot be written.
    """
    clips, settings = experiment.clips, _settings(seed)
    is_open = np.array([allows_trade(clip.licence) for clip in clips])
    held = {clip.corpus for clip, free in zip(clips, is_open, strict=True) if free}
    tested = np.array([clip.corpus not in {*held, *UNACTED} for clip in clips])
    if not is_open.any() or not tested.any():
        message = "expected corpora whose licences allow commercial use, and others to test on; add --data"
        raise ExportError(message, code="no_data")
    folds = folds_of(clips, settings=settings)
    everything = out_of_fold(experiment, folds, settings=settings)
    model = experiment.fit(np.flatnonzero(is_open), seed=seed, name="open").model
    names, labels = [clip.corpus for clip in clips], experiment.recipe.labels

    def compared(name: str, answers: Answers) -> dict[str, Any]:
        pool = pool_of(experiment, {name: answers}, conditions=[name])
        return compare(pool, np.where(tested, folds, -1), labels=labels, corpora=names)

    conditions = {}
    for name in CONDITIONS:
        free = experiment.answers(model, name, np.arange(len(clips)))
        conditions[name] = {"all": compared(name, everything[name]), "open": compared(name, free)}
    entry = {"seed": seed, "conditions": conditions}
    return store.write_json(out / OPEN, store.read_json(out / OPEN) | {experiment.recipe.name: entry})


def _settings(seed: int) -> Settings:
    return Settings(protocol="cross-validated", folds_by="corpus", seed=seed)


def _facts(experiment: Experiment, corpora: Sequence[Corpus], settings: Settings) -> dict[str, Any]:
    """What the networks are and what they were trained on."""
    return {
        "network": experiment.recipe.model,
        "labels": list(experiment.recipe.labels),
        "epochs": experiment.recipe.epochs,
        "versions": list(experiment.versions),
        "teacher": None if experiment.teacher is None else experiment.teacher.recipe.name,
        "encoder_sha256": experiment.encoder or None,
        "unacted_share": UNACTED_SHARE,
        "ordinary_share": ORDINARY_SHARE,
        "answers_right": settings.answers_right,
        "corpora": [{key: own[key] for key in ("name", "clips")} for own in corpora_facts(corpora)],
        "data_sha256": data_hash(experiment.clips),
    }


def _figures(experiment: Experiment, answers: Answers, folds: Ints, condition: str, settings: Settings) -> Any:
    """Figures of one condition; what calibrates a fold comes from the others."""
    pool = pool_of(experiment, {condition: answers}, conditions=[condition])
    calibrated = folds_calibrated(
        pool, folds, spec=experiment.spec, answers_right=settings.answers_right, seed=settings.seed
    )
    spoken = experiment.truth[experiment.versions[condition].clip_of] != UNKNOWN
    heard = answers.speech >= experiment.spec.min_speech_probability
    passed = {
        name: round(float(own.mean()), 4) if len(own) else None
        for name, own in (("speech", heard[spoken]), ("no_speech", heard[~spoken]))
    }
    names = names_of(folds, [own.corpus for own in experiment.clips])
    return {"taken_for_speech": passed, **measure(calibrated, corpora=names, seed=settings.seed)}
