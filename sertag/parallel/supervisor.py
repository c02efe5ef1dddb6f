"""Runs one worker process at a time, and handles files at which it ends.

Used by `pool`. A file at which the worker ends twice, or that takes too long, gets one `failed` row. The worker sends
one result per file, so the file at which it ended is known; the files after it go to the next worker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sertag.errors import SertagError
from sertag.parallel.worker import Answer, Setup, Worker
from sertag.records import STDIN, AudioFile, ChannelResult, FileResult, Problem, Status
from sertag.text import display_name

_POLL_S = 1.0  # the longest wait between two looks at the clock
_START_S = 300.0  # the longest start of a worker
_STARTS = 8  # how many starts may fail in a row
_PAUSE_S = 0.1  # pause before the next start, times the square of the number of failures: memory may become free


class NoWorkersError(SertagError):
    """Worker processes cannot be started."""


class ClosedError(Exception):
    """The run has ended, so the result is no longer needed."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is needed to tag a batch besides its files; it can be pickled.

    Attributes:
        run_id: unique for each run.
        setup: sent to each worker process.
        timeout_s: longest time for one file, None for no limit. Time in which this process was suspended (by Ctrl-Z, or
            because the computer slept) is not counted.
        workers: maximum number of worker processes of one process that tags batches.
    """

    run_id: str
    setup: Setup
    timeout_s: float | None
    workers: int


@dataclass(frozen=True, slots=True)
class _Exit:
    """How a worker ended: by timeout (`late`) or not, a description, and the end of its stderr."""

    late: bool
    how: str
    stderr_tail: str


def failed(path: str, problem: Problem) -> FileResult:
    """The result of a file at which processes end."""
    return FileResult(path, (ChannelResult(channel=None, status=Status.FAILED, problem=problem),))


class Supervisor:
    """Has files tagged by one worker process, and replaces the process when it ends."""

    def __init__(self, job: Job, *, worker: Worker | None = None) -> None:
        """Create the supervisor; no process is started.

        Args:
            job: job of the run.
            worker: a worker that is already running; None starts one when it is needed.
        """
        self._job = job
        self._worker = worker
        self._ready = False
        self._busy = False
        self._closed = False
        self._lock = threading.Lock()  # `close` is called from another thread than `tag`

    def tag(self, files: Sequence[AudioFile]) -> list[FileResult]:
        """Tag files; one result per file, in order.

        Raises:
            SertagError: the worker cannot use the model.
            NoWorkersError: no worker can be started.
            ClosedError: `close` was called.
        """
        self._busy = True
        try:
            results: list[FileResult] = []
            while remaining := files[len(results) :]:
                answers, ended = self._tag(remaining)
                results += answers
                if ended is not None:
                    results.append(self._handle_exit(remaining[len(answers)], ended))
            return results
        finally:
            self._busy = False

    def kill(self) -> None:
        """Kill the worker and start no other; may be called from any thread."""
        with self._lock:
            self._closed = True
            if self._worker is not None:
                self._worker.kill()

    def close(self) -> None:
        """End the worker for good; may be called from any thread, and more than once."""
        self.kill()
        with self._lock:
            if self._worker is not None and self._busy:
                self._worker.wait()  # the thread that waits for an answer notices, and does the rest
            elif self._worker is not None:
                self._worker.end()
                self._worker = None

    def _tag(self, files: Sequence[AudioFile]) -> tuple[list[FileResult], _Exit | None]:
        """Results until every file has one or the worker ends, and how it ended."""
        worker = self._ready_worker()
        worker.submit(files)
        results: list[FileResult] = []
        try:
            while len(results) < len(files):
                answer = self._receive(worker, timeout_s=self._job.timeout_s)
                if isinstance(answer, FileResult):
                    results.append(answer)
        except (EOFError, TimeoutError) as error:
            return results, self._end_worker(worker, late=isinstance(error, TimeoutError))
        return results, None

    def _handle_exit(self, file: AudioFile, ended: _Exit) -> FileResult:
        """The result of a file at which a worker ended; the cause may be another one, so the file is tried again."""
        if not ended.late and file.path != STDIN:  # standard input cannot be read twice
            results, again = self._tag([file])
            if again is None:
                return results[0]
            ended = again
        return _timed_out(file.path, self._job.timeout_s or 0) if ended.late else _died(file.path, ended)

    def _ready_worker(self) -> Worker:
        failed = 0
        while True:
            worker = self._started_worker()
            if self._ready:
                return worker
            worker.submit(self._job.setup)
            try:
                self._receive(worker, timeout_s=_START_S)
                self._ready = True
            except (EOFError, TimeoutError) as error:
                ended = self._end_worker(worker, late=isinstance(error, TimeoutError))
                failed += 1
                if failed == _STARTS:
                    raise _no_workers(ended) from None
                time.sleep(_PAUSE_S * failed**2)

    def _started_worker(self) -> Worker:
        with self._lock:
            if self._closed:
                raise ClosedError
            if self._worker is None:
                self._worker = Worker()
            return self._worker

    def _receive(self, worker: Worker, *, timeout_s: float | None) -> Answer:
        """The next answer of the worker.

        Raises:
            EOFError: the worker has ended.
            TimeoutError: it did not answer in time.
            SertagError: the worker sent this error, because it cannot start.
        """
        waited_s, longest_s = 0.0, min(_POLL_S, timeout_s or _POLL_S)
        before_s = time.monotonic()
        while not worker.connection.poll(longest_s):
            now_s = time.monotonic()
            waited_s += min(now_s - before_s, 2 * longest_s)  # a longer gap means that this process was suspended
            before_s = now_s
            if timeout_s is not None and waited_s >= timeout_s:
                raise TimeoutError
        answer = worker.receive()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _end_worker(self, worker: Worker, *, late: bool) -> _Exit:
        with self._lock:
            self._worker, self._ready = None, False
            how, stderr_tail = worker.end()
            if self._closed:
                raise ClosedError
        return _Exit(late, how, stderr_tail)


def _no_workers(last: _Exit) -> NoWorkersError:
    how = ": ".join([last.how, *last.stderr_tail.splitlines()[-1:]])
    reason = f"{_STARTS} in a row ended before they were ready, the last {how}"
    message = f"worker processes cannot be started: {reason}; is there enough memory? fewer --jobs need less"
    return NoWorkersError(message, code="no_workers")


def _timed_out(path: str, timeout_s: float) -> FileResult:
    message = f"{display_name(path)}: was stopped after {timeout_s:g} s; is it damaged? --timeout can be longer"
    return failed(path, Problem("timeout", message))


def _died(path: str, ended: _Exit) -> FileResult:
    reason = f"{display_name(path)}: the process that tagged it {ended.how}"
    message = f"{reason}; is the file damaged, or was there too little memory? fewer --jobs need less"
    return replace(failed(path, Problem("worker_died", message)), crash=ended.stderr_tail or None)
