"""The epochs of a training: until they are enough, the best one kept. A finished training lies in the cache.

Keras' `EarlyStopping` knows no second figure for epochs of the same accuracy, of which few validation clips have many.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from export.arrays import Probs
from export.cache import cache_arrays

if TYPE_CHECKING:
    import keras

_PREDICT_ROWS = 256  # one shape for all predictions, so that they are compiled once


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch brought; nothing in validation where the length of the training is fixed beforehand."""

    epoch: int  # from 1
    loss: float  # on what was learnt from
    accuracy: float | None = None  # none where targets are mixed or soft
    val_loss: float | None = None  # on validation clips, which no weight was fitted on
    val_accuracy: float | None = None

    def __str__(self) -> str:
        """One line for people."""
        validation = "" if self.val_loss is None else f"; validation: loss {self.val_loss:.3f}"
        validation += "" if self.val_accuracy is None else f", accuracy {self.val_accuracy:.3f}"
        accuracy = "" if self.accuracy is None else f", accuracy {self.accuracy:.3f}"
        return f"epoch {self.epoch}: loss {self.loss:.3f}{accuracy}{validation}"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network, its history, and the number of the epoch whose weights it has."""

    model: keras.Model
    history: tuple[Epoch, ...]
    kept: int


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of windows: probabilities float64 (w, k), and float64 (w,) of speech."""

    probs: Probs
    speech: Probs


def run_epochs(
    model: keras.Model,
    run_epoch: Callable[[int], Epoch],
    *,
    epochs: int,
    patience: int,
    finished: Path,
    report: Callable[[Epoch], None],
) -> Fitted:
    """Train until the epochs are over or none of the last `patience` was the best; keep the best one.

    `run_epoch` runs the epoch of a number. If the file `finished` is there, the training is told and taken from it,
    else written to it; an ExportError where that is not possible.
    """
    history: list[Epoch] = []
    best = model.get_weights()
    if finished.exists():
        with np.load(finished) as stored:
            history = [Epoch(**epoch) for epoch in json.loads(str(stored["history"]))]
            best = [stored[f"weights_{index}"] for index in range(len(best))]
        for epoch in history:
            report(epoch)
    else:
        while len(history) < epochs and len(history) - _kept(history) < patience:
            history.append(run_epoch(len(history) + 1))
            best = model.get_weights() if _kept(history) == len(history) else best
            report(history[-1])
        weights = {f"weights_{index}": value for index, value in enumerate(best)}
        cache_arrays(finished, {"history": np.array(json.dumps([asdict(epoch) for epoch in history])), **weights})
    model.set_weights(best)
    return Fitted(model, tuple(history), _kept(history))


def predict(model: keras.Model, features: npt.NDArray[Any]) -> Answers:
    """What a network says of windows (w, t, c), perhaps of none; one without an output for speech hears it always."""
    by_name = len(model.outputs) > 1  # `probabilities` and `speech`, in this order
    probs, speech = [np.zeros((0, model.outputs[0].shape[-1]))], [np.zeros(0)]
    for first in range(0, len(features), _PREDICT_ROWS):
        batch = features[first : first + _PREDICT_ROWS].astype(np.float32)
        padded = np.concatenate([batch, np.zeros((_PREDICT_ROWS - len(batch), *batch.shape[1:]), np.float32)])
        found = model.predict_on_batch(padded)
        probs.append(np.asarray(found["probabilities"] if by_name else found, dtype=np.float64)[: len(batch)])
        speech.append(np.asarray(found["speech"][:, 0] if by_name else np.ones(len(padded)))[: len(batch)])
    return Answers(np.concatenate(probs), np.concatenate(speech, dtype=np.float64))


def _kept(history: Sequence[Epoch]) -> int:
    """Number of the epoch that was best in validation, or of the last one where nobody looked; 0 before any."""

    def merit(epoch: Epoch) -> tuple[float, float]:
        if epoch.val_accuracy is None or epoch.val_loss is None:
            return epoch.epoch, 0.0
        return epoch.val_accuracy, -epoch.val_loss

    return max(history, key=merit).epoch if history else 0
