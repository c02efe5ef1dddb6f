"""Figures of one run of a suite, from a table of its answers: a row a tested clip and condition.

Its columns are `condition`, `fold`, `person`, `group` (what figures are the mean over), `truth` (index of the label),
`answered`, and under each label its log-probability. Nothing that decides an answer is fitted on the clips it is about:
a fold has the temperature of the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from export.arrays import Ints, Probs
from export.evaluation.calibration import cross_fit, equal_weights, scale
from export.evaluation.metrics import area_under_curve, calibration_error, sentiment_uar, uar
from sertag.records import BoolArray

ANGRY = "angry"
_DRAWS = 1000  # of the bootstrap
_COVERAGE = 95  # percent of the draws that an interval holds


def measure(answers: pd.DataFrame, *, sentiments: dict[str, str], temperature: float) -> dict[str, Any]:
    """Figures by condition over all folds, and of each fold; `sentiments` are of all labels.

    Folds are calibrated on each other; one alone has the temperature given.
    """
    probs = calibrated(answers, [*sentiments], temperature=temperature)
    right = (probs.to_numpy().argmax(axis=1) == answers["truth"]) & answers["answered"]
    answers = answers.assign(right=right)
    conditions: dict[Any, Any] = {}
    folds: dict[Any, Any] = {name: {} for name in dict.fromkeys(answers["fold"])}
    for condition, own in answers.groupby("condition", sort=False):
        conditions[condition] = figures_of(own, probs.loc[own.index], sentiments=sentiments)
        for name, fold in own.groupby("fold", sort=False):
            folds[name][condition] = {"uar": round(_uar(fold), 4), "accuracy": round(float(fold["right"].mean()), 4)}
    return {"conditions": conditions, "folds": folds}


def calibrated(answers: pd.DataFrame, labels: Sequence[str], *, temperature: float) -> pd.DataFrame:
    """Probabilities under the labels, in the rows of the answers."""
    log_probs, fold = answers[[*labels]].to_numpy(), answers["fold"].factorize()[0]
    probs = scale(log_probs, temperature=temperature)
    if fold.any():
        weights = equal_weights(answers["group"].factorize()[0]) * answers["answered"].to_numpy()
        probs = cross_fit(log_probs, answers["truth"].to_numpy(), folds=fold, weights=weights)
    return pd.DataFrame(probs, columns=[*labels], index=answers.index)


def figures_of(answers: pd.DataFrame, probs: pd.DataFrame, *, sentiments: dict[str, str]) -> dict[str, Any]:
    """Figures of one condition; a clip without an answer is an error."""
    groups, said = answers.groupby("group"), probs.to_numpy()
    truth, answered = answers["truth"].to_numpy(), answers["answered"].to_numpy()
    low, high = interval(answers)
    found = {
        "uar": float(np.mean([_uar(own) for _, own in groups])),
        "uar_low": low,
        "uar_high": high,
        "accuracy": float(groups["right"].mean().mean()),
    }
    if answered.any():
        weights = equal_weights(answers["group"].factorize()[0]) * answered
        found["ece"] = calibration_error(said, truth, weights=weights)
        found["uar_of_the_surest_half"] = surest_half(said, answered, truth)
    if len(sentiments) > len(set(sentiments.values())):
        found["sentiment_uar"] = sentiment_uar(said, truth, answered, sentiments=[*sentiments.values()])
    if ANGRY in sentiments:
        of_anger = answers.assign(score=probs[ANGRY], angry=truth == [*sentiments].index(ANGRY))[answered]
        aucs = [area_under_curve(own["score"], own["angry"]) for _, own in of_anger.groupby("fold")]
        known = [auc for auc in aucs if auc is not None]
        found |= {"anger_auc": float(np.mean(known))} if known else {}  # mean of folds, with angry clips and others
    return {name: round(value, 4) for name, value in found.items()}


def interval(answers: pd.DataFrame) -> tuple[float, float]:
    """Where UAR lies in 95 % of the draws of as many speakers, with replacement, from those who were tested."""
    rng = np.random.default_rng(0)
    columns = ("right", "truth", "person")
    parts = [[own[name].to_numpy() for name in columns] for _, own in answers.groupby("group")]
    return middle(np.mean([uar_draws(*part, rng=rng) for part in parts], axis=0))


def uar_draws(right: BoolArray, truth: Ints, person: Any, *, rng: np.random.Generator) -> Probs:
    """UAR of as many speakers as there are, drawn again and again with replacement, float64 (draws,)."""
    people, number = np.unique(person, return_inverse=True)
    labels, label = np.unique(truth, return_inverse=True)
    hits, clips = np.zeros((len(people), len(labels))), np.zeros((len(people), len(labels)))
    np.add.at(hits, (number, label), right)
    np.add.at(clips, (number, label), 1)
    times = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=_DRAWS)  # (draws, people)
    total = times @ clips
    recall = np.divide(times @ hits, total, out=np.full_like(total, np.nan), where=total > 0)
    return np.asarray(np.nanmean(recall, axis=1))


def middle(draws: Probs) -> tuple[float, float]:
    """Between which values 95 % of the draws lie."""
    low, high = np.percentile(draws, [(100 - _COVERAGE) / 2, (100 + _COVERAGE) / 2])
    return float(low), float(high)


def surest_half(probs: Probs, answered: BoolArray, truth: Ints) -> float:
    """UAR of the half of the answers with the highest confidence."""
    order = np.argsort(-np.where(answered, probs.max(axis=1), -1.0), kind="stable")
    half = order[: max(1, int(answered.sum()) // 2)]
    return uar(probs[half].argmax(axis=1) == truth[half], truth[half])


def _uar(answers: pd.DataFrame) -> float:
    return float(answers.groupby("truth")["right"].mean().mean())
