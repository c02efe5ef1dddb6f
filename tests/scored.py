"""Windows of a channel as if a model had scored them, for tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sertag.records import BoolArray, ChannelResult, ScoredWindows
from sertag.spec import ModelSpec
from sertag.tagging.aggregate import ChannelMeasurements, channel_result
from sertag.tagging.segments import segments
from sertag.tagging.talk import TalkStats
from tests.onnx_models import tiny_spec

SPEC = tiny_spec()  # angry (negative), happy (positive), neutral (neutral); windows of 4 s
QUIET = TalkStats(talk_pct=50.0, overtalk_s=1.0, silence_s=2.0, longest_silence_s=1.5, interruptions=3)
FRAME_HZ = 10.0


def scored_windows(
    probs: Sequence[Sequence[float]],
    *,
    start_s: Sequence[float] | None = None,
    length_s: float = 4.0,
    speech_s: Sequence[float] | None = None,
    is_speech: Sequence[bool] | None = None,
    dimensions: Sequence[Sequence[float]] | None = None,
) -> ScoredWindows:
    """Windows every 4 s, or where they are told to begin."""
    begin = np.array([4.0 * i for i in range(len(probs))] if start_s is None else start_s, dtype=np.float64)
    count = len(begin)
    return ScoredWindows(
        start_s=begin,
        end_s=begin + length_s,
        speech_s=np.full(count, length_s) if speech_s is None else np.array(speech_s, dtype=np.float64),
        loudness_dbfs=np.full(count, -20.0),
        first_frame=np.rint(begin * FRAME_HZ).astype(np.int64),
        end_frame=np.rint((begin + length_s) * FRAME_HZ).astype(np.int64),
        probs=np.array(probs, dtype=np.float64),
        dimensions=np.zeros((count, 0)) if dimensions is None else np.array(dimensions, dtype=np.float64),
        is_speech=np.ones(count, np.bool_) if is_speech is None else np.array(is_speech),
    )


def measured(
    active: BoolArray | None = None, *, duration_s: float = 20.0, speech_s: float = 10.0
) -> ChannelMeasurements:
    """A channel in which somebody speaks all the time, unless `active` says when."""
    if active is None:
        active = np.ones(round(duration_s * FRAME_HZ), dtype=np.bool_)
    return ChannelMeasurements(duration_s, speech_s, -21.5, 0.25, QUIET, active, FRAME_HZ)


def row_of(
    windows: ScoredWindows | None,
    *,
    active: BoolArray | None = None,
    duration_s: float = 20.0,
    speech_s: float = 10.0,
    spec: ModelSpec = SPEC,
    min_confidence: float = 0.0,
) -> ChannelResult:
    """The row of a channel."""
    found = () if windows is None else segments(windows, spec=spec, min_confidence=min_confidence)
    channel = measured(active, duration_s=duration_s, speech_s=speech_s)
    return channel_result(windows, found, channel, spec=spec, min_confidence=min_confidence)
