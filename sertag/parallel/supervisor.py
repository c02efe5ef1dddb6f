"""The workers of a run: who is at which file, what comes next, and what becomes of a file whose worker ended.

Used by `parallel`. A file that ends its worker, or takes too long, is one `failed` row. Because every file is answered
by itself, the file that a worker was at is known; the others that it had are done again by somebody else.
"""

from __future__ import annotations

import itertools
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from sertag.errors import SertagError
from sertag.parallel.worker import Setup, Worker
from sertag.records import AudioFile, ChannelResult, FileResult, Problem, Status
from sertag.text import display_name

_STDIN = "-"
_BATCH_FILES, _BATCH_BYTES = 16, 500_000  # of one message to a worker
_LONG_BYTES = 8_000_000  # of a batch behind which no other has to wait
_MOST_WAITING = 1000  # batches that a very long file holds up
_LOOK_UP_S = 1.0  # the longest that nothing is looked at
_START_S = 300.0  # the longest start of a worker
_STARTS, _LAST_STARTS = 3, 8  # that may fail in a row: while there are other workers, and of the last one
_PAUSE_S = 0.1  # before another start of the last one, times the square of how many failed: memory may come back


@dataclass(eq=False)
class _Batch:
    """Files that travel together: a clip of seconds is tagged in about the time that a message takes.

    Attributes:
        files: not answered yet; the first of them is at work, or next.
        results: of the files before, not passed on yet.
        suspected: its only file has ended a worker, and is tried once more by one that has nothing else.
    """

    files: deque[AudioFile]
    results: deque[FileResult] = field(default_factory=deque)
    suspected: bool = False

    @property
    def long(self) -> bool:
        return sum(file.size_bytes or 0 for file in self.files) > _LONG_BYTES

    def answer(self, result: FileResult) -> None:
        self.files.popleft()
        self.results.append(result)


@dataclass(eq=False)
class _Seat:
    """A worker and what it is at.

    Attributes:
        worker: from its start on.
        failed_starts: how many before it, in a row, ended before they were ready.
        batches: that it was given and has not finished.
        ready: it has loaded what it needs.
        waited_s: how long it has owed the next answer.
    """

    worker: Worker
    failed_starts: int = 0
    batches: deque[_Batch] = field(default_factory=deque)
    ready: bool = False
    waited_s: float = 0.0

    def give(self, batch: _Batch) -> None:
        if self.ready and not self.batches:
            self.waited_s = 0.0
        self.batches.append(batch)
        self.worker.send(list(batch.files))

    def hear(self, answer: FileResult | None) -> None:
        self.waited_s = 0.0
        if answer is None:
            self.ready = True
            return
        self.batches[0].answer(answer)
        if not self.batches[0].files:
            self.batches.popleft()

    def is_late(self, timeout_s: float | None) -> bool:
        """Whether an answer is overdue."""
        limit_s = timeout_s if self.ready else _START_S
        owes = bool(self.batches) or not self.ready
        return owes and limit_s is not None and self.waited_s >= limit_s


