"""Recipes through suites: one loop for any recipe; trainings lie in the cache, runs in the file of their suite."""

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

import numpy as np
from joblib import Parallel, delayed

from benchmarks.accuracy import store
from benchmarks.accuracy.figures import ScoredClips, by_fold, calibrated, figures_of
from benchmarks.accuracy.store import Run
from benchmarks.accuracy.suites import Suite
from export.arrays import Ints
from export.corpora.clips import Clip, Corpus, data_hash
from export.corpora.loading import relabel
from export.features.clip_windows import CONDITIONS
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe
from export.training.experiment import PROTOCOL_VERSION, Experiment, Scores
from export.training.facts import versions
from export.training.splits import Split, splits
from sertag.parallel.tasks import usable_cpus

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
    """Measure the runs that are not there yet, `jobs` at a time, each on one thread.

    Corpora are by name, decodable clips with their own labels; `encoder` is the file of a frozen one, for recipes that
    need it. An ExportError for clips that cannot be split as a suite wants.
    """
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
    experiment = Experiment(
        clips,
        recipe=work.recipe,
        cache=cache,
        jobs=usable_cpus(),
        encoder=encoder,
        teacher=RECIPES.get(work.recipe.teacher),
    )
    found = splits(clips, protocol=work.suite.split, seed=work.seed)
    run = {
        "seed": work.seed,
        "protocol_version": PROTOCOL_VERSION,
        "data_sha256": data_hash(clips),
        "labels": list(work.recipe.labels),
        "clips": int(sum(len(split.test) for split in found)),
        "leaking": found[0].leaking,
        **_figures(experiment, found, work),
        "took_s": round(time.monotonic() - began),
        "date": datetime.date.today().isoformat(),
        "commit": store.commit(),
        "libraries": versions(),
    }
    return work, run


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


def _figures(experiment: Experiment, found: Sequence[Split], work: Work) -> Run:
    """Figures by condition over all folds, and of each fold."""
    scored = [_scores(experiment, split, seed=work.seed) for split in found]
    members = np.concatenate([split.test for split in found])
    clips = [experiment.clips[index] for index in members]
    tested = ScoredClips(
        truth=experiment.truth[members],
        fold=np.repeat(np.arange(len(found)), [len(split.test) for split in found]),
        person=_numbers([clip.person for clip in clips]),
        corpus=_numbers([clip.corpus for clip in clips]),
        labels=work.recipe.labels,
        sentiments=tuple(work.recipe.sentiment[label] for label in work.recipe.labels),
        by_corpus=work.suite.split == "corpora",
    )
    log_probs = {name: np.concatenate([own[name].log_probs for own, _ in scored]) for name in CONDITIONS}
    answered = {name: np.concatenate([own[name].answered for own, _ in scored]) for name in CONDITIONS}
    probs = calibrated(log_probs, answered, tested, temperature=scored[0][1])
    return {
        "conditions": {name: figures_of(own, answered[name], tested) for name, own in probs.items()},
        "folds": by_fold(probs, answered, tested, [split.name for split in found]),
    }


def _numbers(names: Sequence[str]) -> Ints:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


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
