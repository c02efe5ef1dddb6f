"""Temperature and least confidence, both from speakers that the scoring network never heard.

Log-probabilities are float64 (n, k), truth int64 (n,), folds int64 (n,). Each corpus weighs the same, however many
clips it has. What is reported is cross-fitted: a fold is judged with values fitted on the other folds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.optimize

from export.arrays import Ints, Probs
from sertag.model.calibration import softmax

Flags = npt.NDArray[np.bool_]
ANSWERS_RIGHT = 0.6  # share of the answers to labelled clips that the least confidence is to make right

_SLOPES = 0.01, 100.0  # of a line; scores that tell nothing would have none


def equal_weights(groups: Ints) -> Probs:
    """Weights that make every group count the same and sum to the number of items.

    >>> equal_weights(np.array([0, 0, 0, 1])).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    counts = np.bincount(groups)
    return np.asarray(len(groups) / (np.count_nonzero(counts) * counts[groups]))


def scale(log_probs: Probs, *, temperature: float) -> Probs:
    """Probabilities after division of the log-probabilities by a temperature, float64 (n, k)."""
    return softmax(log_probs / temperature)


def fit_temperature(log_probs: Probs, truth: Ints, *, weights: Probs) -> float:
    """The temperature of the least negative log-likelihood (Guo et al. 2017, arXiv 1706.04599)."""

    def loss(log_temperature: float) -> float:
        probs = scale(log_probs, temperature=float(np.exp(log_temperature)))
        return float(-(weights * np.log(np.maximum(probs[np.arange(len(truth)), truth], 1e-12))).sum())

    for highest in (10, 100):  # the second for networks that are nearly always sure and seldom right
        found = scipy.optimize.minimize_scalar(loss, bounds=(np.log(0.1), np.log(highest)), method="bounded")
        temperature = float(np.exp(found.x))
        if temperature < 0.99 * highest:
            break
    return temperature


def fit_priors(log_probs: Probs, truth: Ints, *, weights: Probs, strength: float = 1e-3) -> Probs:
    """What to add to log-probabilities so that they fit another mixture of labels than that of the training.

    The weights are those of the mixture that is wanted, the strength that of the pull towards no change, for labels
    that are rare in it. float64 (k,), mean 0; least negative log-likelihood (Saerens et al. 2002).
    """
    share = weights / weights.sum()
    onehot = np.eye(log_probs.shape[1])[truth]

    def loss(offset: Probs) -> tuple[float, Probs]:
        probs = softmax(log_probs + offset)
        value = -float(share @ np.log(np.maximum(probs[np.arange(len(truth)), truth], 1e-12)))
        slope = share @ (probs - onehot) + 2 * strength * offset
        return value + strength * float(offset @ offset), slope

    found = scipy.optimize.minimize(loss, np.zeros(log_probs.shape[1]), jac=True, method="L-BFGS-B").x
    return np.asarray(found - found.mean())


def fit_line(scores: Probs, positive: Flags) -> tuple[float, float]:
    """Slope and offset that make logits of scores probabilities, both classes weighing the same (Platt 1999)."""
    logit = np.log(np.clip(scores, 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(scores, 1e-6, 1 - 1e-6))
    weights = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())

    def loss(line: Probs) -> float:
        margin = np.where(positive, 1, -1) * (np.exp(line[0]) * logit + line[1])
        return float(weights @ np.logaddexp(0, -margin))

    found = scipy.optimize.minimize(loss, np.zeros(2), method="Nelder-Mead").x
    return float(np.clip(np.exp(found[0]), *_SLOPES)), float(np.clip(found[1], -100, 100))


def cross_fit(log_probs: Probs, truth: Ints, *, folds: Ints, weights: Probs) -> Probs:
    """Calibrated probabilities, each fold with the temperature of the others, float64 (n, k)."""
    probs = np.empty_like(log_probs)
    for fold in np.unique(folds):
        own = folds == fold
        temperature = fit_temperature(log_probs[~own], truth[~own], weights=weights[~own])
        probs[own] = scale(log_probs[own], temperature=temperature)
    return probs


def choose_threshold(confidence: Probs, right: Flags, *, accuracy: float, weights: Probs) -> float:
    """The least confidence over which the weighted share `accuracy` of the answers is right; the highest if none is.

    >>> flags = np.array([True, True, False, False])
    >>> choose_threshold(np.array([0.9, 0.8, 0.7, 0.6]), flags, accuracy=0.6, weights=np.ones(4))
    0.7
    """
    order = np.argsort(-confidence)
    reached = np.cumsum((weights * right)[order]) / np.cumsum(weights[order])
    enough = np.flatnonzero(reached >= accuracy)
    return float(confidence[order][enough[-1] if len(enough) else 0])
