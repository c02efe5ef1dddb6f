"""What a model file says of itself: specification, history and figures, from settings and results alone."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

import export.batches
from export.artefacts import Scored
from export.benches import ANSWERS_RIGHT, Bench, Trial
from export.calibration import scale
from export.clips import Clip, Corpus
from export.dataset import Ints
from export.fit import Scores
from export.layouts import LAYOUTS
from export.metrics import Probs, figures
from export.out_of_fold import Measured, Results, Rows
from export.protocols import Split
from export.recipes.phone import RECIPE
from sertag.spec import ModelSpec

if TYPE_CHECKING:
    from export.fit_phone import Settings
    from export.train import Settings as TrainSettings

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
    corpora: tuple[Corpus, ...],
    settings: Settings,
    title: Title,
    strangers: Mapping[str, Any] = MappingProxyType({}),
) -> ModelSpec:
    """Specification of the model, probe apart.

    Args:
        results: of the cross-validation.
        corpora: what was learnt from.
        settings: of the run.
        title: of the model.
        strangers: figures of its protocol, if there are any; see `export.phone_figures`.
    """
    public = all(corpus.name in LAYOUTS for corpus in corpora)
    return ModelSpec(
        name=title.name,
        version=title.version,
        features=settings.features,
        window_s=settings.window_s,
        hop_s=settings.hop_s,
        min_speech_s=export.batches.LEAST_SPEECH_FRAMES / settings.features.frame_rate_hz,
        labels=settings.labels,
        sentiment=MappingProxyType(dict(zip(settings.labels, settings.sentiment, strict=True))),
        temperature=round(results.temperature, 4),
        min_confidence=round(results.min_confidence, 4),
        licence=LICENCE if public else _licences(corpora),
        training=MappingProxyType(_training(corpora, settings)),
        metrics=MappingProxyType(
            _metrics(results, settings, developed=public) | ({"strangers": dict(strangers)} if strangers else {})
        ),
        libraries=MappingProxyType(versions()),
    )


def record(results: Results, *, spec: ModelSpec, settings: Settings) -> str:
    """The whole outcome as JSON, for the file that figures in texts are taken from."""
    document = {
        "model": spec.name,
        "version": spec.version,
        "date": datetime.date.today().isoformat(),
        "protocol": spec.metrics["protocol"],
        "training": dict(spec.training),
        "settings": dataclasses.asdict(settings),
        "libraries": dict(spec.libraries),
        "results": dataclasses.asdict(results),
    }
    return json.dumps(document, indent=1) + "\n"


def describe_trial(
    trial: Trial, *, bench: Bench, split: Split, corpora: Sequence[Corpus], settings: TrainSettings, title: Title
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
                "corpora": _corpora(corpora),
                **run_facts(trial, bench=bench, split=split, settings=settings),
                "counts_as": _changed(settings.counts_as),
                "calibrated_on": f"{len(split.inner)} clips {inner} that no weight was fitted on, clean and by phone",
            }
        ),
        metrics=MappingProxyType(
            {
                "protocol": (
                    f"{_PROTOCOLS[settings.protocol]}; tested on {split.name}, {len(split.test)} clips; learnt from "
                    f"{len(split.learn)}; the epoch was chosen on {len(split.inner)} others {inner}"
                ),
                "min_confidence": (
                    f"the least confidence over which {ANSWERS_RIGHT:.0%} of the answers to the clips that chose the "
                    "epoch are right"
                ),
                "conditions": {
                    name: _plain_condition(scored.probs, scored.truth, bench.recipe.labels)
                    for name, scored in scored_clips(trial, bench=bench, split=split).items()
                },
            }
        ),
        libraries=MappingProxyType(versions()),
    )


def run_facts(trial: Trial, *, bench: Bench, split: Split, settings: TrainSettings) -> dict[str, object]:
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


def scored_clips(trial: Trial, *, bench: Bench, split: Split) -> dict[str, Scored]:
    """Calibrated probabilities of the tested clips by condition; one without an answer has a wrong one."""
    return {name: _scored(scores, bench.truth[split.test], trial.temperature) for name, scores in trial.scores.items()}


def data_hash(clips: Iterable[Clip]) -> str:
    """SHA-256 of clips: recordings, speakers and labels, in any order."""
    lines = sorted(f"{clip.digest} {clip.person} {clip.label}" for clip in clips)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


_PROTOCOLS = MappingProxyType(
    {
        "speakers": "nobody who is tested was learnt from",
        "random": "random split of the clips, the same speakers on both sides, so the figures say nothing of strangers",
        "corpora": "no corpus that is tested was learnt from",
    }
)


def _scored(scores: Scores, truth: Ints, temperature: float) -> Scored:
    labels = scores.log_probs.shape[1]
    probs = scale(scores.log_probs, temperature=temperature)
    probs[~scores.answered] = np.eye(labels)[(truth[~scores.answered] + 1) % labels] * 1e-9
    return Scored(probs, truth, unanswered=int((~scores.answered).sum()))


def _plain_condition(probs: Probs, truth: Ints, labels: tuple[str, ...]) -> dict[str, object]:
    found = figures(probs, truth, labels=labels)
    return {
        "clips": found.clips,
        "chance": round(found.chance, 4),
        "uar": round(found.uar, 4),
        "accuracy": round(found.accuracy, 4),
        "ece": round(found.ece, 4),
        "recall": {label: round(value, 3) for label, value in found.recall.items()},
    }


def _licences(corpora: Sequence[Corpus]) -> str:
    return "; ".join(f"{corpus.name}: {corpus.licence}" for corpus in corpora)


def _changed(counts_as: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: label for name, label in counts_as if name != label}


def _corpora(corpora: Sequence[Corpus]) -> list[dict[str, object]]:
    return [
        {
            "name": corpus.name,
            "licence": corpus.licence,
            "clips": len(corpus.clips),
            "speakers": len({clip.speaker for clip in corpus.clips}),
            "skipped": dict(corpus.counts),
        }
        for corpus in corpora
    ]


def _training(corpora: tuple[Corpus, ...], settings: Settings) -> dict[str, object]:
    return {
        "recipe": RECIPE.name,
        "network": RECIPE.model,
        "corpora": _corpora(corpora),
        "counts_as": _changed(settings.counts_as),
        "calibrated_on": "speakers the network did not train on",
        "leaking": False,
        "seed": settings.seed,
        "windows_seen": settings.epochs * settings.steps(sum(len(corpus.clips) for corpus in corpora)) * settings.batch,
        "share_through_telephone": 1 - settings.mixture.clean,
    }


def _metrics(results: Results, settings: Settings, *, developed: bool) -> dict[str, object]:
    """Figures; the settings were found on speakers of public corpora, which figures on these have to say."""
    first_fold = " settings were compared on the speakers of the first fold, so uar_undeveloped leaves it out;"
    return {
        "protocol": (
            f"{settings.folds} folds by speaker over all corpora; every clip scored once by a network that never heard "
            f"its speaker; length of training fixed beforehand;{first_fold if developed else ''} temperature and least "
            "confidence of a fold from the other folds"
        ),
        "min_confidence": (
            f"the least confidence over which {settings.answers_right:.0%} of the answers to clips of unseen speakers "
            "are right, corpora weighted equally, all conditions together"
        ),
        "rows": results.rows and _rows(results.rows),
        "conditions": {
            name: _condition(measured, developed=developed) for name, measured in results.conditions.items()
        },
    }


def _rows(rows: Rows) -> dict[str, object]:
    return {
        "rows": rows.rows,
        "accuracy": round(rows.accuracy, 4),
        "mean_confidence": round(rows.confidence, 4),
        "coverage": round(rows.answered.coverage, 4),
        "accuracy_of_answers": round(rows.answered.accuracy, 4),
    }


def _condition(measured: Measured, *, developed: bool) -> dict[str, object]:
    return {
        "uar": round(measured.uar, 4),
        **({"uar_undeveloped": round(measured.uar_undeveloped, 4)} if developed else {}),
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


def versions() -> dict[str, str]:
    """Installed versions of what decides figures."""
    installed = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            installed[name] = version(name)
        except ModuleNotFoundError:  # `tensorflow` stands in for `tensorflow-cpu` on some machines
            continue
    return installed