class Crew:
    """All workers of a run and what they are at."""

    def __init__(
        self,
        workers: Iterable[Worker],
        files: Iterable[AudioFile],
        *,
        setup: Setup,
        timeout_s: float | None,
        done: Callable[[FileResult], None] | None,
    ) -> None:
        """Tell the workers what the run is about.

        Args:
            workers: as many as shall be at work at once; they belong to the crew from now on.
            files: of the run, read as the work goes on.
            setup: of the run.
            timeout_s: longest time for one file, None for any. Time in which this process stood still (stopped by
                Ctrl-Z, or asleep) or did not listen does not count.
            done: called with each result that a worker gives, as soon as it is there; None for nobody.
        """
        self._setup, self._timeout_s, self._done = setup, timeout_s, done
        self._look_up_s = min(_LOOK_UP_S, timeout_s or _LOOK_UP_S)
        self._source = _batches(files)
        self._order: deque[_Batch] = deque()  # all that are not passed on, in the order of the input
        self._again: deque[_Batch] = deque()  # those of workers that ended
        self._seats: list[_Seat] = []
        self._selector = selectors.DefaultSelector()
        for worker in workers:
            self._seat(worker)

    def results(self) -> Iterator[FileResult]:
        """Do all the work.

        Yields:
            One result a file, in the order of the files.

        Raises:
            SertagError: what a worker says keeps it from working, or `no_workers`.
        """
        while self._hand_out():
            self._listen()
            while self._order:
                batch = self._order[0]
                while batch.results:
                    yield batch.results.popleft()
                if batch.files:
                    break
                self._order.popleft()

    def end(self) -> None:
        """End all workers at once; what they are at is lost, nothing else is."""
        for seat in self._seats:
            seat.worker.end()
        self._selector.close()

    def _seat(self, worker: Worker, failed_starts: int = 0) -> None:
        seat = _Seat(worker, failed_starts)
        self._seats.append(seat)
        self._selector.register(worker.connection, selectors.EVENT_READ, seat)
        worker.send(self._setup)

    def _hand_out(self) -> bool:
        """Give every worker a batch to work on and one to have at hand; False if nothing is left to do."""
        for most in (1, 2):
            for seat in self._seats:
                if len(seat.batches) < most and (batch := self._next(seat)) is not None:
                    seat.give(batch)
        return bool(self._order)

    def _next(self, seat: _Seat) -> _Batch | None:
        """What a worker gets next; nothing waits for a long batch, and a suspect has a worker for itself."""
        if any(batch.suspected or batch.long for batch in seat.batches):
            return None
        if self._again:
            return None if seat.batches and self._again[0].suspected else self._again.popleft()
        batch = next(self._source, None) if len(self._order) < _MOST_WAITING else None
        if batch is not None:
            self._order.append(batch)
        return batch

    def _listen(self) -> None:
        """Wait until a worker answers or ends, but not for ever, and end those that are late."""
        before_s = time.monotonic()
        heard = self._selector.select(self._look_up_s)
        waited_s = min(time.monotonic() - before_s, 2 * self._look_up_s)  # else everything stood still for a while
        for seat in self._seats:
            seat.waited_s += waited_s
        for key, _ in heard:
            self._hear(key.data)
        for seat in [seat for seat in self._seats if seat.is_late(self._timeout_s)]:
            self._replace(seat, late=True)

    def _hear(self, seat: _Seat) -> None:
        try:
            answer = seat.worker.receive()
        except EOFError:
            self._replace(seat, late=False)
            return
        if isinstance(answer, Exception):
            raise answer
        seat.hear(answer)
        if answer is not None and self._done is not None:
            self._done(answer)

    def _replace(self, seat: _Seat, *, late: bool) -> None:
        """End what is left of a worker, start another one, and see to it that its files are done."""
        self._selector.unregister(seat.worker.connection)
        self._seats.remove(seat)
        how, last_words = seat.worker.end()
        again = seat.batches
        if seat.ready and again:
            self._judge(again, late=late, how=how, last_words=last_words)
        self._again.extendleft(batch for batch in reversed(again) if batch.files)
        failed_starts = 0 if seat.ready else seat.failed_starts + 1
        if self._may_start(failed_starts, ": ".join([how, *last_words.splitlines()[-1:]])):
            self._seat(Worker(), failed_starts)
            if self._again and self._again[0].suspected:  # not for a worker that may be ending for the same reason
                self._seats[-1].give(self._again.popleft())

    def _may_start(self, failed_starts: int, how: str) -> bool:
        """Whether to start a worker after so many that failed to; without it the others go on, if there are any."""
        if self._seats:
            return failed_starts < _STARTS
        if failed_starts == _LAST_STARTS:
            found = f"{failed_starts} in a row ended before they were ready, the last {how}"
            message = f"worker processes cannot be started: {found}; is there enough memory? fewer --jobs need less"
            raise SertagError(message, code="no_workers")
        time.sleep(_PAUSE_S * failed_starts**2)
        return True

    def _judge(self, again: deque[_Batch], *, late: bool, how: str, last_words: str) -> None:
        """Decide about the file at which a worker ended: once may be bad luck, a second time is a result."""
        first = again[0]
        path = first.files[0].path
        if late:
            first.answer(_timed_out(path, self._timeout_s or 0))
        elif first.suspected or path == _STDIN:  # which cannot be read a second time
            first.answer(_died(path, how, last_words))
        else:
            rest = _Batch(deque(itertools.islice(first.files, 1, None)))
            first.files, first.suspected = deque([first.files[0]]), True
            again.insert(1, rest)
            self._order.insert(self._order.index(first) + 1, rest)


def _batches(files: Iterable[AudioFile]) -> Iterator[_Batch]:
    batch: deque[AudioFile] = deque()
    size_bytes = 0
    for file in files:
        batch.append(file)
        size_bytes += file.size_bytes or 0
        if len(batch) == _BATCH_FILES or size_bytes >= _BATCH_BYTES:
            yield _Batch(batch)
            batch, size_bytes = deque(), 0
    if batch:
        yield _Batch(batch)


def _timed_out(path: str, timeout_s: float) -> FileResult:
    message = f"{display_name(path)}: was given up after {timeout_s:g} s; is it damaged? --timeout can be longer"
    return _failed(path, Problem("timeout", message))


def _died(path: str, how: str, last_words: str) -> FileResult:
    found = f"{display_name(path)}: the process that tagged it {how}"
    message = f"{found}; is the file damaged, or was there too little memory? fewer --jobs need less"
    return replace(_failed(path, Problem("worker_died", message)), crash=last_words or None)


def _failed(path: str, problem: Problem) -> FileResult:
    return FileResult(path, (ChannelResult(channel=None, status=Status.FAILED, problem=problem),))
