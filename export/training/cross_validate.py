"""Training of a model for calls, from corpora to a calibrated, converted file.

Every recording is scored once by a network that was not trained on its corpus (or its speaker); priors, temperature,
thresholds and the making of rows are fitted on these scores, and the network that ships is then trained on everything.
What was finished lies in the cache, and the same command goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from export.arrays import Inputs, Probs
from export.conversion import keras_file
from export.conversion.metadata import Title
from export.conversion.onnx import convert
from export.corpora.clips import Clip, Corpus
from export.corpora.ordinary import NAME as ORDINARY
from export.corpora.ordinary import UNACTED
from export.evaluation.call_calibration import calibrate
from export.evaluation.calls import WindowPool
from export.evaluation.report import Outcome, write_artefacts
from export.features.clip_windows import CONDITIONS
from export.features.material import UNKNOWN
from export.progress import Report
from export.recipes.base import Recipe, restrict_labels
from export.training.experiment import Experiment, clip_scores
from export.training.facts import as_scored, describe_calls
from export.training.fit_windows import Answers, with_offsets
from export.training.loop import Epoch
from export.training.settings import Settings
from export.training.splits import refuse_unknown_speakers
from export.training.trainer import Trainer, folds_of, out_of_fold
from sertag.records import FloatArray
from sertag.softmax import softmax


def train_for_calls(
    recipe: Recipe,
    corpora: Sequence[Corpus],
    *,
    settings: Settings,
    title: Title,
    out: Path,
    cache: Path,
    encoder: Path | None = None,
    teacher: Recipe | None = None,
    report: Report,
) -> Path:
    """Cross-validate, calibrate, train on everything, convert.

    Args:
        recipe: that is shown windows of calls.
        corpora: what to learn from, with labels of the recipe, or `no_speech`.
        settings: of the run. By speaker the speakers are dealt over the folds; by corpus one corpus after the other is
            left out of the networks that score, which is what a caller is to the network that ships.
        title: of the model.
        out: folder for the network (`model.keras`), the model file (`model.onnx`) and everything of
            `export.evaluation.report`.
        cache: folder for windows and half-way states.
        encoder: file of a frozen encoder, of recipes that need one.
        teacher: recipe of a network from which this one learns, trained on the same clips in every fold.
        report: of the progress.

    Returns:
        The model file.

    Raises:
        ExportError: unknown or too few speakers, a single corpus, an undecodable clip, a disk that is full, or a
            network that ONNX Runtime does not reproduce.
        OutputError: a file cannot be written.
    """
    clips = [clip for corpus in corpora for clip in corpus.clips]
    refuse_unknown_speakers([clip for clip in clips if clip.corpus not in UNACTED])
    recipe = restrict_labels(recipe, {clip.label for clip in clips})
    trainer = Trainer.of(clips, recipe, teacher=teacher, settings=settings, cache=cache, encoder=encoder, report=report)
    experiment = trainer.experiment
    folds = folds_of(experiment.clips, settings=settings)
    scored = out_of_fold(trainer, folds)
    calibration = calibrate(
        pool_of(experiment, scored), spec=experiment.spec, answers_right=settings.answers_right, seed=settings.seed
    )
    model, history = trainer.trained(np.arange(len(clips)), "everything")
    network = with_offsets(model, calibration.offsets)
    spec = calibration.applied(describe_calls(experiment, corpora=corpora, settings=settings, folds=folds, title=title))
    examples: Inputs = {"features": _examples(experiment)}
    digests = [clip.digest for clip in experiment.clips]
    out.mkdir(parents=True, exist_ok=True)
    keras_file.save(network, out / "model.keras", spec=spec, examples=examples, digests=digests)
    model_file = convert(
        network,
        spec=spec,
        examples=examples,
        digests=digests,
        out=out / "model.onnx",
        encoder=encoder if recipe.encoder else None,
    )
    outcome = _outcome(experiment, scored, history, offsets=calibration.offsets, temperature=spec.temperature)
    write_artefacts(outcome, out=out, model=model_file)
    return model_file


def pool_of(
    experiment: Experiment, scored: Mapping[str, Answers], *, conditions: Sequence[str] = CONDITIONS
) -> WindowPool:
    """The windows of some conditions, less those in which nobody speaks or the network hears nobody."""
    clips, parts = experiment.clips, []
    people = {name: number for number, name in enumerate(sorted({clip.person for clip in clips}))}
    places = {name: number for number, name in enumerate(sorted({_place(clip) for clip in clips}))}
    for name in conditions:
        windows, answers = experiment.data.versions[name], scored[name]
        clip_of = windows.clip_of
        kept = np.flatnonzero(
            (experiment.truth[clip_of] != UNKNOWN) & (answers.speech >= experiment.spec.min_speech_probability)
        )
        own = clip_of[kept]
        parts.append(
            (
                np.log(np.maximum(answers.probs[kept], 1e-12)),
                windows.speech_s[kept],
                experiment.truth[own],
                np.array([people[clips[index].person] for index in own]),
                np.array([places[_place(clips[index])] for index in own]),
                np.array([clips[index].corpus == ORDINARY for index in own]),
            )
        )
    return WindowPool(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _place(clip: Clip) -> str:
    return f"{clip.corpus} {clip.source}" if clip.corpus == ORDINARY else clip.corpus


def _examples(experiment: Experiment) -> FloatArray:
    """Some real windows, for the comparison of Keras and ONNX Runtime."""
    features = experiment.data.versions[CONDITIONS[0]].features
    return np.asarray(features[:: max(1, len(features) // 32)][:32], dtype=np.float32)


def _outcome(
    experiment: Experiment,
    scored: Mapping[str, Answers],
    history: tuple[Epoch, ...],
    *,
    offsets: Probs,
    temperature: float,
) -> Outcome:
    """What clips were taken for by networks that were not trained on them, decided as the model that ships decides."""
    members = np.flatnonzero(experiment.truth != UNKNOWN)
    members = members[[experiment.clips[index].corpus != ORDINARY for index in members]]
    conditions = {}
    for name in CONDITIONS:
        windows = experiment.data.versions[name]
        rows = windows.rows_of(members)
        logits = (np.log(np.maximum(scored[name].probs[rows], 1e-12)) + offsets) / temperature
        scores = clip_scores(windows, Answers(softmax(logits), scored[name].speech[rows]), rows, members)
        conditions[name] = as_scored(scores, experiment.truth[members])
    return Outcome(
        title=f"{experiment.recipe.name}, clips that the scoring network was not trained on",
        labels=experiment.recipe.labels,
        history=history,
        kept=history[-1].epoch,
        conditions=conditions,
        leaking=False,
        facts={"offsets": [round(float(value), 3) for value in offsets], "temperature": temperature},
    )
