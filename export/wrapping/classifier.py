"""What has to be known of a network that somebody else has trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from export.wrapping.log_mel import LogMel
from sertag.spec import Dimension, FeatureSpec

WAVEFORM = FeatureSpec(kind="waveform", framing="clip", rate_hz=16_000, fmax_hz=8_000.0)

Scores = Literal["logits", "probabilities"]


@dataclass(frozen=True, slots=True)
class Classifier:
    """What has to be known of a graph.

    Attributes:
        labels: in the order of its output, as its makers call them. Where there are two and the output is one number,
            that is of the second.
        dimensions: what it estimates, in the order of its output.
        features: how its input is made; the default is 16 kHz samples.
        window_s, hop_s: length of a window and default step; the length is the graph's where that is fixed.
        normalize: samples of each window are brought to mean 0 and variance 1 first.
        log_mel: the graph takes Whisper's log-mel frames, which are made of the samples inside the file.
        layout: order of the axes of its input, `w`, `t`, `c` and ones, as in `w,1,t`; None where the shape tells.
        inputs: values of its other inputs, by their names; each is filled with its value, as states with zero.
        read: names of its outputs that are read; those that fit where there are none.
        scores: what its numbers for labels are; None where the graph tells.
        sentiment: label to `positive`, `neutral` or `negative`, for labels that are not known here.
        name, licence: for rows and for people.
    """

    labels: tuple[str, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    features: FeatureSpec = WAVEFORM
    window_s: float = 3.0
    hop_s: float = 2.0
    normalize: bool = False
    log_mel: LogMel | None = None
    layout: str | None = None
    inputs: Mapping[str, float] = field(default_factory=dict)
    read: tuple[str, ...] = ()
    scores: Scores | None = None
    sentiment: Mapping[str, str] = field(default_factory=dict)
    name: str = "wrapped"
    licence: str = ""

    @property
    def columns(self) -> int:
        """Numbers per frame that the graph takes."""
        if self.log_mel is not None:
            return self.log_mel.n_mels
        return 1 if self.features.pooling == "mean" else self.features.n_coefficients
