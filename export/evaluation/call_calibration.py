"""What makes a model's answers fit real calls: priors, temperature, thresholds, and how windows make a row.

Everything is fitted on windows of recordings that the scoring network was not trained on. In a call most speech is
ordinary, in corpora of acted emotions none: the mixture that answers are fitted to is `ORDINARY_SHARE` ordinary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from export.arrays import Ints, Probs
from export.evaluation.calibration import choose_threshold, fit_line, fit_priors, fit_temperature, scale
from export.evaluation.calls import SHARES, Call, WindowPool, prevailing, row, scored, simulate
from sertag.model.calibration import log_probs as logarithms
from sertag.model.calibration import softmax
from sertag.spec import ModelSpec
from sertag.tagging.aggregate import pooled
from sertag.tagging.stretches import added_speech, cut_pieces

ORDINARY_SHARE = 0.6  # with more, hardly any mood of a caller is ever named; with less, ordinary speech has too many
CLEAR_RATIO = 2.0  # anger has to be twice as likely as joy, and joy as anger
MOST_UNCERTAIN = 0.03  # of the windows of ordinary speech
_GAINS = tuple(step / 20 for step in range(21))
_CALLS = 150  # of each share
_ROW_FLOOR = 0.4  # rows are hardly ever uncertain
_PRIORS_POWER = 0.9  # windows of a call are alike, so what is likely anyway is divided out less often than they are


@dataclass(frozen=True, slots=True)
class CallCalibration:
    """See `ModelSpec` for all but the offsets, which become part of the graph."""

    offsets: Probs
    temperature: float
    min_confidence: float
    priors: Probs
    row_gain: float
    attention: tuple[float, float]

    def applied(self, spec: ModelSpec) -> ModelSpec:
        """The specification with these values."""
        return replace(
            spec,
            temperature=round(self.temperature, 4),
            min_confidence=round(self.min_confidence, 4),
            row_min_confidence=_ROW_FLOOR,
            priors=MappingProxyType(dict(zip(spec.labels, self.priors.round(4).tolist(), strict=True))),
            row_gain=self.row_gain,
            clear_ratio=CLEAR_RATIO,
            attention=(round(self.attention[0], 4), round(self.attention[1], 4)),
        )


def mixture_weights(pool: WindowPool) -> Probs:
    """Weights of windows in calls, float64 (w,).

    Ordinary speech has its share, in it every source the same; the rest goes to corpora in equal parts, and in each to
    its labels.
    """
    weights = np.zeros(len(pool.truth))
    share = ORDINARY_SHARE if pool.ordinary.any() and not pool.ordinary.all() else float(pool.ordinary.all())
    for part, total in ((pool.ordinary, share), (~pool.ordinary, 1 - share)):
        places = np.unique(pool.place[part])
        for place in places:
            own = part & (pool.place == place)
            labels = np.unique(pool.truth[own])
            for label in labels:
                rows = own & (pool.truth == label)
                weights[rows] = total / len(places) / len(labels) / rows.sum()
    return weights


def shifted(pool: WindowPool, offsets: Probs) -> WindowPool:
    """The same windows with other priors."""
    return replace(pool, log_probs=logarithms(softmax(pool.log_probs + offsets)))


def calibrate(pool: WindowPool, *, spec: ModelSpec, answers_right: float, seed: int) -> CallCalibration:
    """Fit everything, one after the other.

    `answers_right` is the share of the windows that are called anything but neutral that is to be right, `spec` that of
    the model before calibration, the seed that of the simulated calls.
    """
    weights = mixture_weights(pool)
    offsets = np.zeros(len(spec.labels))
    if pool.ordinary.any():
        offsets = fit_priors(pool.log_probs, pool.truth, weights=weights)
    ready = shifted(pool, offsets)
    temperature = fit_temperature(ready.log_probs, ready.truth, weights=weights)
    probs = scale(ready.log_probs, temperature=temperature)
    floor = _threshold(probs, ready.truth, weights, spec, answers_right)
    if pool.ordinary.any():
        floor = min(floor, float(np.quantile(probs[pool.ordinary].max(axis=1), MOST_UNCERTAIN)))
    priors = (weights @ probs / weights.sum()) ** _PRIORS_POWER
    priors /= priors.sum()
    known = CallCalibration(offsets, temperature, floor, priors, spec.row_gain, (1.0, 0.0)).applied(spec)
    gain, attention = _fit_rows(ready, known, seed=seed)
    return CallCalibration(offsets, temperature, floor, priors, gain, attention)


def _threshold(probs: Probs, truth: Ints, weights: Probs, spec: ModelSpec, answers_right: float) -> float:
    """The least confidence over which answers other than neutral are right often enough."""
    answer = probs.argmax(axis=1)
    emotional = np.array([spec.sentiment[label] != "neutral" for label in spec.labels])[answer]
    if not emotional.any():
        return 0.0
    right = answer[emotional] == truth[emotional]
    confidence = probs.max(axis=1)[emotional]
    return choose_threshold(confidence, right, accuracy=answers_right, weights=weights[emotional])


def _fit_rows(pool: WindowPool, spec: ModelSpec, *, seed: int) -> tuple[float, tuple[float, float]]:
    """Row gain of the least negative log-likelihood, and the line of attention, on simulated calls."""
    rng = np.random.default_rng(seed)
    moods = [index for index, label in enumerate(spec.labels) if spec.sentiment[label] == "negative"]
    calls = [call for share in SHARES for call in simulate(pool, moods=moods, share=share, calls=_CALLS, rng=rng)]
    if not calls:  # no ordinary speech, or labels of one's own, none of them negative
        return spec.row_gain, (1.0, 0.0)
    truth = [prevailing(pool, call) for call in calls]
    parts = [_evidence(pool, call, spec) for call in calls]
    losses = []
    for gain in _GAINS:
        rows = [
            pooled(probs, speech_s, window_s=spec.window_s, gain=gain, priors=spec.label_priors)
            for probs, speech_s in parts
        ]
        losses.append(-np.mean([np.log(max(own[label], 1e-9)) for own, label in zip(rows, truth, strict=True)]))
    worst = np.array([row(pool, call, spec=spec).attention for call in calls])
    return _GAINS[int(np.argmin(losses))], fit_line(worst, np.array([call.end > call.begin for call in calls]))


def _evidence(pool: WindowPool, call: Call, spec: ModelSpec) -> tuple[Probs, Probs]:
    """Probabilities of the windows of a call, and the seconds of speech that each adds to the others."""
    windows, measured = scored(pool, call, spec=spec)
    return windows.probs, added_speech(windows, cut_pieces(windows, measured.active)) / measured.frame_hz
