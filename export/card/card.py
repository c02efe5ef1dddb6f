"""The model card, written from the model file's own metadata and from the figures that were measured of it.

Read here are, of `spec.training`: `recipe`, `network` (in words), `corpora`, `protocol`, `seed`, `leaking`,
`counts_as` (label of a corpus -> label of the model, where they differ), `share_through_telephone`, `calibrated_on` (in
words); of `spec.metrics`: `protocol` and `min_confidence` (in words); of the figures: `conditions` and `rows`. What a
file does not say is left out or called unknown.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from export.card.figures import confidence, recalls, uar
from export.card.limits import lawful_use, limits
from export.card.markdown import filled, table
from export.errors import ExportError
from sertag.model_file import ModelFile
from sertag.spec import SENTIMENTS, FeatureSpec, ModelSpec


def card(spec: ModelSpec, *, figures: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Describe a model for the people who use it or are judged by it.

    Args:
        spec: from the model file.
        figures: what was measured of it, see `read_figures`; model files of before have some in their metadata.

    Returns:
        Markdown.

    >>> from sertag.model_file import describe
    >>> card(describe("phone").spec).splitlines()[0]
    '# Model `phone` 0.2.2'
    """
    spec = dataclasses.replace(spec, metrics=MappingProxyType({**spec.metrics, **figures}))
    sections = (
        _what(spec),
        _data(spec),
        uar(spec),
        recalls(spec),
        confidence(spec),
        _recipe_elsewhere(spec),
        limits(spec),
        lawful_use(spec),
    )
    return "\n".join(filled(part) for part in sections if part)


def read_figures(model: ModelFile) -> dict[str, Any]:
    """What was measured of a model file: of `MODEL.metrics.json` or `metrics.json` beside it.

    Args:
        model: the file.

    Returns:
        Its figures; none where there is no such file, or none about these very bytes.

    Raises:
        ExportError: a file of this name that is no JSON object.
    """
    path = Path(model.path)
    for place in (path.with_suffix(".metrics.json"), path.with_name("metrics.json")):
        if not place.is_file():
            continue
        try:
            found = dict(json.loads(place.read_text(encoding="utf-8")))
        except ValueError as error:
            message = f"{place}: no JSON of figures ({error}); train again, or take the file away"
            raise ExportError(message, code="bad_figures") from error
        if found.get("model_sha256") == model.sha256:
            return found
    return {}


def _what(spec: ModelSpec) -> str:
    features = spec.features
    plain = set(spec.labels) <= set(SENTIMENTS)
    source = "one telephone channel" if features.framing == "channel" else "a recording"
    offset = f", the first one from {spec.offset_s:g} s" if spec.offset_s else ""
    network = spec.training.get("network")
    built = f" Network: {network}; trained from nothing, no pretrained part." if network else ""
    return f"""
# Model `{spec.name}` {spec.version}

Written by `python -m export card` from the metadata of `{spec.name}.onnx` and the figures beside it.

Tags windows of {spec.window_s:g} s of {source}, every {spec.hop_s:g} s{offset}, with one of {len(spec.labels)}
{"sentiments" if plain else "emotions"}: {", ".join(spec.labels)}. Input is {_input(features)}.{built}

{"" if plain else _sentiments(spec)}
"""


def _input(features: FeatureSpec) -> str:
    """What the graph takes, in words."""
    if features.kind == "waveform":
        return f"the samples themselves, at {features.rate_hz} Hz"
    range_hz = f"between {features.pitch_min_hz:g} and {features.pitch_max_hz:g} Hz"
    pitch = f", voicing and pitch {range_hz}" if features.n_pitches else ""
    bands = f"{features.n_mels} mel bands from {features.fmin_hz:g} to {features.fmax_hz:g} Hz at {features.rate_hz} Hz"
    numbers = f"{features.n_mfcc} cepstral coefficients of {bands}" if features.kind == "mfcc" else f"{bands}, in dB"
    extras = [
        pitch,
        f", {features.frame_rate_hz:.4g} frames a second",
        ", with their derivatives over time" if features.delta_order else "",
        ", averaged over the window" if features.pooling == "mean" else "",
        ", normalised inside the graph by the statistics of the channel's speech" if features.by_channel else "",
    ]
    return numbers + "".join(extras)


def _sentiments(spec: ModelSpec) -> str:
    told = {value: [label for label in spec.labels if spec.sentiment[label] == value] for value in SENTIMENTS}
    listed = "; ".join(f"{value}: {', '.join(labels)}" for value, labels in told.items() if labels)
    surprise = (
        " Surprise is neutral because it says nothing of valence: a caller who is astonished at a bill is not a "
        "satisfied one."
    )
    return f"Sentiment: {listed}.{surprise if 'surprise' in told['neutral'] else ''}"


def _data(spec: ModelSpec) -> str:
    training = spec.training
    rows = [
        [corpus["name"], corpus["speakers"], corpus["clips"], _skipped(corpus.get("skipped", {})), corpus["licence"]]
        for corpus in training.get("corpora", ())
    ]
    corpora = table(["corpus", "speakers", "clips", "left out", "licence"], rows)
    how = [f"{word} `{training[word]}`" for word in ("recipe", "protocol") if word in training]
    how += [f"seed {training['seed']}"] if "seed" in training else []
    merged = [f"`{found}` counts as {label}" for found, label in training.get("counts_as", {}).items()]
    told = [f"Training: {', '.join(how)}."] if how else []
    told += [f"Weights: {spec.licence}."] if spec.licence else []
    told += [f"{'; '.join(merged)}."] if merged else []
    return f"""
## Training data and licences

{corpora if rows else "The file does not say what the model was trained on."}

{" ".join(told)}

{_telephone(training.get("share_through_telephone", 0.0))}
"""


def _recipe_elsewhere(spec: ModelSpec) -> str:
    """Where to read what the recipe reaches in tests of its own, for recipes of this repository."""
    if "recipe" not in spec.training:
        return ""
    page = "benchmarks/accuracy/results/README.md"
    return f"""
What networks of the recipe `{spec.training["recipe"]}` reach that are trained anew for each test, on people and corpora
left out, is in `{page}` of the repository.
"""


def _telephone(share: float) -> str:
    if not share:
        return ""
    return (
        f"{share:.0%} of the training windows went through a simulated telephone line: band, G.711 of both laws or "
        "GSM 06.10, level, noise, hum."
    )


def _skipped(reasons: dict[str, Any]) -> str:
    """How many for which reason; known mistakes of a corpus are named."""
    told = []
    for reason, found in reasons.items():
        count, names = (found, "") if isinstance(found, int) else (len(found), f": {', '.join(found)}")
        told += [f"{count} ({reason}{names})"] if count else []
    return "; ".join(told) or "none"
