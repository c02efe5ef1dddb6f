"""The specification that travels inside a model file: how features are made and what the outputs mean.

`FeatureSpec` says how samples become the numbers that the graph takes; `ModelSpec` adds windows, labels, calibration
and the model's history. Both are read from and written to one JSON document, `metadata_props["sertag.spec"]`.
Standard library only. Rates are Hz, times seconds, levels dB.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sertag.errors import SpecError
from sertag.spec.affect import default_affect
from sertag.spec.dimension import Dimension, check_dimensions
from sertag.spec.feature_spec import FeatureSpec
from sertag.spec.json_codec import build, plain
from sertag.spec.json_codec import require as _require

SPEC_VERSION = 2  # of models with dimensions; the document of others is that of version 1, which older readers know
SPEC_KEY = "sertag.spec"

SENTIMENTS = ("positive", "neutral", "negative")


@dataclass(frozen=True, slots=True)
class Probe:
    """The expected output of the model for a synthetic chirp, which shows any change of code or file.

    Attributes:
        mean: mean over time of each coefficient of the chirp's window.
        middle: the coefficients of the window's middle frame.
        probs: probabilities before the temperature is applied.
        speech: probability of speech; None for graphs without that output.
        dimensions: what the graph estimates; empty for models of labels alone.
    """

    mean: tuple[float, ...]
    middle: tuple[float, ...]
    probs: tuple[float, ...]
    speech: float | None = None
    dimensions: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The whole document inside a model file.

    Attributes:
        name, version: name and version of the model; the name is in the column `model`.
        features: how the input of the graph is computed.
        window_s, hop_s: length of a window and default step between windows.
        offset_s: start of the first window (papers cut clips from 0.5 s).
        min_speech_s: a window is scored if it holds at least this much speech.
        labels: in the order of the graph's output; none for models of dimensions alone.
        sentiment: label to `positive`, `neutral` or `negative`.
        temperature: log-probabilities are divided by it and renormalised (Guo et al. 2017).
        min_confidence: a window with less confidence is `uncertain`.
        row_min_confidence: a row with less confidence is `uncertain`; None for `min_confidence`.
        row_gain: how much the evidence of a row may exceed that of its windows, for each doubling of the speech
            (`aggregate.pooled`).
        priors: prior probability of each label in the probabilities of windows; uniform if empty. The evidence of a
            window is what its probabilities say beyond the priors.
        clear_ratio: a window whose strongest label is negative (positive) is `ok` only if that label is this many times
            as probable as the strongest positive (negative) one; 0 for no such rule. Across languages and telephone
            lines arousal is recognised better than valence, so anger and joy are often confused.
        arousal: label to 0 (drowsy) .. 1 (excited); for missing labels see `sertag.spec.affect`.
        valence: label to -1 (unpleasant) .. 1 (pleasant); the same for missing labels.
        attention: slope and offset, in logits, from the mean negative probability of the worst 30 s of speech to the
            `attention` of the row.
        min_speech_probability: windows below it are `no_speech`; for graphs with an output `speech`.
        outputs: dimensions in the order of the graph's output `dimensions`; none for models of labels alone.
        probe: see `Probe`; None only while a model is being made.
        licence: licence of the weights.
        training: corpora with their licences, split protocol, seed.
        metrics: figures with their protocol.
        libraries: versions of the libraries that made the file.
    """

    name: str
    version: str
    features: FeatureSpec
    window_s: float
    hop_s: float
    labels: tuple[str, ...]
    sentiment: MappingProxyType[str, str]
    offset_s: float = 0.0
    min_speech_s: float = 0.4
    temperature: float = 1.0
    min_confidence: float = 0.0
    row_min_confidence: float | None = None
    row_gain: float = 0.3
    priors: MappingProxyType[str, float] = field(default_factory=lambda: MappingProxyType({}))
    clear_ratio: float = 0.0
    arousal: MappingProxyType[str, float] = field(default_factory=lambda: MappingProxyType({}))
    valence: MappingProxyType[str, float] = field(default_factory=lambda: MappingProxyType({}))
    attention: tuple[float, ...] = (1.0, 0.0)
    min_speech_probability: float = 0.5
    outputs: tuple[Dimension, ...] = ()
    probe: Probe | None = None
    licence: str = ""
    training: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    metrics: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    libraries: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        frame_s = self.features.hop_length / self.features.rate_hz
        _require(0.1 <= self.window_s <= 600, "window_s", self.window_s, "0.1 to 600 seconds")
        _require(self.window_frames >= 1, "window_s", self.window_s, f"a frame or more, {frame_s:g} s each")
        _require(frame_s <= self.hop_s <= 3600, "hop_s", self.hop_s, "one frame to 3600 seconds")
        _require(0 <= self.offset_s <= 600, "offset_s", self.offset_s, "0 to 600 seconds")
        _require(0 <= self.min_speech_s <= self.window_s, "min_speech_s", self.min_speech_s, "0 to window_s")
        enough = len(self.labels) >= 2 or (self.outputs and not self.labels)
        _require(bool(enough), "labels", self.labels, "two or more labels, or none where there are outputs")
        check_dimensions(self.outputs)
        _require(len(set(self.labels)) == len(self.labels), "labels", self.labels, "no label twice")
        _require(set(self.sentiment) == set(self.labels), "sentiment", sorted(self.sentiment), "exactly the labels")
        for label, value in self.sentiment.items():
            _require(label.isidentifier(), "labels", label, "letters, digits and underscores (they name columns)")
            _require(value in SENTIMENTS, f"sentiment.{label}", value, SENTIMENTS)
        _require(0.01 <= self.temperature <= 100, "temperature", self.temperature, "0.01 to 100")
        _require_row_rules(self)
        if self.probe is not None:
            count = len(self.probe.probs)
            _require(count == len(self.labels), "probe.probs", count, "one for each label")
            count = len(self.probe.dimensions)
            _require(count == len(self.outputs), "probe.dimensions", count, "one for each of outputs")

    @property
    def window_frames(self) -> int:
        """Frames (for a waveform, samples) per window; a clip of n samples has 1 + n // hop centred frames."""
        samples = round(self.window_s * self.features.rate_hz)
        if self.features.kind == "waveform":
            return samples
        return samples // self.features.hop_length + (1 if self.features.framing == "clip" else 0)

    @property
    def calibrated(self) -> bool:
        """Whether confidences were fitted on labelled clips; those of networks trained elsewhere may not be."""
        return self.training.get("calibrated", True) is not False

    @property
    def affect(self) -> tuple[tuple[float, float], ...]:
        """Arousal and valence of each label, in their order."""
        pairs = []
        for label in self.labels:
            arousal, valence = default_affect(label, self.sentiment[label])
            pairs.append((self.arousal.get(label, arousal), self.valence.get(label, valence)))
        return tuple(pairs)

    @property
    def label_priors(self) -> tuple[float, ...]:
        """Prior of each label, in their order."""
        return tuple(self.priors.get(label, 1 / len(self.labels)) for label in self.labels)

    def thresholds(self, chosen: float | None) -> tuple[float, float]:
        """The least confidence of a window and of a row.

        Args:
            chosen: the value of the user for both; None for those of the model.
        """
        if chosen is not None:
            return chosen, chosen
        row = self.min_confidence if self.row_min_confidence is None else self.row_min_confidence
        return self.min_confidence, row


