"""Processes one source from its first sample to its end, and emits events as they happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sertag.errors import Exit, SertagError
from sertag.live.events import End, Event, Gap, Reason
from sertag.live.session.session import Session
from sertag.live.sources.feed import Arrived, Feed, Item, Lost, Over
from sertag.live.sources.source import Source
from sertag.model.session import Model
from sertag.records import FAILURES, Options

STALL_S = 2.0  # without any audio; then an event is emitted

_TICK_S = 0.25
_NORMAL: tuple[Reason, ...] = ("end_of_stream", "hang_up", "interrupted", "max_duration")

Emit = Callable[[Iterable[Event]], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of time.

    Attributes:
        stall_s: end after this time without any audio; infinite for no limit.
        max_duration_s: end after this much audio.
    """

    stall_s: float
    max_duration_s: float


def listen(
    source: Source,
    emit: Emit,
    *,
    model: Model,
    options: Options,
    path: str,
    limits: Limits,
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> End:
    """Process a source until it ends or `stop` is set.

    Args:
        source: an open source; it is closed here.
        emit: called with events; an exception from it ends the processing.
        model: the model that scores windows.
        options: options of the run.
        path: path of the rows.
        limits: limits of time.
        stop: set it to end the processing.
        clock: seconds since any moment; one that cannot be set back.

    Returns:
        The last event, which was also emitted.

    Raises:
        SertagError: the source does not have the requested channel or role.
    """
    shape = {"channels": source.channels, "rate_hz": source.rate_hz}
    try:
        session = Session(model=model, options=options, path=path, clock=clock, **shape)
    except SertagError:
        source.close()
        raise
    feed = Feed(source, clock=clock)
    finished = False
    try:
        emit([session.start(source.call)])
        over = _Loop(session, feed, emit, limits, stop, clock).run()
        source.close()
        error = "" if over.error is None else str(over.error)
        events = session.finish(over.reason, error=error, declared_samples=source.declared_samples)
        finished = True
        emit(events)
    finally:
        feed.close()
        source.close()
        if not finished:
            session.close()
    end = events[-1]
    if not isinstance(end, End):
        raise TypeError(f"the last event is {type(end).__name__}")
    return end


def exit_code(end: End) -> Exit:
    """The exit code of the process: 0 after a normal end, 1 after a failure, 3 if there was no audio at all."""
    if end.reason not in _NORMAL:
        return Exit.SOME_FAILED
    if end.result.status not in FAILURES or end.reason in ("hang_up", "interrupted"):
        return Exit.OK
    return Exit.NOTHING_TAGGED if end.result.duration_s == 0 else Exit.SOME_FAILED


class _Loop:
    """The main loop, with the time of the last arrival."""

    def __init__(
        self,
        session: Session,
        feed: Feed,
        emit: Emit,
        limits: Limits,
        stop: threading.Event,
        clock: Callable[[], float],
    ) -> None:
        self._session, self._feed, self._emit = session, feed, emit
        self._limits, self._stop, self._clock = limits, stop, clock
        self._arrived_s, self._stalled = clock(), False

    def run(self) -> Over:
        """Process everything that arrives; returns why it ended."""
        while True:
            stopped = self._stop.is_set()
            if stopped:
                self._feed.close()  # audio that has arrived is still processed
            item = self._feed.get(timeout_s=0.0 if stopped else _TICK_S)
            if isinstance(item, Over):
                return item
            if item is None and stopped:
                return Over("interrupted")
            over = self._idle() if item is None else self._take(item)
            if over is not None:
                return over

    def _take(self, item: Item) -> Over | None:
        now_s = self._clock()
        if self._stalled:
            self._emit([self._gap(now_s, still=False)])
        self._arrived_s, self._stalled = now_s, False
        if isinstance(item, Gap):
            self._emit([item])
        elif isinstance(item, Lost):
            self._emit(self._session.lose(item.samples))
        elif isinstance(item, Arrived):
            left_s = self._limits.max_duration_s - self._session.duration_s
            whole = item.samples[: round(max(0.0, left_s) * self._session.rate_hz)]
            self._emit(self._session.push(whole, arrived_s=item.at_s))
            if len(whole) < len(item.samples):
                return Over("max_duration")
        return None

    def _idle(self) -> Over | None:
        now_s = self._clock()
        waited_s = now_s - self._arrived_s
        if waited_s >= STALL_S and not self._stalled:
            self._stalled = True
            self._emit([self._gap(now_s, still=True)])
        if waited_s >= self._limits.stall_s:
            message = f"nothing came for {waited_s:.0f} s; is the other side still there? --stall says how long to wait"
            return Over("stalled", SertagError(message, code="stalled"))
        return None

    def _gap(self, now_s: float, *, still: bool) -> Gap:
        return Gap("stall", None, self._session.duration_s, now_s - self._arrived_s, filled=False, open=still)
