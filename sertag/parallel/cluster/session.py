"""A run on a cluster: workers are looked at, batches go out, and what was lost goes out again.

Used by `engine`, in the process of the command.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from sertag.errors import ClusterError, ModelError
from sertag.model.model_file import read
from sertag.parallel.batches import BatchQueue, MeasuredSize
from sertag.parallel.cluster.connection import ClusterBackend, Connection
from sertag.parallel.cluster.driver import Opening
from sertag.parallel.cluster.installation import installation, other_libraries
from sertag.parallel.cluster.node import Answer, Order, Worker, look, mismatch, tag_there, take_model
from sertag.parallel.pool import Batch, Tagged
from sertag.parallel.supervisor import Job, failed
from sertag.parallel.tasks import Run, TaskLostError, on_cluster
from sertag.records import AudioFile, FileResult, Problem
from sertag.text import display_name

_MOST_REPEATED = 3  # how often a batch may come back undone from workers that are there
_THREADS = 8  # of each worker, as long as there is none
_LOOK_S = 15.0
_AHEAD = 2

Outcome = tuple[Batch, Answer | str]  # or why it was lost


@dataclass(slots=True)
class ClusterChoice:
    """Which cluster does the work.

    Attributes:
        backend: `dask` or `ray`.
        address: None for that of the cluster's own configuration, else one is started on this computer.
        say: called with notes for the user.
        at_once: how many batches are tagged at the same time, once that is known.
    """

    backend: ClusterBackend
    address: str | None
    say: Callable[[str], None]
    at_once: int = 0


@contextmanager
def opened(
    choice: ClusterChoice, *, job: Job, jobs: int | None, files: Iterable[AudioFile]
) -> Iterator[tuple[BatchQueue, Run[Tagged]]]:
    """Yields the queue of a run, and a function that has its batches tagged on a cluster.

    Args:
        choice: the cluster.
        job: of the run.
        jobs: batches that are tagged at the same time; None for as many as the workers of now take.
        files: of the run.

    Raises:
        ClusterError: the cluster cannot be reached or used, or is gone.
    """
    with closing(Connection(Opening(choice.backend, choice.address, jobs, job.run_id))) as connection:
        slots, most_of_one = connection.slots()
        session = _Session(connection, _order(job, connection, most_of_one), choice.say)
        session.prepare()
        choice.at_once = at_once = jobs or slots or 1
        size = MeasuredSize(workers=at_once)
        queue = BatchQueue(files, workers=at_once, size=size)
        # Without a limit by the user each worker has its next batch at hand.
        with on_cluster(session.submit, outstanding=jobs or _AHEAD * at_once) as run, session.watched():
            yield queue, lambda batches: session.tagged(run(batches), queue, size)


def _order(job: Job, connection: Connection, most_of_one: int) -> Order:
    setup = replace(job.setup, model_path=os.path.abspath(job.setup.model_path), folder=os.getcwd())
    return Order(replace(job, setup=setup, workers=most_of_one or _THREADS), installation(), connection.leased)


class _Session:
    """A run on a cluster."""

    def __init__(self, connection: Connection, order: Order, say: Callable[[str], None]) -> None:
        self._connection, self._order, self._say = connection, order, say
        self._alone: dict[int, tuple[Batch, list[FileResult]]] = {}  # by number; results of its first files
        self._repeated: Counter[int] = Counter()  # by number of the batch

    def prepare(self) -> None:
        """Check what workers have, and send them the model if one of them lacks it."""
        name, here = self._connection.name, self._order.installation
        found = self._connection.everywhere(look, self._order)
        for worker, what in found.items():
            if not isinstance(what, Worker):
                message = f"{name}: worker {worker} cannot run {here}: {type(what).__name__}: {what}"
                raise ClusterError(f"{message}; install the same version there", code="version")
            there = what.installation
            if (there.version, there.code) != (here.version, here.code):
                raise ClusterError(f"{name}: {mismatch(worker, there, here)}", code="version")
        others = {other_libraries(here, what.installation): worker for worker, what in found.items()}
        for difference, worker in others.items():
            if difference:
                self._say(f"worker {worker} has {difference}; the last digit of a number may be another one")
        if any(what.model is None for what in found.values()):
            self._send_model()

    def submit(self, batch: Batch) -> Future[Outcome]:
        """Have a worker tag a batch; what was lost is a result too, because an exception would end the run."""
        future: Future[Outcome] = Future()

        def settle(theirs: Future[Answer]) -> None:
            error = theirs.exception()
            if error is None or isinstance(error, TaskLostError):
                future.set_result((batch, theirs.result() if error is None else str(error)))
            else:
                future.set_exception(error)

        self._connection.submit(tag_there, batch.files, self._order).add_done_callback(settle)
        return future

    def tagged(self, outcomes: Iterator[Outcome], queue: BatchQueue, size: MeasuredSize) -> Iterator[Tagged]:
        """Yield batches whose files all have a result, and queue again what has to be repeated."""
        for batch, outcome in outcomes:
            if isinstance(outcome, str):
                following = self._after_loss(batch, outcome)
            elif outcome.kind == "tagged":
                size.measured(batch, outcome.work_s)
                following = self._after_results(batch, outcome.results)
            elif outcome.error is not None:
                raise outcome.error
            else:
                following = self._again(batch, outcome)
            if isinstance(following, Batch):
                queue.again(following)
            else:
                yield following

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Say once that there are no workers, whenever there are none."""
        ended = threading.Event()

        def watch() -> None:
            without = False
            while not ended.wait(_LOOK_S):
                try:
                    before, without = without, self._connection.slots() == (0, 0)
                except ClusterError:  # which the next result says
                    return
                if without and not before:
                    self._say(f"{self._connection.name} has no workers; the run waits for them")

        threading.Thread(target=watch, name="sertag-workers", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _after_results(self, batch: Batch, results: list[FileResult]) -> Tagged | Batch:
        """The whole batch, if these are its last results; else the next file of one whose files go alone."""
        if batch.number not in self._alone:
            return batch, results
        whole, found = self._alone[batch.number]
        found += results
        if len(found) < len(whole.files):
            return Batch(whole.number, (whole.files[len(found)],))
        del self._alone[batch.number]
        return whole, found

    def _after_loss(self, batch: Batch, reason: str) -> Tagged | Batch:
        """The next step after workers ended, again and again: its files alone, and then a failed row."""
        if len(batch.files) > 1:
            self._alone[batch.number] = batch, []
            return Batch(batch.number, batch.files[:1])
        path = batch.files[0].path
        message = f"{display_name(path)}: {self._connection.name}: {reason}; is there enough memory for its workers?"
        return self._after_results(batch, [failed(path, Problem("worker_died", message))])

    def _again(self, batch: Batch, outcome: Answer) -> Batch:
        """The batch, after what its worker lacked was sent."""
        self._repeated[batch.number] += 1
        if self._repeated[batch.number] > _MOST_REPEATED:
            lacks = {"no_model": "its model was not kept there", "ended": "its processes were ended by themselves"}
            message = f"{self._connection.name}: a batch was given to workers {_MOST_REPEATED + 1} times"
            raise ClusterError(f"{message}, each time {lacks[outcome.kind]}", code="cluster")
        if outcome.kind == "no_model":
            self._send_model()
        return batch

    def _send_model(self) -> None:
        setup = self._order.job.setup
        _, content = read(setup.model_path)
        if hashlib.sha256(content).hexdigest() != setup.model_sha256:
            raise ModelError(
                f"{setup.model_path}: the model file changed during the run; run again", code="model_changed"
            )
        for worker, what in self._connection.everywhere(take_model, self._order, content).items():
            if isinstance(what, Exception):
                raise ClusterError(f"{self._connection.name}: worker {worker}: {what}", code="no_model_on_worker")