def to_json(spec: ModelSpec) -> str:
    """The specification as stored in a model file: one line of JSON, keys in the order of the attributes."""
    document = {"spec": SPEC_VERSION, **plain(spec)}
    if not spec.outputs:
        document["spec"] = 1
        del document["outputs"]
        if document["probe"] is not None:
            del document["probe"]["dimensions"]
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def from_json(text: str, *, source: str) -> ModelSpec:
    """Read a document and check every value.

    Args:
        text: JSON.
        source: the model file, for messages.

    Returns:
        The specification.

    Raises:
        SpecError: not JSON, a newer spec version, a key missing or unknown, a value out of range.
    """
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise SpecError(f"expected a JSON object, found {type(document).__name__}", code="bad_spec")
        version = document.pop("spec", None)
        _require(version in range(1, SPEC_VERSION + 1), "spec", version, f"1 to {SPEC_VERSION}")
        if "outputs" in document:
            document["outputs"] = _dimensions(document["outputs"])
        document["features"] = build(FeatureSpec, document.get("features"), "features")
        if document.get("probe") is not None:
            document["probe"] = build(Probe, document["probe"], "probe")
        spec: ModelSpec = build(ModelSpec, document, "the document")
    except SpecError as error:
        advice = "export the model again with this version of sertag's export"
        raise SpecError(f"{source}: {SPEC_KEY} is not valid: {error}; {advice}", code="bad_spec") from error
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{source}: {SPEC_KEY} is not JSON: {error}", code="bad_spec") from error
    return spec


def _dimensions(found: Any) -> tuple[Dimension, ...]:
    _require(isinstance(found, list), "outputs", found, "list of objects")
    return tuple(build(Dimension, one, f"outputs[{number}]") for number, one in enumerate(found))


def _require_row_rules(spec: ModelSpec) -> None:
    """Check the settings that turn windows into rows."""
    row = spec.min_confidence if spec.row_min_confidence is None else spec.row_min_confidence
    _require(0 <= spec.min_confidence <= 1, "min_confidence", spec.min_confidence, "0 to 1")
    _require(0 <= row <= 1, "row_min_confidence", row, "0 to 1")
    _require(0 <= spec.row_gain <= 10, "row_gain", spec.row_gain, "0 to 10")
    _require(0 <= spec.clear_ratio <= 1000, "clear_ratio", spec.clear_ratio, "0 to 1000")
    if spec.priors:
        known = set(spec.priors) == set(spec.labels) and all(0 < value < 1 for value in spec.priors.values())
        whole = known and abs(sum(spec.priors.values()) - 1) < 0.01
        _require(whole, "priors", dict(spec.priors), "a number between 0 and 1 for each label, sum 1")
    floor = spec.min_speech_probability
    _require(0 <= floor <= 1, "min_speech_probability", floor, "0 to 1")
    for name, lowest in (("arousal", 0), ("valence", -1)):
        for label, value in getattr(spec, name).items():
            _require(label in spec.labels, name, label, f"labels of the model, {', '.join(spec.labels)}")
            _require(lowest <= value <= 1, f"{name}.{label}", value, f"{lowest} to 1")
    _require(len(spec.attention) == 2, "attention", spec.attention, "two numbers, slope and offset")
    slope, offset = spec.attention
    _require(0 < slope <= 100, "attention", slope, "a slope over 0, up to 100")
    _require(-100 <= offset <= 100, "attention", offset, "an offset of -100 to 100")
