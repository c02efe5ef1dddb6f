"""Scored windows and speech activity to the row of a channel.

Stage: model -> **aggregate** -> write. Pure arithmetic on probabilities (w, k), seconds and booleans.
"Negative" is the sum of the probabilities of the labels that the model maps to negative sentiment. Every mean over
windows is weighted by the speech that each adds to the others, so speech counts once, however windows overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sertag.model.calibration import Floats, softmax
from sertag.records import BoolArray, ChannelResult, Problem, ScoredWindows, Segment, Sentiment, Status, Trend
from sertag.spec import ModelSpec
from sertag.tagging.segments import affect_of, speech_windows
from sertag.tagging.stretches import Pieces, added_speech, cut_pieces, worst_stretch
from sertag.tagging.talk import TalkStats

TREND_WINDOWS = 6  # fewer windows are too few for a trend
TREND_STEP = 0.1  # the smallest change of the mean negative probability that is called a trend
PEAK_S = 9.0  # of speech; an outburst lasts some sentences, and a mean over one window of 4 s is mostly chance
ATTENTION_S = 30.0  # of speech; long enough to distinguish a bad call from a bad moment

_LEAST_WINDOW_PROB = 1e-3  # lower probabilities are raised to it, so that one wrong window cannot exclude a label
_LEAST_PROB = 1e-12  # it and 1 minus it replace probabilities of 0 and 1, whose logits would be infinite


@dataclass(frozen=True, slots=True)
class ChannelMeasurements:
    """Measurements of a channel other than its windows.

    Attributes:
        duration_s, speech_s: seconds.
        loudness_dbfs: level of its speech, or of the whole channel if it has no speech.
        clipped_pct: per cent of its samples at full scale.
        talk: see `TalkStats`.
        active: bool (t,), speech activity.
        frame_hz: frames of `active` per second.
    """

    duration_s: float
    speech_s: float
    loudness_dbfs: float
    clipped_pct: float
    talk: TalkStats
    active: BoolArray
    frame_hz: float


def channel_result(
    windows: ScoredWindows | None,
    segments: tuple[Segment, ...],
    measured: ChannelMeasurements,
    *,
    spec: ModelSpec,
    min_confidence: float,
) -> ChannelResult:
    """The row of one channel; the caller fills in `channel`, `role` and `sample_rate`.

    Args:
        windows: the scored windows; None if there are none.
        segments: the records of the same windows.
        measured: measurements of the channel.
        spec: specification of the model.
        min_confidence: a row with a lower confidence is uncertain.
    """
    talk = measured.talk
    quiet = ChannelResult(
        channel=None,
        status=Status.NO_SPEECH,
        duration_s=measured.duration_s,
        speech_s=measured.speech_s,
        segments=segments,
        loudness_dbfs=measured.loudness_dbfs,
        clipped_pct=measured.clipped_pct,
        talk_pct=talk.talk_pct,
        overtalk_s=talk.overtalk_s,
        silence_s=talk.silence_s,
        longest_silence_s=talk.longest_silence_s,
        interruptions=talk.interruptions,
    )
    if windows is None:
        return _unscored(quiet, spec)
    if not windows.is_speech.any():
        return replace(quiet, problem=_not_speech(measured.duration_s, len(segments)))
    return _scored(quiet, speech_windows(windows), measured, spec, min_confidence)


def pooled(probs: Floats, weights: Floats, *, window_s: float, gain: float, priors: Sequence[float]) -> Floats:
    """Probabilities that each label is the prevailing one of a call, float64 (k,).

    The evidence of a window is the difference of its log-probabilities from the log-priors. Windows of one call that
    agree strengthen the evidence, but far less than independent windows would, because their errors are correlated;
    `gain` was measured. Of the windows, the middle half counts for each label (the interquartile mean): the prevailing
    label is that of most of a call, so an outburst changes little, and slight anger throughout a call is detected even
    if no single window is certain.

    Args:
        probs: float64 (w, k), calibrated for windows.
        weights: float64 (w,), seconds of speech that each window adds.
        window_s: length of a window.
        gain: `row_gain` of the model; with 0, windows that agree are as sure as each of them.
        priors: k numbers, prior of each label.

    >>> alike = np.array([[0.4, 0.6], [0.4, 0.6]])
    >>> pooled(alike, np.array([30.0, 34.0]), window_s=4, gain=0.25, priors=(0.5, 0.5)).round(3).tolist()
    [0.308, 0.692]
    >>> pooled(alike, np.array([30.0, 34.0]), window_s=4, gain=0.25, priors=(0.2, 0.8)).round(3).tolist()
    [0.64, 0.36]
    """
    log_priors = np.log(priors)
    power = 1 + gain * math.log2(max(1.0, float(weights.sum()) / window_s))
    usual_log_probs = _interquartile_mean(np.log(np.maximum(probs, _LEAST_WINDOW_PROB)), weights)
    return softmax(log_priors + power * (usual_log_probs - log_priors))


def attention(worst: float, *, slope: float, offset: float) -> float:
    """Calibrated score of the worst half minute of speech, 0 to 1; at 0.5 negative and ordinary speech are as likely.

    Args:
        worst: mean negative probability of that half minute.
        slope: slope of the model's calibration, on the scale of logits (Platt 1999).
        offset: offset of the same calibration.

    >>> round(attention(0.3, slope=1, offset=0), 6), round(attention(0.5, slope=2, offset=-1), 6)
    (0.3, 0.268941)
    """
    probability = min(max(worst, _LEAST_PROB), 1 - _LEAST_PROB)
    logit = slope * math.log(probability / (1 - probability)) + offset
    return 1 / (1 + math.exp(-min(max(logit, -700.0), 700.0)))


def _interquartile_mean(values: Floats, weights: Floats) -> Floats:
    """Weighted mean of the middle half of each column, float64 (k,); values (w, k), weights (w,)."""
    order = np.argsort(values, axis=0, kind="stable")
    share = weights[order] / weights.sum()  # (w, k)
    upper = np.cumsum(share, axis=0)
    inside = np.maximum(np.minimum(upper, 0.75) - np.maximum(upper - share, 0.25), 0.0)
    return np.asarray((np.take_along_axis(values, order, axis=0) * inside).sum(axis=0) / inside.sum(axis=0))


def _unscored(quiet: ChannelResult, spec: ModelSpec) -> ChannelResult:
    """The row of a channel without scored windows, with the reason: no speech, or too little of it."""
    duration_s, speech_s = quiet.duration_s or 0.0, quiet.speech_s or 0.0
    if speech_s == 0 and duration_s >= spec.min_speech_s:
        return replace(quiet, problem=Problem("no_speech", f"no speech in {duration_s:.3f} s of audio"))
    amount = f"{speech_s:.3f} s of speech in {duration_s:.3f} s of audio"
    message = f"{amount}; a window needs {spec.min_speech_s:g} s of speech"
    return replace(quiet, status=Status.TOO_SHORT, problem=Problem("too_short", message))


def _not_speech(duration_s: float, count: int) -> Problem:
    windows = "the only window with sound holds" if count == 1 else f"all {count} windows with sound hold"
    return Problem("no_speech", f"no speech in {duration_s:.3f} s of audio: {windows} music, noise or tones")


def _scored(
    quiet: ChannelResult,
    windows: ScoredWindows,
    measured: ChannelMeasurements,
    spec: ModelSpec,
    min_confidence: float,
) -> ChannelResult:
    pieces = cut_pieces(windows, measured.active)
    speech_s = added_speech(windows, pieces) / measured.frame_hz  # (w,)
    if not spec.labels:
        quiet = replace(quiet, status=Status.OK)
        return _with_course(quiet, windows, speech_s, measured, spec)
    call = pooled(windows.probs, speech_s, window_s=spec.window_s, gain=spec.row_gain, priors=spec.label_priors)
    best, second = np.sort(call)[[-1, -2]]
    label = spec.labels[int(call.argmax())]
    is_confident = bool(best >= min_confidence)
    low_confidence = Problem("low_confidence", f"confidence {best:.3f} is under {min_confidence:.3f}")
    row = replace(
        quiet,
        status=Status.OK if is_confident else Status.UNCERTAIN,
        problem=None if is_confident else low_confidence,
        emotion=label if is_confident else None,
        confidence=float(best),
        margin=float(best - second),
        sentiment=Sentiment(spec.sentiment[label]) if is_confident else None,
        probs=tuple(call.tolist()),
        fracs=_fractions(windows.probs, speech_s),
    )
    row = _with_course(row, windows, speech_s, measured, spec)
    return _with_negative(row, windows, speech_s, pieces, measured, spec)


def _with_course(
    row: ChannelResult, windows: ScoredWindows, speech_s: Floats, measured: ChannelMeasurements, spec: ModelSpec
) -> ChannelResult:
    """Add arousal, valence and the dimensions of the model, each with its quarters."""
    centre = _centre(windows, measured)
    arousal, valence = (_course(values, speech_s, centre) for values in affect_of(windows, spec=spec))
    return replace(
        row,
        arousal=arousal[0],
        valence=valence[0],
        arousal_quarters=arousal[1:],
        valence_quarters=valence[1:],
        dimensions=tuple(_course(values, speech_s, centre) for values in windows.dimensions.T),
    )


def _course(values: Floats | None, speech_s: Floats, centre: Floats) -> tuple[float | None, ...]:
    """The mean and those of the quarters."""
    if values is None:
        return (None,) * 5
    return (_mean(values, speech_s), *_quarters(values, speech_s, centre))


def _with_negative(
    row: ChannelResult,
    windows: ScoredWindows,
    speech_s: Floats,
    pieces: Pieces,
    measured: ChannelMeasurements,
    spec: ModelSpec,
) -> ChannelResult:
    """Add what the probabilities of the negative labels tell: quarters, trend, the worst stretches."""
    negative = windows.probs[:, [spec.sentiment[label] == Sentiment.NEGATIVE.value for label in spec.labels]].sum(
        axis=1
    )
    centre = _centre(windows, measured)
    trend = _trend(negative, speech_s, centre)
    peak_frame, peak_score = worst_stretch(negative, pieces, frames=round(PEAK_S * measured.frame_hz))
    slope, offset = spec.attention
    _, worst = worst_stretch(negative, pieces, frames=round(ATTENTION_S * measured.frame_hz))
    return replace(
        row,
        quarters=_quarters(negative, speech_s, centre),
        trend=trend,
        trend_label=None if trend is None else _trend_label(trend),
        peak_start_s=min(peak_frame / measured.frame_hz, measured.duration_s),
        peak_score=peak_score,
        attention=attention(worst, slope=slope, offset=offset),
    )


def _centre(windows: ScoredWindows, measured: ChannelMeasurements) -> Floats:
    """Where the middle of each window is in the recording, float64 (w,), 0 to 1."""
    return (windows.start_s + windows.end_s) / 2 / measured.duration_s


def _fractions(probs: Floats, speech_s: Floats) -> tuple[float, ...]:
    top = np.bincount(probs.argmax(axis=1), weights=speech_s, minlength=probs.shape[1])
    return tuple(float(value) for value in top / speech_s.sum())


def _quarters(values: Floats, speech_s: Floats, centre: Floats) -> tuple[float | None, ...]:
    """Means in each quarter of the recording; a window counts in the quarter that contains its centre."""
    part = np.minimum(3, (4 * centre).astype(int))
    return tuple(_mean(values[part == quarter], speech_s[part == quarter]) for quarter in range(4))


def _trend(negative: Floats, speech_s: Floats, centre: Floats) -> float | None:
    late = centre >= 0.5
    before, after = _mean(negative[~late], speech_s[~late]), _mean(negative[late], speech_s[late])
    if len(negative) < TREND_WINDOWS or before is None or after is None:
        return None
    return after - before


def _trend_label(trend: float) -> Trend:
    if abs(trend) < TREND_STEP:
        return Trend.STEADY
    return Trend.WORSENING if trend > 0 else Trend.IMPROVING


def _mean(values: Floats, weights: Floats) -> float | None:
    return float(np.average(values, weights=weights)) if len(values) else None
