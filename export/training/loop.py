"""The epochs of a training: until they are enough, the best one kept, each on the disk, so that the next goes on.

What an epoch draws comes from its seed and its number alone, so a training that was interrupted goes on as if it had
not been. Keras' own callbacks do not: after `BackupAndRestore`, `EarlyStopping` has forgotten the best epoch and its
weights, and the history begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
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
    checkpoint: Path,
    report: Callable[[Epoch], None],
) -> Fitted:
    """Train until the epochs are over or none of the last `patience` was the best; keep the best one.

    `run_epoch`, number of an epoch -> what it brought, draws nothing that depends on earlier epochs. The checkpoint is
    written after every epoch; where it is there already, training goes on from it, and its epochs are reported again.

    Raises:
        ExportError: the checkpoint cannot be written.
    """
    history: list[Epoch] = []
    best = model.get_weights()
    if checkpoint.exists():
        history, best = _restore(checkpoint, model, epochs=epochs)
        for epoch in history:
            report(epoch)
    while len(history) < epochs and len(history) - _kept(history) < patience:
        history.append(run_epoch(len(history) + 1))
        best = model.get_weights() if _kept(history) == len(history) else best
        _store(checkpoint, model, history, best)
        report(history[-1])
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


def _kept(history: list[Epoch]) -> int:
    """Number of the epoch that was best in validation, or of the last one where nobody looked; 0 before any."""
    return max(history, key=_merit).epoch if history else 0


def _merit(epoch: Epoch) -> tuple[float, float]:
    if epoch.val_accuracy is None or epoch.val_loss is None:
        return epoch.epoch, 0.0
    return epoch.val_accuracy, -epoch.val_loss


def _store(place: Path, model: keras.Model, history: list[Epoch], best: list[Any]) -> None:
    """Everything that the next epoch starts from, in one file and one step."""
    told = json.dumps([asdict(epoch) for epoch in history])
    parts = {f"state_{index}": np.asarray(variable.value) for index, variable in enumerate(_state(model))}
    parts |= {f"best_{index}": value for index, value in enumerate(best)}
    cache_arrays(place, {"history": np.array(told), **parts})


def _restore(place: Path, model: keras.Model, *, epochs: int) -> tuple[list[Epoch], list[Any]]:
    """History and best weights; the network gets the state kept, unless that has had more epochs than are wanted."""
    with np.load(place) as stored:
        history = [Epoch(**epoch) for epoch in json.loads(str(stored["history"]))]
        if len(history) > epochs:
            return [], model.get_weights()
        model.optimizer.build(model.trainable_variables)
        for index, variable in enumerate(_state(model)):
            variable.assign(stored[f"state_{index}"])
        return history, [stored[f"best_{index}"] for index in range(len(model.weights))]


def _state(model: keras.Model) -> list[Any]:
    """Weights, random seeds of dropout, and the optimiser's moments."""
    metrics = {id(variable) for variable in model.metrics_variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    return [*own, *model.optimizer.variables]
