"""Many files in parallel, tagged by worker processes that may crash without ending the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

# Environment of every worker: without it numerical libraries start a thread for each processor in each worker.
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

BACKENDS = ("local", "dask", "ray")  # where the work is done
Backend = Literal["local", "dask", "ray"]

_MODULES = {"dask": "distributed", "ray": "ray"}


def backend_conflict(
    backend: str, scheduler: str | None, *, option: Callable[[str], str] = "--{}".format
) -> str | None:
    """Why the work cannot be done there, whatever the recordings are; None if it can.

    Args:
        backend: one of `BACKENDS`.
        scheduler: address of the cluster.
        option: turns the name of an option into the words of the message; by default those of the command line.

    >>> backend_conflict("local", "tcp://host:8786")
    '--scheduler is the address of a cluster; give --backend dask or --backend ray with it'
    """
    if backend not in BACKENDS:
        return f"{option('backend')} is {backend!r}, expected one of {', '.join(BACKENDS)}"
    if backend == "local":
        needed = f"{option('backend')} dask or {option('backend')} ray"
        return f"{option('scheduler')} is the address of a cluster; give {needed} with it" if scheduler else None
    from importlib.util import find_spec

    if find_spec(_MODULES[backend]) is None:
        message = f"{option('backend')} {backend} needs {_MODULES[backend]}, which is not installed"
        return f"{message}; run: pip install 'sertag[{backend}]', here and where the workers run"
    return None
