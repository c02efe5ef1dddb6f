"""Scored windows and speech activity to the row of a channel.

Station of the line: model -> **aggregate** -> write. Pure arithmetic on probabilities (w, k), seconds and booleans.
"Negative" is the sum of the probabilities of the labels that the model maps to negative sentiment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sertag.records import BoolArray, ChannelResult, Problem, Segment, Sentiment, Status, Trend, Windows
from sertag.softmax import Floats, log_probs, softmax
from sertag.spec import ModelSpec

TREND_WINDOWS = 6  # fewer say nothing about a course
TREND_STEP = 0.1  # a change of the mean negative probability that is called a trend


@dataclass(frozen=True, slots=True)
class Turns:
    """Who speaks how much, for one channel of a recording; seconds and per cent of its duration."""

    talk_pct: float
    overtalk_s: float
    silence_s: float
    longest_silence_s: float


@dataclass(frozen=True, slots=True)
class Listening:
    """What was measured on a channel apart from its windows.

    Attributes:
        duration_s, speech_s: seconds.
        loudness_dbfs: level of its speech, or of everything where nobody speaks.
        clipped_pct: per cent of its samples at full scale.
        turns: see `Turns`.
    """

    duration_s: float
    speech_s: float
    loudness_dbfs: float
    clipped_pct: float
    turns: Turns


def turns(active: BoolArray, *, frame_hz: float, duration_s: float) -> tuple[Turns, ...]:
    """Talk, overtalk and silence of every channel.

    Args:
        active: bool (channels, t), speech activity of the whole recording.
        frame_hz: frames per second.
        duration_s: of the recording.

    Returns:
        One record a channel; silence is when no channel speaks, so it is the same in all of them.

    >>> turns(np.array([[True, True, False, False], [False, True, False, False]]), frame_hz=1, duration_s=4)[0]
    Turns(talk_pct=50.0, overtalk_s=1.0, silence_s=2.0, longest_silence_s=2.0)
    """
    speakers = active.sum(axis=0)  # (t,)
    edges = np.flatnonzero(np.diff(speakers == 0, prepend=False, append=False)).reshape(-1, 2)
    longest = (edges[:, 1] - edges[:, 0]).max(initial=0)
    silence_s = min(float((speakers == 0).sum() / frame_hz), duration_s)
    return tuple(
        Turns(
            talk_pct=min(100.0, float(100 * channel.sum() / frame_hz / duration_s)),
            overtalk_s=min(float((channel & (speakers > 1)).sum() / frame_hz), duration_s),
            silence_s=silence_s,
            longest_silence_s=min(float(longest / frame_hz), duration_s),
        )
        for channel in active
    )


def segments(
    windows: Windows, probs: Floats, *, spec: ModelSpec, min_confidence: float, first_index: int
) -> list[Segment]:
    """One record for each scored window.

    Args:
        windows: w windows.
        probs: calibrated probabilities (w, k).
        spec: of the model.
        min_confidence: under it a window is uncertain.
        first_index: number of the first window in its channel.
    """
    columns = (windows.start_s, windows.end_s, windows.speech_s, windows.loudness_dbfs, probs)
    rows = zip(*(column.tolist() for column in columns), strict=True)  # plain floats, at once
    return [_segment(first_index + number, row, spec, min_confidence) for number, row in enumerate(rows)]


def channel_result(
    scored: Sequence[Segment], listening: Listening, *, spec: ModelSpec, min_confidence: float
) -> ChannelResult:
    """The row of one channel; `channel`, `role` and `sample_rate` are filled in by whoever knows them."""
    turns = listening.turns
    quiet = ChannelResult(
        channel=None,
        status=Status.NO_SPEECH,
        duration_s=listening.duration_s,
        speech_s=listening.speech_s,
        loudness_dbfs=listening.loudness_dbfs,
        clipped_pct=listening.clipped_pct,
        talk_pct=turns.talk_pct,
        overtalk_s=turns.overtalk_s,
        silence_s=turns.silence_s,
        longest_silence_s=turns.longest_silence_s,
    )
    if not scored:
        return _unscored(quiet, spec)
    return _scored(quiet, scored, spec, min_confidence)


def _segment(
    index: int, row: tuple[float, float, float, float, list[float]], spec: ModelSpec, min_confidence: float
) -> Segment:
    start_s, end_s, speech_s, loudness_dbfs, probs = row
    confidence = max(probs)
    label = spec.labels[probs.index(confidence)]
    sure = confidence >= min_confidence
    return Segment(
        index=index,
        start_s=start_s,
        end_s=end_s,
        status=Status.OK if sure else Status.UNCERTAIN,
        emotion=label if sure else None,
        confidence=confidence,
        sentiment=Sentiment(spec.sentiment[label]) if sure else None,
        probs=tuple(probs),
        speech_ratio=min(1.0, speech_s / (end_s - start_s)),
        loudness_dbfs=loudness_dbfs,
    )


def _unscored(quiet: ChannelResult, spec: ModelSpec) -> ChannelResult:
    """Say why there is no emotion: nobody spoke, or too little to judge."""
    duration_s, speech_s = quiet.duration_s or 0.0, quiet.speech_s or 0.0
    if speech_s == 0 and duration_s >= spec.min_speech_s:
        return replace(quiet, problem=Problem("no_speech", f"no speech in {duration_s:.3f} s of audio"))
    found = f"{speech_s:.3f} s of speech in {duration_s:.3f} s of audio"
    message = f"{found}; a window needs {spec.min_speech_s:g} s of speech"
    return replace(quiet, status=Status.TOO_SHORT, problem=Problem("too_short", message))


def _scored(quiet: ChannelResult, scored: Sequence[Segment], spec: ModelSpec, min_confidence: float) -> ChannelResult:
    probs = np.array([segment.probs for segment in scored])  # (w, k)
    speech_s = np.array([segment.speech_ratio * (segment.end_s - segment.start_s) for segment in scored])
    negative = probs[:, [spec.sentiment[label] == Sentiment.NEGATIVE.value for label in spec.labels]].sum(axis=1)
    call = _pooled(probs, speech_s)
    best, second = np.sort(call)[[-1, -2]]
    label = spec.labels[int(call.argmax())]
    sure = bool(best >= min_confidence)
    doubt = Problem("low_confidence", f"confidence {best:.3f} is under {min_confidence:.3f}")
    quarters = _quarters(scored, negative, speech_s, quiet.duration_s or 0.0)
    trend = _trend(scored, negative, speech_s, quiet.duration_s or 0.0)
    peak = int(negative.argmax())
    return replace(
        quiet,
        status=Status.OK if sure else Status.UNCERTAIN,
        problem=None if sure else doubt,
        segments=tuple(scored),
        emotion=label if sure else None,
        confidence=float(best),
        margin=float(best - second),
        sentiment=Sentiment(spec.sentiment[label]) if sure else None,
        probs=tuple(float(value) for value in call),
        fracs=_fractions(probs, speech_s),
        quarters=quarters,
        trend=trend,
        trend_label=None if trend is None else _trend_label(trend),
        peak_start_s=scored[peak].start_s,
        peak_score=float(negative[peak]),
    )


def _pooled(probs: Floats, weights: Floats) -> Floats:
    """Weighted mean of log-probabilities, renormalised: the product of experts, tempered to one window's confidence."""
    return softmax(np.average(log_probs(probs), axis=0, weights=weights))  # (k,)


