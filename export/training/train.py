"""Training of a recipe, from corpora to a measured and converted model file.

Reads top to bottom. Half-way states lie in the cache, and the same command goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

import sertag
from export.conversion import keras_file
from export.conversion.metadata import Title, corpora_facts, versions
from export.conversion.onnx import convert, example_inputs
from export.corpora.clips import Corpus
from export.errors import ExportError
from export.evaluation.report import Outcome, write_artefacts
from export.features.encoder import Encoder
from export.progress import Report
from export.recipes.base import Recipe, restrict_labels
from export.training.experiment import PROTOCOL_VERSION, Experiment, Trial
from export.training.facts import describe_trial, run_facts, scored_clips
from export.training.settings import Settings, run_hash
from export.training.splits import Protocol, Split, splits


def train(
    recipe: Recipe,
    corpora: Sequence[Corpus],
    *,
    settings: Settings,
    title: Title,
    out: Path,
    cache: Path,
    jobs: int,
    encoder: Path | None = None,
    report: Report = lambda what, share: None,
) -> Path:
    """Train on one side of a split, measure on the other, convert.

    Args:
        recipe: what to train.
        corpora: decodable clips with the recipe's labels.
        settings: of the run.
        title: of the model.
        out: folder for the network (`model.keras`), the model file (`model.onnx`) and everything of
            `export.evaluation.report`.
        cache: folder for features and half-way states.
        jobs: processes that make features.
        encoder: file of a frozen encoder, of recipes that need one.
        report: of the progress.

    Returns:
        The model file.

    Raises:
        ExportError: data that the protocol cannot split, a disk that is full, or a network that ONNX Runtime does not
            reproduce.
    """
    out.mkdir(parents=True, exist_ok=True)
    clips = [clip for corpus in corpora for clip in corpus.clips]
    recipe = restrict_labels(recipe, {clip.label for clip in clips})
    front = encoder if recipe.encoder else None
    experiment = Experiment(
        clips,
        recipe=recipe,
        cache=cache,
        jobs=jobs,
        encoder=front,
        report=lambda done, total: report("features", done / total),
    )
    split = _choose(
        splits(experiment.clips, protocol=cast(Protocol, settings.protocol), seed=settings.seed), settings.fold
    )
    epochs = settings.epochs or recipe.epochs
    trial = experiment.run(
        split,
        seed=settings.seed,
        epochs=epochs,
        checkpoint=cache / f"training-{run_name(experiment, settings)}.npz",
        report=lambda epoch: report(f"training: {epoch}", epoch.epoch / epochs),
    )
    report("training", 1.0)
    spec = describe_trial(trial, experiment=experiment, split=split, corpora=corpora, settings=settings, title=title)
    network = recipe.ship(trial.model)
    examples = example_inputs([experiment.clips[index] for index in split.train], spec=spec)
    if front is not None:
        examples = {"features": Encoder.load(front).run(examples["features"]).astype(np.float32)}
    digests = [experiment.clips[index].digest for index in (*split.train, *split.validation)]
    keras_file.save(network, out / "model.keras", spec=spec, examples=examples, digests=digests)
    model = convert(network, spec=spec, examples=examples, digests=digests, out=out / "model.onnx", encoder=front)
    write_artefacts(_outcome(experiment, split, trial, corpora=corpora, settings=settings), out=out, model=model)
    return model


def run_name(experiment: Experiment, settings: Settings) -> str:
    """What tells the half-way state of this run from that of another one.

    How many epochs is left open for networks that look at one cut clip, so that more of them can follow; those that are
    shown windows of calls learn at a rate that falls to 0 with the last epoch.
    """
    epochs = None if experiment.recipe.features.framing == "clip" else settings.epochs or experiment.recipe.epochs
    code = sertag.__version__, PROTOCOL_VERSION, experiment.encoder
    return run_hash(experiment.recipe, experiment.clips, settings.protocol, settings.fold, settings.seed, epochs, code)


def _choose(found: list[Split], fold: int) -> Split:
    if fold >= len(found):
        names = ", ".join(f"{number} ({split.name})" for number, split in enumerate(found))
        raise ExportError(f"there is no fold {fold}; expected one of {names}", code="bad_fold")
    return found[fold]


def _outcome(
    experiment: Experiment, split: Split, trial: Trial, *, corpora: Sequence[Corpus], settings: Settings
) -> Outcome:
    return Outcome(
        title=f"{experiment.recipe.name}, {split.name} tested",
        labels=experiment.recipe.labels,
        history=trial.history,
        kept=trial.kept,
        conditions=scored_clips(trial, experiment=experiment, split=split),
        leaking=split.leaking,
        facts={
            "recipe": experiment.recipe.name,
            "corpora": corpora_facts(corpora),
            **run_facts(trial, experiment=experiment, split=split, settings=settings),
            "temperature": trial.temperature,
            "min_confidence": trial.min_confidence,
            "libraries": versions(),
        },
    )
