"""What the model file says of itself: specification, history and figures, from settings and results alone."""

from __future__ import annotations

import dataclasses
import datetime
import json
import sys
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING

import export.batches
from export.corpora import LABELS, Corpus
from export.out_of_fold import Measured, Results, Rows
from sertag.spec import ModelSpec

if TYPE_CHECKING:
    from export.train import Settings

NAME, VERSION = "phone", "0.1.0"
LICENCE = "CC BY-NC-SA 4.0: trained on recordings that are free for non-commercial use only"
LIBRARIES = ("numpy", "scipy", "soxr", "tensorflow-cpu", "keras", "tf2onnx", "onnx", "onnxruntime")

# Surprise says nothing of valence: astonishment at a bill is not a satisfied customer. GoEmotions (Demszky et al. 2020)
# keeps it apart from positive and negative too.
SENTIMENT = MappingProxyType(
    {
        "angry": "negative",
        "disgust": "negative",
        "fear": "negative",
        "happy": "positive",
        "neutral": "neutral",
        "sad": "negative",
        "surprise": "neutral",
    }
)


def describe(results: Results, *, corpora: tuple[Corpus, ...], settings: Settings) -> ModelSpec:
    """Specification of the model, probe apart."""
    return ModelSpec(
        name=NAME,
        version=VERSION,
        features=settings.features,
        window_s=settings.window_s,
        hop_s=settings.hop_s,
        min_speech_s=export.batches.LEAST_SPEECH_FRAMES / settings.features.frame_rate_hz,
        labels=LABELS,
        sentiment=SENTIMENT,
        temperature=round(results.temperature, 4),
        min_confidence=round(results.min_confidence, 4),
        licence=LICENCE,
        training=MappingProxyType(_training(corpora, settings)),
        metrics=MappingProxyType(_metrics(results, settings)),
        libraries=MappingProxyType({"python": sys.version.split()[0], **_versions()}),
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


def _training(corpora: tuple[Corpus, ...], settings: Settings) -> dict[str, object]:
    return {
        "corpora": [
            {
                "name": corpus.name,
                "licence": corpus.licence,
                "clips": len(corpus.clips),
                "speakers": len({clip.speaker for clip in corpus.clips}),
                "skipped": dict(corpus.skipped),
            }
            for corpus in corpora
        ],
        "seed": settings.seed,
        "windows_seen": settings.epochs * settings.steps * settings.batch,
        "share_through_telephone": 1 - settings.mixture.clean,
    }


def _metrics(results: Results, settings: Settings) -> dict[str, object]:
    return {
        "protocol": (
            f"{settings.folds} folds by speaker over all corpora; every clip scored once by a network that never heard "
            "its speaker; length of training fixed beforehand; settings were compared on the speakers of the first "
            "fold, so uar_undeveloped leaves it out; temperature and least confidence of a fold from the other folds"
        ),
        "min_confidence": (
            f"the least confidence over which {settings.answers_right:.0%} of the answers to clips of unseen speakers "
            "are right, corpora weighted equally, all conditions together"
        ),
        "rows": results.rows and _rows(results.rows),
        "conditions": {name: _condition(measured) for name, measured in results.conditions.items()},
    }


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
        "uar_undeveloped": round(measured.uar_undeveloped, 4),
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


def _versions() -> dict[str, str]:
    installed = {}
    for name in LIBRARIES:
        try:
            installed[name] = version(name)
        except ModuleNotFoundError:  # `tensorflow` stands in for `tensorflow-cpu` on some machines
            continue
    return installed
