"""What is known of a channel's speech, by which graphs normalise it: where its features lie and how far they move.

Stage: features, speech -> **channel** -> model. Sums are added up stretch by stretch, in training clip by
clip, and become the `Statistics` that a graph takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.features.pitch import VOICING
from sertag.records import FloatArray, Statistics
from sertag.spec import FeatureSpec

BLOCK_FRAMES = 400  # of speech; a window's length at 100 frames a second
_WHISPERED = 0.02  # weight of speech without voice: somebody who only whispers is normalised too, if a little

_Sum = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SpeechSums:
    """Sums over speech frames.

    With `normalisation="channel_speech"` every frame weighs 1 and `squares` are those of the coefficients. With
    `channel_voice` a frame weighs its voicing, and `squares` are those of what lies between a coefficient and its mean
    over the 4 s of speech around it: how far features move while somebody speaks, whatever else changes in a call.

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
        frames: coefficients (t, c) of speech frames, which need not have been neighbours.
        spec: the recipe that made them.

    >>> found = speech_sums(np.ones((10, 24), np.float32), spec=FeatureSpec(n_mfcc=24, normalisation="channel_speech"))
    >>> found.weight, float(found.total[0]), float(found.squares[0])
    (10.0, 10.0, 10.0)
    """
    own = frames.astype(np.float64)
    if spec.normalisation != "channel_voice" or not len(own):
        return SpeechSums(float(len(own)), own.sum(axis=0), np.square(own).sum(axis=0))
    weights = own[:, VOICING] + _WHISPERED
    weighted = weights[:, None] * own
    starts = np.arange(0, len(own), BLOCK_FRAMES)
    in_block, of_block = np.add.reduceat(weighted, starts), np.add.reduceat(weights, starts)[:, None]
    means = np.repeat(in_block / of_block, np.diff([*starts, len(own)]), axis=0)
    return SpeechSums(
        float(weights.sum()), in_block.sum(axis=0), (weights[:, None] * np.square(own - means)).sum(axis=0)
    )


def channel_statistics(sums: SpeechSums, *, spec: FeatureSpec) -> Statistics:
    """What the graph takes: mean, deviation and how much speech they are of.

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
