"""Scored windows to segments, one record for each window of a channel.

Stage: model -> **segments** -> aggregate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sertag.model.calibration import Floats
from sertag.records import BoolArray, ScoredWindows, Segment, Sentiment, Status, Windows
from sertag.spec import ModelSpec

if TYPE_CHECKING:
    from sertag.model.session import Prediction

_OF_WINDOWS = ("start_s", "end_s", "speech_s", "loudness_dbfs", "first_frame", "end_frame")
_OPPOSITE = {"negative": "positive", "positive": "negative"}


def scored(windows: Windows, predictions: Sequence[Prediction], *, spec: ModelSpec) -> ScoredWindows:
    """Windows with what the model says of them.

    Args:
        windows: of one channel and chunk.
        predictions: at least one, of all of the windows in their order.
        spec: specification of the model.
    """
    columns = [getattr(windows, name) for name in _OF_WINDOWS]
    columns.append(np.concatenate([batch.probs for batch in predictions]))
    columns.append(np.concatenate([batch.dimensions for batch in predictions]))
    columns.append(np.concatenate([batch.is_speech(spec.min_speech_probability) for batch in predictions]))
    return ScoredWindows(*columns)


def join_windows(parts: Sequence[ScoredWindows]) -> ScoredWindows | None:
    """The windows of all chunks of a channel in order of time; None if there are none."""
    if not parts:
        return None
    names = ScoredWindows.__dataclass_fields__
    return ScoredWindows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


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
    arousal_valence = [_plain(column, len(clear)) for column in affect_of(windows, spec=spec)]
    columns = (windows.start_s, windows.end_s, windows.speech_s, windows.loudness_dbfs, windows.is_speech)
    answers = (windows.probs, clear, windows.dimensions)
    plain = (column.tolist() for column in (*columns, *answers))  # plain floats, at once
    records = []
    for index, (start_s, end_s, speech_s, loudness_dbfs, is_speech, probs, sure, dimensions, *places) in enumerate(
        zip(*plain, *arousal_valence, strict=True)
    ):
        ratio = min(1.0, speech_s / (end_s - start_s))
        if not is_speech:
            records.append(Segment(index, start_s, end_s, Status.NO_SPEECH, None, None, None, (), ratio, loudness_dbfs))
            continue
        status, label, confidence = _answer(probs, sure and max(probs) >= min_confidence, spec)
        sentiment = None if label is None else Sentiment(spec.sentiment[label])
        answer = (status, label, confidence, sentiment, tuple(probs))
        arousal, valence = places
        segment = Segment(index, start_s, end_s, *answer, ratio, loudness_dbfs, arousal, valence, tuple(dimensions))
        records.append(segment)
    return tuple(records)


def is_clear(probs: Floats, *, spec: ModelSpec) -> BoolArray:
    """Whether the sentiment of each window is clear, bool (w,).

    It is clear if the most probable label is `clear_ratio` times as probable as any label of the opposite sentiment.

    Args:
        probs: float64 (w, k).
        spec: specification of the model, with `clear_ratio`; neutral labels have no opposite. Without labels, nothing
            is clear.
    """
    clear = np.full(len(probs), bool(spec.labels))
    if not spec.labels:
        return clear
    sentiment = np.array([spec.sentiment[label] for label in spec.labels])
    top = sentiment[probs.argmax(axis=1)]
    for mine, other in _OPPOSITE.items():
        opposite = probs[:, sentiment == other].max(axis=1, initial=0)
        clear &= (top != mine) | (probs.max(axis=1) >= spec.clear_ratio * opposite)
    return clear


def affect_of(windows: ScoredWindows, *, spec: ModelSpec) -> tuple[Floats | None, Floats | None]:
    """Arousal and valence of each window, float64 (w,); None where the model tells neither.

    What the model estimates itself counts, brought to the scale of the column; otherwise the expectation of the
    positions of the labels under the probabilities (w, k).
    """
    found: list[Floats | None] = [None, None]
    if spec.labels:
        found = [(windows.probs * positions).sum(axis=1) for positions in np.array(spec.affect).T]  # (k,) each
    for place, name in enumerate(("arousal", "valence")):
        for number, one in enumerate(spec.outputs):
            if one.name == name and one.scale is not None:
                found[place] = windows.dimensions[:, number] * one.scale[0] + one.scale[1]
    return found[0], found[1]


def _plain(column: Floats | None, count: int) -> list[float | None]:
    return [None] * count if column is None else column.tolist()


def _answer(probs: list[float], is_sure: bool, spec: ModelSpec) -> tuple[Status, str | None, float | None]:
    """Status, label and confidence of a window; a model without labels is never uncertain of one."""
    if not spec.labels:
        return Status.OK, None, None
    confidence = max(probs)
    if not is_sure:
        return Status.UNCERTAIN, None, confidence
    return Status.OK, spec.labels[probs.index(confidence)], confidence
