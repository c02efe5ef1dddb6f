"""The training of one network on cut clips: epochs until the validation clips say that it is enough, the best one kept.

Order of the clips, choice of their versions, weights and dropout
all come from one seed, epoch by epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.arrays import Ints, Probs
from export.errors import ExportError
from export.features.clip_windows import CLEAN, ClipData, Windows
from export.recipes.base import Recipe, Task
from export.training.loop import Epoch, Fitted, run_epochs
from export.training.splits import Split
from sertag.records import BoolArray, FloatArray

if TYPE_CHECKING:
    import keras

_PREDICT_ROWS = 256  # one shape for all predictions, so that they are compiled once


@dataclass(frozen=True, slots=True)
class Scores:
    """What a network says of n clips.

    Attributes:
        log_probs: float64 (n, k), mean over a clip's windows weighted by their speech; 0 where there is no answer.
        answered: bool (n,), false for clips without enough speech for a window.
    """

    log_probs: Probs
    answered: BoolArray


@dataclass(frozen=True, slots=True)
class _Material:
    """Training clips in all their versions, and the validation clips, which have one."""

    versions: FloatArray  # (versions, n, t, c)
    has_version: BoolArray  # (versions, n)
    truth: Ints
    validation: FloatArray
    validation_truth: Ints


def fit(
    data: ClipData,
    split: Split,
    *,
    truth: Ints,
    recipe: Recipe,
    seed: int,
    epochs: int,
    checkpoint: Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train a recipe's network on one side of a split.

    Args:
        data: all clips.
        split: which to learn from, and which tell when to stop.
        truth: int64 (n,), index of each clip's label in the recipe's.
        recipe: the network and its settings.
        seed: of everything drawn.
        epochs: most of them.
        checkpoint: file that is written after every epoch; where it is there already, training goes on from it.
        report: called after every epoch.

    Returns:
        The network with the weights of the epoch that was best on the validation clips: most of them right, of equal
        ones the least loss.

    Raises:
        ExportError: no clip to learn from, or none to choose by; the checkpoint cannot be written.
    """
    import keras

    material = _material(data, split, truth=truth, recipe=recipe)
    keras.utils.set_random_seed(seed)
    model = recipe.build(_task(material, recipe))
    model.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # TensorFlow's compiler makes a recurrent loop three times slower on a CPU.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    return run_epochs(
        model,
        lambda number: _run_epoch(model, material, recipe=recipe, number=number, seed=seed),
        epochs=epochs,
        patience=recipe.patience,
        checkpoint=checkpoint,
        report=report,
    )


def score(model: keras.Model, windows: Windows, members: Ints) -> Scores:
    """What a network says of some clips in one version.

    Args:
        model: trained.
        windows: of all clips.
        members: int64 (n,), the clips asked for.
    """
    counts = windows.starts[members + 1] - windows.starts[members]
    rows = np.concatenate([np.arange(windows.starts[m], windows.starts[m + 1]) for m in members]).astype(np.int64)
    clip_of = np.repeat(np.arange(len(members)), counts)
    probs = answers(model, windows.features[rows])
    log_probs = np.zeros((len(members), probs.shape[1]))
    np.add.at(log_probs, clip_of, np.log(np.maximum(probs, 1e-12)) * windows.speech_s[rows, None])
    weight = np.bincount(clip_of, weights=windows.speech_s[rows], minlength=len(members))
    return Scores(log_probs / np.maximum(weight, 1e-9)[:, None], counts > 0)


def answers(model: keras.Model, features: FloatArray) -> Probs:
    """Probabilities of windows (w, t, c), perhaps of none, float64 (w, k)."""
    if not len(features):
        return np.zeros((0, model.output_shape[-1]))
    padding = np.zeros((-len(features) % _PREDICT_ROWS, *features.shape[1:]), dtype=np.float32)
    padded = np.concatenate([features, padding])
    probs = model.predict(padded, batch_size=_PREDICT_ROWS, verbose=0)
    return np.asarray(probs, dtype=np.float64)[: len(features)]


def _material(data: ClipData, split: Split, *, truth: Ints, recipe: Recipe) -> _Material:
    """Clips that have a window as they are; where an augmentation lost its speech, that version is not drawn."""
    clean, heard = data.versions[CLEAN].first_of(split.train)
    validation, validation_members = data.versions[CLEAN].first_of(split.validation)
    if not len(heard) or not len(validation_members):
        found = f"{len(heard)} clips with speech to learn from and {len(validation_members)} to choose the epoch by"
        raise ExportError(f"{found}; expected at least one of each, give more data", code="no_data")
    versions, there = [clean], [np.ones(len(heard), dtype=bool)]
    for name in recipe.augmentations:
        first, own = data.versions[name].first_of(heard)
        rows = np.isin(heard, own)
        version = np.zeros_like(clean)
        version[rows] = first
        versions.append(version)
        there.append(rows)
    return _Material(np.stack(versions), np.stack(there), truth[heard], validation, truth[validation_members])


def _task(material: _Material, recipe: Recipe) -> Task:
    clean = material.versions[0]
    frames = clean.reshape(-1, clean.shape[-1])
    frames = frames[frames.any(axis=1)]  # not the zeros behind the end of a clip
    return Task(
        frames=clean.shape[1],
        columns=clean.shape[2],
        labels=len(recipe.labels),
        mean=frames.mean(axis=0, dtype=np.float64).astype(np.float32),
        std=np.maximum(frames.std(axis=0, dtype=np.float64), 1e-3).astype(np.float32),
    )


def _run_epoch(model: keras.Model, material: _Material, *, recipe: Recipe, number: int, seed: int) -> Epoch:
    """Show every clip once, in one of its versions, and measure on the validation clips.

    The last few clips of the order, too few for a batch, wait for another epoch: one shape is compiled once.
    """
    rng = np.random.default_rng([seed, number])
    count = len(material.truth)
    batch = min(recipe.batch, count)
    order = rng.permutation(count)[: count // batch * batch]
    chosen = rng.random(material.has_version.shape).argsort(axis=0)  # (versions, n), each column a random order
    ranked = np.take_along_axis(material.has_version, chosen, axis=0)
    version_of = chosen[ranked.argmax(axis=0), np.arange(count)]  # the first of the order that is there
    features = material.versions[version_of[order], order]
    told = model.fit(features, material.truth[order], batch_size=batch, shuffle=False, verbose=0).history
    probs = answers(model, material.validation)
    own = probs[np.arange(len(probs)), material.validation_truth]
    return Epoch(
        epoch=number,
        loss=float(told["loss"][0]),
        accuracy=float(told["accuracy"][0]),
        val_loss=float(-np.log(np.maximum(own, 1e-7)).mean()),
        val_accuracy=float((probs.argmax(axis=1) == material.validation_truth).mean()),
    )
