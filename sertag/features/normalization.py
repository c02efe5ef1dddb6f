"""Statistics of the speech of a channel, by which graphs normalise features: their mean and deviation.

Stage: features, speech -> **channel** -> model. Sums are added up stretch by stretch, in training clip by
clip, and become the `Statistics` that a graph takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.features.spectral.pitch import VOICING
from sertag.records import FloatArray, Statistics
from sertag.spec import FeatureSpec

BLOCK_FRAMES = 400  # of speech; a window's length at 100 frames a second
_UNVOICED_WEIGHT = 0.02  # added to the voicing of each frame, so that speech without any voice has statistics too

_Sum = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SpeechSums:
    """Sums over speech frames.

    With `normalisation="channel_speech"` every frame has the weight 1 and `squares` are sums of squared coefficients.
    With `channel_voice` the weight of a frame is its voicing, and `squares` are sums of squared differences between a
    coefficient and its mean over 4 s of speech: the variation within speech, without slow changes during a call.

    Attributes:
        weight: of all frames, float.
        total, squares: float64 (c,), weighted.
    """

    weight: float
    total: _Sum
    squares: _Sum

    def __add__(self, other: SpeechSums) -> SpeechSums:
        return SpeechSums(self.weight + other.weight, self.total + other.total, self.squares + other.squares)


def speech_sums(frames: FloatArray, *, spec: FeatureSpec) -> SpeechSums:
    """Sum a stretch of speech.

    Args:
        frames: coefficients (t, c) of speech frames, which need not be consecutive.
        spec: the recipe that made them.

    >>> sums = speech_sums(np.ones((10, 24), np.float32), spec=FeatureSpec(n_mfcc=24, normalisation="channel_speech"))
    >>> sums.weight, float(sums.total[0]), float(sums.squares[0])
    (10.0, 10.0, 10.0)
    """
    values = frames.astype(np.float64)
    if spec.normalisation != "channel_voice" or not len(values):
        return SpeechSums(float(len(values)), values.sum(axis=0), np.square(values).sum(axis=0))
    weights = values[:, VOICING] + _UNVOICED_WEIGHT
    weighted = weights[:, None] * values
    starts = np.arange(0, len(values), BLOCK_FRAMES)
    in_block, of_block = np.add.reduceat(weighted, starts), np.add.reduceat(weights, starts)[:, None]
    means = np.repeat(in_block / of_block, np.diff([*starts, len(values)]), axis=0)
    return SpeechSums(
        float(weights.sum()), in_block.sum(axis=0), (weights[:, None] * np.square(values - means)).sum(axis=0)
    )


def channel_statistics(sums: SpeechSums, *, spec: FeatureSpec) -> Statistics:
    """The statistics that the graph takes: mean, deviation and the amount of speech.

    >>> frames = np.arange(8.0).repeat(24).reshape(8, 24)
    >>> spec = FeatureSpec(n_mfcc=24, normalisation="channel_speech")
    >>> found = channel_statistics(speech_sums(frames, spec=spec), spec=spec)
    >>> float(found.mean[0]), round(float(found.std[0]), 3), found.speech_frames
    (3.5, 2.291, 8.0)
    """
    weight = max(sums.weight, 1e-9)
    mean = sums.total / weight
    variance = sums.squares / weight
    if spec.normalisation != "channel_voice":
        variance = variance - np.square(mean)
    std = np.sqrt(np.maximum(variance, 0))
    return Statistics(mean.astype(np.float32), std.astype(np.float32), sums.weight)
