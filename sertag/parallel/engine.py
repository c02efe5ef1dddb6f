"""Many files in parallel: batches of files are joblib tasks, and results come in the order of the input.

Each file is tagged independently, so a result never depends on the number of workers. All work is done in worker
processes, even with one job: if a recording crashes the process that reads it, the run goes on.

joblib takes tasks from its source as fast as they are done, however slowly results are read, and it does so in a
separate thread. So it gets them from a queue that is filled here, in the thread of the caller, and not filled while
too many files are open: queued, at work, or done and not read. When the queue is empty, the joblib call ends, and the
next one begins.
"""

from __future__ import annotations

import atexit
import itertools
import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from sertag.parallel.pool import Batch, SupervisorPool, tag_batch
from sertag.parallel.supervisor import Job
from sertag.parallel.worker import Setup, Worker
from sertag.records import AudioFile, FileResult, Options

# A worker needs half a second of processor time to start, enough to tag half an hour of stereo telephone audio.
FEW_FILES = 64  # how many files are inspected to decide whether a second worker is worth its start

_LITTLE_AUDIO_BYTES = 16_000_000
_BATCH_FILES, _BATCH_BYTES = 16, 500_000  # limits of one task
# Queued batches: at least this many, and this many per worker. An empty queue ends the joblib call, and then all
# workers wait for the slowest file. So the queue lasts while this thread is busy, even if files fail immediately.
_QUEUED, _QUEUED_EACH = 128, 8
_OPEN_FILES = 16_000  # limit of files that were read and whose results were not yielded
_WAITING_BYTES = 2_000_000_000  # limit of the recordings whose results wait behind a slow file

Tagged = tuple[Batch, list[FileResult]]


class ModelFile(Protocol):
    """The attributes of a model that are needed here; `model.Model` and `model_file.ModelFile` have them."""

    @property
    def path(self) -> str:
        """Path of the file."""

    @property
    def sha256(self) -> str:
        """SHA-256 of its bytes, hexadecimal."""


def tag_all(
    files: Iterable[AudioFile],
    *,
    model: ModelFile,
    options: Options,
    jobs: int | None,
    timeout_s: float | None = None,
    done: Callable[[FileResult], None] = lambda result: None,
    prestarted: list[Worker] | None = None,
) -> Iterator[FileResult]:
    """Tag recordings, `jobs` at a time.

    Args:
        files: read lazily, in the caller's thread.
        model: the model file; each worker loads it.
        options: options of the run.
        jobs: number of worker processes, None for the number of processors; fewer are used if there is too little
            work to make up for their start.
        timeout_s: longest time for one file, None for no limit. Time in which this process was suspended is not
            counted.
        done: called in the caller's thread with each result of a batch as soon as the batch is tagged, in any order.
        prestarted: workers that `prestart` has started; they are removed from the list.

    Yields:
        One result per file, in the order of `files`. A file whose worker crashes, is killed because memory is short,
        or takes too long, has a failed result.

    Raises:
        ModelError: the model cannot be used, or changed during the run.
        SertagError: `no_workers`, worker processes cannot be started.
    """
    files = iter(files)
    first = list(itertools.islice(files, FEW_FILES))
    if not first:
        return
    prestarted = [] if prestarted is None else prestarted
    prestart(first, jobs=jobs, prestarted=prestarted)
    workers = len(prestarted)
    setup = Setup(model.path, model.sha256, options)
    job = Job(os.urandom(8).hex(), setup, timeout_s, workers)
    pool = SupervisorPool(job, prestarted=prestarted)
    prestarted.clear()
    queue = _Queue(itertools.chain(first, files), jobs=workers)
    # With one thread, tasks run in this thread, and the worker is idle while rows are written.
    threads = 1 if workers == 1 and len(first) < FEW_FILES else max(2, workers)
    with _ended_at_exit() as stack:
        tag = stack.enter_context(_parallel(pool, threads=threads))
        stack.callback(pool.close)
        while queue.fill():
            for batch, results in tag(queue.take()):
                for result in results:
                    done(result)
                yield from queue.in_order(batch, results)
                queue.fill()


