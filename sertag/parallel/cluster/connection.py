"""The cluster as the engine sees it: a process that speaks to the cluster (`driver`), and futures of what it was asked.

Used by `session`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Literal

from sertag.errors import ClusterError
from sertag.parallel.cluster.driver import PROGRAM, Opening, Request
from sertag.parallel.worker import Worker

ClusterBackend = Literal["dask", "ray"]
_CLOSING_S = 8.0


class Connection:
    """A cluster and the process that is connected to it.

    Attributes:
        name: of the cluster, for messages.
        leased: whether its workers outlive this process.
    """

    def __init__(self, opening: Opening) -> None:
        """Connect to a cluster.

        Raises:
            ClusterError: it cannot be reached.
        """
        self.name: str = opening.backend
        self.leased = opening.backend == "dask"  # Ray ends the workers of a client that is gone
        self._lock = threading.Lock()  # of the socket and of the number of the next request
        self._number = 0
        self._waiting: dict[int, Future[Any]] = {0: Future()}
        self._lost: ClusterError | None = None
        self._process = Worker(program=PROGRAM)
        connected = self._waiting[0]
        self._process.submit(opening)
        threading.Thread(target=self._receive, name="sertag-cluster", daemon=True).start()
        try:
            self.name = connected.result()
        except BaseException:
            self.close()
            raise

    def slots(self) -> tuple[int, int]:
        """How many tasks all workers of now can do at the same time, and the largest process of one alone.

        Raises:
            ClusterError: the cluster does not answer.
        """
        found: tuple[int, int] = self._ask("slots").result()
        return found

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Call a function on every worker; its result or the exception, by worker.

        Raises:
            ClusterError: the cluster does not answer.
        """
        found: dict[str, Any] = self._ask("everywhere", function, *arguments).result()
        return found

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call a function.

        The future has an exception if there is no result: `TaskLostError`, or `ClusterError` if the cluster is gone.
        """
        return self._ask("submit", function, *arguments)

    def close(self) -> None:
        """Have workers end what they do for this run, and leave; may be called more than once."""
        self._process.submit(None)
        self._process.wait(_CLOSING_S)
        self._process.kill()

    def _ask(self, what: Literal["slots", "everywhere", "submit"], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._lost is not None:
                future.set_exception(self._lost)
                return future
            self._number += 1
            self._waiting[self._number] = future
            self._process.submit(Request(self._number, what, arguments))
        return future

    def _receive(self) -> None:
        """Settle futures until the driver ends."""
        try:
            while True:
                number, value = self._process.connection.recv()
                with self._lock:
                    future = self._waiting.pop(number)
                if isinstance(value, Exception):
                    future.set_exception(value)
                else:
                    future.set_result(value)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        how, stderr_tail = self._process.end()
        last = "".join(f": {line}" for line in stderr_tail.splitlines()[-1:])
        reason = f"{self.name}: the process that was connected to it {how}{last}"
        with self._lock:
            self._lost = ClusterError(reason, code="cluster_lost")
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            with suppress(InvalidStateError):
                future.set_exception(self._lost)
