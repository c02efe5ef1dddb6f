"""The training of one network of the default model: windows of calls, drawn afresh for every batch.

Station of the line: dataset -> batches -> **fit_phone** -> predictions. The length is fixed beforehand and nobody looks
at a validation set, so nothing is picked on the speakers that are tested.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.arrays import Inputs, Ints
from export.errors import ExportError
from export.features.call_frames import Dataset
from export.features.call_windows import Sampler
from export.features.channel_statistics import LEAST_SPEECH_FRAMES, Statistics
from export.recipes.base import Recipe, Task
from export.recipes.phone import apart
from export.training.loop import Epoch, Fitted, run_epochs
from sertag.records import FloatArray

if TYPE_CHECKING:
    import keras


def fit_phone(
    dataset: Dataset,
    sums: tuple[Statistics, ...],
    members: Ints,
    *,
    recipe: Recipe,
    seed: int,
    epochs: int,
    checkpoint: Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train one network.

    Args:
        dataset: all clips.
        sums: of each version.
        members: int64, indices of the clips to learn from; nothing else is looked at.
        recipe: the network and its settings.
        seed: of windows and weights.
        epochs: of the training; fixed beforehand, so nothing is picked on a tested speaker.
        checkpoint: file that is written after every epoch; where it is there already, training goes on from it.
        report: called after every epoch.

    Returns:
        The network after the last epoch.

    Raises:
        ExportError: no clip to learn from; the checkpoint cannot be written.
    """
    import keras

    _refuse_silence(sums, members)
    keras.utils.set_random_seed(seed)
    mean, std = _typical(sums, members)
    task = Task(recipe.window_frames, recipe.features.n_coefficients, len(recipe.labels), mean, std)
    model = recipe.build(task)
    taught = apart(model)
    taught.compile(
        optimizer=_optimizer(recipe, epochs),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # compiled, the recurrent loop is three times slower on a CPU
    )

    def run_epoch(number: int) -> Epoch:
        sampler = Sampler(
            dataset,
            sums,
            members=members,
            frames=recipe.window_frames,
            labels=recipe.labels,
            mixture=recipe.mixture,
            seed=[seed, number],
        )
        batches = _batches(sampler, batch=recipe.batch, steps=recipe.steps, members=taught.output_shape[1])
        told = taught.fit(batches, steps_per_epoch=recipe.steps, shuffle=False, verbose=0).history
        return Epoch(number, loss=float(told["loss"][0]), accuracy=float(told["accuracy"][0]))

    fitted = run_epochs(taught, run_epoch, epochs=epochs, patience=epochs, checkpoint=checkpoint, report=report)
    return dataclasses.replace(fitted, model=model)  # which has the same weights


def _optimizer(recipe: Recipe, epochs: int) -> keras.optimizers.Optimizer:
    """AdamW; the rate rises over the first epoch and falls to 0 as a cosine over the others."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 20,
        warmup_target=recipe.learning_rate,
        warmup_steps=recipe.steps,
        decay_steps=max(1, epochs - 1) * recipe.steps,
    )
    return keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, clipnorm=1.0)


def _batches(sampler: Sampler, *, batch: int, steps: int, members: int) -> Any:
    """The batches of one epoch, drawn in a thread of their own, as a tf.data.Dataset; all members have one target."""
    import tensorflow as tf

    def draw(count: int) -> tuple[Inputs, FloatArray]:
        inputs, targets = sampler.batch(count)
        return inputs, np.repeat(targets[:, None], members, axis=1)

    inputs, targets = draw(1)
    shapes = {name: tf.TensorSpec((None, *value.shape[1:]), tf.float32) for name, value in inputs.items()}
    return tf.data.Dataset.from_generator(
        lambda: (draw(batch) for _ in range(steps)),
        output_signature=(shapes, tf.TensorSpec((None, *targets.shape[1:]), tf.float32)),
    ).prefetch(4)


def _refuse_silence(sums: tuple[Statistics, ...], members: Ints) -> None:
    if not (sums[0].count[members] >= LEAST_SPEECH_FRAMES).any():
        found = f"none of {len(members)} clips to learn from has {LEAST_SPEECH_FRAMES} frames of speech"
        raise ExportError(f"{found}; give more data, or longer and louder clips", code="no_data")


def _typical(sums: tuple[Statistics, ...], members: Ints) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation, float32 (c,), of the training clips' speech: what little speech is drawn to.

    The deviation is the one inside a clip, because that is what stands in for a channel's own.
    """
    centres, spreads = [], []
    for own in sums:
        heard = members[own.count[members] >= LEAST_SPEECH_FRAMES]
        if not len(heard):
            continue  # noise has buried all of them
        each = [own.over(np.array([index])) for index in heard]
        centres.append(np.mean([found["channel_mean"][0] for found in each], axis=0))
        spreads.append(np.mean([np.square(found["channel_std"][0]) for found in each], axis=0))
    return np.mean(centres, axis=0).astype(np.float32), np.sqrt(np.mean(spreads, axis=0)).astype(np.float32)
