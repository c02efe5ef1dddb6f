"""A Ray cluster, for `driver`. Only this module imports Ray.

Tasks are Ray's own, not `ray.util.joblib`, whose pool hands tasks to its actors by chance. Ray ends the processes of a
client that is gone, and with them the supervised ones. If the connection is lost, it ends the driver after a minute.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

# Nothing leaves the computer that nobody asked for, and read when Ray is imported.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray.exceptions import RayError, RaySystemError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sertag.errors import ClusterError
from sertag.parallel.tasks import TaskLostError, usable_cpus

_CONNECT_S = 30.0  # for the port of the cluster; Ray itself would try for minutes
_PORT = 6379  # Ray's default
_CLIENT = "ray://"
_ANSWER_S = 300.0  # for a worker that is asked what it has; processes are started for it


class RayCluster:
    """Tasks on the nodes of a Ray cluster."""

    leased = False

    def __init__(self, address: str | None, *, workers: int | None) -> None:
        """Connect.

        Args:
            address: of a node (`host:6379`, from a computer of the cluster), of Ray's client server
                (`ray://host:10001`, from anywhere), or `auto`; None for that of `RAY_ADDRESS`, else a cluster is
                started on this computer.
            workers: processes of a cluster that is started here.

        Raises:
            ClusterError: it cannot be reached.
        """
        address = address or os.environ.get("RAY_ADDRESS")
        self.name = f"Ray at {address}" if address else "Ray on this computer"
        by_client = (address or "").startswith(_CLIENT)
        if address not in (None, "auto") and not by_client:
            self._check_port(str(address))
        started = {} if address else {"num_cpus": workers or usable_cpus(), "include_dashboard": False}
        try:
            # `local`, because without an address Ray looks for a cluster that it remembers on this computer.
            _connect(address or "local", **started)
        except Exception as error:  # of many kinds, some of them of gRPC
            if by_client:  # not before: a connection without any words makes what `_connect` says more likely
                self._check_port(str(address))
            hint = "has the cluster a token (RAY_AUTH_MODE), and the same versions of Ray and Python?"
            raise ClusterError(f"{self.name}: {_reason(error)}; {hint}", code="cluster_unreachable") from error

    def slots(self) -> tuple[int, int]:
        """How many tasks all nodes of now can do at the same time; a process of Ray does one."""
        return int(ray.cluster_resources().get("CPU", 0)), 1

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Call a function on every node; its result or the exception, by name of the node."""
        here = ray.remote(function)
        asked = {}
        for node in ray.nodes():
            if node["Alive"] and node["Resources"].get("CPU"):
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                task = here.options(num_cpus=0, scheduling_strategy=there)
                asked[f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"] = task.remote(*arguments)
        found: dict[str, Any] = {}
        for name, reference in asked.items():
            try:
                found[name] = ray.get(reference, timeout=_ANSWER_S)
            except RayTaskError as error:
                found[name] = error.cause
            except RayError as error:
                found[name] = RuntimeError(str(error).strip().splitlines()[0])
        return found

    def tell(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Not needed: see `leased`."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call a function; Ray tries again if its process ends, at most three times."""
        future: Future[Any] = Future()
        task = ray.remote(function).options(num_cpus=1, max_retries=3)
        reference = task.remote(*arguments)
        reference.future().add_done_callback(partial(self._settle, future))
        return future

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        ray.shutdown()

    def _check_port(self, address: str) -> None:
        host, _, port = address.removeprefix(_CLIENT).rpartition(":")
        try:
            with socket.create_connection((host.strip("[]") or port, int(port) if host else _PORT), _CONNECT_S):
                return
        except (OSError, ValueError) as error:
            message = f"{self.name}: {error}; is the cluster running, and can this computer reach it?"
            raise ClusterError(message, code="cluster_unreachable") from error

    def _settle(self, future: Future[Any], theirs: Future[Any]) -> None:
        error = theirs.exception()
        if error is None:
            future.set_result(theirs.result())
        elif isinstance(error, RayError) and not isinstance(error, (RayTaskError, RaySystemError)):
            future.set_exception(TaskLostError("its processes ended, and those that tried again"))
        else:
            reason = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
            future.set_exception(ClusterError(f"{self.name}: {reason}", code="cluster"))


def _connect(address: str, **started: Any) -> None:
    """Connect, again where the client server could not start the process for this client.

    It forks while gRPC is at work in other threads, and then the new process may end at once: seen in 4 of some 50
    connections (Ray 2.60, grpcio 1.85).
    """
    for last in (False, False, True):
        try:
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **started)
            return
        except ConnectionAbortedError:
            if last:
                raise


def _reason(error: Exception) -> str:
    """An exception in one line; those of Ray's server have a traceback, and what happened at its end."""
    first, *rest = f"{type(error).__name__}: {error}".strip().splitlines()
    return f"{first} {rest[-1].strip()}" if rest else first
