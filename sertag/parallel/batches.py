"""Regroups files into batches, and puts the results of batches back into the order of the input.

Used by `engine`. Bounds what is in memory: files that are queued, at work, or done and not read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from sertag.parallel.pool import Batch, Tagged
from sertag.records import AudioFile, FileResult

_BATCH_FILES, _BATCH_BYTES = 16, 500_000  # limits of one task, for short clips and little waiting
# Queued batches: at least this many, and this many per worker. An empty queue ends the joblib call, and then all
# workers wait for the slowest file. So the queue lasts while this thread is busy, even if files fail immediately.
_QUEUED, _QUEUED_EACH = 128, 8
_OPEN_FILES, _OPEN_EACH = 16_000, 1000  # limit of files that were read and whose results were not yielded
_WAITING_BYTES = 2_000_000_000  # limit of the recordings whose results wait behind a slow file
# For clusters: a task costs some milliseconds of the scheduler, whatever is in it, and a batch is lost with its worker.
_TASK_S = 30.0
_SHARE = 8  # each worker gets at least so many batches of a short run, so that no worker waits long for the last


class BatchSize:
    """How much one batch may hold."""

    def __init__(self) -> None:
        """Begin with what suits workers on this computer."""
        self.files, self.size_bytes = _BATCH_FILES, _BATCH_BYTES

    def measured(self, batch: Batch, work_s: float) -> None:
        """Take note of how long a worker took for a batch."""


class MeasuredSize(BatchSize):
    """Batches of about 30 s of work, by the speed of those that are done; shorter ones while little is done."""

    def __init__(self, *, workers: int) -> None:
        """Begin small.

        Args:
            workers: batches that are tagged at the same time.
        """
        super().__init__()
        self._workers = workers
        self._files = self._bytes = 0
        self._work_s = 0.0

    def measured(self, batch: Batch, work_s: float) -> None:
        """Take note of how long a worker took for a batch."""
        self._files += len(batch.files)
        self._bytes += batch.size_bytes
        self._work_s += max(work_s, 1e-3)
        share = min(_TASK_S, self._work_s / (_SHARE * self._workers)) / self._work_s
        self.files = min(max(_BATCH_FILES, round(self._files * share)), _OPEN_EACH // 4)
        self.size_bytes = max(_BATCH_BYTES, round(self._bytes * share))


class BatchQueue:
    """Batches that wait for joblib, and results that wait for earlier files."""

    def __init__(self, files: Iterable[AudioFile], *, workers: int, size: BatchSize) -> None:
        """Create the queue; nothing is read.

        Args:
            files: read lazily, in the thread that calls `fill`.
            workers: batches that are tagged at the same time.
            size: of batches; it may change.
        """
        self._batches = _batches(files, workers=workers, size=size)
        self._queued: deque[Batch] = deque()
        self._most_queued = max(_QUEUED, _QUEUED_EACH * workers)
        self._most_open = max(_OPEN_FILES, _OPEN_EACH * workers)
        self._finished: dict[int, Tagged] = {}  # by batch number
        self._next_number = 0
        self._open_files = self._waiting_bytes = 0  # read and not yielded yet; of results that wait for earlier ones

    def fill(self) -> bool:
        """Read more of the input unless enough batches are queued or wait; False if no batch is queued then."""
        while (
            len(self._queued) < self._most_queued
            and self._open_files < self._most_open
            and self._waiting_bytes < _WAITING_BYTES
            and (batch := next(self._batches, None)) is not None
        ):
            self._open_files += len(batch.files)
            self._queued.append(batch)
        return bool(self._queued)

    def take(self) -> Iterator[Batch]:
        """The queued batches; may be read in another thread."""
        while self._queued:
            yield self._queued.popleft()

    def again(self, batch: Batch) -> None:
        """Put a batch first that was taken, or a part of one: its results were lost."""
        self._queued.appendleft(batch)

    def in_order(self, batch: Batch, results: list[FileResult]) -> Iterator[FileResult]:
        """Add the results of a batch, and yield all results that are next in the order of the input."""
        self._waiting_bytes += batch.size_bytes
        self._finished[batch.number] = batch, results
        while self._next_number in self._finished:
            batch, results = self._finished.pop(self._next_number)
            self._next_number += 1
            self._waiting_bytes -= batch.size_bytes
            self._open_files -= len(batch.files)
            yield from results


def _batches(files: Iterable[AudioFile], *, workers: int, size: BatchSize) -> Iterator[Batch]:
    """Regroup files; the first batches are small, so that the first results come soon."""
    number = size_bytes = 0
    batch: list[AudioFile] = []
    for file in files:
        batch.append(file)
        size_bytes += file.size_bytes or 0
        if len(batch) >= min(size.files, 1 + number // workers) or size_bytes >= size.size_bytes:
            yield Batch(number, tuple(batch))
            number, batch, size_bytes = number + 1, [], 0
    if batch:
        yield Batch(number, tuple(batch))
