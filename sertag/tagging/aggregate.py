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
from sertag.tagging.segments import expected_affect, speech_windows
from sertag.tagging.stretches import Pieces, added_speech, cut_pieces, worst_stretch
from sertag.tagging.talk import TalkStats

TREND_WINDOWS = 6  # fewer say nothing about a course
TREND_STEP = 0.1  # a change of the mean negative probability that is called a trend
PEAK_S = 9.0  # of speech; an outburst lasts some sentences, and a mean over one window of 4 s is mostly chance
ATTENTION_S = 30.0  # of speech; what a listener needs to tell a bad moment from a bad call

_LEAST_SAID = 1e-3  # of a window, so that one that errs cannot forbid a label
_LEAST = 1e-12  # and 1 minus it stand for probabilities of 0 and 1, whose logits would be infinite


@dataclass(frozen=True, slots=True)
class ChannelMeasurements:
    """What was measured on a channel apart from its windows.

    Attributes:
        duration_s, speech_s: seconds.
        loudness_dbfs: level of its speech, or of everything where nobody speaks.
        clipped_pct: per cent of its samples at full scale.
        talk: see `TalkStats`.
        active: bool (t,), speech activity.
        frame_hz: frames per second of it.
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
    """The row of one channel; `channel`, `role` and `sample_rate` are filled in by whoever knows them.

    Args:
        windows: scored; None for none.
        segments: their records.
        measured: of the channel.
        spec: of the model.
        min_confidence: under it a row is uncertain.
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

    What a window says beyond what was likely anyway is evidence; windows of a call that agree make it stronger, but by
    far less than independent ones would, because they err together: how much is measured. So one loud window changes
    little, and a caller who sounds a little angry all the time is found, though no window alone is sure.

    Args:
        probs: float64 (w, k), calibrated for windows.
        weights: float64 (w,), seconds of speech that each window adds.
        window_s: length of a window.
        gain: `row_gain` of the model; 0 for the geometric mean.
        priors: k numbers, of the model.

    >>> alike = np.array([[0.4, 0.6], [0.4, 0.6]])
    >>> pooled(alike, np.array([30.0, 34.0]), window_s=4, gain=0.25, priors=(0.5, 0.5)).round(3).tolist()
    [0.308, 0.692]
    >>> pooled(alike, np.array([30.0, 34.0]), window_s=4, gain=0.25, priors=(0.2, 0.8)).round(3).tolist()
    [0.64, 0.36]
    """
    before = np.log(priors)
    power = 1 + gain * math.log2(max(1.0, float(weights.sum()) / window_s))
    said = np.average(np.log(np.maximum(probs, _LEAST_SAID)), axis=0, weights=weights)
    return softmax(before + power * (said - before))


def attention(worst: float, *, slope: float, offset: float) -> float:
    """How much worse than ordinary speech the worst half minute is, 0 to 1; 0.5 is as likely from either.

    Args:
        worst: mean negative probability of that half minute.
        slope: of the model, on the scale of logits (Platt 1999).
        offset: likewise.

    >>> round(attention(0.3, slope=1, offset=0), 6), round(attention(0.5, slope=2, offset=-1), 6)
    (0.3, 0.268941)
    """
    probability = min(max(worst, _LEAST), 1 - _LEAST)
    logit = slope * math.log(probability / (1 - probability)) + offset
    return 1 / (1 + math.exp(-min(max(logit, -700.0), 700.0)))


def _unscored(quiet: ChannelResult, spec: ModelSpec) -> ChannelResult:
    """Say why there is no emotion: nobody spoke, or too little to judge."""
    duration_s, speech_s = quiet.duration_s or 0.0, quiet.speech_s or 0.0
    if speech_s == 0 and duration_s >= spec.min_speech_s:
        return replace(quiet, problem=Problem("no_speech", f"no speech in {duration_s:.3f} s of audio"))
    found = f"{speech_s:.3f} s of speech in {duration_s:.3f} s of audio"
    message = f"{found}; a window needs {spec.min_speech_s:g} s of speech"
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
    call = pooled(windows.probs, speech_s, window_s=spec.window_s, gain=spec.row_gain, priors=spec.label_priors)
    best, second = np.sort(call)[[-1, -2]]
    label = spec.labels[int(call.argmax())]
    sure = bool(best >= min_confidence)
    doubt = Problem("low_confidence", f"confidence {best:.3f} is under {min_confidence:.3f}")
    row = replace(
        quiet,
        status=Status.OK if sure else Status.UNCERTAIN,
        problem=None if sure else doubt,
        emotion=label if sure else None,
        confidence=float(best),
        margin=float(best - second),
        sentiment=Sentiment(spec.sentiment[label]) if sure else None,
        probs=tuple(call.tolist()),
        fracs=_fractions(windows.probs, speech_s),
    )
    return _with_course(row, windows, speech_s, pieces, measured, spec)


def _with_course(
    row: ChannelResult,
    windows: ScoredWindows,
    speech_s: Floats,
    pieces: Pieces,
    measured: ChannelMeasurements,
    spec: ModelSpec,
) -> ChannelResult:
    """Add what tells how the call goes: arousal and valence, quarters, trend, the worst stretches."""
    negative = windows.probs[:, [spec.sentiment[label] == Sentiment.NEGATIVE.value for label in spec.labels]].sum(
        axis=1
    )
    arousal, valence = expected_affect(windows.probs, spec=spec)
    centre = (windows.start_s + windows.end_s) / 2 / measured.duration_s  # (w,), 0 to 1 of the recording
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
        arousal=_mean(arousal, speech_s),
        valence=_mean(valence, speech_s),
        arousal_quarters=_quarters(arousal, speech_s, centre),
        valence_quarters=_quarters(valence, speech_s, centre),
    )


def _fractions(probs: Floats, speech_s: Floats) -> tuple[float, ...]:
    top = np.bincount(probs.argmax(axis=1), weights=speech_s, minlength=probs.shape[1])
    return tuple(float(value) for value in top / speech_s.sum())


def _quarters(values: Floats, speech_s: Floats, centre: Floats) -> tuple[float | None, ...]:
    """Means in each quarter of the recording; a window belongs where its centre is."""
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
