"""Recipes through suites: one loop for any recipe, each fold trained once, each run written down when it is whole.

Hours of training fit into any sittings: folds that are done lie in the cache, runs in the file of their suite.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from benchmarks.accuracy import store
from benchmarks.accuracy.figures import ScoredClips, by_fold, calibrated, figures_of, plain
from benchmarks.accuracy.store import Run
from benchmarks.accuracy.suites import Suite
from export.arrays import Ints, Probs
from export.cache import cache_arrays, make_cache
from export.conversion.metadata import versions
from export.corpora.clips import Clip, Corpus, data_hash
from export.corpora.loading import relabel
from export.features.clip_windows import CONDITIONS
from export.progress import Report
from export.recipes import RECIPES
from export.recipes.base import Recipe
from export.training.experiment import PROTOCOL_VERSION, Experiment
from export.training.fit_clip import Scores
from export.training.settings import Settings, run_hash
from export.training.splits import Split
from export.training.trainer import Trainer
from sertag.records import BoolArray

_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Work:
    """One run that is to be measured."""

    suite: Suite
    recipe: Recipe
    seed: int


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the network of a fold says of the tested clips, and the temperature that its validation clips ask for."""

    log_probs: dict[str, Probs]
    answered: dict[str, BoolArray]
    temperature: float


