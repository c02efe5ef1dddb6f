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
    """Networks run layer by layer: to trace a graph takes longer than an epoch of a few clips."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Even though the `tf.config.experimental_run_functions_eagerly`")
            yield
    finally:
        tf.config.run_functions_eagerly(False)


def one_process(patched: pytest.MonkeyPatch) -> None:
    """Commands do their work in the process of the test, where it can be watched."""
    for module in ("train", "model"):
        patched.setattr(f"export.cli.{module}.usable_cpus", lambda: 1)


def small_phone() -> Recipe:
    """The default model's recipe with a small network, of which a training is one step of four windows of a second."""
    from export.recipes.phone import RECIPE

    return dataclasses.replace(RECIPE, build=small_network, batch=4, window_s=1.0, hop_s=0.5, windows=1, epochs=1)


def small_network(task: Task) -> keras.Model:
    """The inputs of the default model's network; whether it can be converted is a matter of its training's tests."""
    import keras
    from keras import layers

    shapes = {
        "features": (task.frames, task.columns),
        "channel_mean": (task.columns,),
        "channel_std": (task.columns,),
        "speech_frames": (1,),
    }
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    mean = layers.GlobalAveragePooling1D()(inputs["features"])
    heard = layers.Rescaling(1e-3)(inputs["speech_frames"])
    known = layers.Concatenate()([mean - inputs["channel_mean"], inputs["channel_std"], heard])
    return keras.Model(inputs, layers.Dense(task.labels, activation="softmax")(known))
