"""What is known of a training, for the model file: corpora, licences, versions of libraries, how it was measured.

No figures: the file's SHA-256 is in every row and journal, and must not change because something was measured again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import numpy as np

from export.arrays import Ints
from export.corpora.clips import Corpus, allows_trade, data_hash
from export.corpora.layouts import LAYOUTS
from export.corpora.own_data import ORDINARY
from export.evaluation.calibration import ANSWERS_RIGHT
from export.evaluation.call_calibration import ORDINARY_SHARE
from export.features.material import UNACTED_SHARE
from export.training.experiment import Experiment, Trial
from export.training.splits import Settings, Split
from sertag.spec import ModelSpec

LICENCE = "CC BY-NC-SA 4.0: trained on recordings that are free for non-commercial use only"
OPEN_LICENCE = "commercial use allowed, with attribution: so say the licences of all recordings it was trained on"
ENCODER_NOTICE = "encoder layers of Whisper base: MIT licence, Copyright (c) 2022 OpenAI"
LIBRARIES = ("numpy", "scipy", "soxr", "tensorflow-cpu", "keras", "tf2onnx", "onnx", "onnxruntime")

_PROTOCOLS: Mapping[str, str] = {
    "speakers": "nobody who is tested was learnt from",
    "random": "random split of the clips, the same speakers on both sides, so the figures say nothing of strangers",
    "corpora": "no corpus that is tested was learnt from",
}


def describe_calls(experiment: Experiment, *, corpora: Sequence[Corpus], settings: Settings, folds: Ints) -> ModelSpec:
    """Specification of a model for calls, less its calibration and probe; `folds` is in which each clip was scored."""
    parts = len(np.unique(folds))
    scored = (
        f"every corpus scored by a network that was trained on the {parts - 1} others"
        if settings.folds_by == "corpus"
        else f"{parts} folds by speaker; every clip scored by a network that was not trained on its speaker"
    )
    ordinary = any(corpus.name == ORDINARY for corpus in corpora)
    training = {
        "folds_by": settings.folds_by,
        "calibrated_on": "windows of recordings that the network was not trained on"
        + (", most of them ordinary speech" if ordinary else ""),
        "leaking": False,
        "seed": settings.seed,
        "epochs": settings.epochs or experiment.epochs(np.arange(len(experiment.clips))),
        "unacted_share": UNACTED_SHARE if ordinary else 0.0,
        "versions": list(experiment.versions),
        "data_sha256": data_hash(experiment.clips),
    }
    protocol = f"{scored}; length of training fixed beforehand; calibration on the same scores"
    floor = f"{ANSWERS_RIGHT:.0%} of the windows called other than neutral are right, where " + (
        f"{ORDINARY_SHARE:.0%} of the speech is ordinary" if ordinary else "each label is equally likely"
    )
    return _described(experiment, corpora, settings, training, protocol=protocol, min_confidence=floor)


def describe_trial(
    trial: Trial, *, experiment: Experiment, split: Split, corpora: Sequence[Corpus], settings: Settings
) -> ModelSpec:
    """Specification of a model that was trained on one side of a split, probe apart."""
    whose = "of other speakers" if split.speaker_independent else "of the same speakers"
    parts = {"trained": split.train, "validation": split.validation, "tested": split.test}
    clips = experiment.clips
    training = {
        "protocol": settings.protocol,
        "leaking": split.leaking,
        "tested": split.name,
        "seed": settings.seed,
        "epochs": len(trial.fitted.history),
        "kept_epoch": trial.fitted.kept,
        "clips": {name: len(members) for name, members in parts.items()},
        "data_sha256": {name: data_hash(clips[index] for index in members) for name, members in parts.items()},
        "calibrated_on": f"{len(split.validation)} clips {whose} that no weight was fitted on, clean, by phone",
    }
    spec = _described(
        experiment,
        corpora,
        settings,
        training,
        protocol=f"{_PROTOCOLS[settings.protocol]}; tested on {split.name}, {len(split.test)} clips; learnt from "
        f"{len(split.train)}; the epoch was chosen on {len(split.validation)} others {whose}",
        min_confidence=f"the least confidence over which {ANSWERS_RIGHT:.0%} of the answers to the clips that chose "
        "the epoch are right",
    )
    return replace(spec, temperature=round(trial.temperature, 4), min_confidence=round(trial.min_confidence, 4))


def corpora_facts(corpora: Sequence[Corpus]) -> list[dict[str, object]]:
    """Name, licence, size and what was left out of each corpus."""

    def facts(corpus: Corpus) -> dict[str, object]:
        speakers, skipped = len({clip.speaker for clip in corpus.clips}), _skipped(corpus)
        sizes = {"clips": len(corpus.clips), "speakers": speakers}
        return {"name": corpus.name, "licence": corpus.licence, **sizes, "skipped": skipped}

    return [facts(corpus) for corpus in corpora]


def versions() -> dict[str, str]:
    """Installed versions of what decides figures."""
    installed = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            installed[name] = version(name)
        except ModuleNotFoundError:  # `tensorflow` stands in for `tensorflow-cpu` on some machines
            continue
    return installed


def licence_of(corpora: Sequence[Corpus]) -> str:
    """What weights from these corpora may be used for; each corpus' own licence where that is not plain."""
    if any("NC" in corpus.licence for corpus in corpora):
        return LICENCE
    plain = all(allows_trade(clip.licence) for corpus in corpora for clip in corpus.clips)
    named = "; ".join(f"{corpus.name}: {corpus.licence}" for corpus in corpora)
    return OPEN_LICENCE if plain else named


def _described(
    experiment: Experiment,
    corpora: Sequence[Corpus],
    settings: Settings,
    training: Mapping[str, object],
    **metrics: str,
) -> ModelSpec:
    recipe = experiment.recipe
    shared = {
        "recipe": recipe.name,
        "network": recipe.model,
        "corpora": corpora_facts(corpora),
        "counts_as": {name: label for name, label in settings.counts_as if name != label},
    }
    return replace(
        experiment.spec,
        name=settings.name or recipe.name,
        version=settings.version,
        licence="; ".join([licence_of(corpora), *([ENCODER_NOTICE] if recipe.encoder else [])]),
        training=MappingProxyType({**shared, **training}),
        metrics=MappingProxyType(metrics),
        libraries=MappingProxyType(versions()),
    )


def _skipped(corpus: Corpus) -> dict[str, int | list[str]]:
    """Reason -> how many clips were left out; known mistakes of a published corpus by name, others are the user's."""
    known = set(LAYOUTS[corpus.name].oddities.values()) if corpus.name in LAYOUTS else set()
    return {
        reason: [Path(name).stem for name in names] if reason in known else len(names)
        for reason, names in corpus.skipped.items()
    }