def plan(suites: Sequence[Suite], recipes: Sequence[str], *, seeds: Sequence[int] = ()) -> list[Work]:
    """All runs of some suites and recipes, seed after seed; the seeds of the suites if none are named."""
    return [
        Work(suite, RECIPES[recipe], seed)
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
    """Measure the runs that are not there yet.

    Args:
        work: in this order.
        corpora: by name, decodable clips with their own labels.
        results: folder of the suites' files.
        cache: folder for features and for folds that are done.
        jobs: runs at a time, each on one thread.
        encoder: file of a frozen encoder, of recipes that need one.
        report: of the progress.

    Raises:
        ExportError: clips that cannot be split as a suite wants, or features that cannot be kept.
        OutputError: a file cannot be written.
    """
    missing = [own for own in work if not _is_there(own, corpora, results)]
    calls = (
        delayed(measure_run)(own, [corpora[name] for name in own.suite.corpora], cache=cache, encoder=encoder)
        for own in missing
    )
    for variable in _THREADS:
        os.environ.setdefault(variable, "1")  # workers inherit them; more threads would compete for the processors
    with _workers_end_with_us():
        done = Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")(calls)
        for number, (suite, recipe, run) in enumerate(done, start=1):
            store.add(results, suite, recipe, run)
            uar = ", ".join(f"{name} {100 * own['uar']:.1f}" for name, own in run["conditions"].items())
            report(f"{suite.name}: {recipe}, seed {run['seed']}: UAR {uar}", number / len(missing))


def measure_run(
    work: Work, corpora: Sequence[Corpus], *, cache: Path, encoder: Path | None = None
) -> tuple[Suite, str, Run]:
    """Train and score every fold of a run; returns suite, recipe and run."""
    began = time.monotonic()
    recipe = dataclasses.replace(work.recipe, labels=work.suite.labels_of(work.recipe))
    clips = _clips(corpora, recipe)
    trainer = Trainer.of(
        clips,
        recipe,
        teacher=RECIPES.get(recipe.teacher),
        settings=Settings(seed=work.seed),
        cache=cache,
        encoder=encoder,
        report=lambda what, share: None,
    )
    found = work.suite.splits(trainer.experiment.clips, seed=work.seed)
    answers = [_answers(trainer, split, encoder=encoder) for split in found]
    run = {
        "seed": work.seed,
        "protocol_version": PROTOCOL_VERSION,
        "data_sha256": data_hash(clips),
        "labels": list(recipe.labels),
        "clips": int(sum(len(split.test) for split in found)),
        "leaking": found[0].leaking,
        **_figures(trainer.experiment, found, answers, work.suite),
        "took_s": round(time.monotonic() - began),
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "libraries": versions(),
    }
    return work.suite, work.recipe.name, run


def _clips(corpora: Sequence[Corpus], recipe: Recipe) -> list[Clip]:
    return [clip for corpus in relabel(corpora, onto=recipe.labels) for clip in corpus.clips]


def _is_there(work: Work, corpora: Mapping[str, Corpus], results: Path) -> bool:
    run = store.find(results, work.suite, work.recipe.name, seed=work.seed)
    if run is None:
        return False
    recipe = dataclasses.replace(work.recipe, labels=work.suite.labels_of(work.recipe))
    data = data_hash(_clips([corpora[name] for name in work.suite.corpora], recipe))
    return store.is_current(run, data_sha256=data)


def _answers(trainer: Trainer, split: Split, *, encoder: Path | None) -> _Answers:
    """Train on one side of a split and ask about the other, unless that is in the cache."""
    learnt = np.union1d(split.train, split.validation)
    front = "" if encoder is None else hashlib.sha256(encoder.read_bytes()).hexdigest()
    parts = trainer.key(learnt), data_hash(trainer.experiment.clips[index] for index in split.test), front
    place = trainer.cache / f"answers-{run_hash(trainer.experiment.recipe, (), *parts)}.npz"
    if not place.exists():
        scores, temperature = _scores(trainer, split, learnt)
        arrays: dict[str, npt.ArrayLike] = {"temperature": temperature}
        for name, own in scores.items():
            arrays |= {f"log_probs: {name}": own.log_probs, f"answered: {name}": own.answered}
        make_cache(trainer.cache)
        cache_arrays(place, arrays)
    with np.load(place) as stored:
        return _Answers(
            {name: stored[f"log_probs: {name}"] for name in CONDITIONS},
            {name: stored[f"answered: {name}"] for name in CONDITIONS},
            float(stored["temperature"]),
        )


def _scores(trainer: Trainer, split: Split, learnt: Ints) -> tuple[dict[str, Scores], float]:
    """What a network says of the tested clips, and its temperature; those for calls need no clips to stop by."""
    experiment = trainer.experiment
    if experiment.recipe.features.framing == "clip":
        trial = experiment.run(split, seed=trainer.settings.seed)
        return trial.scores, trial.temperature
    model, _ = trainer.trained(learnt, split.name)
    return experiment.score(model, split.test), 1.0  # the other folds calibrate


def _figures(experiment: Experiment, found: Sequence[Split], answers: Sequence[_Answers], suite: Suite) -> Run:
    """Figures by condition over all folds, and of each fold."""
    members = np.concatenate([split.test for split in found])
    clips = [experiment.clips[index] for index in members]
    tested = ScoredClips(
        truth=experiment.truth[members],
        fold=np.repeat(np.arange(len(found)), [len(split.test) for split in found]),
        person=_numbers([clip.person for clip in clips]),
        corpus=_numbers([clip.corpus for clip in clips]),
        labels=experiment.recipe.labels,
        sentiments=tuple(experiment.recipe.sentiment[label] for label in experiment.recipe.labels),
        by_corpus=suite.split == "corpora",
    )
    log_probs = {name: np.concatenate([own.log_probs[name] for own in answers]) for name in CONDITIONS}
    answered = {name: np.concatenate([own.answered[name] for own in answers]) for name in CONDITIONS}
    probs = calibrated(log_probs, answered, tested) or plain(log_probs, temperature=answers[0].temperature)
    return {
        "conditions": {name: figures_of(own, answered[name], tested) for name, own in probs.items()},
        "folds": by_fold(probs, answered, tested, [split.name for split in found]),
    }


def _numbers(names: Sequence[str]) -> Ints:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def commit() -> str:
    """The commit that is checked out, in short; empty outside of a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return told.stdout.strip()


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
