"""The training of one network on windows of calls: a fixed number of epochs, each clip in one version an epoch.

People count, not clips: the clips of a label in a corpus together weigh the square root of the number of their
speakers, and so do those of a source of ordinary speech, which nobody acted and which has a fixed share of the whole.
Recordings without speech teach the output `speech` alone. Features are float16 (w, t, c).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from export.arrays import Ints, Probs
from export.corpora.clips import Clip
from export.corpora.ordinary import NAME as ORDINARY
from export.errors import ExportError
from export.features.clip_windows import ClipData
from export.recipes.base import Recipe, Task
from export.training.loop import Epoch, Fitted, run_epochs
from sertag.records import FloatArray

if TYPE_CHECKING:
    import keras

UNKNOWN = -1  # of a clip that has no emotion because nobody speaks
UNACTED_SHARE = 0.3  # of the weight of all emotions
_SPEECH_LOSS = 0.3
_FRAMES_OF_STATISTICS = 400  # windows from which mean and deviation of the columns are taken
_WARM_UP = 100  # steps
_PREDICT_ROWS = 256

SoftTargets = Mapping[str, Probs]  # version -> (n, k), for each clip; zeros where the teacher says nothing


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of windows: probabilities float64 (w, k), and float64 (w,) of speech."""

    probs: Probs
    speech: Probs


@dataclass(frozen=True, slots=True)
class _Material:
    """What an epoch is drawn from.

    Attributes:
        members: clips to learn from.
        targets: (n, k) for each clip of the data, zeros where it has no emotion.
        weights: (n,) of the emotion of each clip, mean 1 over those that have one.
        is_speech: (n,) 1 or 0; speech_weights: (n,) of it.
    """

    data: ClipData
    names: tuple[str, ...]
    members: Ints
    targets: Probs
    weights: Probs
    is_speech: Probs
    speech_weights: Probs
    soft: SoftTargets


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
    """Train a recipe's network.

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

    material = _material(data, members, truth=truth, recipe=recipe, soft=soft)
    keras.utils.set_random_seed(seed)
    model = recipe.build(_task(material, recipe, seed=seed))
    rows = np.mean([_counts(data, name)[members].sum() for name in material.names])
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
    return run_epochs(
        model,
        lambda number: _run_epoch(
            model, material, recipe=recipe, rng=np.random.default_rng([seed, number]), number=number
        ),
        epochs=epochs,
        patience=epochs,
        checkpoint=checkpoint,
        report=report,
    )


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


def clip_weights(clips: Sequence[Clip], truth: Ints, members: Ints) -> Probs:
    """Weight of each clip of `members` in learning its emotion, float64 (n,), 0 for all others and where there is none.

    Args:
        clips: n of them.
        truth: int64 (n,), see `fit_windows`.
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


def _material(data: ClipData, members: Ints, *, truth: Ints, recipe: Recipe, soft: SoftTargets) -> _Material:
    names = tuple(data.versions)
    heard = np.max([_counts(data, name) for name in names], axis=0) > 0
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
        data=data,
        names=names,
        members=members,
        targets=hard * (1 - recipe.label_smoothing) + recipe.label_smoothing / labels,
        weights=clip_weights(data.clips, truth, members),
        is_speech=speech,
        speech_weights=np.where(speech > 0, shares[0], shares[1]) * len(members) / 2,
        soft=soft,
    )


def _counts(data: ClipData, name: str) -> Ints:
    """Windows of each clip in a version."""
    return np.diff(data.versions[name].starts)


def _task(material: _Material, recipe: Recipe, *, seed: int) -> Task:
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
    model: keras.Model, material: _Material, *, recipe: Recipe, rng: np.random.Generator, number: int
) -> Epoch:
    """Show every window of every clip once, in one version of the clip."""
    versions = rng.integers(len(material.names), size=len(material.members))
    rows, version_of, clip_of = _drawn(material, versions)
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
    rows, version_of, clip_of = [], [], []
    for index, version in zip(material.members, versions, strict=True):
        starts = material.data.versions[material.names[version]].starts
        own = np.arange(starts[index], starts[index + 1])
        rows.append(own)
        version_of.append(np.full(len(own), version))
        clip_of.append(np.full(len(own), index))
    return np.concatenate(rows), np.concatenate(version_of), np.concatenate(clip_of)


_Batch = tuple[FloatArray, dict[str, FloatArray], dict[str, FloatArray]]


def _batch(material: _Material, rows: Ints, version_of: Ints, clip_of: Ints) -> _Batch:
    """Features, targets and weights of windows; the windows of a clip share its weight."""
    shape = material.data.versions[material.names[0]].features.shape[1:]
    features = np.empty((len(rows), *shape), dtype=np.float32)
    targets = material.targets[clip_of].copy()
    share = np.empty(len(rows))
    for number, name in enumerate(material.names):
        own = version_of == number
        features[own] = material.data.versions[name].features[rows[own]]
        share[own] = 1 / _counts(material.data, name)[clip_of[own]]
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
