"""What transformers' two JSON files beside a checkpoint say of an audio classifier."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from export.conversion.wrap import Classifier
from export.errors import ExportError
from sertag.spec import FeatureSpec

_WAVEFORM = ("Wav2Vec2FeatureExtractor",)
_NAMELESS = re.compile(r"LABEL_\d+")


def read_transformers(config: Path, preprocessor: Path) -> Classifier:
    """Labels, sample rate and normalisation of a classifier of waveforms (wav2vec2, HuBERT, WavLM and their kin).

    Args:
        config: `config.json`.
        preprocessor: `preprocessor_config.json`.

    Raises:
        ExportError: a file cannot be read; the labels have no names; the model does not choose one of some classes, or
            takes something else than a waveform.
    """
    about, sound = _read(config), _read(preprocessor)
    kind = about.get("problem_type") or "single_label_classification"
    if kind != "single_label_classification":
        found = f"{config}: problem_type is {kind}, so its outputs are no probabilities of which one is true"
        raise ExportError(f"{found}; expected single_label_classification", code="bad_graph")
    extractor = sound.get("feature_extractor_type") or _WAVEFORM[0]
    if extractor not in _WAVEFORM:
        found = f"{preprocessor}: feature_extractor_type is {extractor}"
        advice = "for a graph that takes MFCC or log-mel frames give --labels and --features"
        raise ExportError(f"{found}, expected {', '.join(_WAVEFORM)}; {advice}", code="bad_graph")
    rate_hz = int(sound.get("sampling_rate", 16_000))
    features = FeatureSpec(kind="waveform", framing="clip", rate_hz=rate_hz, fmax_hz=rate_hz / 2)
    return Classifier(
        labels=_labels(about, config),
        features=features,
        normalize=bool(sound.get("do_normalize", True)),
        name=Path(str(about.get("_name_or_path") or config.resolve().parent.name)).name,
    )


def _labels(about: dict[str, Any], config: Path) -> tuple[str, ...]:
    named = about.get("id2label") or {}
    try:
        labels = tuple(str(named[key]) for key in sorted(named, key=int))
    except ValueError as error:
        raise ExportError(f"{config}: id2label has keys that are no numbers", code="bad_graph") from error
    if len(labels) < 2 or any(map(_NAMELESS.fullmatch, labels)):
        found = f"{config}: id2label is {', '.join(labels) or 'missing'}"
        advice = "ask its makers for the emotions in that order, and give them with --labels"
        raise ExportError(f"{found}, expected two or more names of emotions; {advice}", code="unknown_label")
    return labels


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path}: cannot be read as JSON: {error}", code="bad_graph") from error
    if not isinstance(document, dict):
        raise ExportError(f"{path}: holds no JSON object", code="bad_graph")
    return document
