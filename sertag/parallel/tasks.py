"""joblib: runs batches as its tasks, in threads of this process or on a cluster. Only this module imports it.

joblib's own backends do not fit clusters. That of Dask never reports a task that failed or was cancelled, so the run
would wait for ever for a batch whose workers died, or whose scheduler is gone. That of Ray gives tasks to workers by
chance, not to idle ones, and returns results only when all are there. The backend here hands each task to the cluster
itself and has joblib called when it has come to an end, whatever that is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sertag.parallel.pool import Batch, SupervisorPool, Tagged, tag_batch

if TYPE_CHECKING:
    from concurrent.futures import Future

Result = TypeVar("Result")
Run = Callable[[Iterator[Batch]], Iterator[Result]]


class TaskLostError(Exception):
    """The workers that began a task have ended, one after the other; others may still be there."""


def usable_cpus() -> int:
    """Processors that this process may use: affinity and cgroup limits respected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about semaphores, which are not needed to count processors
        import joblib

    return int(joblib.cpu_count())


@contextmanager
def in_threads(pool: SupervisorPool, *, threads: int) -> Iterator[Run[Tagged]]:
    """Yields a function that tags batches and yields results in any order."""
    if threads == 1:  # the same without joblib, whose import takes a fifth of the time of tagging one clip
        yield lambda batches: (tag_batch(batch, pool=pool) for batch in batches)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about semaphores
        from joblib.parallel import ThreadingBackend

    class Threads(ThreadingBackend):  # type: ignore[misc] # joblib has no types
        def terminate(self) -> None:
            pool.close()  # first: a signal that arrives inside joblib comes here before it leaves joblib
            super().terminate()

    # Threads are enough, because tasks only wait for their worker process.
    with _parallel(Threads(), threads, lambda batch: tag_batch(batch, pool=pool)) as run:
        yield run


@contextmanager
def on_cluster(submit: Callable[[Batch], Future[Result]], *, outstanding: int) -> Iterator[Run[Result]]:
    """Yields a function that has batches tagged on a cluster and yields results in any order.

    Args:
        submit: hands a batch to the cluster. An exception in what it returns ends the run.
        outstanding: how many batches are with the cluster at the same time.
    """
    from joblib.parallel import ParallelBackendBase

    class Futures(ParallelBackendBase):  # type: ignore[misc] # joblib has no types
        supports_retrieve_callback = True

        def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
            self.parallel = parallel
            return n_jobs

        def effective_n_jobs(self, n_jobs: int) -> int:
            return n_jobs

        def submit(self, func: Any, callback: Callable[[Any], None]) -> Future[Result]:
            ((_, (batch,), _),) = func.items
            future = submit(batch)
            future.add_done_callback(callback)
            return future

        apply_async = submit  # its name before joblib 1.5

        def retrieve_result_callback(self, future: Future[Result]) -> list[Result]:
            return [future.result()]

    with _parallel(
        Futures(), max(2, outstanding), submit, pre_dispatch=outstanding
    ) as run:  # one job is not a backend's
        yield run


@contextmanager
def _parallel(
    backend: Any, jobs: int, task: Callable[[Batch], Any], *, pre_dispatch: int | str = "2 * n_jobs"
) -> Iterator[Run[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about semaphores
        from joblib import Parallel, delayed

    running: list[Generator[Any, None, None]] = []

    def run(batches: Iterator[Batch]) -> Iterator[Any]:
        running[:] = [parallel(delayed(task)(batch) for batch in batches)]
        return running[0]

    settings = {"return_as": "generator_unordered", "batch_size": 1, "pre_dispatch": pre_dispatch}
    with Parallel(jobs, backend=backend, **settings) as parallel:
        try:
            yield run
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about results that are not read after a signal
                for results in running:
                    results.close()
