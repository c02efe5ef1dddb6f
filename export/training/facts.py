"""What is known of a training: how it was measured, in words for the model file, and its figures for `metrics.json`.

Figures are not part of the model file: its SHA-256 is in every row and every journal, and must not change because
something was measured once more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from export.arrays import Ints
from export.conversion.metadata import LICENCE, Title, corpora_facts, licences, versions
from export.corpora.clips import Corpus, data_hash
from export.corpora.layouts import LAYOUTS
from export.evaluation.calibration import scale
from export.evaluation.out_of_fold import Measured, Results, Rows
from export.evaluation.report import Scored
from export.features.channel_statistics import LEAST_SPEECH_FRAMES
from export.recipes.base import Recipe
from export.training.experiment import ANSWERS_RIGHT, Experiment, Trial
from export.training.fit_clip import Scores
from export.training.settings import Settings
from export.training.splits import Split
from sertag.spec import ModelSpec

_PROTOCOLS = MappingProxyType(
    {
        "speakers": "nobody who is tested was learnt from",
        "random": "random split of the clips, the same speakers on both sides, so the figures say nothing of strangers",
        "corpora": "no corpus that is tested was learnt from",
    }
)


def describe(
    results: Results,
    *,
    corpora: Sequence[Corpus],
    recipe: Recipe,
    settings: Settings,
    title: Title,
) -> ModelSpec:
    """Specification of the model, probe apart.

    Args:
        results: of the cross-validation.
        corpora: what was learnt from.
        recipe: with the labels that the corpora teach.
        settings: of the run.
        title: of the model.
    """
    public = all(corpus.name in LAYOUTS for corpus in corpora)
    return ModelSpec(
        name=title.name,
        version=title.version,
        features=recipe.features,
        window_s=recipe.window_s,
        hop_s=recipe.hop_s,
        min_speech_s=LEAST_SPEECH_FRAMES / recipe.features.frame_rate_hz,
        labels=recipe.labels,
        sentiment=MappingProxyType({label: recipe.sentiment[label] for label in recipe.labels}),
        temperature=round(results.temperature, 4),
        min_confidence=round(results.min_confidence, 4),
        licence=LICENCE if public and any("NC" in corpus.licence for corpus in corpora) else licences(corpora),
        training=MappingProxyType(_training(corpora, recipe, settings, results)),
        metrics=MappingProxyType(summary_of_cross_validation(results, settings, developed=public)),
        libraries=MappingProxyType(versions()),
    )


def describe_trial(
    trial: Trial, *, experiment: Experiment, split: Split, corpora: Sequence[Corpus], settings: Settings, title: Title
) -> ModelSpec:
    """Specification of a model that was trained on one side of a split, probe apart.

    Args:
        trial: what came of it.
        experiment: recipe and clips.
        split: of the clips.
        corpora: where the clips are from.
        settings: of the run.
        title: of the model.
    """
    inner = "of other speakers" if split.speaker_independent else "of the same speakers"
    return dataclasses.replace(
        experiment.spec,
        name=title.name,
        version=title.version,
        temperature=round(trial.temperature, 4),
        min_confidence=round(trial.min_confidence, 4),
        licence=licences(corpora),
        training=MappingProxyType(
            {
                "recipe": experiment.recipe.name,
                "network": experiment.recipe.model,
                "corpora": corpora_facts(corpora),
                **run_facts(trial, experiment=experiment, split=split, settings=settings),
                "counts_as": _changed(settings.counts_as),
                "calibrated_on": f"{len(split.validation)} clips {inner} that no weight was fitted on, clean and by "
                "phone",
            }
        ),
        metrics=MappingProxyType(summary_of_trial(split=split, protocol=settings.protocol, inner=inner)),
        libraries=MappingProxyType(versions()),
    )


def run_facts(trial: Trial, *, experiment: Experiment, split: Split, settings: Settings) -> dict[str, object]:
    """What is known of a training besides its figures; arguments as of `describe_trial`."""
    return {
        "protocol": settings.protocol,
        "leaking": split.leaking,
        "tested": split.name,
        "seed": settings.seed,
        "epochs": trial.epochs,
        "kept_epoch": trial.kept,
        "clips": {"learnt": len(split.train), "inner": len(split.validation), "tested": len(split.test)},
        "data_sha256": {
            "learnt": data_hash(experiment.clips[index] for index in split.train),
            "inner": data_hash(experiment.clips[index] for index in split.validation),
            "tested": data_hash(experiment.clips[index] for index in split.test),
        },
    }


def summary_of_cross_validation(results: Results, settings: Settings, *, developed: bool) -> dict[str, object]:
    """Protocol, in words; the settings were found on speakers of public corpora, which has to be said of these."""
    by_corpus = results.folds_by == "corpus"
    parts, strangers = len(results.speakers_by_fold), results.held_out
    split = (
        f"every corpus scored by a network that learnt from the {parts - 1} others and heard nothing of it"
        if by_corpus
        else f"{parts} folds by speaker over all corpora; every clip scored once by a network that never heard its "
        "speaker"
    )
    compared = f" settings were compared on {strangers} out of these, held out in the same way;" if developed else ""
    return {
        "protocol": (
            f"{split}; length of training fixed beforehand;{compared} temperature and least confidence of a "
            f"{'corpus' if by_corpus else 'fold'} from the others"
        ),
        "min_confidence": (
            f"the least confidence over which {settings.answers_right:.0%} of the answers to clips of unseen "
            f"{strangers} are right, corpora weighted equally, all conditions together"
        ),
    }


def figures_of_cross_validation(results: Results) -> dict[str, object]:
    """Figures by condition and of rows."""
    return {
        "rows": results.rows and _rows(results.rows),
        "conditions": {name: _condition(measured) for name, measured in results.conditions.items()},
    }


def summary_of_trial(*, split: Split, protocol: str, inner: str) -> dict[str, object]:
    """Protocol of a training that was tested on one side of a split; `inner` says whose clips chose the epoch."""
    return {
        "protocol": (
            f"{_PROTOCOLS[protocol]}; tested on {split.name}, {len(split.test)} clips; learnt from "
            f"{len(split.train)}; the epoch was chosen on {len(split.validation)} others {inner}"
        ),
        "min_confidence": (
            f"the least confidence over which {ANSWERS_RIGHT:.0%} of the answers to the clips that chose the "
            "epoch are right"
        ),
    }


def scored_clips(trial: Trial, *, experiment: Experiment, split: Split) -> dict[str, Scored]:
    """Calibrated probabilities of the tested clips by condition; one without an answer has a wrong one."""
    return {
        name: _scored(scores, experiment.truth[split.test], trial.temperature) for name, scores in trial.scores.items()
    }


def _scored(scores: Scores, truth: Ints, temperature: float) -> Scored:
    labels = scores.log_probs.shape[1]
    probs = scale(scores.log_probs, temperature=temperature)
    probs[~scores.answered] = np.eye(labels)[(truth[~scores.answered] + 1) % labels] * 1e-9
    return Scored(probs, truth, unanswered=int((~scores.answered).sum()))


def _rows(rows: Rows) -> dict[str, object]:
    return {
        "rows": rows.rows,
        "accuracy": round(rows.accuracy, 4),
        "mean_confidence": round(rows.confidence, 4),
        "coverage": round(rows.answered.coverage, 4),
        "accuracy_of_answers": round(rows.answered.accuracy, 4),
    }


def _condition(measured: Measured) -> dict[str, object]:
    return {
        "uar": round(measured.uar, 4),
        "accuracy": round(measured.accuracy, 4),
        "ece": round(measured.ece, 4),
        "coverage": round(measured.answered.coverage, 4),
        "accuracy_of_answers": round(measured.answered.accuracy, 4),
        "corpora": {
            name: {
                "chance": round(own.chance, 4),
                "uar": round(own.uar, 4),
                "accuracy": round(own.accuracy, 4),
                "recall": {label: round(value, 3) for label, value in own.recall.items()},
            }
            for name, own in measured.corpora.items()
        },
    }


def _changed(counts_as: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: label for name, label in counts_as if name != label}


def _training(corpora: Sequence[Corpus], recipe: Recipe, settings: Settings, results: Results) -> dict[str, object]:
    return {
        "recipe": recipe.name,
        "network": recipe.model,
        "corpora": corpora_facts(corpora),
        "counts_as": _changed(settings.counts_as),
        "folds_by": results.folds_by,
        "calibrated_on": f"{results.held_out} the network did not train on",
        "leaking": False,
        "seed": settings.seed,
        "windows_seen": (settings.epochs or recipe.epochs) * recipe.steps * recipe.batch,
        "share_through_telephone": 1 - recipe.mixture.clean,
    }
