"""What makes trainings of a few clips fast enough for tests."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import keras

    from export.recipes.base import Recipe, Task


@contextmanager
def untraced() -> Iterator[None]:
    """Networks run layer by layer: to trace a graph takes longer than an epoch of a few clips; few rows at a time."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patched:
            patched.setattr("export.training.loop._PREDICT_ROWS", 16)
            warnings.filterwarnings("ignore", message="Even though the `tf.config.experimental_run_functions_eagerly`")
            yield
    finally:
        tf.config.run_functions_eagerly(False)


def one_process(patched: pytest.MonkeyPatch) -> None:
    """Commands do their work in the process of the test, where it can be watched."""
    for module in ("train", "model"):
        patched.setattr(f"export.cli.{module}.usable_cpus", lambda: 1)


def small_phone() -> Recipe:
    """The default model's recipe with a small network and short windows, without renderings and teacher."""
    from export.recipes.phone import RECIPE

    return dataclasses.replace(
        RECIPE, build=small_network, batch=16, window_s=1.0, hop_s=0.5, epochs=1, augmentations=(), teacher=""
    )


def small_network(task: Task) -> keras.Model:
    """What networks for calls take and return, little between; until it learns more it takes everything for speech."""
    import keras
    from keras import layers

    features = keras.Input((task.frames, task.columns), name="features")
    pooled = layers.GlobalAveragePooling1D()((features - task.mean) / task.std)
    probabilities = layers.Dense(task.labels, activation="softmax", name="probabilities")(pooled)
    all_ears = {"kernel_initializer": "zeros", "bias_initializer": keras.initializers.Constant(3)}
    speech = layers.Dense(1, activation="sigmoid", name="speech", **all_ears)(pooled)
    return keras.Model(features, {"probabilities": probabilities, "speech": speech})
