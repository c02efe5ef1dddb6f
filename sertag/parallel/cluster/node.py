"""What runs in a worker of the cluster: batches, tagged by supervised processes that are kept between batches.

Everything here is called by name from another computer. Nothing raises for a recording. The supervised processes end
with the run (`end`), with the process of the worker, and when nobody has asked for them for a while: then the client is
gone, or cannot reach this worker. While the client is there, its driver asks every few seconds (`renew`).
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sertag.errors import SertagError
from sertag.parallel.cluster.installation import Installation, installation
from sertag.parallel.cluster.model_copies import find, keep
from sertag.parallel.pool import SupervisorPool
from sertag.parallel.supervisor import ClosedError, Job
from sertag.records import AudioFile, FileResult

LEASE_S = 60.0
RENEW_S = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker needs to know of a run.

    Attributes:
        job: as on this computer; the path of the model is absolute, and that of the client.
        installation: that of the client.
        leased: whether the processes end if `renew` is not called for `LEASE_S`.
    """

    job: Job
    installation: Installation
    leased: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch.

    Attributes:
        kind: `tagged`; `no_model`: the worker has no model file with that digest; `ended`: its processes were ended, as
            nobody had asked for them; `refused`: the run cannot go on.
        results: one per file if tagged.
        work_s: seconds that it took.
        error: why it was refused.
    """

    kind: Literal["tagged", "no_model", "ended", "refused"]
    results: list[FileResult] = field(default_factory=list)
    work_s: float = 0.0
    error: SertagError | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker says of itself before work: its installation, and where it has the model."""

    installation: Installation
    model: str | None


def look(order: Order) -> Worker:
    """What this worker has."""
    return Worker(installation(), find(order.job.setup.model_path, order.job.setup.model_sha256))


def take_model(order: Order, content: bytes) -> None:
    """Keep the model file on this worker, unless it is here.

    Raises:
        OutputError: it cannot be written.
    """
    if find(order.job.setup.model_path, order.job.setup.model_sha256) is None:
        keep(content)


def tag_there(files: Sequence[AudioFile], order: Order) -> Answer:
    """Tag files on this worker."""
    here = installation()
    if here.version != order.installation.version or here.code != order.installation.code:
        return Answer("refused", error=SertagError(mismatch(platform.node(), here, order.installation), code="version"))
    start_s = time.monotonic()
    try:
        pool = _pool(order)
        if pool is None:
            return Answer("no_model")
        return Answer("tagged", pool.tag(tuple(files)), time.monotonic() - start_s)
    except ClosedError:
        return Answer("ended")
    except SertagError as error:
        named = f"worker {platform.node()}: {error}"
        return Answer("refused", error=type(error)(named, code=error.code))


def mismatch(worker: str, there: Installation, here: Installation) -> str:
    """The message about a worker with another sertag."""
    return f"worker {worker} has {there}, expected {here}; install the same version there"


def renew(run_id: str) -> None:
    """Say that the client of a run is still there."""
    with _lock:
        if run_id in _runs:
            _runs[run_id].until_s = time.monotonic() + LEASE_S


def end(run_id: str) -> None:
    """End the processes of a run; batches of it that are still on their way are not begun."""
    with _lock:
        _ended.append(run_id)
        run = _runs.pop(run_id, None)
    if run is not None:
        run.pool.close()


@dataclass(slots=True)
class _Run:
    pool: SupervisorPool
    until_s: float


_runs: dict[str, _Run] = {}
_ended: deque[str] = deque(maxlen=100)
_lock = threading.Lock()


def _pool(order: Order) -> SupervisorPool | None:
    """The pool of a run in this process; None if the model is not here."""
    run_id, setup = order.job.run_id, order.job.setup
    with _lock:
        if run_id in _ended:
            raise ClosedError
        if run_id not in _runs:
            path = find(setup.model_path, setup.model_sha256)
            if path is None:
                return None
            pool = SupervisorPool(replace(order.job, setup=replace(setup, model_path=os.path.abspath(path))))
            _runs[run_id] = _Run(pool, time.monotonic() + LEASE_S)
            if order.leased:
                threading.Thread(target=_watch, args=(run_id,), name="sertag-lease", daemon=True).start()
        _runs[run_id].until_s = time.monotonic() + LEASE_S
        return _runs[run_id].pool


def _watch(run_id: str) -> None:
    """End the processes of a run when its lease is over."""
    while True:
        time.sleep(RENEW_S)
        with _lock:
            run = _runs.get(run_id)
            if run is None:
                return
            if run.until_s < time.monotonic():
                del _runs[run_id]
                break
    run.pool.close()
