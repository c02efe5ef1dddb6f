"""Predictions for speakers or corpora that the scoring network never heard, and every figure made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from export.arrays import Ints, Probs
from export.evaluation.calibration import (
    Answered,
    choose_threshold,
    cross_fit,
    cross_thresholds,
    equal_weights,
    fit_temperature,
    scale,
)
from export.evaluation.metrics import Figures, calibration_error, figures
from export.evaluation.predictions import CONDITIONS, Predictions
from export.features.call_frames import Dataset

FoldsBy = Literal["speaker", "corpus"]  # what a clip shares with nothing that its network learnt from
ROWS_CONDITION = "phone, mixed call"


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one condition; the corpora weigh the same.

    Attributes:
        uar, accuracy: mean over the corpora.
        ece: over all clips, cross-fitted.
        answered: what the least confidence brings here, cross-fitted.
        corpora: figures of each corpus.
    """

    uar: float
    accuracy: float
    ece: float
    answered: Answered
    corpora: dict[str, Figures]


@dataclass(frozen=True, slots=True)
class Rows:
    """Figures of rows as a call's row is made, from all clips of one emotion in a call, over the phone.

    Attributes:
        rows: how many; each has two clips or more.
        accuracy, confidence: means, the corpora weigh the same.
        answered: what the least confidence brings, cross-fitted.
    """

    rows: int
    accuracy: float
    confidence: float
    answered: Answered


@dataclass(frozen=True, slots=True)
class Results:
    """What cross-validation found: calibration for the model file, and figures by condition.

    `rows` is None where no call has two clips of one emotion.
    """

    folds_by: FoldsBy
    temperature: float
    min_confidence: float
    speakers_by_fold: list[list[str]]
    conditions: dict[str, Measured]
    rows: Rows | None

    @property
    def held_out(self) -> str:
        """What a fold consists of, in a word."""
        return "speakers" if self.folds_by == "speaker" else "corpora"


def measure(
    predicted: Sequence[Predictions],
    *,
    dataset: Dataset,
    folds: Ints,
    folds_by: FoldsBy,
    labels: tuple[str, ...],
    answers_right: float,
) -> Results:
    """Calibrate and measure.

    Args:
        predicted: of each fold; together every clip once.
        dataset: n clips and their calls.
        folds: int64 (n,).
        folds_by: how they were made.
        labels: in the order of the scores.
        answers_right: share of the answers over the least confidence that is to be right, all conditions together.

    Returns:
        Temperature and least confidence fitted on everything, and figures in which every fold is judged with values
        fitted on the others.
    """
    truth = _truth(dataset, folds=folds, labels=labels)
    pooled = _pooled(predicted, truth)
    probs = pooled.cross_fitted()
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == pooled.label_of
    floors = cross_thresholds(confidence, right, folds=pooled.fold_of, accuracy=answers_right, weights=pooled.weights)
    floor = floors[: len(folds)]  # the same in every condition
    by_condition = _by_condition(probs)
    people = [
        {clip.person for clip, own in zip(dataset.clips, folds, strict=True) if own == fold} for fold in set(folds)
    ]
    return Results(
        folds_by=folds_by,
        temperature=fit_temperature(pooled.log_probs, pooled.label_of, weights=pooled.weights),
        min_confidence=choose_threshold(confidence, right, accuracy=answers_right, weights=pooled.weights),
        speakers_by_fold=[sorted(persons) for persons in people],
        conditions={name: _measure_condition(own, truth, floor) for name, own in by_condition.items()},
        rows=_measure_rows(by_condition[ROWS_CONDITION], truth, floor),
    )


def cross_fitted(
    predicted: Sequence[Predictions], *, dataset: Dataset, folds: Ints, labels: tuple[str, ...]
) -> dict[str, Probs]:
    """Calibrated probabilities of every clip by condition, float64 (n, k); arguments as of `measure`.

    Each fold has the temperature of the others, one for all conditions.
    """
    return _by_condition(_pooled(predicted, _truth(dataset, folds=folds, labels=labels)).cross_fitted())


