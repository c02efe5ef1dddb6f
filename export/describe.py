"""What a model file says of itself: specification, history and figures, from settings and results alone."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from export.benches import Bench, Trial
from export.channel_statistics import LEAST_SPEECH_FRAMES
from export.clips import Corpus, data_hash
from export.layouts import LAYOUTS
from export.model_figures import summary_of_cross_validation, summary_of_trial
from export.out_of_fold import Results
from export.protocols import Split
from export.recipe import Recipe
from export.settings import Settings
from sertag.spec import ModelSpec

LICENCE = "CC BY-NC-SA 4.0: trained on recordings that are free for non-commercial use only"
LIBRARIES = ("numpy", "scipy", "soxr", "tensorflow-cpu", "keras", "tf2onnx", "onnx", "onnxruntime")


@dataclasses.dataclass(frozen=True, slots=True)
class Title:
    """Name of a model, which rows show, and its version; not what it is, so another title trains nothing anew."""

    name: str
    version: str = "1"


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
        licence=LICENCE if public else _licences(corpora),
        training=MappingProxyType(_training(corpora, recipe, settings, results)),
        metrics=MappingProxyType(summary_of_cross_validation(results, settings, developed=public)),
        libraries=MappingProxyType(versions()),
    )


def describe_trial(
    trial: Trial, *, bench: Bench, split: Split, corpora: Sequence[Corpus], settings: Settings, title: Title
) -> ModelSpec:
    """Specification of a model that was trained on one side of a split, probe apart.

    Args:
        trial: what came of it.
        bench: recipe and clips.
        split: of the clips.
        corpora: where the clips are from.
        settings: of the run.
        title: of the model.
    """
    inner = "of other speakers" if split.inner_strangers else "of the same speakers"
    return dataclasses.replace(
        bench.spec,
        name=title.name,
        version=title.version,
        temperature=round(trial.temperature, 4),
        min_confidence=round(trial.min_confidence, 4),
        licence=_licences(corpora),
        training=MappingProxyType(
            {
                "recipe": bench.recipe.name,
                "network": bench.recipe.model,
                "corpora": corpora_facts(corpora),
                **run_facts(trial, bench=bench, split=split, settings=settings),
                "counts_as": _changed(settings.counts_as),
                "calibrated_on": f"{len(split.inner)} clips {inner} that no weight was fitted on, clean and by phone",
            }
        ),
        metrics=MappingProxyType(summary_of_trial(split=split, protocol=settings.protocol, inner=inner)),
        libraries=MappingProxyType(versions()),
    )


def run_facts(trial: Trial, *, bench: Bench, split: Split, settings: Settings) -> dict[str, object]:
    """What is known of a training besides its figures; arguments as of `describe_trial`."""
    return {
        "protocol": settings.protocol,
        "leaking": split.leaking,
        "tested": split.name,
        "seed": settings.seed,
        "epochs": trial.epochs,
        "kept_epoch": trial.kept,
        "clips": {"learnt": len(split.learn), "inner": len(split.inner), "tested": len(split.test)},
        "data_sha256": {
            "learnt": data_hash(bench.clips[index] for index in split.learn),
            "inner": data_hash(bench.clips[index] for index in split.inner),
            "tested": data_hash(bench.clips[index] for index in split.test),
        },
    }


def _licences(corpora: Sequence[Corpus]) -> str:
    return "; ".join(f"{corpus.name}: {corpus.licence}" for corpus in corpora)


def _changed(counts_as: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: label for name, label in counts_as if name != label}


def corpora_facts(corpora: Sequence[Corpus]) -> list[dict[str, object]]:
    """Name, licence, size and what was left out of each corpus."""
    return [
        {
            "name": corpus.name,
            "licence": corpus.licence,
            "clips": len(corpus.clips),
            "speakers": len({clip.speaker for clip in corpus.clips}),
            "skipped": _skipped(corpus),
        }
        for corpus in corpora
    ]


def _skipped(corpus: Corpus) -> dict[str, int | list[str]]:
    """Reason -> how many clips were left out; known mistakes of a published corpus by name, others are the user's."""
    known = set(LAYOUTS[corpus.name].oddities.values()) if corpus.name in LAYOUTS else set()
    return {
        reason: [Path(name).stem for name in names] if reason in known else len(names)
        for reason, names in corpus.skipped.items()
    }


def _training(corpora: Sequence[Corpus], recipe: Recipe, settings: Settings, results: Results) -> dict[str, object]:
    return {
        "recipe": recipe.name,
        "network": recipe.model,
        "corpora": corpora_facts(corpora),
        "counts_as": _changed(settings.counts_as),
        "folds_by": results.folds_by,
        "calibrated_on": f"{results.strangers} the network did not train on",
        "leaking": False,
        "seed": settings.seed,
        "windows_seen": (settings.epochs or recipe.epochs) * recipe.steps * recipe.batch,
        "share_through_telephone": 1 - recipe.mixture.clean,
    }


def versions() -> dict[str, str]:
    """Installed versions of what decides figures."""
    installed = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            installed[name] = version(name)
        except ModuleNotFoundError:  # `tensorflow` stands in for `tensorflow-cpu` on some machines
            continue
    return installed
