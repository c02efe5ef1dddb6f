"""The training of one network on windows of calls: a fixed number of epochs, each clip in one version an epoch.

The shares of the labels in the training are divided out of what the network says (Menon et al. 2021, arXiv 2007.07314):
it takes all labels to be equally likely, whatever it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from export.arrays import Ints, Probs
from export.features.clip_windows import ClipData
from export.features.material import (
    Material,
    SoftTargets,
    counts,
    drawn,
    find_material,
    label_shares,
    mixed,
    window_batch,
)
from export.recipes.base import Recipe, Task
from export.training.loop import Epoch, Fitted, run_epochs

if TYPE_CHECKING:
    import keras

_SPEECH_LOSS = 0.3
_FRAMES_OF_STATISTICS = 400  # windows from which mean and deviation of the columns are taken
_WARM_UP = 100  # steps
_STEPS, _SMALLEST_BATCH = 48, 16  # an epoch of few windows has so many steps all the same, with smaller batches
_PREDICT_ROWS = 256


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of windows: probabilities float64 (w, k), and float64 (w,) of speech."""

    probs: Probs
    speech: Probs


def fit_windows(
    data: ClipData,
    members: Ints,
    *,
    truth: Ints,
    recipe: Recipe,
    seed: int,
    epochs: int,
    soft: SoftTargets = MappingProxyType({}),
    checkpoint: Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train a recipe's network; to what comes back all labels are equally likely.

    Args:
        data: all clips.
        members: int64 (m,), those to learn from.
        truth: int64 (n,), index of each clip's label in the recipe's, `UNKNOWN` where nobody speaks.
        recipe: the network and its settings.
        seed: of everything drawn.
        epochs: how many.
        soft: what a teacher says of the clips in every version; half of a target then is the teacher's.
        checkpoint: file that is written after every epoch; where it is there already, training goes on from it.
        report: called after every epoch.

    Raises:
        ExportError: nothing to learn from; the checkpoint cannot be written.
    """
    import keras

    material = find_material(
        data,
        members,
        truth=truth,
        labels=recipe.labels,
        label_smoothing=recipe.label_smoothing,
        exchanged_columns=recipe.exchanged_columns,
        soft=soft,
    )
    keras.utils.set_random_seed(seed)
    model = recipe.build(_task(material, recipe, seed=seed))
    rows = np.mean([counts(data, name)[members].sum() for name in material.names])
    recipe = replace(recipe, batch=int(np.clip(rows // _STEPS, min(_SMALLEST_BATCH, recipe.batch), recipe.batch)))
    steps = max(1, round(epochs * rows / recipe.batch))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=recipe.learning_rate, warmup_steps=min(_WARM_UP, max(1, steps // 10))
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay),
        loss={"probabilities": "categorical_crossentropy", "speech": "binary_crossentropy"},
        loss_weights={"probabilities": 1.0, "speech": _SPEECH_LOSS},
        jit_compile=False,  # TensorFlow's compiler makes a recurrent loop three times slower on a CPU
    )
    fitted = run_epochs(
        model,
        lambda number: _run_epoch(
            model, material, recipe=recipe, rng=np.random.default_rng([seed, number]), number=number
        ),
        epochs=epochs,
        patience=epochs,
        checkpoint=checkpoint,
        report=report,
    )
    return replace(fitted, model=with_offsets(model, -np.log(label_shares(material))))


def with_offsets(model: keras.Model, offsets: Probs) -> keras.Model:
    """The same network with other priors of its labels: offsets (k,) are added to logarithms of probabilities."""
    import keras

    found = model.output
    logits = keras.ops.log(keras.ops.maximum(found["probabilities"], 1e-9)) + offsets.astype(np.float32)
    outputs = {"probabilities": keras.ops.softmax(logits), "speech": found["speech"]}
    return keras.Model(model.input, outputs, name=model.name)


def predict_windows(model: keras.Model, features: npt.NDArray[Any]) -> Answers:
    """What a network says of windows (w, t, c), perhaps of none."""
    probs, speech = [np.zeros((0, model.output["probabilities"].shape[-1]))], [np.zeros(0)]
    for first in range(0, len(features), _PREDICT_ROWS):
        batch = features[first : first + _PREDICT_ROWS].astype(np.float32)
        padded = np.concatenate([batch, np.zeros((_PREDICT_ROWS - len(batch), *batch.shape[1:]), np.float32)])
        found = model.predict_on_batch(padded)
        probs.append(np.asarray(found["probabilities"], dtype=np.float64)[: len(batch)])
        speech.append(np.asarray(found["speech"], dtype=np.float64)[: len(batch), 0])
    return Answers(np.concatenate(probs), np.concatenate(speech))


def _task(material: Material, recipe: Recipe, *, seed: int) -> Task:
    rng = np.random.default_rng(seed)
    first = material.data.versions[material.names[0]]
    chosen = np.sort(rng.permutation(first.rows_of(material.members))[:_FRAMES_OF_STATISTICS])
    frames = first.features[chosen].astype(np.float32).reshape(-1, first.features.shape[2])
    return Task(
        frames=first.features.shape[1],
        columns=first.features.shape[2],
        labels=len(recipe.labels),
        mean=frames.mean(axis=0, dtype=np.float64).astype(np.float32),
        std=np.maximum(frames.std(axis=0, dtype=np.float64), 1e-3).astype(np.float32),
    )


def _run_epoch(
    model: keras.Model, material: Material, *, recipe: Recipe, rng: np.random.Generator, number: int
) -> Epoch:
    """Show every window of every clip once, in one version of the clip."""
    versions = rng.integers(len(material.names), size=len(material.members))
    rows, version_of, clip_of = drawn(material, versions)
    order = rng.permutation(len(rows))
    losses = []
    for first in range(0, len(order), recipe.batch):
        own = order[first : first + recipe.batch]
        if len(own) < recipe.batch:  # one shape is compiled once
            own = np.concatenate([own, rng.choice(order, recipe.batch - len(own))])
        shown = window_batch(material, rows[own], version_of[own], clip_of[own], rng=rng)
        features, targets, weights = mixed(*shown, alpha=recipe.mixup, rng=rng) if recipe.mixup else shown
        losses.append(model.train_on_batch(features, targets, sample_weight=weights))
    loss = float(np.mean([np.ravel(value)[0] for value in losses]))
    return Epoch(epoch=number, loss=loss)
