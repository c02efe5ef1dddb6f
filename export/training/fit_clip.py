"""The training of one network on cut clips: in an epoch each is shown once, in a version; one seed draws everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from export.arrays import Ints
from export.errors import ExportError
from export.features.clip_windows import CLEAN, Windows
from export.recipes.base import Recipe, Task
from export.training.loop import Epoch, predict
from sertag.records import BoolArray, FloatArray

if TYPE_CHECKING:
    import keras


class _Material(NamedTuple):
    """Training clips in all their versions, and the validation clips, which have one."""

    versions: FloatArray  # (versions, n, t, c)
    has_version: BoolArray  # (versions, n)
    truth: Ints
    validation: FloatArray
    validation_truth: Ints


def begin(
    versions: Mapping[str, Windows], train: Ints, validation: Ints, *, truth: Ints, recipe: Recipe, seed: int
) -> tuple[keras.Model, Callable[[int], Epoch]]:
    """Build a recipe's network: compiled, and what runs the epoch of a number.

    Args:
        versions: windows of all clips by the name of the version.
        train: int64 (m,), clips to learn from.
        validation: int64 (v,), clips that tell when to stop.
        truth: int64 (n,), index of each clip's label in the recipe's.
        recipe: the network and its settings.
        seed: of everything drawn.
    """
    import keras

    material = _material(versions, train, validation, truth=truth, recipe=recipe)
    keras.utils.set_random_seed(seed)
    model = recipe.build(Task.of(material.versions[0], labels=len(recipe.labels)))
    model.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # TensorFlow's compiler makes a recurrent loop three times slower on a CPU.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    return model, lambda number: _run_epoch(model, material, recipe=recipe, number=number, seed=seed)


def _material(
    versions: Mapping[str, Windows], train: Ints, validation: Ints, *, truth: Ints, recipe: Recipe
) -> _Material:
    """Clips that have a window as they are; where an augmentation lost its speech, that version is not drawn."""
    clean, heard = versions[CLEAN].first_of(train)
    chosen_by, chooses = versions[CLEAN].first_of(validation)
    if not len(heard) or not len(chooses):
        found = f"{len(heard)} clips with speech to learn from and {len(chooses)} to choose the epoch by"
        raise ExportError(f"{found}; expected at least one of each, give more data", code="no_data")
    shown, there = [clean], [np.ones(len(heard), dtype=bool)]
    for name in recipe.augmentations:
        first, own = versions[name].first_of(heard)
        there.append(np.isin(heard, own))
        shown.append(np.zeros_like(clean))
        shown[-1][there[-1]] = first
    return _Material(np.stack(shown), np.stack(there), truth[heard], chosen_by, truth[chooses])


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
    probs = predict(model, material.validation).probs
    own = probs[np.arange(len(probs)), material.validation_truth]
    return Epoch(
        epoch=number,
        loss=float(told["loss"][0]),
        accuracy=float(told["accuracy"][0]),
        val_loss=float(-np.log(np.maximum(own, 1e-7)).mean()),
        val_accuracy=float((probs.argmax(axis=1) == material.validation_truth).mean()),
    )
