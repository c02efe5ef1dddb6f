"""The task that `engine` runs in parallel: one batch of files, tagged by a worker process.

No recording makes `tag_batch` fail. Workers are reused for the next batch, because a start takes half a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from queue import LifoQueue

from sertag.parallel.supervisor import ClosedError, Job, NoWorkersError, Supervisor
from sertag.parallel.worker import Worker
from sertag.records import AudioFile, FileResult


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that are tagged by one task; for short clips, submitting a task takes as long as tagging.

    Attributes:
        number: 0, 1, ... in the order of the input.
        files: at least one.
    """

    number: int
    files: tuple[AudioFile, ...]

    @property
    def size_bytes(self) -> int:
        """Total size of the files, as far as known."""
        return sum(file.size_bytes or 0 for file in self.files)


Tagged = tuple[Batch, list[FileResult]]


def tag_batch(batch: Batch, *, pool: SupervisorPool) -> Tagged:
    """Tag the files of a batch.

    Args:
        batch: the files to tag.
        pool: pool of the run in this process.

    Returns:
        The batch, and one result per file, in order.

    Raises:
        SertagError: no worker process can be started, or the model cannot be used.
        ClosedError: the run has ended.
    """
    return batch, pool.tag(batch.files)


class SupervisorPool:
    """Supervisors of one run in one process; each tags one batch at a time."""

    def __init__(self, job: Job, *, prestarted: Iterable[Worker] = ()) -> None:
        """Create the pool; no process is started.

        Args:
            job: job of the run.
            prestarted: workers that are already running; the pool ends them.
        """
        self._job = job
        self._supervisors = [Supervisor(job, worker=worker) for worker in prestarted]
        self._supervisors += [Supervisor(job) for _ in range(job.workers - len(self._supervisors))]
        self._lock = threading.Lock()
        self._idle: LifoQueue[Supervisor | None] = LifoQueue()  # last in, first out: it is most likely ready
        for supervisor in reversed(self._supervisors):
            self._idle.put(supervisor)

    def tag(self, files: tuple[AudioFile, ...]) -> list[FileResult]:
        """Tag files as soon as a supervisor is idle; see `Supervisor.tag`."""
        while True:
            supervisor = self._idle.get()
            if supervisor is None:
                self._idle.put(None)  # for the next thread that waits
                raise ClosedError
            try:
                return supervisor.tag(files)
            except NoWorkersError:
                if not self._remove(supervisor):
                    raise
            finally:
                if supervisor in self._supervisors:
                    self._idle.put(supervisor)

    def close(self) -> None:
        """End all workers; may be called more than once."""
        with self._lock:
            for supervisor in self._supervisors:
                supervisor.kill()  # all at once: the end of a process takes a while
            for supervisor in self._supervisors:
                supervisor.close()
        self._idle.put(None)

    def _remove(self, supervisor: Supervisor) -> bool:
        """Remove a supervisor that cannot start a worker, unless it is the last: memory may suffice for fewer."""
        with self._lock:
            if len(self._supervisors) == 1:
                return False
            self._supervisors.remove(supervisor)
            return True
