"""Many files at once: batches of them are tasks of joblib, results come in the order of the input.

Files are the unit of work, so a result never depends on how many workers there are or which one it was. All work is
done in worker processes, with one job too: whatever a recording does to the process that reads it, the run goes on.

joblib takes tasks from its source as fast as they are done, however slowly results are read, and it does so in a thread
of its own. So it gets them from a short queue that is filled here, in the thread of the caller, and not filled while
too many results wait behind a slow file. When the queue is empty, the call of joblib ends, and the next one begins.
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

# A worker takes half a second of a processor to start, in which one tags half an hour of stereo telephone audio.
FEW_FILES = 64  # how many are looked at to know whether a second one is worth it

_LITTLE_AUDIO_BYTES = 16_000_000
_BATCH_FILES, _BATCH_BYTES = 16, 500_000  # of one task
# Batches, at least, and for each worker. An empty queue ends a call of joblib, and then all wait for the slowest file.
# So there is enough for the time in which this thread does something else, even of files that fail at once.
_QUEUED, _QUEUED_EACH = 128, 8
_WAITING_FILES, _WAITING_BYTES = 16_000, 2_000_000_000  # whose results wait for their turn behind a slow file

Tagged = tuple[Batch, list[FileResult]]


class ModelFile(Protocol):
    """What has to be known of a model here; `model.Model` and `model_file.ModelFile` will do."""

    @property
    def path(self) -> str:
        """Of the file."""

    @property
    def sha256(self) -> str:
        """Of its bytes."""


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
        model: workers load the file themselves.
        options: of the run.
        jobs: worker processes, None for as many as there are processors; fewer are used where one more would take
            longer to start than to work.
        timeout_s: longest time for one file, None for any. Time in which the whole run stood still does not count.
        done: called in the caller's thread with each result of a batch as soon as that is tagged, whatever its turn.
        prestarted: workers that `prestart` has started; they are taken out of the list.

    Yields:
        One result a file, in the order of `files`. A file that crashes the process that reads it, has it killed for
        want of memory, or takes too long, is a failed result.

    Raises:
        ModelError: the model cannot be used, or changed during the run.
        SertagError: `no_workers`, they cannot be started.
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
    # One thread is this one, and then a worker has nothing to do while rows are written.
    threads = 1 if workers == 1 and len(first) < FEW_FILES else max(2, workers)
    with _ended_at_exit() as held:
        tag = held.enter_context(_parallel(pool, threads=threads))
        held.callback(pool.close)
        while queue.fill():
            for batch, results in tag(queue.take()):
                for result in results:
                    done(result)
                yield from queue.in_order(batch, results)
                queue.fill()


def prestart(first: list[AudioFile], *, jobs: int | None, prestarted: list[Worker]) -> None:
    """Start workers before `tag_all`, while this process still loads what it needs itself.

    Args:
        first: the first `FEW_FILES` files, fewer only if there are no more.
        jobs: as for `tag_all`.
        prestarted: gets the workers that it lacks. Who never comes to `tag_all` has to `end` them.
    """
    if first and not prestarted:
        prestarted.append(Worker())  # it loads while processors are counted
    prestarted.extend(Worker() for _ in range(_worthwhile(first, jobs) - len(prestarted)))


def end(prestarted: list[Worker]) -> None:
    """End workers that nobody has taken over."""
    while prestarted:
        prestarted.pop().end()


def usable_cpus() -> int:
    """Processors that this process may use: affinity and cgroup limits respected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about semaphores, which nobody needs to count
        import joblib

    return int(joblib.cpu_count())


def _worthwhile(first: list[AudioFile], jobs: int | None) -> int:
    """How many workers are worth their start, if these are all the files or the first `FEW_FILES` of more."""
    size_bytes = sum(file.size_bytes or 0 for file in first)
    little = len(first) < FEW_FILES and size_bytes < _LITTLE_AUDIO_BYTES
    return min(1 if little else jobs or usable_cpus(), len(first))


@contextmanager
def _ended_at_exit() -> Iterator[ExitStack]:
    """A stack that is closed at the exit of the interpreter at the latest: an iterator may be left unread."""
    with ExitStack() as held:
        atexit.register(held.close)
        held.callback(atexit.unregister, held.close)
        yield held


@contextmanager
def _parallel(pool: SupervisorPool, *, threads: int) -> Iterator[Callable[[Iterator[Batch]], Iterator[Tagged]]]:
    """Yields a function that tags batches, results in any order."""
    if threads == 1:  # as joblib does it, without its import, which takes a fifth of the time of tagging one clip
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

    # Tasks wait for their worker process, so threads will do.
    with Parallel(threads, backend=Threads(), return_as="generator_unordered", batch_size=1) as parallel:
        try:
            yield tag
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about results that nobody reads after a signal
                for tagged in running:
                    tagged.close()


class _Queue:
    """Batches on their way to joblib, and results on their way back to the order of the input."""

    def __init__(self, files: Iterable[AudioFile], *, jobs: int) -> None:
        self._batches = _batches(files, jobs=jobs)
        self._queued: deque[Batch] = deque()
        self._most_queued = max(_QUEUED, _QUEUED_EACH * jobs)
        self._finished: dict[int, Tagged] = {}  # by number, until it is the turn of that number
        self._turn = 0
        self._waiting_files = self._waiting_bytes = 0

    def fill(self) -> bool:
        """Read more of the input, unless enough is queued or waits; False if nothing is queued then."""
        while (
            len(self._queued) < self._most_queued
            and self._waiting_files < _WAITING_FILES
            and self._waiting_bytes < _WAITING_BYTES
            and (batch := next(self._batches, None)) is not None
        ):
            self._queued.append(batch)
        return bool(self._queued)

    def take(self) -> Iterator[Batch]:
        """What is queued; may be read in another thread."""
        while self._queued:
            yield self._queued.popleft()

    def in_order(self, batch: Batch, results: list[FileResult]) -> Iterator[FileResult]:
        """Results whose turn it is, now that those of one more batch are there."""
        self._wait(batch, sign=1)
        self._finished[batch.number] = batch, results
        while self._turn in self._finished:
            batch, results = self._finished.pop(self._turn)
            self._turn += 1
            self._wait(batch, sign=-1)
            yield from results

    def _wait(self, batch: Batch, *, sign: int) -> None:
        self._waiting_files += sign * len(batch.files)
        self._waiting_bytes += sign * batch.size_bytes


def _batches(files: Iterable[AudioFile], *, jobs: int) -> Iterator[Batch]:
    """Regroup files; the first batches are small, so that the first results are there soon."""
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
