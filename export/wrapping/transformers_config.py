"""What transformers' two JSON files beside a checkpoint say of an audio classifier."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.wrapping.classifier import Classifier
from export.wrapping.log_mel import LogMel
from sertag.spec import Dimension, FeatureSpec

_WAVEFORM, _WHISPER = "Wav2Vec2FeatureExtractor", "WhisperFeatureExtractor"
_NAMELESS = re.compile(r"LABEL_\d+")
_CLASSES, _REGRESSION = "single_label_classification", "regression"


def read_transformers(config: Path, preprocessor: Path) -> Classifier:
    """Labels or dimensions, rate and normalisation of a network (wav2vec2, HuBERT, WavLM and their kin, Whisper).

    Args:
        config: `config.json`.
        preprocessor: `preprocessor_config.json`.

    Raises:
        ExportError: a file cannot be read; the labels have no names; several labels may be true at once; or the network
            takes something else than samples or Whisper's frames.
    """
    about, sound = _read(config), _read(preprocessor)
    kind = about.get("problem_type") or _CLASSES
    if kind not in (_CLASSES, _REGRESSION):
        found = f"{config}: problem_type is {kind}, so its outputs are no probabilities of which one is true"
        raise ExportError(f"{found}; expected {_CLASSES} or {_REGRESSION}", code="bad_graph")
    extractor = sound.get("feature_extractor_type") or _WAVEFORM
    if extractor not in (_WAVEFORM, _WHISPER):
        found = f"{preprocessor}: feature_extractor_type is {extractor}"
        advice = "for a graph that takes MFCC or log-mel frames give --labels and --features"
        raise ExportError(f"{found}, expected {_WAVEFORM} or {_WHISPER}; {advice}", code="bad_graph")
    rate_hz = int(sound.get("sampling_rate", 16_000))
    names = _names(about, config, least=2 if kind == _CLASSES else 1)
    whisper = extractor == _WHISPER
    return Classifier(
        labels=names if kind == _CLASSES else (),
        dimensions=tuple(map(Dimension, names)) if kind == _REGRESSION else (),
        features=FeatureSpec(kind="waveform", framing="clip", rate_hz=rate_hz, fmax_hz=rate_hz / 2),
        normalize=bool(sound.get("do_normalize", not whisper)),
        log_mel=_log_mel(sound, rate_hz, preprocessor) if whisper else None,
        name=Path(str(about.get("_name_or_path") or config.resolve().parent.name)).name,
    )


def _log_mel(sound: dict[str, Any], rate_hz: int, preprocessor: Path) -> LogMel:
    if sound.get("dither"):
        found = f"{preprocessor}: dither is {sound['dither']}, so its frames are random"
        raise ExportError(f"{found}; expected 0", code="bad_graph")
    return LogMel(
        n_mels=int(sound.get("feature_size", 80)),
        clip_s=float(sound.get("chunk_length", 30)),
        rate_hz=rate_hz,
        n_fft=int(sound.get("n_fft", 400)),
        hop_length=int(sound.get("hop_length", 160)),
    )


def _names(about: dict[str, Any], config: Path, *, least: int) -> tuple[str, ...]:
    named = about.get("id2label") or {}
    try:
        labels = tuple(str(named[key]) for key in sorted(named, key=int))
    except ValueError as error:
        raise ExportError(f"{config}: id2label has keys that are no numbers", code="bad_graph") from error
    if len(labels) < least or any(map(_NAMELESS.fullmatch, labels)):
        found = f"{config}: id2label is {', '.join(labels) or 'missing'}"
        many = "two or more names of emotions" if least > 1 else "names of dimensions"
        option = "--labels" if least > 1 else "--dimensions"
        advice = f"ask its makers for them in that order, and give them with {option}"
        raise ExportError(f"{found}, expected {many}; {advice}", code="unknown_label")
    return labels


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path}: cannot be read as JSON: {error}", code="bad_graph") from error
    if not isinstance(document, dict):
        raise ExportError(f"{path}: holds no JSON object", code="bad_graph")
    return document
