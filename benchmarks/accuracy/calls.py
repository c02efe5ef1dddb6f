"""What models for calls reach: unseen corpora, ordinary speech, simulated calls; each by networks that never met it.

What calibrates a fold comes from the others. Two ways to decide are told apart: labels as likely as each other, as the
field counts (UAR), and as shipped, where most speech is ordinary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

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
    windows = pd.concat([_windows(fold).assign(fold=name) for fold, name in zip(folds, corpora, strict=True)])
    spec, hours = folds[0].spec, sum(fold.hours for fold in folds)
    an_hour = spec.hop_s / spec.window_s / hours  # neighbouring windows overlap and count once
    return {
        **_with_mean({name: _corpus(fold) for fold, name in zip(folds, corpora, strict=True)}),
        "ordinary": {"hours": round(hours, 2), **_ordinary(windows[windows["ordinary"]], an_hour, spec.labels)},
        "anger_found": {str(alarms): _found(windows, round(alarms / an_hour)) for alarms in FALSE_ALARMS},
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


def _windows(fold: Fold) -> pd.DataFrame:
    """Each window of a fold: its true label, the one that the tagger decides for, whether it is said, and its anger."""
    probs, labels = scale(fold.pool.log_probs, temperature=fold.spec.temperature), np.array(fold.spec.labels)
    said = is_clear(probs, spec=fold.spec) & (probs.max(axis=1) >= fold.spec.min_confidence)
    return pd.DataFrame(
        {
            "ordinary": fold.pool.ordinary,
            "truth": labels[fold.pool.truth],
            "said": np.where(said, labels[probs.argmax(axis=1)], ""),
            "anger": probs[:, fold.spec.labels.index("angry")],
        }
    )


def _ordinary(windows: pd.DataFrame, an_hour: float, labels: Sequence[str]) -> dict[str, float]:
    """What ordinary speech is called; false labels an hour of speech."""
    said = windows["said"]
    named = {"angry": ["angry"], "disgust_or_fear": ["disgust", "fear"], "any_emotion": {*labels} - {"neutral"}}
    shares = {"neutral": (said == "neutral").mean(), "uncertain": (said == "").mean()}
    alarms = {f"{what}_an_hour": said.isin(names).sum() * an_hour for what, names in named.items()}
    return {name: round(float(own), 4) for name, own in shares.items()} | {
        name: round(float(own), 1) for name, own in alarms.items()
    }


def _found(windows: pd.DataFrame, alarms: int) -> float:
    """Share of angry windows over a threshold that so many of all ordinary ones pass, mean of corpora."""
    calm = windows.loc[windows["ordinary"], "anger"].sort_values(ascending=False)
    acted = windows[~windows["ordinary"] & (windows["truth"] == "angry")]
    over = acted["anger"] > calm.iloc[min(len(calm) - 1, alarms)]
    return round(float(over.groupby(acted["fold"]).mean().mean()), 4)


def _calls(folds: Sequence[Fold], *, seed: int) -> dict[str, Any]:
    """Rows of simulated calls with an angry stretch, by its share."""
    rng = np.random.default_rng(seed + 1000)  # other calls than those that rows were fitted on
    rows, probs, truth = [], [], []
    for share in SHARES:
        for fold in folds:
            moods = [fold.spec.labels.index("angry")]
            for call in simulate(fold.pool, moods=moods, share=share, calls=_CALLS // len(folds), rng=rng):
                result, label = row(fold.pool, call, spec=fold.spec), prevailing(fold.pool, call)
                rows.append(
                    {"share": f"{share:.0%}", **_of_row(result, call, fold.spec.labels[label], fold.spec.hop_s)}
                )
                probs.append(result.probs)
                truth.append(label)
    by_share = pd.DataFrame(rows).groupby("share", sort=False)
    found = by_share.mean().assign(attention=by_share["attention"].median().round(3)).round(4)
    shares = {share: own.dropna().to_dict() for share, own in found.iterrows()}
    ece = calibration_error(np.array(probs), np.array(truth), weights=np.ones(len(truth)))
    return {**shares, "ece": round(ece, 4)}


def _of_row(result: ChannelResult, call: Call, label: str, hop_s: float) -> dict[str, float]:
    """Whether a row says what is in its call; where the stretch is, only of calls that are partly in it."""
    found = {"answered": result.status == Status.OK, "right": result.emotion == label}
    told = {name: float(value) for name, value in found.items()} | {"attention": result.attention or 0.0}
    if not 0 < call.end - call.begin < len(call.rows):
        return told
    begin, end = call.begin * hop_s, call.end * hop_s
    centre = (begin + end) / 2 / (len(call.rows) * hop_s)
    known = [-1.0 if value is None else value for value in result.quarters]
    in_stretch = begin - _LATE_S <= (result.peak_start_s or 0.0) <= end + _LATE_S
    in_quarter = known.index(max(known)) == min(3, int(4 * centre))
    return told | {"peak_in_stretch": float(in_stretch), "quarter_with_centre": float(in_quarter)}
