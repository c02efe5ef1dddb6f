"""What a network of the default model says of clips as files, clean and by phone, in calls of several make-ups.

Such a network normalises by the statistics of a
channel, so its answer to a clip depends on the rest of the call: the make-up says what that is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from export.arrays import Ints, Probs
from export.cache import cache_arrays
from export.features.call_frames import Dataset
from export.features.channel_statistics import Statistics
from export.features.file_windows import file_windows

if TYPE_CHECKING:
    import keras

# The clip alone; about 24 clips of all moods; its own and neutral clips, one to three; clips of its own mood alone.
MAKE_UPS = ("one clip", "mixed call", "three quarters neutral", "one mood")
# Line -> version of the dataset; noise is a phone in a noisy place, for trials alone: nothing is calibrated on it.
LINES = MappingProxyType({"clean": 0, "phone": 1, "noise": 6})
CONDITIONS = ("clean, one clip", "phone, one clip", "clean, mixed call", "phone, mixed call")  # what is calibrated on


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
    conditions: Collection[str] = CONDITIONS,
) -> Predictions:
    """Score clips as files.

    Args:
        model: a trained network.
        dataset: all clips.
        sums: of each version.
        members: int64 (n,), the clips to score.
        frames: of one window.
        hop_frames: from one window to the next.
        conditions: each a name out of `LINES` and one out of `MAKE_UPS`.

    Returns:
        Of each clip and condition the mean of its windows' log-probabilities, weighted by their seconds of speech.
    """
    scored = {}
    for condition in conditions:
        line, _, make_up = condition.partition(", ")
        version = LINES[line]
        parts, weights = [], []
        for index in members:
            windows, seconds = file_windows(dataset, version, int(index), frames=frames, hop_frames=hop_frames)
            call = made_up(dataset, int(index), make_up)
            channel = {name: np.repeat(value, len(windows), axis=0) for name, value in sums[version].over(call).items()}
            parts.append({"features": windows, **channel})
            weights.append(seconds / seconds.sum())
        inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        probs = model.predict(inputs, batch_size=256, verbose=0).astype(np.float64)
        log_probs = np.log(np.maximum(probs, 1e-12))
        firsts = np.cumsum([0, *(len(weight) for weight in weights[:-1])])
        scored[condition] = np.add.reduceat(log_probs * np.concatenate(weights)[:, None], firsts)
    return Predictions(members=members, log_probs=scored)


def made_up(dataset: Dataset, index: int, make_up: str) -> Ints:
    """The clips of a call that the channel's statistics are taken over, the clip itself among them.

    Args:
        dataset: all clips.
        index: of the clip.
        make_up: one of `MAKE_UPS`.

    Returns:
        int64 (n,), in ascending order.
    """
    if make_up == "one clip":
        return np.array([index])
    call = np.flatnonzero(dataset.calls == dataset.calls[index])
    if make_up == "mixed call":
        return call
    label_of = np.array([dataset.clips[other].label for other in call])
    if make_up == "one mood":
        return np.asarray(call[label_of == dataset.clips[index].label])
    neutral = call[label_of == "neutral"]
    others = [other for other in call if dataset.clips[other].label != "neutral" and other != index]
    room = max(1, len(neutral) // 3)
    chosen = [index, *others[: room - 1]] if index not in neutral else others[:room]
    return np.unique(np.concatenate([neutral, np.array(chosen, dtype=np.int64)])).astype(np.int64)


def save_predictions(place: Path, predictions: Predictions) -> None:
    """Write the scores of a fold in one step, so that an interrupted run finds all of them or none.

    Raises:
        ExportError: the file cannot be written.
    """
    cache_arrays(place, {"members": predictions.members, **predictions.log_probs})


def load_predictions(place: Path) -> Predictions:
    """Read what `save_predictions` wrote."""
    with np.load(place) as stored:
        return Predictions(stored["members"], {name: stored[name] for name in CONDITIONS})
