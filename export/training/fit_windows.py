"""The training of one network on windows of calls: a fixed number of epochs, each clip in one version an epoch.

The shares of the labels in the training are divided out of what the network says (Menon et al. 2021, arXiv 2007.07314):
it takes all labels to be equally likely, whatever it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from export.arrays import Ints, Probs
from export.corpora.clips import Clip
from export.features.clip_windows import CLEAN, Windows
from export.features.material import Material, SoftTargets, drawn, find_material, label_shares, mixed, window_batch
from export.recipes.base import Recipe, Task
from export.training.loop import Epoch

if TYPE_CHECKING:
    import keras

_SPEECH_LOSS = 0.3
_FRAMES_OF_STATISTICS = 400  # windows from which mean and deviation of the columns are taken
_WARM_UP = 100  # steps
_STEPS, _SMALLEST_BATCH = 48, 16  # an epoch of few windows has so many steps all the same, with smaller batches


def begin(
    clips: Sequence[Clip],
    versions: Mapping[str, Windows],
    members: Ints,
    *,
    truth: Ints,
    recipe: Recipe,
    seed: int,
    epochs: int,
    soft: SoftTargets,
) -> tuple[keras.Model, Callable[[int], Epoch], Probs]:
    """Build a recipe's network; after `epochs` its learning rate is 0. Other arguments as of `find_material`.

    Returns:
        The network, compiled; what runs the epoch of a number; and offsets (k,) for `with_offsets`.
    """
    import keras

    material = find_material(
        clips,
        versions,
        members,
        truth=truth,
        labels=recipe.labels,
        label_smoothing=recipe.label_smoothing,
        exchanged_columns=recipe.exchanged_columns,
        soft=soft,
    )
    keras.utils.set_random_seed(seed)
    model = recipe.build(_task(material, recipe, seed=seed))
    rows = np.mean([windows.counts[members].sum() for windows in versions.values()])
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

    def run_epoch(number: int) -> Epoch:
        return _run_epoch(model, material, recipe=recipe, rng=np.random.default_rng([seed, number]), number=number)

    return model, run_epoch, -np.log(label_shares(material))


def with_offsets(model: keras.Model, offsets: Probs) -> keras.Model:
    """The same network with other priors of its labels: offsets (k,) are added to logarithms of probabilities."""
    import keras

    found = model.output
    logits = keras.ops.log(keras.ops.maximum(found["probabilities"], 1e-9)) + offsets.astype(np.float32)
    outputs = {"probabilities": keras.ops.softmax(logits), "speech": found["speech"]}
    return keras.Model(model.input, outputs, name=model.name)


def _task(material: Material, recipe: Recipe, *, seed: int) -> Task:
    clean = material.versions[CLEAN]
    rows = np.random.default_rng(seed).permutation(clean.rows_of(material.members))[:_FRAMES_OF_STATISTICS]
    return Task.of(clean.features[np.sort(rows)].astype(np.float32), labels=len(recipe.labels))


def _run_epoch(
    model: keras.Model, material: Material, *, recipe: Recipe, rng: np.random.Generator, number: int
) -> Epoch:
    """Show every window of every clip once, in one version of the clip."""
    rows, version_of, clip_of = drawn(material, rng.integers(len(material.versions), size=len(material.members)))
    order = rng.permutation(len(rows))
    losses = []
    for first in range(0, len(order), recipe.batch):
        own = order[first : first + recipe.batch]
        if len(own) < recipe.batch:  # one shape is compiled once
            own = np.concatenate([own, rng.choice(order, recipe.batch - len(own))])
        shown = window_batch(material, rows[own], version_of[own], clip_of[own], rng=rng)
        features, targets, weights = mixed(shown, alpha=recipe.mixup, rng=rng) if recipe.mixup else shown
        losses.append(model.train_on_batch(features, targets, sample_weight=weights))
    loss = float(np.mean([np.ravel(value)[0] for value in losses]))
    return Epoch(epoch=number, loss=loss)
