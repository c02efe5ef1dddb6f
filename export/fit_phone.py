"""The training of one network of the default model: windows of calls, drawn afresh for every batch.

Station of the line: dataset -> batches -> **fit_phone** -> predictions. The length is fixed beforehand and nobody looks
at a validation set, so nothing is picked on the speakers that are tested.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.batches import Mixture, Sampler
from export.channel_statistics import LEAST_SPEECH_FRAMES, Inputs, Statistics
from export.dataset import Dataset, Ints
from export.epochs import Epoch, Fitted, run_epochs
from export.errors import ExportError
from export.recipe import Task
from export.recipes.phone import RECIPE, apart
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides the result.

    Attributes:
        seed: of folds, calls, lines, windows and weights.
        folds: of the cross-validation.
        labels, sentiment: in the order of the network's output.
        counts_as: what each label of the corpora became, for the model's history.
        epochs: of training; fixed beforehand, so nothing is picked on a test speaker.
        windows: that are drawn in a whole training, however many clips there are: of few, each is heard more often.
        batch: windows.
        learning_rate: at its peak; warms up over one epoch and falls to 0 as a cosine.
        weight_decay: of AdamW.
        label_smoothing: share of the target that is spread over all labels.
        answers_right: share of the answers to unseen speakers' clips that `min_confidence` is to make right.
        mixture: of the training windows.
        features: the recipe of the frames.
        window_s, hop_s: of tagging, seconds.
    """

    seed: int = 1
    folds: int = 4
    labels: tuple[str, ...] = RECIPE.labels
    counts_as: tuple[tuple[str, str], ...] = ()
    sentiment: tuple[str, ...] = tuple(RECIPE.sentiment[label] for label in RECIPE.labels)
    epochs: int = RECIPE.epochs
    windows: int = 100_000
    batch: int = RECIPE.batch
    learning_rate: float = RECIPE.learning_rate
    weight_decay: float = 2e-3
    label_smoothing: float = 0.05
    answers_right: float = 0.6
    mixture: Mixture = dataclasses.field(default_factory=Mixture)
    features: FeatureSpec = RECIPE.features
    window_s: float = RECIPE.window_s
    hop_s: float = 2.0

    @property
    def window_frames(self) -> int:
        """Frames of one window."""
        return round(self.window_s * self.features.frame_rate_hz)

    @property
    def steps(self) -> int:
        """Batches of an epoch; fewer epochs than the recipe's are a shorter training.

        >>> Settings().steps
        56
        """
        return math.ceil(self.windows / (RECIPE.epochs * self.batch))

    @property
    def hop_frames(self) -> int:
        """Frames from one window to the next."""
        return round(self.hop_s * self.features.frame_rate_hz)


def fit_phone(
    dataset: Dataset,
    sums: tuple[Statistics, ...],
    members: Ints,
    *,
    settings: Settings,
    checkpoint: Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train one network.

    Args:
        dataset: all clips.
        sums: of each version.
        members: int64, indices of the clips to learn from; nothing else is looked at.
        settings: of the run.
        checkpoint: file that is written after every epoch; where it is there already, training goes on from it.
        report: called after every epoch.

    Returns:
        The network after the last epoch.

    Raises:
        ExportError: no clip to learn from; the checkpoint cannot be written.
    """
    import keras

    _refuse_silence(sums, members)
    keras.utils.set_random_seed(settings.seed)
    steps = settings.steps
    mean, std = _typical(sums, members)
    task = Task(settings.window_frames, settings.features.n_coefficients, len(settings.labels), mean, std)
    model = RECIPE.build(task)
    taught = apart(model)
    taught.compile(
        optimizer=_optimizer(settings, steps),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # compiled, the recurrent loop is three times slower on a CPU
    )

    def run_epoch(number: int) -> Epoch:
        sampler = Sampler(
            dataset,
            sums,
            members=members,
            frames=settings.window_frames,
            labels=settings.labels,
            mixture=settings.mixture,
            seed=[settings.seed, number],
        )
        batches = _batches(sampler, batch=settings.batch, steps=steps, members=taught.output_shape[1])
        told = taught.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0).history
        return Epoch(number, loss=float(told["loss"][0]), accuracy=float(told["accuracy"][0]))

    epochs = settings.epochs
    fitted = run_epochs(taught, run_epoch, epochs=epochs, patience=epochs, checkpoint=checkpoint, report=report)
    return dataclasses.replace(fitted, model=model)  # which has the same weights


def _optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    """AdamW; the rate rises over the first epoch and falls to 0 as a cosine over the others."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 20,
        warmup_target=settings.learning_rate,
        warmup_steps=steps,
        decay_steps=max(1, settings.epochs - 1) * steps,
    )
    return keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0)


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
