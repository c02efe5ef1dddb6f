"""Audio in, events out: the core of `listen` and `stream`, independent of sources, devices and waiting.

Whoever has the audio pushes it; what is results at once comes from `provisional`, the rows from `final`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

import numpy as np

from sertag.audio.decode import Resampler
from sertag.live.events import Channel, End, Event, Gap, Reason, SpeechEnd, Start, Window
from sertag.live.session.confirm import confirmed
from sertag.live.session.final import FinalRows
from sertag.live.session.provisional import Provisional, Results
from sertag.model.session import Model
from sertag.records import FloatArray, Options, Problem, Segment
from sertag.tagging.roles import role_of, wanted_channels
from sertag.text import display_name

_ARRIVALS_S = 60.0  # longer than any window or context of a result
_EDGE_S = 1e-5  # less than a sample, and more than rounding errors of sums
_BLOCK_S = 1.0  # of silence that stands for a gap, pushed at a time


class Session:
    """One live recording.

    Attributes:
        rate_hz: of the audio.
        duration_s: seconds pushed so far.
        dropped_s: seconds of it that were lost, and are silence now.
    """

    def __init__(
        self,
        *,
        model: Model,
        channels: int,
        rate_hz: int,
        options: Options,
        path: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin; no event is emitted yet.

        Args:
            model: that scores windows.
            channels: of the audio.
            rate_hz: of the audio.
            options: of the run.
            path: what the rows are called.
            clock: seconds since any moment; one that cannot be set back.

        Raises:
            SertagError: the audio does not have the requested channel or roles.
        """
        self._model, self._options, self._path, self._clock = model, options, path, clock
        self._channels, self.rate_hz = channels, rate_hz
        self._wanted = wanted_channels(channels, options, name=display_name(path))
        features = model.spec.features
        same = features.rate_hz == rate_hz
        self._resampler = None if same else Resampler(rate_hz, features.rate_hz, channels=channels)
        count = 1 if options.channels == "mix" else channels
        self._provisional = Provisional(model=model, options=options, channels=count, wanted=self._wanted)
        self._final = FinalRows(path, channels=channels, rate_hz=rate_hz, model=model, options=options)
        self._provisional_windows: dict[int, list[Segment]] = {channel: [] for channel in self._wanted}
        self._confirmed = dict.fromkeys(self._wanted, 0)  # windows that are final
        self._until_s = dict.fromkeys(self._wanted, 0.0)  # windows that begin before are final
        self._arrivals: deque[tuple[float, float]] = deque()  # seconds of audio, when they had come
        self._samples = self._dropped = 0

    @property
    def duration_s(self) -> float:
        """Seconds pushed so far."""
        return self._samples / self.rate_hz

    @property
    def dropped_s(self) -> float:
        """Seconds of them that were lost."""
        return self._dropped / self.rate_hz

    def start(self, call: dict[str, str] | None = None) -> Start:
        """The first event; `call` is information about the call from the source."""
        spec, options = self._model.spec, self._options
        started = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        hop_s = spec.hop_s if options.hop_s is None else options.hop_s
        return Start(self._path, self._channels, self.rate_hz, spec.window_s, hop_s, started, call or {})

    def push(self, samples: FloatArray, *, arrived_s: float | None = None) -> list[Event]:
        """Add audio.

        Args:
            samples: float32 (n, channels) at the rate of the audio; they must not change afterwards.
            arrived_s: time of arrival, by the clock; None for now.

        Returns:
            New events.
        """
        if not len(samples):
            return []
        self._samples += len(samples)
        self._arrivals.append((self.duration_s, self._clock() if arrived_s is None else arrived_s))
        while self._arrivals[0][0] < self.duration_s - _ARRIVALS_S:
            self._arrivals.popleft()
        self._final.push(samples)
        sound = samples if np.isfinite(samples).all() else np.nan_to_num(samples, nan=0, posinf=0, neginf=0)
        sound = np.clip(sound, -1, 1) if self._resampler is None else self._resampler.push(np.clip(sound, -1, 1))
        block = np.ascontiguousarray(sound.T)  # (channels, m)
        if self._options.channels == "mix":
            block = block.mean(axis=0, keepdims=True)
        found = self._provisional.push(block) if block.size else []
        return [*(event for results in found for event in self._events(results)), *self._confirmations()]

    def lose(self, samples: int) -> list[Event]:
        """Replace `samples` lost samples of each channel by silence, and report the gap."""
        events: list[Event] = [Gap("overflow", None, self.duration_s, samples / self.rate_hz, filled=True)]
        self._dropped += samples
        while samples > 0:
            count = min(samples, round(_BLOCK_S * self.rate_hz))
            events += self.push(np.zeros((count, self._channels), dtype=np.float32))
            samples -= count
        return events

    def finish(
        self, reason: Reason, *, error: str = "", declared_samples: int | None = None, notes: Sequence[Problem] = ()
    ) -> list[Event]:
        """The windows that are not final yet, as final ones, and the rows; no more audio can be pushed.

        Args:
            reason: why the audio ended.
            error: message of an error; empty for none.
            declared_samples: of each channel, as a header says it; None where none does.
            notes: what else was wrong with the audio.
        """
        result = self._final.result(declared_samples=declared_samples, notes=notes)
        dropped_ms, lag_ms = round(1000 * self.dropped_s), self._lag_ms(self.duration_s)
        events: list[Event] = []
        for channel in result.channels:
            if channel.channel is None:
                continue
            number = 0 if channel.channel == "mix" else channel.channel
            new = channel.segments[self._confirmed[number] :]
            events += self._final_windows(number, self._provisional_windows[number], new, lag_ms=lag_ms)
        return [*events, End(reason, error, dropped_ms, lag_ms, result)]

    def close(self) -> None:
        """End without rows; needed only if `finish` was not called."""
        self._final.close()

    def _events(self, results: Results) -> list[Event]:
        channel, role = self._whose(results.channel)
        dropped_ms = round(1000 * self.dropped_s)
        until_s = self._until_s[results.channel] - _EDGE_S
        new = [segment for segment in results.segments if segment.start_s >= until_s]
        self._provisional_windows[results.channel] += new
        windows = [Window(channel, role, segment, True, self._lag_ms(segment.end_s), dropped_ms) for segment in new]
        turns = [SpeechEnd(channel, role, turn.start_s, turn.end_s, self._lag_ms(turn.end_s)) for turn in results.turns]
        return [*windows, *turns]

    def _confirmations(self) -> list[Event]:
        """Windows of chunks that have been scored."""
        events: list[Event] = []
        for chunk in self._final.confirmed():
            number, before_s = chunk.channel, chunk.until_s - _EDGE_S
            windows = self._provisional_windows[number]
            due = [segment for segment in windows if segment.start_s < before_s]
            self._provisional_windows[number] = [segment for segment in windows if segment.start_s >= before_s]
            self._confirmed[number] += len(chunk.segments)
            self._until_s[number] = chunk.until_s
            events += self._final_windows(number, due, chunk.segments, lag_ms=self._lag_ms(chunk.known_s))
        return events

    def _final_windows(
        self, number: int, provisional: Sequence[Segment], final: Sequence[Segment], *, lag_ms: int
    ) -> list[Window]:
        whose, dropped_ms = self._whose(number), round(1000 * self.dropped_s)
        return [
            Window(*whose, segment, False, lag_ms, dropped_ms, withdrawn=withdrawn)
            for segment, withdrawn in confirmed(provisional, final)
        ]

    def _whose(self, number: int) -> tuple[Channel, str]:
        if self._options.channels == "mix":
            return "mix", ""
        return number, role_of(number, self._options.roles)

    def _lag_ms(self, end_s: float) -> int:
        """Milliseconds since the audio before `end_s` arrived, never negative."""
        came = next((when for seconds, when in self._arrivals if seconds >= end_s - 1e-9), None)
        if came is None:
            came = self._arrivals[-1][1] if self._arrivals else self._clock()
        return max(0, round(1000 * (self._clock() - came)))
