"""Scored windows to segments, one record for each window of a channel.

Stage: model -> **segments** -> aggregate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sertag.model.calibration import Floats
from sertag.records import BoolArray, ScoredWindows, Segment, Sentiment, Status, Windows
from sertag.spec import ModelSpec

_OPPOSITE = {"negative": "positive", "positive": "negative"}


def join_windows(parts: Sequence[tuple[Windows, Floats, BoolArray]]) -> ScoredWindows | None:
    """The windows of all chunks of a channel in order of time; None if there are none.

    Args:
        parts: for each chunk: windows, calibrated probabilities (w, k), and which windows contain speech (w,).
    """
    if not parts:
        return None
    names = ("start_s", "end_s", "speech_s", "loudness_dbfs", "first_frame", "end_frame")
    columns = [np.concatenate([getattr(windows, name) for windows, _, _ in parts]) for name in names]
    columns.append(np.concatenate([probs for _, probs, _ in parts]))
    columns.append(np.concatenate([is_speech for _, _, is_speech in parts]))
    return ScoredWindows(*columns)


def speech_windows(windows: ScoredWindows) -> ScoredWindows:
    """The windows that contain speech."""
    if windows.is_speech.all():
        return windows
    names = ScoredWindows.__dataclass_fields__
    return ScoredWindows(*(getattr(windows, name)[windows.is_speech] for name in names))


def segments(windows: ScoredWindows, *, spec: ModelSpec, min_confidence: float) -> tuple[Segment, ...]:
    """One record for each window.

    Args:
        windows: windows of one channel.
        spec: specification of the model.
        min_confidence: a window with a lower confidence is uncertain.
    """
    clear = is_clear(windows.probs, spec=spec)
    arousal, valence = expected_affect(windows.probs, spec=spec)
    columns = (windows.start_s, windows.end_s, windows.speech_s, windows.loudness_dbfs, windows.is_speech)
    plain = (column.tolist() for column in (*columns, windows.probs, clear, arousal, valence))  # plain floats, at once
    records = []
    for index, (start_s, end_s, speech_s, loudness_dbfs, is_speech, probs, sure, *affect) in enumerate(
        zip(*plain, strict=True)
    ):
        ratio = min(1.0, speech_s / (end_s - start_s))
        if not is_speech:
            records.append(Segment(index, start_s, end_s, Status.NO_SPEECH, None, None, None, (), ratio, loudness_dbfs))
            continue
        confidence = max(probs)
        label = spec.labels[probs.index(confidence)] if sure and confidence >= min_confidence else None
        sentiment = None if label is None else Sentiment(spec.sentiment[label])
        status = Status.UNCERTAIN if label is None else Status.OK
        records.append(
            Segment(
                index, start_s, end_s, status, label, confidence, sentiment, tuple(probs), ratio, loudness_dbfs, *affect
            )
        )
    return tuple(records)


def is_clear(probs: Floats, *, spec: ModelSpec) -> BoolArray:
    """Whether the sentiment of each window is clear, bool (w,).

    It is clear if the most probable label is `clear_ratio` times as probable as any label of the opposite sentiment.

    Args:
        probs: float64 (w, k).
        spec: specification of the model, with `clear_ratio`; neutral labels have no opposite.
    """
    clear = np.ones(len(probs), dtype=np.bool_)
    sentiment = np.array([spec.sentiment[label] for label in spec.labels])
    top = sentiment[probs.argmax(axis=1)]
    for mine, other in _OPPOSITE.items():
        opposite = probs[:, sentiment == other].max(axis=1, initial=0)
        clear &= (top != mine) | (probs.max(axis=1) >= spec.clear_ratio * opposite)
    return clear


def expected_affect(probs: Floats, *, spec: ModelSpec) -> tuple[Floats, Floats]:
    """Arousal and valence of each window, float64 (w,): the expectations under its probabilities (w, k)."""
    arousal, valence = np.array(spec.affect).T  # (k,)
    return (probs * arousal).sum(axis=1), (probs * valence).sum(axis=1)
