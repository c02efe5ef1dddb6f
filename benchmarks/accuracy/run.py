"""Recipes through suites, and those for calls through what `benchmarks.accuracy.calls` asks.

Trainings lie in the cache, so the same command goes on where it was stopped. A run is written down when it is whole:
into the file of its suite, `calls.json`, or `open.json`, which says what it costs to train on open recordings alone.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from benchmarks.accuracy import figures, store
from benchmarks.accuracy.calls import compare, folds_calibrated
from benchmarks.accuracy.calls import measure as measure_folds
from benchmarks.accuracy.store import Run
from benchmarks.accuracy.suites import Suite
from export.arrays import Ints
from export.corpora.clips import Clip, Corpus, allows_trade, data_hash
from export.corpora.loading import relabel
from export.corpora.own_data import ORDINARY, UNACTED
from export.errors import ExportError
from export.evaluation.calibration import ANSWERS_RIGHT
from export.evaluation.call_calibration import ORDINARY_SHARE
from export.features.clip_windows import CONDITIONS
from export.features.material import UNACTED_SHARE, UNKNOWN
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe
from export.training.experiment import PROTOCOL_VERSION, Experiment, Scores, out_of_fold, pool_of
from export.training.facts import versions
from export.training.loop import Answers
from export.training.splits import Settings, Split, folds_of, splits
from sertag.parallel.tasks import usable_cpus

OPEN = "open.json"

_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Work:
    """One run that is to be measured."""

    suite: Suite
    recipe: Recipe
    seed: int


def plan(suites: Sequence[Suite], recipes: Sequence[str], *, seeds: Sequence[int] = ()) -> list[Work]:
    """All runs of some suites and recipes, seed after seed; the seeds of the suites if none are named."""
    return [
        Work(suite, dataclasses.replace(RECIPES[recipe], labels=suite.labels_of(RECIPES[recipe])), seed)
        for seed in sorted(set(seeds or (seed for suite in suites for seed in suite.seeds)))
        for suite in suites
        for recipe in recipes
        if suite.asks(recipe) and (seeds or seed in suite.seeds)
    ]


def measure(
    work: Sequence[Work],
    corpora: Mapping[str, Corpus],
    *,
    results: Path,
    cache: Path,
    jobs: int,
    encoder: Path | None = None,
    report: Report = lambda what, share: None,
) -> None:
    """Measure the runs that are not there yet, `jobs` at a time, each on one thread; decodable corpora are by name."""
    missing = [(own, clips) for own in work if not _is_there(own, clips := _clips(corpora, own), results)]
    calls = (delayed(measure_run)(own, clips, cache=cache, encoder=encoder) for own, clips in missing)
    for variable in _THREADS:
        os.environ.setdefault(variable, "1")  # workers inherit them; more threads would compete for the processors
    with _workers_end_with_us():
        done = Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")(calls)
        for number, (own, run) in enumerate(done, start=1):
            store.add(results, own.suite, own.recipe.name, run)
            uar = ", ".join(f"{name} {100 * found['uar']:.1f}" for name, found in run["conditions"].items())
            report(f"{own.suite.name}: {own.recipe.name}, seed {run['seed']}: UAR {uar}", number / len(missing))


def measure_run(work: Work, clips: Sequence[Clip], *, cache: Path, encoder: Path | None = None) -> tuple[Work, Run]:
    """Train and score every fold of a run."""
    began = time.monotonic()
    experiment = experiment_for(work.recipe, clips, encoder=encoder, cache=cache)
    found = splits(clips, protocol=work.suite.split, seed=work.seed)
    answers, temperature = _answers(experiment, found, seed=work.seed)
    answers["group"] = answers["corpus"] if work.suite.split == "corpora" else ""
    sentiments = {label: work.recipe.sentiment[label] for label in work.recipe.labels}
    run = {
        "seed": work.seed,
        "data_sha256": data_hash(clips),
        "labels": list(work.recipe.labels),
        "clips": int(sum(len(split.test) for split in found)),
        "leaking": found[0].leaking,
        **figures.measure(answers, sentiments=sentiments, temperature=temperature),
        "took_s": round(time.monotonic() - began),
        **_made(),
    }
    return work, run


def measure_calls(experiment: Experiment, corpora: Sequence[Corpus], *, seed: int, out: Path) -> Path:
    """Measure a recipe with one seed, on the corpora that it was made of, and write down what it reaches."""
    if not any(corpus.name == ORDINARY for corpus in corpora):
        raise ExportError("no ordinary speech, which most of a call is; add --data ordinary=DIR", code="no_data")
    folds, scored = _scored(experiment, seed=seed)
    recipe, teacher = experiment.recipe, experiment.teacher
    entry = {
        "recipe": recipe.name,
        "seed": seed,
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
        "conditions": {name: _of_calls(experiment, scored[name], folds, name, seed=seed) for name in CONDITIONS},
        **_made(),
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
    names = [clip.corpus for clip in clips]
    conditions: dict[str, dict[str, Any]] = {}
    for name in CONDITIONS:
        free = experiment.answers(model, name, np.arange(len(clips)))
        for trained_on, answers in (("all", everything[name]), ("open", free)):
            pool = pool_of(experiment, {name: answers}, conditions=[name])
            figures = compare(pool, np.where(tested, folds, -1), spec=experiment.spec, corpora=names)
            conditions.setdefault(name, {})[trained_on] = figures
    entry = {"seed": seed, "conditions": conditions}
    return store.write_json(out / OPEN, store.read_json(out / OPEN) | {experiment.recipe.name: entry})


def experiment_for(
    recipe: Recipe,
    clips: Sequence[Clip],
    *,
    encoder: Path | None,
    cache: Path,
    report: Report = lambda what, share: None,
) -> Experiment:
    """A recipe and its teacher with clips, decodable ones with labels of the recipe."""
    jobs, teacher = usable_cpus(), RECIPES.get(recipe.teacher)
    return Experiment(clips, recipe=recipe, cache=cache, jobs=jobs, encoder=encoder, teacher=teacher, report=report)


def _made() -> dict[str, Any]:
    """When and by what a run was measured."""
    today, commit = datetime.date.today().isoformat(), store.commit()
    return {"protocol_version": PROTOCOL_VERSION, "date": today, "commit": commit, "libraries": versions()}


def _scored(experiment: Experiment, *, seed: int) -> tuple[Ints, dict[str, Answers]]:
    """The fold of each clip, and what a network that was trained on the other folds says of it."""
    settings = Settings(protocol="cross-validated", folds_by="corpus", seed=seed)
    folds = folds_of(experiment.clips, settings=settings)
    return folds, out_of_fold(experiment, folds, settings=settings)


def _of_calls(experiment: Experiment, answers: Answers, folds: Ints, condition: str, *, seed: int) -> dict[str, Any]:
    """Figures of one condition; what calibrates a fold comes from the others."""
    pool = pool_of(experiment, {condition: answers}, conditions=[condition])
    calibrated = folds_calibrated(pool, folds, spec=experiment.spec, answers_right=ANSWERS_RIGHT, seed=seed)
    spoken = experiment.truth[experiment.versions[condition].clip_of] != UNKNOWN
    heard = answers.speech >= experiment.spec.min_speech_probability
    passed = {
        name: round(float(own.mean()), 4) if len(own) else None
        for name, own in (("speech", heard[spoken]), ("no_speech", heard[~spoken]))
    }
    names = sorted({clip.corpus for clip in experiment.clips} - set(UNACTED))  # as `folds_of` numbers them
    return {"taken_for_speech": passed, **measure_folds(calibrated, corpora=names, seed=seed)}


def _clips(corpora: Mapping[str, Corpus], work: Work) -> list[Clip]:
    asked = relabel([corpora[name] for name in work.suite.corpora], onto=work.recipe.labels)
    return [clip for corpus in asked for clip in corpus.clips]


def _is_there(work: Work, clips: Sequence[Clip], results: Path) -> bool:
    runs = store.read(results, work.suite).get(work.recipe.name, [])
    data = data_hash(clips)
    return any(run["seed"] == work.seed and store.is_current(run, data_sha256=data) for run in runs)


def _scores(experiment: Experiment, split: Split, *, seed: int) -> tuple[dict[str, Scores], float]:
    """What a network says of the tested clips, and its temperature; those for calls need no clips to stop by."""
    if experiment.recipe.features.framing == "clip":
        trial = experiment.run(split, seed=seed)
        return trial.scores, trial.temperature
    model = experiment.fit(np.union1d(split.train, split.validation), seed=seed, name=split.name).model
    return {name: experiment.score(model, name, split.test) for name in CONDITIONS}, 1.0  # the other folds calibrate


def _answers(experiment: Experiment, found: Sequence[Split], *, seed: int) -> tuple[pd.DataFrame, float]:
    """What networks say of the clips of all folds, as a table, and the temperature of the first."""
    parts, temperatures = [], []
    for split in found:
        scores, temperature = _scores(experiment, split, seed=seed)
        clips = [experiment.clips[index] for index in split.test]
        of_clips = {"person": [clip.person for clip in clips], "corpus": [clip.corpus for clip in clips]}
        for name, own in scores.items():
            about = {"condition": name, "fold": split.name, "truth": experiment.truth[split.test], **of_clips}
            table = pd.DataFrame(own.log_probs, columns=[*experiment.recipe.labels])
            parts.append(table.assign(answered=own.answered, **about))
        temperatures.append(temperature)
    return pd.concat(parts, ignore_index=True), temperatures[0]


@contextmanager
def _workers_end_with_us() -> Iterator[None]:
    """Make SIGTERM an exception, on which joblib ends its workers; else they would go on with hours of training."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