def prestart(first: list[AudioFile], *, jobs: int | None, prestarted: list[Worker]) -> None:
    """Start workers before `tag_all`, while this process still loads its modules.

    Args:
        first: the first `FEW_FILES` files, fewer only if there are no more.
        jobs: as for `tag_all`.
        prestarted: missing workers are added to it. If `tag_all` is not called, call `end`.
    """
    if first and not prestarted:
        prestarted.append(Worker())  # it loads its modules while processors are counted
    prestarted.extend(Worker() for _ in range(_worthwhile(first, jobs) - len(prestarted)))


def end(prestarted: list[Worker]) -> None:
    """End prestarted workers that are not used."""
    while prestarted:
        prestarted.pop().end()


def usable_cpus() -> int:
    """Processors that this process may use: affinity and cgroup limits respected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about semaphores, which are not needed to count processors
        import joblib

    return int(joblib.cpu_count())


def _worthwhile(first: list[AudioFile], jobs: int | None) -> int:
    """How many workers are worth their start, if these are all the files or the first `FEW_FILES` of more."""
    size_bytes = sum(file.size_bytes or 0 for file in first)
    little = len(first) < FEW_FILES and size_bytes < _LITTLE_AUDIO_BYTES
    return min(1 if little else jobs or usable_cpus(), len(first))


@contextmanager
def _ended_at_exit() -> Iterator[ExitStack]:
    """A stack that is closed at the exit of the interpreter at the latest: an iterator may never be exhausted."""
    with ExitStack() as stack:
        atexit.register(stack.close)
        stack.callback(atexit.unregister, stack.close)
        yield stack


@contextmanager
def _parallel(pool: SupervisorPool, *, threads: int) -> Iterator[Callable[[Iterator[Batch]], Iterator[Tagged]]]:
    """Yields a function that tags batches and yields results in any order."""
    if threads == 1:  # the same without joblib, whose import takes a fifth of the time of tagging one clip
        yield lambda batches: (tag_batch(batch, pool=pool) for batch in batches)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about semaphores
        from joblib import Parallel, delayed
        from joblib.parallel import ThreadingBackend

    class Threads(ThreadingBackend):  # type: ignore[misc] # joblib has no types
        def terminate(self) -> None:
            pool.close()  # first: a signal that arrives inside joblib comes here before it leaves joblib
            super().terminate()

    running: list[Generator[Tagged, None, None]] = []

    def tag(batches: Iterator[Batch]) -> Iterator[Tagged]:
        running[:] = [parallel(delayed(tag_batch)(batch, pool=pool) for batch in batches)]
        return running[0]

    # Threads are enough, because tasks only wait for their worker process.
    with Parallel(threads, backend=Threads(), return_as="generator_unordered", batch_size=1) as parallel:
        try:
            yield tag
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about results that are not read after a signal
                for tagged in running:
                    tagged.close()


class _Queue:
    """Batches that wait for joblib, and results that wait for earlier files."""

    def __init__(self, files: Iterable[AudioFile], *, jobs: int) -> None:
        self._batches = _batches(files, jobs=jobs)
        self._queued: deque[Batch] = deque()
        self._most_queued = max(_QUEUED, _QUEUED_EACH * jobs)
        self._finished: dict[int, Tagged] = {}  # by batch number
        self._next_number = 0
        self._open_files = self._waiting_bytes = 0  # read and not yielded yet; of results that wait for earlier ones

    def fill(self) -> bool:
        """Read more of the input unless enough batches are queued or wait; False if no batch is queued then."""
        while (
            len(self._queued) < self._most_queued
            and self._open_files < _OPEN_FILES
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


def _batches(files: Iterable[AudioFile], *, jobs: int) -> Iterator[Batch]:
    """Regroup files; the first batches are small, so that the first results come soon."""
    number = size_bytes = 0
    batch: list[AudioFile] = []
    for file in files:
        batch.append(file)
        size_bytes += file.size_bytes or 0
        if len(batch) >= min(_BATCH_FILES, 1 + number // jobs) or size_bytes >= _BATCH_BYTES:
            yield Batch(number, tuple(batch))
            number, batch, size_bytes = number + 1, [], 0
    if batch:
        yield Batch(number, tuple(batch))
