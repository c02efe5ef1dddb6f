"""What models for calls reach: unseen corpora, ordinary speech, simulated calls; each by networks that never met it.

What calibrates a fold comes from the others. Two ways to decide are told apart: labels as likely as each other, as the
field counts (UAR), and as shipped, where most speech is ordinary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.accuracy.figures import middle, uar_draws
from export.arrays import Ints, Probs
from export.evaluation.calibration import scale
from export.evaluation.call_calibration import calibrate, shifted
from export.evaluation.calls import SHARES, Call, WindowPool, prevailing, row, simulate
from export.evaluation.metrics import area_under_curve, calibration_error, uar
from sertag.records import BoolArray, ChannelResult, Status
from sertag.spec import ModelSpec
from sertag.tagging.segments import is_clear

FALSE_ALARMS = (5, 20, 60)  # an hour of ordinary speech
HIGH, LOW = ("angry", "fear", "happy", "surprise"), ("neutral", "sad")
_CALLS = 200  # of each share of emotion
_LATE_S = 9.0  # a peak may begin so much before or after the stretch

_Row = tuple[ChannelResult, Call, int, ModelSpec]  # with the prevailing label


@dataclass(frozen=True, slots=True)
class Fold:
    """Windows of a fold with what was fitted on the others."""

    equal: WindowPool  # as the network scores them, to which all labels are equally likely
    pool: WindowPool  # with the offsets of the model that ships
    spec: ModelSpec  # its other values

    @property
    def hours(self) -> float:
        """Of ordinary speech; windows overlap by half."""
        own = self.pool.speech_s[self.pool.ordinary].sum()
        return float(own * self.spec.hop_s / self.spec.window_s / 3600)


def folds_calibrated(pool: WindowPool, folds: Ints, *, spec: ModelSpec, answers_right: float, seed: int) -> list[Fold]:
    """Calibrate each fold on the others, `folds` being int64 (n,), of each clip; other arguments as of `calibrate`."""
    found, fold = [], folds[pool.clip]
    for own in np.unique(fold):
        fitted = calibrate(pool.part(fold != own), spec=spec, answers_right=answers_right, seed=seed)
        plain = pool.part(fold == own)
        found.append(Fold(plain, shifted(plain, fitted.offsets), fitted.applied(spec)))
    return found


def measure(folds: Sequence[Fold], *, corpora: Sequence[str], seed: int) -> dict[str, Any]:
    """All figures of one condition; `corpora` names the acted corpus of each fold, the seed is that of the calls."""
    by_corpus = {name: _corpus(fold) for fold, name in zip(folds, corpora, strict=True)}
    hours = sum(fold.hours for fold in folds)
    return {
        **_with_mean(by_corpus),
        "ordinary": _ordinary(folds, hours),
        "anger_found": _detection(folds, hours),
        "calls": _calls(folds, seed=seed),
    }


def compare(pool: WindowPool, folds: Ints, *, spec: ModelSpec, corpora: Sequence[str]) -> dict[str, Any]:
    """Figures of each tested corpus and their means; `folds` is that of each clip, -1 for those that are not tested."""
    fold = folds[pool.clip]
    parts = {number: pool.part(fold == number) for number in np.unique(fold[fold >= 0])}
    return _with_mean({corpora[own.clip[0]]: _corpus(Fold(own, own, spec)) for own in parts.values()})


def _with_mean(by_corpus: dict[str, dict[str, float | None]]) -> dict[str, Any]:
    """Figures by corpus and their means over the corpora that have them."""
    means: dict[str, float | None] = {}
    for name in next(iter(by_corpus.values())):
        known = [value for own in by_corpus.values() if (value := own[name]) is not None]
        means[name] = round(float(np.mean(known)), 4) if known else None
    return {"corpora": by_corpus, "mean": means}


def _corpus(fold: Fold) -> dict[str, float | None]:
    """Figures of one acted corpus; a clip is the mean of its windows, as a row is."""
    acted = ~fold.equal.ordinary
    truth, person, equal = by_clip(fold.equal.part(acted))
    _, _, shipped = by_clip(fold.pool.part(acted), temperature=fold.spec.temperature)
    labels = fold.spec.labels
    right = equal.argmax(axis=1) == truth
    low, high = (round(end, 4) for end in middle(uar_draws(right, truth, person, rng=np.random.default_rng(0))))
    angry, happy = (truth == labels.index(name) for name in ("angry", "happy"))
    excited, at_rest = (np.isin(truth, [labels.index(name) for name in names]) for names in (HIGH, LOW))
    arousal = shipped @ np.array([own for own, _ in fold.spec.affect])
    ratio = shipped[:, labels.index("angry")] / (shipped[:, [labels.index("angry"), labels.index("happy")]].sum(axis=1))
    return {
        "uar": round(uar(right, truth), 4),
        "uar_low": low,
        "uar_high": high,
        "uar_as_shipped": round(uar(shipped.argmax(axis=1) == truth, truth), 4),
        "anger_auc": _auc(equal[:, labels.index("angry")], angry),
        "arousal_auc": _auc(arousal[excited | at_rest], excited[excited | at_rest]),
        "angry_against_happy_auc": _auc(ratio[angry | happy], angry[angry | happy]),
    }


def by_clip(pool: WindowPool, *, temperature: float = 1.0) -> tuple[Ints, Ints, Probs]:
    """Truth, person and mean probabilities of each clip of one condition."""
    clips, first, number = np.unique(pool.clip, return_index=True, return_inverse=True)
    probs = scale(pool.log_probs, temperature=temperature)
    total = np.zeros((len(clips), probs.shape[1]))
    np.add.at(total, number, probs * pool.speech_s[:, None])
    return pool.truth[first], pool.person[first], total / total.sum(axis=1, keepdims=True)


def _auc(score: Probs, positive: BoolArray) -> float | None:
    found = area_under_curve(score, positive)
    return None if found is None else round(found, 4)


def _answers(fold: Fold, kept: BoolArray) -> tuple[Ints, BoolArray, Probs]:
    """Label, whether it is said, and probabilities of some windows, as the tagger decides."""
    probs = scale(fold.pool.log_probs[kept], temperature=fold.spec.temperature)
    said = is_clear(probs, spec=fold.spec) & (probs.max(axis=1) >= fold.spec.min_confidence)
    return probs.argmax(axis=1), said, probs


def _ordinary(folds: Sequence[Fold], hours: float) -> dict[str, float]:
    """What ordinary speech is called; false labels an hour of speech, neighbouring windows counted once."""
    labels = folds[0].spec.labels
    answers = [_answers(fold, fold.pool.ordinary)[:2] for fold in folds]
    label, said = (np.concatenate(column) for column in zip(*answers, strict=True))
    step = folds[0].spec.hop_s / folds[0].spec.window_s

    def an_hour(names: Sequence[str]) -> float:
        return round(float((said & np.isin(label, [labels.index(name) for name in names])).sum() * step / hours), 1)

    return {
        "hours": round(hours, 2),
        "neutral": round(float((said & (label == labels.index("neutral"))).mean()), 4),
        "uncertain": round(float((~said).mean()), 4),
        "angry_an_hour": an_hour(["angry"]),
        "disgust_or_fear_an_hour": an_hour(["disgust", "fear"]),
        "any_emotion_an_hour": an_hour([name for name in labels if name != "neutral"]),
    }


def _detection(folds: Sequence[Fold], hours: float) -> dict[str, float]:
    """Share of angry windows over thresholds that all ordinary speech passes so often an hour, mean of corpora."""
    angry = folds[0].spec.labels.index("angry")
    scores = [_answers(fold, np.ones(len(fold.pool.truth), dtype=bool))[2][:, angry] for fold in folds]
    calm = np.sort(np.concatenate([own[fold.pool.ordinary] for own, fold in zip(scores, folds, strict=True)]))[::-1]
    step = folds[0].spec.hop_s / folds[0].spec.window_s
    found = {}
    for alarms in FALSE_ALARMS:
        threshold = calm[min(len(calm) - 1, round(alarms * hours / step))]
        shares = []
        for own, fold in zip(scores, folds, strict=True):
            acted = ~fold.pool.ordinary & (fold.pool.truth == angry)
            if acted.any():
                shares.append(float((own[acted] > threshold).mean()))
        found[str(alarms)] = round(float(np.mean(shares)), 4)
    return found


def _calls(folds: Sequence[Fold], *, seed: int) -> dict[str, Any]:
    """Rows of simulated calls with an angry stretch, by its share."""
    rng = np.random.default_rng(seed + 1000)  # other calls than those that rows were fitted on
    found: dict[str, Any] = {}
    every: list[_Row] = []
    for share in SHARES:
        rows = []
        for fold in folds:
            moods = [fold.spec.labels.index("angry")]
            for call in simulate(fold.pool, moods=moods, share=share, calls=_CALLS // len(folds), rng=rng):
                rows.append((row(fold.pool, call, spec=fold.spec), call, prevailing(fold.pool, call), fold.spec))
        every += rows
        found[f"{share:.0%}"] = _share(rows)
    probs = np.array([result.probs for result, *_ in every])
    truth = np.array([own for _, _, own, _ in every])
    return found | {"ece": round(calibration_error(probs, truth, weights=np.ones(len(truth))), 4)}


def _share(rows: Sequence[_Row]) -> dict[str, float]:
    """How often rows of calls with one share of emotion say what is in the call."""
    peaks, quarters = [], []
    for result, call, _, spec in rows:
        if not 0 < call.end - call.begin < len(call.rows):
            continue
        begin, end = call.begin * spec.hop_s, call.end * spec.hop_s
        peaks.append(begin - _LATE_S <= (result.peak_start_s or 0.0) <= end + _LATE_S)
        centre = (begin + end) / 2 / (len(call.rows) * spec.hop_s)
        known = [-1.0 if value is None else value for value in result.quarters]
        quarters.append(known.index(max(known)) == min(3, int(4 * centre)))
    found = {
        "answered": _rate([result.status == Status.OK for result, *_ in rows]),
        "right": _rate([result.emotion == spec.labels[truth] for result, _, truth, spec in rows]),
        "attention": round(float(np.median([result.attention or 0.0 for result, *_ in rows])), 3),
    }
    return found | ({"peak_in_stretch": _rate(peaks), "quarter_with_centre": _rate(quarters)} if peaks else {})


def _rate(flags: Sequence[bool]) -> float:
    return round(float(np.mean(flags)), 4)
