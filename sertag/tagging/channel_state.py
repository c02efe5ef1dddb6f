"""State of one channel while the chunks of a recording are processed: speech activity, levels, scored windows.

Used by `pipeline`, which keeps one state for each channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sertag.features.frames import Chunk
from sertag.features.mfcc import activity_spec, clip_features, coefficients, silence_coefficients
from sertag.features.normalization import SpeechSums, channel_statistics, speech_sums
from sertag.features.vad import detect
from sertag.features.windows import QUIETEST_POWER, clips, cut_windows, fit_frames, window_batches
from sertag.model.session import BATCH_WINDOWS, Model, Prediction
from sertag.records import BoolArray, ChannelResult, FloatArray, Options, ScoredWindows, Segment, Windows
from sertag.spec import ModelSpec
from sertag.tagging.aggregate import ChannelMeasurements, channel_result
from sertag.tagging.segments import join_windows, scored, segments
from sertag.tagging.stretches import unspoken
from sertag.tagging.talk import TalkStats


@dataclass(frozen=True, slots=True)
class ConfirmedWindows:
    """The windows of one channel that begin in one chunk, as they stay in the row.

    Attributes:
        channel: index of the channel.
        segments: the windows, in order of time.
        until_s: the end of the chunk, where the next one begins.
        known_s: how much of the recording had to be known, lookahead included.
    """

    channel: int
    segments: tuple[Segment, ...]
    until_s: float
    known_s: float


def features_of_clips(chunk: Chunk, windows: Windows, *, channel: int, spec: ModelSpec) -> list[FloatArray]:
    """Features of each window, float32 (t, c), from its own samples alone.

    Raises:
        TypeError: the chunk has no samples.
    """
    if chunk.frames.samples is None:
        raise TypeError("cut clips need the samples of the chunk")
    cut = clips(windows, chunk.frames.samples[channel], length=round(spec.window_s * spec.features.rate_hz))
    length, features = spec.window_frames, spec.features
    return [fit_frames(clip_features(clip, spec=features), spec=features, length=length) for clip in cut]


class ChannelState:
    """Accumulates the results of one channel, chunk by chunk.

    Attributes:
        channel: its index.
    """

    def __init__(self, channel: int, *, model: Model, hop_s: float | None) -> None:
        """Start with no chunk processed.

        Args:
            channel: index of the channel.
            model: the model that scores its windows.
            hop_s: step between windows, seconds; None for the default of the model.
        """
        self.channel = channel
        self._model = model
        self._hop_s = model.spec.hop_s if hop_s is None else hop_s
        self._frame_spec = activity_spec(model.spec.features)
        self._active: list[BoolArray] = []
        self._power = np.zeros(2)  # summed over all frames, over speech frames
        self._sums: SpeechSums | None = None
        self._scored: list[ScoredWindows] = []
        self._confirmed_parts = self._confirmed_windows = 0  # of those scored
        self._covered = np.zeros((2, 0), dtype=np.bool_)  # of the next chunk, by windows with and without speech

    @property
    def activity(self) -> BoolArray:
        """Speech activity of the whole channel, bool (t,); empty if resampling a few samples left none.

        If windows were scored and none of them contains speech, frames outside the windows are not speech either.
        """
        active = np.concatenate([np.zeros(0, dtype=np.bool_), *self._active])
        is_music = len(self._scored) > 0 and not any(part.is_speech.any() for part in self._scored)
        return np.zeros_like(active) if is_music else active

    def process(self, chunk: Chunk, *, duration_s: float | None, score: bool) -> None:
        """Process a chunk: detect speech, measure levels and, if `score`, score the windows that begin in it."""
        core = chunk.core_frames
        active = detect(chunk.frames.columns[self.channel], spec=self._frame_spec)
        speech = active[:core]
        if score:
            speech = speech & ~self._unspoken(chunk, self._score(chunk, active, duration_s))
        power = chunk.frames.power[self.channel, :core]
        self._active.append(speech)
        self._power += power.sum(dtype=np.float64), power[speech].sum(dtype=np.float64)

    def confirmed(self, chunk: Chunk, options: Options) -> ConfirmedWindows:
        """What `process` has found in a chunk; to be called once for each."""
        parts = self._scored[self._confirmed_parts :]
        self._confirmed_parts = len(self._scored)
        first = self._confirmed_windows
        found = tuple(replace(segment, index=first + segment.index) for segment in self._segments(parts, options))
        self._confirmed_windows += len(found)
        frame_hz, frames = self._frame_spec.frame_rate_hz, chunk.frames.power.shape[1]
        until_s, known_s = (chunk.first_frame + chunk.core_frames) / frame_hz, (chunk.first_frame + frames) / frame_hz
        return ConfirmedWindows(self.channel, found, until_s, known_s)

    def result(self, duration_s: float, clipped_pct: float, talk: TalkStats, options: Options) -> ChannelResult:
        """The row of the channel, after all chunks have been processed."""
        spec, frame_hz = self._model.spec, self._frame_spec.frame_rate_hz
        activity = self.activity
        speech_frames = int(activity.sum())
        mean_square = self._power[1] / speech_frames if speech_frames else self._power[0] / max(1, len(activity))
        measured = ChannelMeasurements(
            duration_s=duration_s,
            speech_s=min(speech_frames / frame_hz, duration_s),
            loudness_dbfs=10 * math.log10(max(mean_square, QUIETEST_POWER)),
            clipped_pct=clipped_pct,
            talk=talk,
            active=activity,
            frame_hz=frame_hz,
        )
        windows, row_floor = join_windows(self._scored), spec.thresholds(options.min_confidence)[1]
        found = self._segments(self._scored, options)
        return channel_result(windows, found, measured, spec=spec, min_confidence=row_floor)

    def _segments(self, parts: Sequence[ScoredWindows], options: Options) -> tuple[Segment, ...]:
        windows, window_floor = join_windows(parts), self._model.spec.thresholds(options.min_confidence)[0]
        return () if windows is None else segments(windows, spec=self._model.spec, min_confidence=window_floor)

    def _score(self, chunk: Chunk, active: BoolArray, duration_s: float | None) -> ScoredWindows | None:
        """The windows that begin in a chunk; None if there are none."""
        if not active.any():
            return None
        spec = self._model.spec
        windows = cut_windows(
            chunk,
            active,
            channel=self.channel,
            spec=spec,
            frame_hz=self._frame_spec.frame_rate_hz,
            hop_s=self._hop_s,
            duration_s=duration_s,
        )
        clip = spec.features.framing == "clip"
        predictions = self._predict_clips(chunk, windows) if clip else self._predict_frames(chunk, active, windows)
        if not predictions:
            return None
        self._scored.append(scored(windows, predictions, spec=spec))
        return self._scored[-1]

    def _unspoken(self, chunk: Chunk, found: ScoredWindows | None) -> BoolArray:
        """Frames of a chunk's core, bool (core,), that the energy gate classifies as speech and the model does not."""
        before = np.zeros((2, chunk.frames.power.shape[1]), dtype=np.bool_)
        before[:, : self._covered.shape[1]] = self._covered
        spans, is_speech = np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.bool_)
        if found is not None:
            is_speech = found.is_speech
            spans = np.stack([found.first_frame, found.end_frame], axis=1) - chunk.first_frame
        no_speech, self._covered = unspoken(spans, is_speech, before=before, core=chunk.core_frames)
        return no_speech

    def _predict_frames(self, chunk: Chunk, active: BoolArray, windows: Windows) -> list[Prediction]:
        """Predictions for windows cut from the frames of the channel, batch by batch."""
        spec = self._model.spec
        frames = coefficients(chunk.frames.columns[self.channel], spec=spec.features)  # (t, c)
        statistics = None
        if spec.features.by_channel:
            spoken = frames[: chunk.core_frames][active[: chunk.core_frames]]
            sums = speech_sums(spoken, spec=spec.features)
            self._sums = sums if self._sums is None else self._sums + sums
            statistics = channel_statistics(self._sums, spec=spec.features)
        padding = silence_coefficients(spec=spec.features)
        batches = window_batches(windows, frames, length=spec.window_frames, padding=padding, size=BATCH_WINDOWS)
        return [self._model.predict(batch, statistics=statistics) for batch in batches]

    def _predict_clips(self, chunk: Chunk, windows: Windows) -> list[Prediction]:
        """Predictions for windows whose features are computed from the samples of each window alone, as in papers."""
        features = features_of_clips(chunk, windows, channel=self.channel, spec=self._model.spec)
        size = BATCH_WINDOWS
        return [self._model.predict(np.stack(features[i : i + size])) for i in range(0, len(features), size)]
