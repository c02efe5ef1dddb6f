"""Provisional results of live audio: windows as soon as they are complete, and ends of speech.

The functions are those of the pipeline, applied to the last half minute instead of a whole chunk. Later audio can
change the results, above all the threshold for speech, so they are provisional; `final` has the final ones.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from sertag.features.chunks import join_frames
from sertag.features.frames import Chunk, Frames
from sertag.features.mfcc import activity_spec, coefficients, stream_frames
from sertag.features.normalization import SpeechSums, channel_statistics, speech_sums
from sertag.features.vad import detect
from sertag.features.windows import cut_windows
from sertag.live.session.turns import Turn, Turns
from sertag.model.session import Model, Prediction
from sertag.records import BoolArray, FloatArray, Options, Segment, Statistics, Windows
from sertag.tagging.channel_state import features_of_clips
from sertag.tagging.segments import scored, segments

CONTEXT_S = 30.0  # of frames that are kept: the gate uses the last 5 s, and the level of some speech
LOOK_S = 0.25  # interval of processing; it takes about a millisecond for each channel


@dataclass(frozen=True, slots=True)
class Results:
    """New results of one channel.

    Attributes:
        channel: index of the channel.
        segments: windows that have become complete.
        turns: speech that has ended.
    """

    channel: int
    segments: tuple[Segment, ...]
    turns: tuple[Turn, ...]


class Provisional:
    """The last half minute of all channels, and how far it was processed."""

    def __init__(self, *, model: Model, options: Options, channels: int, wanted: tuple[int, ...]) -> None:
        """Begin.

        Args:
            model: that scores windows.
            options: of the run.
            channels: how many there are.
            wanted: those that are scored.
        """
        spec = model.spec
        self._model = model
        self._hop_s = spec.hop_s if options.hop_s is None else options.hop_s
        self._floor = spec.thresholds(options.min_confidence)[0]
        self._frame_spec = activity_spec(spec.features)
        self._length = math.ceil(round(spec.window_s * self._frame_spec.frame_rate_hz, 6))  # frames of a window
        self._blocks: deque[FloatArray] = deque()
        keeps = spec.features.framing == "clip"
        self._frames = stream_frames(_taken(self._blocks), spec=self._frame_spec, keep_samples=keeps)
        self._recent: list[Frames] = []
        self._first = self._count = self._looked_at = 0  # frames: before those held, of those held, at the last look
        self._channels = {number: _Channel(Turns(self._frame_spec.frame_rate_hz)) for number in wanted}

    def push(self, block: FloatArray) -> list[Results]:
        """Add a block, float32 (channels, n) at the model's rate, n > 0; returns new results, if any."""
        self._blocks.append(block)
        frames = next(self._frames)  # one for each block
        self._recent.append(frames)
        self._count += frames.power.shape[1]
        if self._first + self._count - self._looked_at < LOOK_S * self._frame_spec.frame_rate_hz:
            return []
        return self._look()

    def _look(self) -> list[Results]:
        joined = join_frames(self._recent)
        self._looked_at = self._first + self._count
        chunk = Chunk(self._first, max(0, self._count - self._length), False, joined)
        found = [self._look_at(number, channel, chunk) for number, channel in self._channels.items()]
        surplus = self._count - round(CONTEXT_S * self._frame_spec.frame_rate_hz) - self._length
        if surplus > 0:
            self._forget(joined, surplus)
        else:
            self._recent = [joined]
        return [results for results in found if results.segments or results.turns]

    def _look_at(self, number: int, channel: _Channel, chunk: Chunk) -> Results:
        active = detect(chunk.frames.columns[number], spec=self._frame_spec)
        channel.active = active
        windows = self._new_windows(number, channel, chunk, active)
        made: tuple[Segment, ...] = ()
        if windows is not None and len(windows.starts):
            spec = self._model.spec
            answered = scored(windows, [self._predict(number, channel, chunk, windows)], spec=spec)
            made = segments(answered, spec=spec, min_confidence=self._floor)
            made = tuple(replace(segment, index=channel.count + index) for index, segment in enumerate(made))
            channel.count += len(made)
            channel.turns.add_windows(windows, answered.is_speech)
        return Results(number, made, channel.turns.ended(active, first_frame=chunk.first_frame))

    def _new_windows(self, number: int, channel: _Channel, chunk: Chunk, active: BoolArray) -> Windows | None:
        """The windows that have become complete since the last look."""
        end = chunk.first_frame + chunk.core_frames
        if chunk.core_frames == 0 or end <= channel.scored:
            return None
        windows = cut_windows(
            chunk,
            active,
            channel=number,
            spec=self._model.spec,
            frame_hz=self._frame_spec.frame_rate_hz,
            hop_s=self._hop_s,
            duration_s=None,
        )
        new = windows.first_frame >= channel.scored
        channel.scored = end
        return Windows(*(getattr(windows, name)[new] for name in Windows.__dataclass_fields__))

    def _predict(self, number: int, channel: _Channel, chunk: Chunk, windows: Windows) -> Prediction:
        """Predictions for new windows."""
        spec = self._model.spec
        if spec.features.framing == "clip":
            return self._model.predict(np.stack(features_of_clips(chunk, windows, channel=number, spec=spec)))
        frames = coefficients(chunk.frames.columns[number], spec=spec.features)  # (t, c)
        cut = [frames[start : start + spec.window_frames] for start in windows.starts]
        return self._model.predict(np.stack(cut), statistics=self._statistics(channel, frames))

    def _statistics(self, channel: _Channel, frames: FloatArray) -> Statistics | None:
        """Statistics of the speech of a channel so far, from recent coefficients (t, c) and the sums of older ones."""
        features = self._model.spec.features
        if not features.by_channel:
            return None
        sums = speech_sums(frames[channel.active], spec=features)
        return channel_statistics(sums if channel.sums is None else channel.sums + sums, spec=features)

    def _forget(self, joined: Frames, surplus: int) -> None:
        """Add frames that are too old to the sums, and drop them."""
        features = self._model.spec.features
        for number, channel in self._channels.items():
            if features.by_channel:
                old = coefficients(joined.columns[number, :surplus], spec=features)
                sums = speech_sums(old[channel.active[:surplus]], spec=features)
                channel.sums = sums if channel.sums is None else channel.sums + sums
        hop = self._frame_spec.hop_length
        samples = None if joined.samples is None else joined.samples[:, surplus * hop :].copy()
        kept = Frames(joined.columns[:, surplus:].copy(), joined.power[:, surplus:].copy(), samples)
        self._recent = [kept]
        self._first += surplus
        self._count -= surplus


@dataclass(slots=True)
class _Channel:
    turns: Turns
    scored: int = 0  # windows that begin before this frame have been processed
    count: int = 0  # provisional windows so far
    sums: SpeechSums | None = None  # of speech in frames that were dropped
    active: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


def _taken(blocks: deque[FloatArray]) -> Iterator[FloatArray]:
    while True:
        yield blocks.popleft()
