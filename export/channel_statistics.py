"""What is known of a channel's speech: number, mean and standard deviation of its frames, added up clip by clip.

Station of the line: dataset -> **channel_statistics** -> batches, predictions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.dataset import Ints, Version
from sertag.features import coefficients
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

Inputs = dict[str, FloatArray]

LEAST_SPEECH_FRAMES = 40  # 0.4 s: of a clip that is trained on, and of a window cut from one


@dataclass(frozen=True, slots=True)
class Statistics:
    """Sums over the speech frames of each clip of a version.

    Attributes:
        count: float64 (n,), frames.
        total: float64 (n, c).
        squares: float64 (n, c).
    """

    count: npt.NDArray[np.float64]
    total: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]

    def over(self, members: Ints) -> Inputs:
        """Mean (1, c), standard deviation (1, c) and number (1, 1) of the speech frames of some clips."""
        count = self.count[members].sum()
        mean = self.total[members].sum(axis=0) / max(1, count)
        variance = self.squares[members].sum(axis=0) / max(1, count) - mean**2
        return {
            "channel_mean": mean[None].astype(np.float32),
            "channel_std": np.sqrt(np.maximum(variance, 0))[None].astype(np.float32),
            "speech_frames": np.full((1, 1), count, dtype=np.float32),
        }


def statistics(version: Version, *, features: FeatureSpec) -> Statistics:
    """Sum the coefficients of each clip's speech."""
    rows = [
        coefficients(version.frames[start:stop][version.speech[start:stop]], spec=features).astype(np.float64)
        for start, stop in zip(version.starts[:-1], version.starts[1:], strict=True)
    ]
    return Statistics(
        count=np.array([len(frames) for frames in rows], dtype=np.float64),
        total=np.array([frames.sum(axis=0) for frames in rows]),
        squares=np.array([np.square(frames).sum(axis=0) for frames in rows]),
    )
