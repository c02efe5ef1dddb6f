"""What models for calls reach: unseen corpora, ordinary speech, simulated calls; each by networks that never met it.

Every corpus is scored by a network that was trained on the others, ordinary speech by one that was trained on other
sources, and what is calibrated comes from the other folds too. Two ways to decide are told apart: labels as likely as
each other, which is how the field counts (UAR), and as shipped, where most speech is ordinary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.accuracy.figures import middle, uar_draws
from export.arrays import Ints, Probs
from export.corpora.ordinary import UNACTED
from export.evaluation.calibration import scale
from export.evaluation.call_calibration import CallCalibration, calibrate, shifted
from export.evaluation.calls import SHARES, Call, WindowPool, prevailing, row, simulate
from export.evaluation.metrics import area_under_curve, calibration_error
from sertag.records import BoolArray, ChannelResult, Status
from sertag.segments import is_clear
from sertag.spec import ModelSpec

FALSE_ALARMS = (5, 20, 60)  # an hour of ordinary speech
HIGH, LOW = ("angry", "fear", "happy", "surprise"), ("neutral", "sad")
_CALLS = 200  # of each share of emotion
_LATE_S = 9.0  # a peak may begin so much before or after the stretch


@dataclass(frozen=True, slots=True)
class Fold:
    """Windows of a fold with what was fitted on the others.

    Attributes:
        equal: windows as the network scores them, to which all labels are equally likely.
        pool: windows with the offsets of the model that ships.
        spec: its other values.
    """

    equal: WindowPool
    pool: WindowPool
    spec: ModelSpec


def folds_calibrated(pool: WindowPool, fold: Ints, *, spec: ModelSpec, answers_right: float, seed: int) -> list[Fold]:
    """Calibrate each fold on the others.

    Args:
        pool: all windows.
        fold: int64 (w,), of each.
        spec: before calibration.
        answers_right: see `calibrate`.
        seed: likewise.
    """
    found = []
    for own in np.unique(fold):
        fitted: CallCalibration = calibrate(part(pool, fold != own), spec=spec, answers_right=answers_right, seed=seed)
        plain = part(pool, fold == own)
        found.append(Fold(plain, shifted(plain, fitted.offsets), fitted.applied(spec)))
    return found


def part(pool: WindowPool, kept: BoolArray) -> WindowPool:
    """Some of the windows."""
    return WindowPool(*(getattr(pool, name)[kept] for name in WindowPool.__dataclass_fields__))


def measure(folds: Sequence[Fold], *, corpora: Sequence[str], clips: Sequence[Ints], seed: int) -> dict[str, Any]:
    """All figures of one condition.

    Args:
        folds: calibrated.
        corpora: name of the acted corpus of each.
        clips: int64 (w,) of each fold, the clip of each window.
        seed: of simulated calls and of the bootstrap.
    """
    by_corpus = {name: _corpus(fold, own) for fold, name, own in zip(folds, corpora, clips, strict=True)}
    hours = sum(_hours(fold) for fold in folds)
    return {
        "corpora": by_corpus,
        "mean": {name: _mean([own[name] for own in by_corpus.values()]) for name in next(iter(by_corpus.values()))},
        "ordinary": _ordinary(folds, hours),
        "anger_found": _detection(folds, hours),
        "calls": _calls(folds, seed=seed),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def _corpus(fold: Fold, clip: Ints) -> dict[str, float | None]:
    """Figures of one acted corpus; a clip is the mean of its windows, as a row is."""
    acted = ~fold.equal.ordinary
    truth, person, equal = by_clip(fold.equal, clip, acted)
    _, _, shipped = by_clip(fold.pool, clip, acted, temperature=fold.spec.temperature)
    labels = fold.spec.labels
    draws = uar_draws(equal.argmax(axis=1) == truth, truth, person, rng=np.random.default_rng(0))
    low, high = (round(end, 4) for end in middle(draws))
    angry, happy = (truth == labels.index(name) for name in ("angry", "happy"))
    excited, at_rest = (np.isin(truth, [labels.index(name) for name in names]) for names in (HIGH, LOW))
    arousal = shipped @ np.array([own for own, _ in fold.spec.affect])
    ratio = shipped[:, labels.index("angry")] / (shipped[:, [labels.index("angry"), labels.index("happy")]].sum(axis=1))
    return {
        "uar": round(uar(equal.argmax(axis=1) == truth, truth), 4),
        "uar_low": low,
        "uar_high": high,
        "uar_as_shipped": round(uar(shipped.argmax(axis=1) == truth, truth), 4),
        "anger_auc": _auc(equal[:, labels.index("angry")], angry, np.ones(len(truth), dtype=bool)),
        "arousal_auc": _auc(arousal, excited, excited | at_rest),
        "angry_against_happy_auc": _auc(ratio, angry, angry | happy),
    }


def by_clip(pool: WindowPool, clip: Ints, kept: BoolArray, *, temperature: float = 1.0) -> tuple[Ints, Ints, Probs]:
    """Truth, person and mean probabilities of each clip."""
    clips, first, number = np.unique(clip[kept], return_index=True, return_inverse=True)
    probs = scale(pool.log_probs[kept], temperature=temperature)
    total = np.zeros((len(clips), probs.shape[1]))
    np.add.at(total, number, probs * pool.speech_s[kept][:, None])
    return pool.truth[kept][first], pool.person[kept][first], total / total.sum(axis=1, keepdims=True)


def uar(right: BoolArray, truth: Ints) -> float:
    """Mean recall over the labels that occur, of answers that are right or not."""
    return float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))


def _auc(score: Probs, positive: BoolArray, kept: BoolArray) -> float | None:
    if not positive[kept].any() or positive[kept].all():
        return None
    return round(area_under_curve(score[kept], positive[kept]), 4)


def _hours(fold: Fold) -> float:
    """Of ordinary speech; windows overlap by half."""
    own = fold.pool.speech_s[fold.pool.ordinary].sum()
    return float(own * fold.spec.hop_s / fold.spec.window_s / 3600)


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
    """Share of angry windows over thresholds that ordinary speech passes so often an hour, mean of corpora.

    The threshold is that of all ordinary speech; none of it was learnt from by the network that scored it.
    """
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
    found = {}
    every: list[tuple[ChannelResult, int, ModelSpec]] = []
    for share in SHARES:
        rows: list[tuple[ChannelResult, Call, int, ModelSpec]] = []
        for fold in folds:
            if not fold.pool.ordinary.any():
                continue
            moods = [fold.spec.labels.index("angry")]
            for call in simulate(fold.pool, moods=moods, share=share, calls=_CALLS // len(folds), rng=rng):
                rows.append((row(fold.pool, call, spec=fold.spec), call, prevailing(fold.pool, call), fold.spec))
        every += [(result, truth, spec) for result, _, truth, spec in rows]
        found[f"{share:.0%}"] = _share(rows)
    probs = np.array([result.probs for result, _, _ in every])
    truth = np.array([own for _, own, _ in every])
    return found | {"ece": round(calibration_error(probs, truth, weights=np.ones(len(truth))), 4)}


def _share(rows: Sequence[tuple[ChannelResult, Call, int, ModelSpec]]) -> dict[str, float]:
    answered = [result.status == Status.OK for result, *_ in rows]
    right = [result.emotion == spec.labels[truth] for result, _, truth, spec in rows]
    peaks, quarters = [], []
    for result, call, _, spec in rows:
        if not 0 < call.end - call.begin < len(call.rows):
            continue
        begin, end = call.begin * spec.hop_s, call.end * spec.hop_s
        peaks.append(begin - _LATE_S <= (result.peak_start_s or 0.0) <= end + _LATE_S)
        centre = (begin + end) / 2 / (len(call.rows) * spec.hop_s)
        quarters.append(_worst_quarter(result) == min(3, int(4 * centre)))
    found = {
        "answered": _rate(answered),
        "right": _rate(right),
        "attention": round(float(np.median([result.attention or 0.0 for result, *_ in rows])), 3),
    }
    if peaks:
        found |= {"peak_in_stretch": _rate(peaks), "quarter_with_centre": _rate(quarters)}
    return found


def _worst_quarter(result: ChannelResult) -> int:
    known = [-1.0 if value is None else value for value in result.quarters]
    return known.index(max(known))


def _rate(flags: Sequence[bool]) -> float:
    return round(float(np.mean(flags)), 4)


def names_of(folds: Ints, corpora: Sequence[str]) -> list[str]:
    """Name of the acted corpus of each fold, in the order of the folds."""
    names = []
    for number in np.unique(folds):
        own = {corpus for corpus, fold in zip(corpora, folds, strict=True) if fold == number} - set(UNACTED)
        names.append("+".join(sorted(own)))
    return names
