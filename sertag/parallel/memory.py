"""How many workers fit into memory: what is free, and what one of them needs.

Used by `engine`. Standard library only. What is free is the least of what the system and the control groups of this
process leave; where neither says anything, as outside of Linux, memory does not limit the workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from sertag.text import display_name

# Measured with bundled models and with larger ones of other people's making, see docs/models.md.
_LIBRARIES_BYTES = 130_000_000
_MODEL_TIMES = 4  # bytes of the file, the graph, weights in the layout of the runtime, intermediate values
_SHARE = 0.9  # of what is free; the rest is for this process and for what grows

_ROOT = Path("/")


def worker_bytes(model_path: str) -> int:
    """What a worker with a model may need, bytes."""
    size_bytes = os.path.getsize(model_path) if os.path.exists(model_path) else 0
    return _LIBRARIES_BYTES + _MODEL_TIMES * size_bytes


def available_bytes(root: Path = _ROOT) -> int | None:
    """Memory that this process may still take, bytes; None where nothing says it.

    Args:
        root: folder with `proc` and `sys`.
    """
    found = [left for left in (_system_bytes(root), *_group_bytes(root)) if left is not None]
    return max(0, min(found)) if found else None


def fitting_jobs(model_path: str, *, root: Path = _ROOT) -> int | None:
    """How many workers with a model fit into memory, at least one; None where that is not known."""
    left = available_bytes(root)
    return None if left is None else max(1, int(_SHARE * left / worker_bytes(model_path)))


def shortage(model_path: str, *, jobs: int | None, cpus: int, root: Path = _ROOT) -> str | None:
    """What a user should know where memory is short for the workers; None where it is not.

    Args:
        model_path: of the model file.
        jobs: what the user wants; None for what is chosen.
        cpus: processors.
        root: as for `available_bytes`.
    """
    left, fitting = available_bytes(root), fitting_jobs(model_path, root=root)
    if left is None or fitting is None or (jobs or cpus) <= fitting:
        return None
    each = f"a worker with {display_name(model_path)} may need {worker_bytes(model_path) / 1e9:.1f} GB"
    free = f"{each}, and {left / 1e9:.1f} GB are free"
    if jobs is None:
        return f"{fitting} of {cpus} processors are used: {free}; --jobs can choose another number"
    return f"--jobs {jobs} may be too many: {free}; --jobs {fitting} fits"


def limited_jobs(
    model_path: str,
    *,
    jobs: int | None,
    files: int,
    count_cpus: Callable[[], int],
    warn: Callable[[str], None],
    root: Path = _ROOT,
) -> int | None:
    """How many workers to use: what the user wants, or as many as memory permits where nothing is wanted.

    Args:
        model_path: of the model file.
        jobs: what the user wants; None for the number of processors.
        files: how many there are, as far as they were looked at.
        count_cpus: counts processors; is called only where memory may be short, because that takes a while.
        warn: hears where memory is short.
        root: as for `available_bytes`.

    Returns:
        `jobs`, or fewer than there are processors.
    """
    fitting = fitting_jobs(model_path, root=root)
    if fitting is None or min(jobs or os.cpu_count() or 1, files) <= fitting:
        return jobs
    cpus = min(count_cpus(), files)
    if text := shortage(model_path, jobs=jobs, cpus=cpus, root=root):
        warn(text)
    return jobs or min(cpus, fitting)


def _system_bytes(root: Path) -> int | None:
    return _entry(root / "proc/meminfo", "MemAvailable:", unit=1024)


def _group_bytes(root: Path) -> Iterator[int | None]:
    """What each control group of this process leaves, of version 2 and 1; pages of files can be given up."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names = ("memory.max", "memory.current", "inactive_file")
            yield from _left(root / "sys/fs/cgroup", path, names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left(root / "sys/fs/cgroup/memory", path, names)


def _left(mount: Path, path: str, names: tuple[str, str, str]) -> Iterator[int | None]:
    """What a group and those above it leave; inside of a container, its own group is the mounted one."""
    limit, usage, inactive = names
    inner = PurePosixPath(path.lstrip("/"))
    for place in (inner, *inner.parents):
        folder = mount / place
        most, used = _number(folder / limit), _number(folder / usage)
        if most is not None and used is not None:
            yield most - used + (_entry(folder / "memory.stat", inactive, unit=1) or 0)


def _entry(path: Path, name: str, *, unit: int) -> int | None:
    for line in _lines(path):
        key, _, value = line.partition(" ")
        if key == name:
            return int(value.split()[0]) * unit
    return None


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdigit() else None  # `max` is no limit


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
