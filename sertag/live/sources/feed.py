"""A bounded queue between the thread that reads a source and the thread that processes the audio.

A source that is faster than real time, such as a file in a pipe, is made to wait. A source in real time cannot wait:
samples that do not fit into the queue are dropped and counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from sertag.errors import SertagError
from sertag.live.events import Gap, Reason
from sertag.live.sources.source import Source
from sertag.records import FloatArray

LIMIT_S = 30.0  # of audio in the queue
AHEAD_S = 5.0  # ahead of the clock: more than pipes and sockets buffer while the program starts


@dataclass(frozen=True, slots=True)
class Arrived:
    """Samples, float32 (n, channels), and their time of arrival."""

    samples: FloatArray
    at_s: float


@dataclass(frozen=True, slots=True)
class Lost:
    """The number of samples of each channel that were dropped here."""

    samples: int


@dataclass(frozen=True, slots=True)
class Over:
    """The source has ended; `error` is None after a normal end."""

    reason: Reason
    error: SertagError | None = None


Item = Arrived | Lost | Gap | Over


class Feed:
    """A source that is read on a separate thread."""

    def __init__(
        self, source: Source, *, limit_s: float = LIMIT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start reading.

        Args:
            source: to read; it is not closed here.
            limit_s: of audio that may wait.
            clock: seconds since any moment; one that cannot be set back.
        """
        self._source, self._limit_s, self._clock = source, limit_s, clock
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._waiting_s = self._received_s = 0.0
        self._started_s = clock()
        self._closed = False
        threading.Thread(target=self._read, name="sertag-feed", daemon=True).start()

    def get(self, *, timeout_s: float) -> Item | None:
        """The next item; None where none comes in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._items, timeout=timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, Arrived):
                self._waiting_s -= self._seconds(len(item.samples))
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Accept no more audio; a reader that waits for room continues and ends with its source."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            for item in self._source.items():
                self._put(item)
                if self._closed:
                    return
            end = Over(self._source.reason)
        except SertagError as error:
            end = Over("stalled" if error.code == "stalled" else "failed", error)
        except Exception as error:  # passed to the other thread, which reports it
            message = (
                f"{self._source.name}: {type(error).__name__}: {error}; this is a fault of sertag, please report it"
            )
            end = Over("failed", SertagError(message, code="internal_error"))
        with self._changed:
            self._items.append(end)
            self._changed.notify_all()

    def _put(self, item: FloatArray | Gap) -> None:
        with self._changed:
            if isinstance(item, Gap):
                self._items.append(item)
            elif self._has_room(self._seconds(len(item))):
                self._items.append(Arrived(item, self._clock()))
                self._waiting_s += self._seconds(len(item))
            elif self._items and isinstance(self._items[-1], Lost):
                self._items[-1] = replace(self._items[-1], samples=self._items[-1].samples + len(item))
            else:
                self._items.append(Lost(len(item)))
            self._changed.notify_all()

    def _has_room(self, seconds: float) -> bool:
        """Whether the samples fit; waits for room if the source is ahead of the clock."""
        now_s = self._clock()
        self._received_s += seconds
        if self._received_s - (now_s - self._started_s) > AHEAD_S:
            self._changed.wait_for(lambda: self._closed or self._fits(seconds))
            self._started_s += self._clock() - now_s  # a source that waits does not fall behind
        return self._fits(seconds)

    def _fits(self, seconds: float) -> bool:
        return not self._waiting_s or self._waiting_s + seconds <= self._limit_s

    def _seconds(self, samples: int) -> float:
        return samples / self._source.rate_hz