def _fractions(probs: Floats, speech_s: Floats) -> tuple[float, ...]:
    top = np.bincount(probs.argmax(axis=1), weights=speech_s, minlength=probs.shape[1])
    return tuple(float(value) for value in top / speech_s.sum())


def _quarters(
    scored: Sequence[Segment], negative: Floats, speech_s: Floats, duration_s: float
) -> tuple[float | None, ...]:
    """Mean negative probability in each quarter of the recording; a window belongs where its centre is."""
    part = np.minimum(3, (4 * _centres(scored) / duration_s).astype(int))
    return tuple(_mean(negative[part == quarter], speech_s[part == quarter]) for quarter in range(4))


def _trend(scored: Sequence[Segment], negative: Floats, speech_s: Floats, duration_s: float) -> float | None:
    late = _centres(scored) >= duration_s / 2
    before, after = _mean(negative[~late], speech_s[~late]), _mean(negative[late], speech_s[late])
    if len(scored) < TREND_WINDOWS or before is None or after is None:
        return None
    return after - before


def _trend_label(trend: float) -> Trend:
    if abs(trend) < TREND_STEP:
        return Trend.STEADY
    return Trend.WORSENING if trend > 0 else Trend.IMPROVING


def _centres(scored: Sequence[Segment]) -> Floats:
    return np.array([(segment.start_s + segment.end_s) / 2 for segment in scored])


def _mean(values: Floats, weights: Floats) -> float | None:
    return float(np.average(values, weights=weights)) if len(values) else None
