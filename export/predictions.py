"""What a network of the default model says of clips as files, clean and by phone, alone and in a call.

Station of the line: fit_phone -> **predictions** -> out_of_fold.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from export.array_file import keep_progress
from export.channel_statistics import Statistics
from export.dataset import Dataset, Ints
from export.file_windows import file_windows
from export.metrics import Probs

if TYPE_CHECKING:
    import keras

# Condition -> version of the dataset, and whether the channel's statistics are those of the clip's whole call.
CONDITIONS = MappingProxyType(
    {
        "clean, one clip": (0, False),
        "phone, one clip": (1, False),
        "clean, in a call": (0, True),
        "phone, in a call": (1, True),
    }
)
# By phone out of a noisy place, for trials alone: nothing is calibrated on it.
IN_NOISE = MappingProxyType({"noise, one clip": (6, False), "noise, in a call": (6, True)})
_ALL = MappingProxyType({**CONDITIONS, **IN_NOISE})


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores of some clips.

    Attributes:
        members: int64 (n,), indices of the clips.
        log_probs: by condition, float64 (n, k).
    """

    members: Ints
    log_probs: dict[str, Probs]


def predict(
    model: keras.Model,
    dataset: Dataset,
    sums: tuple[Statistics, ...],
    members: Ints,
    *,
    frames: int,
    hop_frames: int,
    conditions: Collection[str] = tuple(CONDITIONS),
) -> Predictions:
    """Score clips as files.

    Args:
        model: a trained network.
        dataset: all clips.
        sums: of each version.
        members: int64 (n,), the clips to score.
        frames: of one window.
        hop_frames: from one window to the next.
        conditions: names out of `CONDITIONS` and `IN_NOISE`.

    Returns:
        Of each clip and condition the mean of its windows' log-probabilities, weighted by their seconds of speech.
    """
    scored = {}
    for condition in conditions:
        version, whole_call = _ALL[condition]
        parts, weights = [], []
        for index in members:
            windows, seconds = file_windows(dataset, version, int(index), frames=frames, hop_frames=hop_frames)
            call = np.flatnonzero(dataset.calls == dataset.calls[index]) if whole_call else np.array([index])
            channel = {name: np.repeat(value, len(windows), axis=0) for name, value in sums[version].over(call).items()}
            parts.append({"features": windows, **channel})
            weights.append(seconds / seconds.sum())
        inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        probs = model.predict(inputs, batch_size=256, verbose=0).astype(np.float64)
        log_probs = np.log(np.maximum(probs, 1e-12))
        firsts = np.cumsum([0, *(len(weight) for weight in weights[:-1])])
        scored[condition] = np.add.reduceat(log_probs * np.concatenate(weights)[:, None], firsts)
    return Predictions(members=members, log_probs=scored)


def save_predictions(place: Path, predictions: Predictions) -> None:
    """Write the scores of a fold in one step, so that an interrupted run finds all of them or none.

    Raises:
        ExportError: the file cannot be written.
    """
    keep_progress(place, {"members": predictions.members, **predictions.log_probs})


def load_predictions(place: Path) -> Predictions:
    """Read what `save_predictions` wrote."""
    with np.load(place) as stored:
        return Predictions(stored["members"], {name: stored[name] for name in CONDITIONS})
