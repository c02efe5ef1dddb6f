"""A Dask cluster, for `driver`. Only this module imports Dask."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import dask
import distributed

from sertag.errors import ClusterError
from sertag.parallel.tasks import TaskLostError, usable_cpus

_ANSWER_S = 60.0  # for a worker that is asked what it has
_POLL_S = 0.1


class DaskCluster:
    """Tasks on the workers of a scheduler."""

    leased = True

    def __init__(self, address: str | None, *, workers: int | None) -> None:
        """Connect.

        Args:
            address: of the scheduler, or path of its file (`.json`); None for that of Dask's own configuration, else a
                cluster is started on this computer.
            workers: processes of a cluster that is started here.

        Raises:
            ClusterError: the scheduler cannot be reached.
        """
        _silence()
        self._started: distributed.LocalCluster | None = None
        address = address or dask.config.get("scheduler-address", None)
        if address is None:
            self._started = distributed.LocalCluster(
                n_workers=workers or usable_cpus(), threads_per_worker=1, dashboard_address=None
            )
            address = self._started.scheduler_address
        self.name = f"Dask at {address}"
        self._wait_for_file(str(address))
        how = {"scheduler_file": address} if str(address).endswith(".json") else {"address": address}
        try:
            self._client = distributed.Client(**how, set_as_default=False, name="sertag")
        except (OSError, ValueError, TypeError) as error:  # Dask's timeout is an OSError
            message = f"{self.name}: {error}; is the scheduler running, and can this computer reach it?"
            raise ClusterError(message, code="cluster_unreachable") from error

    def slots(self) -> tuple[int, int]:
        """How many tasks all workers of now can do at the same time, and the largest process of one alone."""
        threads = list(self._client.nthreads().values())
        return sum(threads), max(threads, default=0)

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Call a function on every worker; its result or the exception, by address."""
        found: dict[str, Any] = self._client.run(function, *arguments, on_error="return", callback_timeout=_ANSWER_S)
        return found

    def tell(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on every worker, and wait for none."""
        called = self._client.run(function, *arguments, on_error="ignore", asynchronous=True)
        asyncio.run_coroutine_threadsafe(called, self._client.loop.asyncio_loop)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call a function; Dask gives the task to another worker if the first one ends."""
        future: Future[Any] = Future()
        theirs = self._client.submit(_call(), pickle.dumps((function, arguments)), pure=False)
        theirs.add_done_callback(partial(self._settle, future))
        return future

    def close(self) -> None:
        """Leave the scheduler, which then forgets the tasks."""
        self._client.close(timeout=1)
        if self._started is not None:
            self._started.close(timeout=1)

    def _wait_for_file(self, address: str) -> None:
        """Wait for the file of a scheduler that is being started, for which Dask itself would wait for ever."""
        end = time.monotonic() + dask.utils.parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
        while address.endswith(".json") and not os.path.exists(address):
            if time.monotonic() > end:
                message = f"{self.name}: there is no such file; is the scheduler running, with --scheduler-file, and is"
                message += " the file where this computer reaches it?"
                raise ClusterError(message, code="cluster_unreachable")
            time.sleep(_POLL_S)

    def _settle(self, future: Future[Any], theirs: distributed.Future) -> None:
        try:
            future.set_result(theirs.result())
        except distributed.scheduler.KilledWorker as error:
            future.set_exception(TaskLostError(f"{error.allowed_failures + 1} workers ended while they had it"))
        except Exception as error:
            # Futures are cancelled as soon as the connection is lost. A client that connects again has lost them.
            gone = theirs.cancelled() or self._client.status != "running"
            reason = "the connection to the scheduler was lost" if gone else f"{type(error).__name__}: {error}"
            future.set_exception(ClusterError(f"{self.name}: {reason}", code="cluster_lost" if gone else "cluster"))


def _call() -> Callable[[bytes], Any]:
    """A function that calls another one.

    It is pickled by value, since it has no name in a module, and what it calls is bytes to the scheduler. The scheduler
    loads tasks, and would need sertag too.
    """

    def call(what: bytes) -> Any:
        import pickle

        function, arguments = pickle.loads(what)  # noqa: S301 - from the client, which may run anything on its cluster
        return function(*arguments)

    return call


def _silence() -> None:
    """Keep Dask's own messages from stderr, which is for messages of the run."""
    for name in ("distributed", *(name for name in logging.root.manager.loggerDict if name.startswith("distributed."))):
        logging.getLogger(name).setLevel(logging.CRITICAL)
