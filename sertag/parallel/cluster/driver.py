"""The process that speaks to the cluster, on the computer of the client: tasks from a socket, outcomes back into it.

Used by `connection`. Clients of clusters write to standard output and to the terminal, take over signals, and may end
their process when their scheduler is gone. Here that costs a process that nobody misses: the run ends with a message.

Signals have no effect here, because a Ctrl-C in the terminal is for the parent. When the parent closes the socket, or
ends however it may, this process ends what workers still do for it, and itself.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Literal, Protocol

from sertag.errors import ClusterError
from sertag.parallel.cluster.node import RENEW_S, end, renew
from sertag.signals import SIGNALS

PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from sertag.parallel.cluster.driver import main; main(int(sys.argv[1]))"
)
_CLOSING_S = 5.0  # for a cluster that does not answer any more


class Cluster(Protocol):
    """A cluster, as `on_dask` and `on_ray` have it."""

    name: str  # for messages
    leased: bool  # whether workers outlive the client, so that they must be told that it is there

    def slots(self) -> tuple[int, int]:
        """How many tasks all workers of now can do at the same time, and the largest process of one alone."""

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Call a function on every worker; its result or the exception, by worker."""

    def tell(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on every worker, and wait for none."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call a function.

        The future has an exception if there is no result: `TaskLostError`, or `ClusterError` if the cluster is gone.
        """

    def close(self) -> None:
        """Leave the cluster; what this process has started of it is ended."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The first message to the driver: which cluster, and the run for which workers keep processes."""

    backend: Literal["dask", "ray"]
    address: str | None
    workers: int | None  # of a cluster that is started here, because there is no address
    run_id: str


@dataclass(frozen=True, slots=True)
class Request:
    """A message to the driver; the answer is `number` with the result, or an exception."""

    number: int
    what: Literal["slots", "everywhere", "submit"]
    arguments: tuple[Any, ...] = ()


def main(descriptor: int) -> None:
    """Run in the driver process until the parent closes the socket."""
    for signum in SIGNALS:
        signal.signal(signum, lambda *_: None)  # unlike SIG_IGN, not inherited by processes of a local cluster
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    connection: Connection[Any, Any] = Connection(descriptor)
    opening = connection.recv()
    try:
        cluster = _open(opening)
    except ClusterError as error:
        connection.send((0, error))
        return
    ended = threading.Event()
    if cluster.leased:
        threading.Thread(target=_renew, args=(cluster, opening.run_id, ended), daemon=True).start()
    try:
        _serve(connection, cluster)
    finally:
        ended.set()
        threading.Thread(target=_leave, args=(cluster, opening.run_id), daemon=True).start()
        time.sleep(_CLOSING_S)
        os._exit(1)


def _open(opening: Opening) -> Cluster:
    if opening.backend == "dask":
        from sertag.parallel.cluster.on_dask import DaskCluster

        return DaskCluster(opening.address, workers=opening.workers)
    from sertag.parallel.cluster.on_ray import RayCluster

    return RayCluster(opening.address, workers=opening.workers)


def _serve(connection: Connection[Any, Any], cluster: Cluster) -> None:
    """Answer requests until the parent is gone."""
    lock = threading.Lock()

    def answer(number: int, value: Any) -> None:
        try:
            with lock:
                connection.send((number, value))
        except OSError:  # the parent is gone, which `recv` says too
            return

    def settle(number: int, future: Future[Any]) -> None:
        error = future.exception()
        answer(number, future.result() if error is None else error)

    answer(0, cluster.name)
    while True:
        try:
            request: Request | None = connection.recv()
        except (EOFError, OSError):
            return
        if request is None:
            return
        if request.what == "submit":
            future = cluster.submit(*request.arguments)
            future.add_done_callback(partial(settle, request.number))
            continue
        try:
            answer(request.number, getattr(cluster, request.what)(*request.arguments))
        except Exception as error:
            answer(request.number, ClusterError(f"{cluster.name}: {type(error).__name__}: {error}", code="cluster"))


def _renew(cluster: Cluster, run_id: str, ended: threading.Event) -> None:
    while not ended.wait(RENEW_S):
        cluster.tell(renew, run_id)


def _leave(cluster: Cluster, run_id: str) -> None:
    """End the processes of the run on all workers, leave the cluster, and end this process."""
    try:
        if cluster.leased:
            cluster.everywhere(end, run_id)
    finally:
        cluster.close()
        os._exit(0)