@dataclass(frozen=True, slots=True)
class _Truth:
    """What is known of each clip, int64 (n,), and the names behind the numbers."""

    label_of: Ints
    corpus_of: Ints
    call_of: Ints
    fold_of: Ints
    labels: tuple[str, ...]
    corpora: tuple[str, ...]


def _truth(dataset: Dataset, *, folds: Ints, labels: tuple[str, ...]) -> _Truth:
    corpora = tuple(sorted({clip.corpus for clip in dataset.clips}))
    return _Truth(
        label_of=np.array([labels.index(clip.label) for clip in dataset.clips]),
        corpus_of=np.array([corpora.index(clip.corpus) for clip in dataset.clips]),
        call_of=dataset.calls,
        fold_of=folds,
        labels=labels,
        corpora=corpora,
    )


@dataclass(frozen=True, slots=True)
class _Pooled:
    """All clips in every condition, one condition behind the other, m rows in all; the corpora weigh the same.

    Attributes:
        log_probs: float64 (m, k).
        label_of, fold_of: int64 (m,).
        weights: float64 (m,).
    """

    log_probs: Probs
    label_of: Ints
    fold_of: Ints
    weights: Probs

    def cross_fitted(self) -> Probs:
        """Probabilities (m, k), each fold with the temperature of the others."""
        return cross_fit(self.log_probs, self.label_of, folds=self.fold_of, weights=self.weights)


def _pooled(predicted: Sequence[Predictions], truth: _Truth) -> _Pooled:
    order = np.argsort(np.concatenate([part.members for part in predicted]))
    times = len(CONDITIONS)
    return _Pooled(
        np.concatenate([np.concatenate([part.log_probs[name] for part in predicted])[order] for name in CONDITIONS]),
        np.tile(truth.label_of, times),
        np.tile(truth.fold_of, times),
        np.tile(equal_weights(truth.corpus_of), times),
    )


def _by_condition(pooled: Probs) -> dict[str, Probs]:
    return dict(zip(CONDITIONS, np.split(pooled, len(CONDITIONS)), strict=True))


def _measure_condition(probs: Probs, truth: _Truth, floor: Probs) -> Measured:
    weights = equal_weights(truth.corpus_of)
    corpora = _by_corpus(probs, truth)
    return Measured(
        uar=float(np.mean([own.uar for own in corpora.values()])),
        accuracy=float(np.mean([own.accuracy for own in corpora.values()])),
        ece=calibration_error(probs, truth.label_of, weights=weights),
        answered=_answered(probs, truth.label_of, floor, weights),
        corpora=corpora,
    )


def _measure_rows(probs: Probs, truth: _Truth, floor: Probs) -> Rows | None:
    """Merge the clips of each call and label by the mean of their log-probabilities, as windows become a row."""
    _, first, row_of, clips = np.unique(
        truth.call_of * len(truth.labels) + truth.label_of, return_index=True, return_inverse=True, return_counts=True
    )
    log_mean = np.zeros((len(first), probs.shape[1]))
    np.add.at(log_mean, row_of, np.log(probs))
    kept = clips >= 2
    if not kept.any():
        return None
    merged = scale(log_mean / clips[:, None], temperature=1.0)[kept]
    label_of, weights = truth.label_of[first][kept], equal_weights(truth.corpus_of[first][kept])
    right = merged.argmax(axis=1) == label_of
    return Rows(
        rows=int(kept.sum()),
        accuracy=float(np.average(right, weights=weights)),
        confidence=float(np.average(merged.max(axis=1), weights=weights)),
        answered=_answered(merged, label_of, floor[first][kept], weights),
    )


def _answered(probs: Probs, label_of: Ints, floor: Probs, weights: Probs) -> Answered:
    kept = weights * (probs.max(axis=1) >= floor)
    right = probs.argmax(axis=1) == label_of
    return Answered(
        coverage=float(kept.sum() / weights.sum()), accuracy=float((kept * right).sum() / max(1e-9, kept.sum()))
    )


def _by_corpus(probs: Probs, truth: _Truth) -> dict[str, Figures]:
    members = {name: truth.corpus_of == index for index, name in enumerate(truth.corpora)}
    return {name: figures(probs[own], truth.label_of[own], labels=truth.labels) for name, own in members.items()}
