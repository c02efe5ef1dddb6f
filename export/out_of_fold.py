"""Predictions for speakers that the scoring network never heard, and every figure that is made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from export.batches import Statistics, file_windows
from export.calibration import (
    Flags,
    Threshold,
    answered,
    choose_threshold,
    cross_fit,
    equal_weights,
    fit_temperature,
)
from export.corpora import Clip
from export.dataset import Dataset, Ints
from export.metrics import Figures, Probs, calibration_error, figures

if TYPE_CHECKING:
    import keras

# Condition -> version of the dataset, and whether the channel's statistics are those of the clip's whole call.
CONDITIONS = MappingProxyType(
    {
        "clean, one clip": (0, False),
        "phone, one clip": (1, False),
        "clean, in a call": (0, True),
        "phone, in a call": (1, True),
    }
)


DEVELOPMENT_FOLD = 0  # its speakers decided between settings, so its figures are not wholly those of strangers


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores of some clips.

    Attributes:
        members: int64 (n,), indices of the clips.
        log_probs: by condition, float64 (n, k).
    """

    members: Ints
    log_probs: dict[str, Probs]


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one condition; the corpora weigh the same.

    Attributes:
        uar, accuracy: mean over the corpora.
        uar_undeveloped: the same UAR without the fold on whose speakers settings were compared.
        ece: over all clips, cross-fitted.
        answered: what the least confidence brings here, cross-fitted.
        corpora: figures of each corpus.
    """

    uar: float
    uar_undeveloped: float
    accuracy: float
    ece: float
    answered: Threshold
    corpora: dict[str, Figures]


@dataclass(frozen=True, slots=True)
class Results:
    """What cross-validation found: calibration for the model file, and figures by condition."""

    temperature: float
    min_confidence: float
    speakers_by_fold: list[list[str]]
    conditions: dict[str, Measured]


def predict(
    model: keras.Model,
    dataset: Dataset,
    sums: tuple[Statistics, ...],
    members: Ints,
    *,
    frames: int,
    hop_frames: int,
) -> Predictions:
    """Score clips as files in every condition of `CONDITIONS`.

    Args:
        model: a trained network.
        dataset: all clips.
        sums: of each version.
        members: int64 (n,), the clips to score.
        frames: of one window.
        hop_frames: from one window to the next.

    Returns:
        Of each clip and condition the mean of its windows' log-probabilities, weighted by their seconds of speech.
    """
    scored = {}
    for condition, (version, whole_call) in CONDITIONS.items():
        parts, weights = [], []
        for index in members:
            windows, seconds = file_windows(dataset, version, int(index), frames=frames, hop_frames=hop_frames)
            call = np.flatnonzero(dataset.calls == dataset.calls[index]) if whole_call else np.array([index])
            channel = {name: np.repeat(value, len(windows), axis=0) for name, value in sums[version].over(call).items()}
            parts.append({"features": windows, **channel})
            weights.append(seconds / seconds.sum())
        inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        log_probs = np.log(np.maximum(model.predict(inputs, batch_size=256, verbose=0), 1e-12)).astype(np.float64)
        firsts = np.cumsum([0, *(len(weight) for weight in weights[:-1])])
        scored[condition] = np.add.reduceat(log_probs * np.concatenate(weights)[:, None], firsts)
    return Predictions(members=members, log_probs=scored)


def measure(
    predicted: Sequence[Predictions], *, clips: Sequence[Clip], folds: Ints, labels: tuple[str, ...], coverage: float
) -> Results:
    """Calibrate and measure.

    Args:
        predicted: of each fold; together every clip once.
        clips: n of them.
        folds: int64 (n,).
        labels: in the order of the scores.
        coverage: share of clips that the least confidence lets through, all conditions together.

    Returns:
        Temperature and least confidence fitted on everything, and figures in which every fold is judged with values
        fitted on the others.
    """
    order = np.argsort(np.concatenate([part.members for part in predicted]))
    log_probs = {name: np.concatenate([part.log_probs[name] for part in predicted])[order] for name in CONDITIONS}
    truth = _truth(clips, folds=folds, labels=labels)
    times = len(CONDITIONS)
    weights = np.tile(equal_weights(truth.corpus_of), times)
    stacked = np.concatenate(list(log_probs.values()))
    label_of, fold_of = np.tile(truth.label_of, times), np.tile(folds, times)
    probs = cross_fit(stacked, label_of, folds=fold_of, weights=weights)
    kept = answered(probs.max(axis=1), folds=fold_of, weights=weights, coverage=coverage)
    threshold = choose_threshold(probs.max(axis=1), coverage=coverage, weights=weights)
    parts = zip(CONDITIONS, np.split(probs, times), np.split(kept, times), strict=True)
    people = [{clip.person for clip, own in zip(clips, folds, strict=True) if own == fold} for fold in np.unique(folds)]
    return Results(
        temperature=fit_temperature(stacked, label_of, weights=weights),
        min_confidence=threshold,
        speakers_by_fold=[sorted(persons) for persons in people],
        conditions={name: _measure_condition(own, truth, keep, threshold) for name, own, keep in parts},
    )


def save_predictions(place: Path, predictions: Predictions) -> None:
    """Write the scores of a fold in one step, so that an interrupted run finds all of them or none."""
    unfinished = place.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        np.savez(file, members=predictions.members, **predictions.log_probs)  # type: ignore[arg-type]
    unfinished.replace(place)


def load_predictions(place: Path) -> Predictions:
    """Read what `save_predictions` wrote."""
    with np.load(place) as stored:
        return Predictions(stored["members"], {name: stored[name] for name in CONDITIONS})


@dataclass(frozen=True, slots=True)
class _Truth:
    """What is known of each clip, int64 (n,), and the names behind the numbers."""

    label_of: Ints
    corpus_of: Ints
    fold_of: Ints
    labels: tuple[str, ...]
    corpora: tuple[str, ...]


def _truth(clips: Sequence[Clip], *, folds: Ints, labels: tuple[str, ...]) -> _Truth:
    corpora = tuple(sorted({clip.corpus for clip in clips}))
    return _Truth(
        label_of=np.array([labels.index(clip.label) for clip in clips]),
        corpus_of=np.array([corpora.index(clip.corpus) for clip in clips]),
        fold_of=folds,
        labels=labels,
        corpora=corpora,
    )


def _measure_condition(probs: Probs, truth: _Truth, kept: Flags, threshold: float) -> Measured:
    weights = equal_weights(truth.corpus_of)
    right = probs.argmax(axis=1) == truth.label_of
    corpora = _by_corpus(probs, truth, np.ones(len(probs), dtype=bool))
    undeveloped = _by_corpus(probs, truth, truth.fold_of != DEVELOPMENT_FOLD)
    return Measured(
        uar=float(np.mean([own.uar for own in corpora.values()])),
        uar_undeveloped=float(np.mean([own.uar for own in undeveloped.values()])),
        accuracy=float(np.mean([own.accuracy for own in corpora.values()])),
        ece=calibration_error(probs, truth.label_of, weights=weights),
        answered=Threshold(
            confidence=threshold,
            coverage=float((weights * kept).sum() / weights.sum()),
            accuracy=float((weights * kept * right).sum() / max(1e-9, (weights * kept).sum())),
        ),
        corpora=corpora,
    )


def _by_corpus(probs: Probs, truth: _Truth, members: Flags) -> dict[str, Figures]:
    """Figures of each corpus that has clips among the members."""
    chosen = {name: members & (truth.corpus_of == index) for index, name in enumerate(truth.corpora)}
    return {
        name: figures(probs[own], truth.label_of[own], labels=truth.labels) for name, own in chosen.items() if own.any()
    }
