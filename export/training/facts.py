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
from export.conversion.metadata import ENCODER_NOTICE, LICENCE, OPEN_LICENCE, Title, corpora_facts, licences, versions
from export.corpora.clips import Corpus, allows_trade, data_hash
from export.evaluation.calibration import scale
from export.evaluation.call_calibration import ORDINARY_SHARE
from export.evaluation.report import Scored
from export.features.material import UNACTED_SHARE
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


def describe_calls(
    experiment: Experiment, *, corpora: Sequence[Corpus], settings: Settings, folds: Ints, title: Title
) -> ModelSpec:
    """Specification of a model for calls, less its calibration and probe.

    Args:
        experiment: recipe and clips.
        corpora: what was learnt from.
        settings: of the run.
        folds: int64 (n,), in which each clip was scored.
        title: of the model.
    """
    recipe, by_corpus = experiment.recipe, settings.folds_by == "corpus"
    parts = len(np.unique(folds))
    scored = (
        f"every corpus scored by a network that was trained on the {parts - 1} others"
        if by_corpus
        else f"{parts} folds by speaker; every clip scored by a network that was not trained on its speaker"
    )
    training = {
        "recipe": recipe.name,
        "network": recipe.model,
        "corpora": corpora_facts(corpora),
        "counts_as": _changed(settings.counts_as),
        "folds_by": settings.folds_by,
        "calibrated_on": "windows of recordings that the network was not trained on, most of them ordinary speech",
        "leaking": False,
        "seed": settings.seed,
        "epochs": settings.epochs or recipe.epochs,
        "unacted_share": UNACTED_SHARE,
        "versions": list(experiment.data.versions),
        "data_sha256": data_hash(experiment.clips),
    }
    return dataclasses.replace(
        experiment.spec,
        name=title.name,
        version=title.version,
        licence="; ".join([licence_of(corpora), *([ENCODER_NOTICE] if recipe.encoder else [])]),
        training=MappingProxyType(training),
        metrics=MappingProxyType(
            {
                "protocol": f"{scored}; length of training fixed beforehand; calibration on the same scores",
                "min_confidence": f"{settings.answers_right:.0%} of the windows called other than neutral are right, "
                f"where {ORDINARY_SHARE:.0%} of the speech is ordinary",
            }
        ),
        libraries=MappingProxyType(versions()),
    )


def licence_of(corpora: Sequence[Corpus]) -> str:
    """What weights from these corpora may be used for; each corpus' own licence where that is not plain."""
    if any("NC" in corpus.licence for corpus in corpora):
        return LICENCE
    plain = all(allows_trade(clip.licence) for corpus in corpora for clip in corpus.clips)
    return OPEN_LICENCE if plain else licences(corpora)


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
    whose = "of other speakers" if split.speaker_independent else "of the same speakers"
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
                "calibrated_on": f"{len(split.validation)} clips {whose} that no weight was fitted on, clean, by phone",
            }
        ),
        metrics=MappingProxyType(summary_of_trial(split=split, protocol=settings.protocol, whose=whose)),
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
        "clips": {"trained": len(split.train), "validation": len(split.validation), "tested": len(split.test)},
        "data_sha256": {
            "trained": data_hash(experiment.clips[index] for index in split.train),
            "validation": data_hash(experiment.clips[index] for index in split.validation),
            "tested": data_hash(experiment.clips[index] for index in split.test),
        },
    }


def summary_of_trial(*, split: Split, protocol: str, whose: str) -> dict[str, object]:
    """Protocol of a training that was tested on one side of a split; `whose` says whose clips chose the epoch."""
    return {
        "protocol": (
            f"{_PROTOCOLS[protocol]}; tested on {split.name}, {len(split.test)} clips; learnt from "
            f"{len(split.train)}; the epoch was chosen on {len(split.validation)} others {whose}"
        ),
        "min_confidence": (
            f"the least confidence over which {ANSWERS_RIGHT:.0%} of the answers to the clips that chose the "
            "epoch are right"
        ),
    }


def scored_clips(trial: Trial, *, experiment: Experiment, split: Split) -> dict[str, Scored]:
    """Calibrated probabilities of the tested clips by condition; one without an answer has a wrong one."""
    return {
        name: as_scored(scores, experiment.truth[split.test], trial.temperature)
        for name, scores in trial.scores.items()
    }


def as_scored(scores: Scores, truth: Ints, temperature: float = 1.0) -> Scored:
    """Calibrated probabilities; a clip without an answer has a wrong one of no confidence."""
    labels = scores.log_probs.shape[1]
    probs = scale(scores.log_probs, temperature=temperature)
    probs[~scores.answered] = np.eye(labels)[(truth[~scores.answered] + 1) % labels] * 1e-9
    return Scored(probs, truth, unanswered=int((~scores.answered).sum()))


def _changed(counts_as: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: label for name, label in counts_as if name != label}
