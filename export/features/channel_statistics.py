"""What is known of a channel's speech: number, mean and standard deviation of its frames, added up clip by clip.

Station of the line: dataset -> **channel_statistics** -> batches, predictions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.arrays import Inputs, Ints
from export.features.call_frames import Version
from sertag.channel import SpeechSums, channel_statistics, speech_sums
from sertag.features import coefficients
from sertag.spec import FeatureSpec

LEAST_SPEECH_FRAMES = 40  # 0.4 s: of a clip that is trained on, and of a window cut from one


@dataclass(frozen=True, slots=True)
class Statistics:
    """Sums over the speech of each clip of a version; see `sertag.channel`.

    Attributes:
        count: float64 (n,), frames of speech.
        weight: float64 (n,), of these.
        total, squares: float64 (n, c).
        features: the recipe of the coefficients.
    """

    count: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    total: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    features: FeatureSpec

    def over(self, members: Ints) -> Inputs:
        """Mean (1, c), standard deviation (1, c) and number (1, 1) of the speech frames of some clips."""
        sums = SpeechSums(
            float(self.weight[members].sum()), self.total[members].sum(axis=0), self.squares[members].sum(axis=0)
        )
        found = channel_statistics(sums, spec=self.features)
        return {
            "channel_mean": found.mean[None],
            "channel_std": found.std[None],
            "speech_frames": np.full((1, 1), found.speech_frames, dtype=np.float32),
        }


def statistics(version: Version, *, features: FeatureSpec) -> Statistics:
    """Sum the coefficients of each clip's speech."""
    clips = (version.clip(index) for index in range(len(version.starts) - 1))
    rows = [coefficients(frames[speech], spec=features) for frames, speech in clips]
    sums = [speech_sums(frames, spec=features) for frames in rows]
    return Statistics(
        count=np.array([len(frames) for frames in rows], dtype=np.float64),
        weight=np.array([own.weight for own in sums]),
        total=np.array([own.total for own in sums]),
        squares=np.array([own.squares for own in sums]),
        features=features,
    )
