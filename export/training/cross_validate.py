"""Training of the default model `phone`, from corpora to a measured, converted file.

Every clip is scored once by a network that never heard its speaker, or nothing of its corpus; temperature, least
confidence and figures come from these scores, and the network that ships is then trained on everything. What was
finished lies in the output folder, and the same command goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from export.arrays import Ints, Probs
from export.conversion import keras_file
from export.conversion.metadata import Title
from export.conversion.onnx import convert, example_inputs
from export.corpora.clips import Clip, Corpus
from export.errors import ExportError
from export.evaluation.out_of_fold import Results, cross_fitted, measure
from export.evaluation.predictions import Predictions, load_predictions, predict, save_predictions
from export.evaluation.report import Outcome, Scored, write_artefacts
from export.features.call_frames import Dataset, Preparation, prepare
from export.features.channel_statistics import Statistics, statistics
from export.progress import Report
from export.recipes.base import Recipe, restrict_labels
from export.training.facts import describe, figures_of_cross_validation
from export.training.fit_channel import fit_phone
from export.training.loop import Epoch, Fitted
from export.training.settings import Settings, run_hash
from export.training.splits import assign_folds, refuse_unknown_speakers
from sertag.parallel import usable_cpus
from sertag.spec import ModelSpec


def train_phone(
    recipe: Recipe,
    corpora: Sequence[Corpus],
    *,
    settings: Settings,
    title: Title,
    out: Path,
    cache: Path,
    report: Report,
) -> Path:
    """Cross-validate, train on everything, calibrate, convert.

    Args:
        recipe: that normalises by the channel.
        corpora: what to learn from, with labels of the recipe.
        settings: of the run. By speaker the speakers are dealt over the folds; by corpus one corpus after the other is
            left out of the networks that score, which is what a caller is to the network that ships.
        title: of the model.
        out: folder for half-way states, the network (`model.keras`), the model file (`model.onnx`) and everything of
            `export.evaluation.report`.
        cache: folder for frames.
        report: of the progress.

    Returns:
        The model file.

    Raises:
        ExportError: unknown or too few speakers, a single corpus, an undecodable clip, a disk that is full, or a
            network that ONNX Runtime does not reproduce.
        OutputError: a file cannot be written.
    """
    refuse_unknown_speakers([clip for corpus in corpora for clip in corpus.clips])
    out.mkdir(parents=True, exist_ok=True)
    recipe = restrict_labels(recipe, {clip.label for corpus in corpora for clip in corpus.clips})
    dataset, sums = load_dataset(corpora, recipe=recipe, seed=settings.seed, cache=cache, report=report)
    folds = _folds(dataset.clips, settings=settings)
    epochs = settings.epochs or recipe.epochs
    run = run_name(dataset.clips, recipe, settings)

    def trained(name: str, members: Ints) -> Fitted:
        place = out / f"training-{name.replace(' ', '-')}-{run}.npz"
        tell = _teller(report, name, epochs)
        return fit_phone(
            dataset, sums, members, recipe=recipe, seed=settings.seed, epochs=epochs, checkpoint=place, report=tell
        )

    predicted: list[Predictions] = []
    for fold in range(int(folds.max()) + 1):
        place = out / f"fold-{fold}-{run}.npz"
        if not place.exists():
            model = trained(f"fold {fold}", np.flatnonzero(folds != fold)).model
            tested = np.flatnonzero(folds == fold)
            frames, hop = recipe.window_frames, recipe.hop_frames
            save_predictions(place, predict(model, dataset, sums, tested, frames=frames, hop_frames=hop))
        predicted.append(load_predictions(place))
    results = measure(
        predicted,
        dataset=dataset,
        folds=folds,
        folds_by=settings.folds_by,
        labels=recipe.labels,
        answers_right=settings.answers_right,
    )
    fitted = trained("all speakers", np.arange(len(dataset.clips)))
    spec = describe(results, corpora=corpora, recipe=recipe, settings=settings, title=title)
    examples = example_inputs(dataset.clips, spec=spec)
    digests = [clip.digest for clip in dataset.clips]
    keras_file.save(fitted.model, out / "model.keras", spec=spec, examples=examples, digests=digests)
    model_file = convert(fitted.model, spec=spec, examples=examples, digests=digests, out=out / "model.onnx")
    probs = cross_fitted(predicted, dataset=dataset, folds=folds, labels=recipe.labels)
    write_artefacts(_outcome(probs, dataset, fitted, results=results, spec=spec), out=out, model=model_file)
    return model_file


def load_dataset(
    corpora: Sequence[Corpus],
    *,
    recipe: Recipe,
    seed: int,
    cache: Path,
    report: Report,
) -> tuple[Dataset, tuple[Statistics, ...]]:
    """Frames of all clips and the sums of their speech, version by version."""
    dataset = prepare(
        [clip for corpus in corpora for clip in corpus.clips],
        preparation=Preparation(features=recipe.features, seed=seed),
        cache=cache,
        jobs=usable_cpus(),
        report=lambda done, total: report("features", done / total),
    )
    return dataset, tuple(statistics(version, features=recipe.features) for version in dataset.versions)


def run_name(clips: Sequence[Clip], recipe: Recipe, settings: Settings) -> str:
    """What tells the files of this run from those of another one: the trainings, folds, recipe and data."""
    trained = dataclasses.replace(settings, answers_right=0.5, counts_as=())  # asked when all trainings are done
    return run_hash(recipe, clips, trained)


def _folds(clips: Sequence[Clip], *, settings: Settings) -> Ints:
    """The fold in which each clip is tested, int64 (n,)."""
    if settings.folds_by == "speaker":
        return assign_folds(clips, folds=settings.folds, seed=settings.seed)
    names = sorted({clip.corpus for clip in clips})
    if len(names) < 2:
        advice = "give another corpus, or take --folds-by speaker"
        raise ExportError(f"{names[0]} is the only corpus: nothing is left to learn from; {advice}", code="bad_folds")
    return np.array([names.index(clip.corpus) for clip in clips], dtype=np.int64)


def _teller(report: Report, name: str, epochs: int) -> Callable[[Epoch], None]:
    def tell(epoch: Epoch) -> None:
        report(f"{name}: {epoch}", epoch.epoch / epochs)

    return tell


def _outcome(
    probs: dict[str, Probs], dataset: Dataset, fitted: Fitted, *, results: Results, spec: ModelSpec
) -> Outcome:
    """What strangers' clips were taken for, with the history of the network that ships."""
    truth = np.array([spec.labels.index(clip.label) for clip in dataset.clips])
    return Outcome(
        title=f"{spec.name}, every clip scored by a network that never heard its {results.folds_by}",
        labels=spec.labels,
        history=fitted.history,
        kept=fitted.kept,
        conditions={
            "clean": Scored(probs["clean, one clip"], truth),
            "phone": Scored(probs["phone, one clip"], truth),
        },
        leaking=False,
        facts={
            "protocol": spec.metrics["protocol"],
            **spec.training,
            "folds": results.speakers_by_fold,
            "libraries": dict(spec.libraries),
        },
        figures=figures_of_cross_validation(results),
    )
