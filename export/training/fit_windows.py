"""The training of one network on windows of calls: a fixed number of epochs, each clip in one version an epoch.

People count, not clips: the clips of a label in a corpus together weigh the square root of the number of their
speakers, and so do those of a source of ordinary speech, which nobody acted and which has a fixed share of the whole.
Recordings without speech teach the output `speech` alone. Features are float16 (w, t, c).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from export.arrays import Ints, Probs
from export.corpora.clips import Clip
from export.corpora.ordinary import NAME as ORDINARY
from export.errors import ExportError
from export.features.clip_windows import CLEAN, Windows
from export.recipes.base import Recipe, Task
from export.training.loop import Epoch
from sertag.records import FloatArray

if TYPE_CHECKING:
    import keras

UNKNOWN = -1  # of a clip that has no emotion because nobody speaks
UNACTED_SHARE = 0.3  # of the weight of all emotions
_SPEECH_LOSS = 0.3
_FRAMES_OF_STATISTICS = 400  # windows from which mean and deviation of the columns are taken
_WARM_UP = 100  # steps

SoftTargets = Mapping[str, Probs]  # version -> (n, k), for each clip; zeros where the teacher says nothing


@dataclass(frozen=True, slots=True)
class _Material:
    """What an epoch is drawn from.

    Attributes:
        versions: windows of all clips by the name of the version.
        members: clips to learn from.
        targets: (n, k) for each clip of the data, zeros where it has no emotion.
        weights: (n,) of the emotion of each clip, mean 1 over those that have one.
        is_speech: (n,) 1 or 0; speech_weights: (n,) of it.
        soft: what a teacher says.
    """

    versions: Mapping[str, Windows]
    members: Ints
    targets: Probs
    weights: Probs
    is_speech: Probs
    speech_weights: Probs
    soft: SoftTargets


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
) -> tuple[keras.Model, Callable[[int], Epoch]]:
    """Build a recipe's network.

    Args:
        clips: n of them.
        versions: their windows by the name of the version.
        members: int64 (m,), those to learn from.
        truth: int64 (n,), index of each clip's label in the recipe's, `UNKNOWN` where nobody speaks.
        recipe: the network and its settings.
        seed: of everything drawn.
        epochs: after which the learning rate is 0.
        soft: what a teacher says of the clips in every version; half of a target then is the teacher's.

    Returns:
        The network, compiled, and what runs the epoch of a number.

    Raises:
        ExportError: nothing to learn from.
    """
    import keras

    material = _material(clips, versions, members, truth=truth, recipe=recipe, soft=soft)
    keras.utils.set_random_seed(seed)
    model = recipe.build(_task(material, recipe, seed=seed))
    rows = np.mean([windows.counts[members].sum() for windows in versions.values()])
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
    return model, lambda number: _run_epoch(
        model, material, recipe=recipe, rng=np.random.default_rng([seed, number]), number=number
    )


def clip_weights(clips: Sequence[Clip], truth: Ints, members: Ints) -> Probs:
    """Weight of each clip of `members` in learning its emotion, float64 (n,), 0 for all others and where there is none.

    Args:
        clips: n of them.
        truth: int64 (n,), see `begin`.
        members: int64 (m,).
    """
    weights = np.zeros(len(clips))
    groups: dict[tuple[str, str, int], list[int]] = {}
    for index in members[truth[members] != UNKNOWN]:
        groups.setdefault((clips[index].corpus, clips[index].source, int(truth[index])), []).append(int(index))
    for own in groups.values():
        weights[own] = np.sqrt(len({clips[index].speaker for index in own})) / len(own)
    unacted = np.array([clip.corpus == ORDINARY for clip in clips])
    if weights[unacted].any() and weights[~unacted].any():
        wanted = UNACTED_SHARE / (1 - UNACTED_SHARE) * weights[~unacted].sum()
        weights[unacted] *= wanted / weights[unacted].sum()
    return np.asarray(weights * (np.count_nonzero(weights) / max(1e-9, weights.sum())))


def _material(
    clips: Sequence[Clip],
    versions: Mapping[str, Windows],
    members: Ints,
    *,
    truth: Ints,
    recipe: Recipe,
    soft: SoftTargets,
) -> _Material:
    heard = np.max([windows.counts for windows in versions.values()], axis=0) > 0
    members = members[heard[members]]
    known = truth[members] != UNKNOWN
    if not known.any():
        raise ExportError(
            "no clip with speech to learn from; give more data, or longer and louder clips", code="no_data"
        )
    labels = len(recipe.labels)
    hard = np.zeros((len(truth), labels))
    hard[truth != UNKNOWN] = np.eye(labels)[truth[truth != UNKNOWN]]
    speech = (truth != UNKNOWN).astype(np.float64)
    shares = np.array([1 / known.sum(), 1 / max(1, (~known).sum())])
    return _Material(
        versions=versions,
        members=members,
        targets=hard * (1 - recipe.label_smoothing) + recipe.label_smoothing / labels,
        weights=clip_weights(clips, truth, members),
        is_speech=speech,
        speech_weights=np.where(speech > 0, shares[0], shares[1]) * len(members) / 2,
        soft=soft,
    )


def _task(material: _Material, recipe: Recipe, *, seed: int) -> Task:
    clean = material.versions[CLEAN]
    rows = np.random.default_rng(seed).permutation(clean.rows_of(material.members))[:_FRAMES_OF_STATISTICS]
    return Task.of(clean.features[np.sort(rows)].astype(np.float32), labels=len(recipe.labels))


def _run_epoch(
    model: keras.Model, material: _Material, *, recipe: Recipe, rng: np.random.Generator, number: int
) -> Epoch:
    """Show every window of every clip once, in one version of the clip."""
    rows, version_of, clip_of = _drawn(material, rng.integers(len(material.versions), size=len(material.members)))
    order = rng.permutation(len(rows))
    losses = []
    for first in range(0, len(order), recipe.batch):
        own = order[first : first + recipe.batch]
        if len(own) < recipe.batch:  # one shape is compiled once
            own = np.concatenate([own, rng.choice(order, recipe.batch - len(own))])
        batch = _batch(material, rows[own], version_of[own], clip_of[own])
        features, targets, weights = _mixed(*batch, alpha=recipe.mixup, rng=rng) if recipe.mixup else batch
        losses.append(model.train_on_batch(features, targets, sample_weight=weights))
    loss = float(np.mean([np.ravel(value)[0] for value in losses]))
    return Epoch(epoch=number, loss=loss)


def _drawn(material: _Material, versions: Ints) -> tuple[Ints, Ints, Ints]:
    """Row, version and clip of each window of clips in the versions that were drawn for them."""
    starts = np.stack([windows.starts for windows in material.versions.values()])  # (versions, n + 1)
    first, end = starts[versions, material.members], starts[versions, material.members + 1]
    rows = np.concatenate([np.arange(*window) for window in zip(first, end, strict=True)])
    return rows, np.repeat(versions, end - first), np.repeat(material.members, end - first)


_Batch = tuple[FloatArray, dict[str, FloatArray], dict[str, FloatArray]]


def _batch(material: _Material, rows: Ints, version_of: Ints, clip_of: Ints) -> _Batch:
    """Features, targets and weights of windows; the windows of a clip share its weight."""
    features = np.empty((len(rows), *material.versions[CLEAN].features.shape[1:]), dtype=np.float32)
    targets = material.targets[clip_of].copy()
    share = np.empty(len(rows))
    for number, (name, windows) in enumerate(material.versions.items()):
        own = version_of == number
        features[own] = windows.features[rows[own]]
        share[own] = 1 / windows.counts[clip_of[own]]
        if name in material.soft:
            said = material.soft[name][clip_of[own]]
            targets[own] = np.where(said.any(axis=1, keepdims=True), 0.5 * (targets[own] + said), targets[own])
    weights = {
        "probabilities": (material.weights[clip_of] * share).astype(np.float32),
        "speech": (material.speech_weights[clip_of] * share).astype(np.float32),
    }
    spoken = material.is_speech[clip_of][:, None]
    return features, {"probabilities": targets.astype(np.float32), "speech": spoken.astype(np.float32)}, weights


def _mixed(
    features: FloatArray,
    targets: dict[str, FloatArray],
    weights: dict[str, FloatArray],
    *,
    alpha: float,
    rng: np.random.Generator,
) -> _Batch:
    """Each window with a little of another one (Zhang et al. 2018, arXiv 1710.09412)."""
    share = rng.beta(alpha, alpha, size=len(features)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(features))

    def mix(values: FloatArray) -> FloatArray:
        own = share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(own * values + (1 - own) * values[other], dtype=np.float32)

    mixed_targets = {name: mix(value) for name, value in targets.items()}
    return mix(features), mixed_targets, {name: mix(value) for name, value in weights.items()}
