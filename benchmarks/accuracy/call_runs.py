"""Recipes for calls through what `benchmarks.accuracy.calls` asks: trained once a fold, written down once a seed.

One file, `calls.json`: an entry a recipe and seed. Folds that are done lie in the cache, so the same command goes on
where it was stopped.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.calls import folds_calibrated, measure, names_of
from benchmarks.accuracy.run import commit
from export.arrays import Ints
from export.conversion.metadata import corpora_facts, versions
from export.corpora.clips import Corpus, data_hash
from export.corpora.ordinary import NAME as ORDINARY
from export.errors import ExportError
from export.evaluation.call_calibration import ORDINARY_SHARE
from export.features.clip_windows import CONDITIONS
from export.features.material import UNACTED_SHARE, UNKNOWN
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe, restrict_labels
from export.training.cross_validate import pool_of
from export.training.experiment import PROTOCOL_VERSION, Experiment
from export.training.fit_windows import Answers
from export.training.settings import Settings
from export.training.trainer import Trainer, folds_of, out_of_fold
from sertag.output import Output

CALLS = "calls.json"
Entry = dict[str, Any]


def measure_calls(
    recipe: Recipe,
    corpora: Sequence[Corpus],
    *,
    seed: int,
    encoder: Path | None,
    cache: Path,
    out: Path,
    epochs: int | None = None,
    report: Report,
) -> Path:
    """Measure a recipe with one seed and write down what it reaches.

    Args:
        recipe: for calls.
        corpora: decodable clips with labels of the recipe; `ordinary` speech and `no_speech` among them.
        seed: of trainings, calibration and simulated calls.
        encoder: file of a frozen encoder, of recipes that need one or whose teacher does.
        cache: folder for windows and half-way states.
        out: folder of the results.
        epochs: of every training; the recipe's if None.
        report: of the progress.

    Returns:
        The file.

    Raises:
        ExportError: fewer than two corpora, no ordinary speech, or a disk that is full.
        OutputError: the file cannot be written; the old one still stands.
    """
    began = datetime.date.today().isoformat()
    if not any(corpus.name == ORDINARY for corpus in corpora):
        message = "no ordinary speech, which most of a call is; add --data ordinary=DIR"
        raise ExportError(message, code="no_data")
    trainer = trainer_for(recipe, corpora, seed=seed, encoder=encoder, cache=cache, epochs=epochs, report=report)
    recipe, settings = trainer.experiment.recipe, trainer.settings
    folds = folds_of(trainer.experiment.clips, settings=settings)
    scored = out_of_fold(trainer, folds)
    entry = {
        "recipe": recipe.name,
        "seed": seed,
        "protocol_version": PROTOCOL_VERSION,
        "model": _facts(trainer, corpora),
        "conditions": {name: _figures(trainer.experiment, scored[name], folds, name, settings) for name in CONDITIONS},
        "date": began,
        "commit": commit(),
        "libraries": versions(),
    }
    return add(out, entry)


def trainer_for(
    recipe: Recipe,
    corpora: Sequence[Corpus],
    *,
    seed: int,
    encoder: Path | None,
    cache: Path,
    epochs: int | None = None,
    report: Report,
) -> Trainer:
    """Networks of a recipe on these corpora, one corpus a fold; arguments and errors as of `measure_calls`."""
    clips = [clip for corpus in corpora for clip in corpus.clips]
    recipe = restrict_labels(recipe, {clip.label for clip in clips})
    return Trainer.of(
        clips,
        recipe,
        teacher=RECIPES.get(recipe.teacher),
        settings=Settings(protocol="cross-validated", folds_by="corpus", seed=seed, epochs=epochs),
        cache=cache,
        encoder=encoder,
        report=report,
    )


def read_calls(results: Path) -> list[Entry]:
    """All entries, by recipe and seed; none where nothing was measured."""
    place = results / CALLS
    return list(json.loads(place.read_text(encoding="utf-8"))["runs"]) if place.exists() else []


def add(results: Path, entry: Mapping[str, Any]) -> Path:
    """Put an entry into the file, in the place of an older one of the same recipe and seed; errors as above."""
    others = [own for own in read_calls(results) if (own["recipe"], own["seed"]) != (entry["recipe"], entry["seed"])]
    order = {name: number for number, name in enumerate(RECIPES)}
    runs = sorted([*others, dict(entry)], key=lambda own: (order.get(own["recipe"], len(order)), own["seed"]))
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{results}: cannot keep what was measured: {error.strerror}; name another --out"
        raise ExportError(message, code="cannot_write") from error
    with Output(str(results / CALLS)) as output:
        output.write((json.dumps({"runs": runs}, indent=1) + "\n").encode())
    return results / CALLS


def _facts(trainer: Trainer, corpora: Sequence[Corpus]) -> dict[str, Any]:
    """What the networks are and what they were trained on."""
    experiment = trainer.experiment
    return {
        "network": experiment.recipe.model,
        "labels": list(experiment.recipe.labels),
        "epochs": trainer.settings.epochs or experiment.recipe.epochs,
        "versions": list(experiment.data.versions),
        "teacher": None if trainer.teacher is None else trainer.teacher.recipe.name,
        "encoder_sha256": experiment.encoder or None,
        "unacted_share": UNACTED_SHARE,
        "ordinary_share": ORDINARY_SHARE,
        "answers_right": trainer.settings.answers_right,
        "corpora": [{key: own[key] for key in ("name", "clips")} for own in corpora_facts(corpora)],
        "data_sha256": data_hash(experiment.clips),
    }


def _figures(experiment: Experiment, answers: Answers, folds: Ints, condition: str, settings: Settings) -> Any:
    """Figures of one condition; what calibrates a fold comes from the others."""
    pool = pool_of(experiment, {condition: answers}, conditions=[condition])
    clip_of = experiment.data.versions[condition].clip_of
    spoken = experiment.truth[clip_of] != UNKNOWN
    heard = answers.speech >= experiment.spec.min_speech_probability
    clip = clip_of[spoken & heard]
    calibrated = folds_calibrated(
        pool, folds[clip], spec=experiment.spec, answers_right=settings.answers_right, seed=settings.seed
    )
    names = names_of(folds, [own.corpus for own in experiment.clips])
    clips = [clip[folds[clip] == fold] for fold in np.unique(folds)]
    passed = {
        "speech": _share(heard[spoken]),
        "no_speech": _share(heard[~spoken]),
    }
    return {"taken_for_speech": passed, **measure(calibrated, corpora=names, clips=clips, seed=settings.seed)}


def _share(flags: Any) -> float | None:
    return round(float(flags.mean()), 4) if len(flags) else None
