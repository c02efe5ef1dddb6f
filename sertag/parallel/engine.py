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
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

from sertag.parallel.batches import BatchQueue, BatchSize
from sertag.parallel.pool import SupervisorPool, Tagged
from sertag.parallel.supervisor import Job
from sertag.parallel.tasks import Run, in_threads, usable_cpus
from sertag.parallel.worker import Setup, Worker
from sertag.records import AudioFile, FileResult, Options

if TYPE_CHECKING:
    from sertag.parallel.cluster.session import ClusterChoice

# A worker needs half a second of processor time to start, enough to tag half an hour of stereo telephone audio.
FEW_FILES = 64  # how many files are inspected to decide whether a second worker is worth its start

_LITTLE_AUDIO_BYTES = 16_000_000


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
    cluster: ClusterChoice | None = None,
) -> Iterator[FileResult]:
    """Tag recordings, `jobs` at a time.

    Args:
        files: read lazily, in the caller's thread.
        model: the model file; each worker loads it.
        options: options of the run.
        jobs: number of worker processes, None for the number of processors; fewer are used if there is too little
            work to make up for their start. On a cluster, how many batches are tagged at the same time, None for as
            many as its workers take.
        timeout_s: longest time for one file, None for no limit. Time in which this process was suspended is not
            counted.
        done: called in the caller's thread with each result of a batch as soon as the batch is tagged, in any order.
        prestarted: workers that `prestart` has started; they are removed from the list.
        cluster: does the work; None for this computer.

    Yields:
        One result per file, in the order of `files`. A file whose worker crashes, is killed because memory is short,
        or takes too long, has a failed result.

    Raises:
        ModelError: the model cannot be used, or changed during the run.
        SertagError: `no_workers`, worker processes cannot be started.
        ClusterError: the cluster cannot be reached or used, or is gone.
    """
    files = iter(files)
    first = list(itertools.islice(files, FEW_FILES))
    if not first:
        return
    setup = Setup(model.path, model.sha256, options)
    with _ended_at_exit() as stack:
        everything = itertools.chain(first, files)
        if cluster is None:
            workers = [] if prestarted is None else prestarted
            prestart(first, jobs=jobs, prestarted=workers)
            queue, tag = _local(stack, setup, timeout_s, workers, few=len(first) < FEW_FILES, files=everything)
        else:
            from sertag.parallel.cluster.session import opened

            job = Job(os.urandom(8).hex(), setup, timeout_s, workers=1)
            queue, tag = stack.enter_context(opened(cluster, job=job, jobs=jobs, files=everything))
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


def prestart_first(prestarted: list[Worker]) -> None:
    """Start one worker before anything is known of the files, so that it loads its modules while this process does.

    Args:
        prestarted: the worker is added to it, for `prestart` and `tag_all`, or for `end` if there is nothing to tag.
    """
    prestarted.append(Worker())


def end(prestarted: list[Worker]) -> None:
    """End prestarted workers that are not used."""
    while prestarted:
        prestarted.pop().end()


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


def _local(
    stack: ExitStack,
    setup: Setup,
    timeout_s: float | None,
    prestarted: list[Worker],
    *,
    few: bool,
    files: Iterable[AudioFile],
) -> tuple[BatchQueue, Run[Tagged]]:
    """The queue, and a function that has batches tagged by workers of this computer until the stack is closed."""
    workers = len(prestarted)
    pool = SupervisorPool(Job(os.urandom(8).hex(), setup, timeout_s, workers), prestarted=prestarted)
    prestarted.clear()
    # With one thread, tasks run in this thread, and the worker is idle while rows are written.
    run = stack.enter_context(in_threads(pool, threads=1 if workers == 1 and few else max(2, workers)))
    stack.callback(pool.close)
    return BatchQueue(files, workers=workers, size=BatchSize()), run
