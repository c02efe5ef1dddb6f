"""Whole processes, measured as a user meets them: wall time, processor time and memory of a command and its workers.

Processor seconds are user and system time of every process that the command started, as the kernel counts it. Memory is
read from `/proc` while the command runs (Linux; None elsewhere), because the kernel's own maximum of a child begins at
the size of the process that started it. MB are 10^6 bytes.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_INTERVAL_S = 0.02
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans of a command become our children, so that their time is counted


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of a command took.

    Attributes:
        wall_s, cpu_s: seconds; cpu_s of all its processes together.
        largest_mb: highest resident memory of any one process.
        together_mb: highest sum of resident memory over all its processes; shared libraries count in each.
        output: of stdout, empty where it was streamed.
    """

    wall_s: float
    cpu_s: float
    largest_mb: float | None
    together_mb: float | None
    output: str


def measure(command: Sequence[str], *, env: Mapping[str, str] | None = None, ok: Sequence[int] = (0,)) -> Measured:
    """Run a command to its end.

    Args:
        command: program and arguments.
        env: added to the environment.
        ok: exit codes that are no failure.

    Raises:
        RuntimeError: it ended with another exit code; the message holds the end of its stderr.
    """
    with tempfile.TemporaryFile("w+") as out, Command(command, env=env, stdout=out) as running:
        wall_s, cpu_s = running.finish(ok)
        out.seek(0)
        return Measured(wall_s, cpu_s, running.largest_mb, running.together_mb, out.read())


class Command:
    """A running command whose memory is watched; a context manager that leaves no process behind."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, stdout: int | IO[str] = subprocess.PIPE
    ) -> None:
        """Start it."""
        _adopt_orphans()
        self._others = frozenset(_children(os.getpid()))  # that are none of the command's, and may live on
        self.largest_mb: float | None = None
        self.together_mb: float | None = None
        self._command = command
        self._errors = tempfile.TemporaryFile("w+")
        self._start_s = time.perf_counter()
        self._process = subprocess.Popen(  # noqa: S603 - the benchmark's own commands
            command, env={**os.environ, **(env or {})}, stdout=stdout, stderr=self._errors, text=True
        )
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """Number of the process that was started."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def lines(self) -> Iterator[str]:
        """Lines of its stdout as they come."""
        if self._process.stdout is not None:
            yield from self._process.stdout

    def resident_mb(self) -> float | None:
        """Resident memory of all its processes now."""
        sizes = [resident_bytes(pid) for pid in _family(self._process.pid)]
        return sum(sizes) / 1e6 if any(sizes) else None

    def finish(self, ok: Sequence[int] = (0,)) -> tuple[float, float]:
        """Wait for its end; wall and processor seconds. See `measure` for what is raised."""
        _, status, usage = os.wait4(self._process.pid, 0)
        wall_s = time.perf_counter() - self._start_s
        self._process.returncode = code = os.waitstatus_to_exitcode(status)  # Popen must not wait again
        self._ended.set()
        self._watcher.join()
        if code not in ok:
            self._errors.seek(0)
            raise RuntimeError(f"{' '.join(self._command)} ended with {code}: {self._errors.read()[-2000:]}")
        return wall_s, usage.ru_utime + usage.ru_stime + _orphans_cpu_s(self._others)

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        self._ended.set()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _watch(self) -> None:
        while not self._ended.wait(_INTERVAL_S):
            family = _family(self._process.pid)
            largest = max((peak_bytes(pid) for pid in family), default=0) / 1e6
            together = sum(resident_bytes(pid) for pid in family) / 1e6
            if largest:
                self.largest_mb = max(self.largest_mb or 0.0, largest)
                self.together_mb = max(self.together_mb or 0.0, together)


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _orphans_cpu_s(others: frozenset[int]) -> float:
    """Processor seconds of processes that outlived the command, such as a resource tracker."""
    total = 0.0
    while orphans := set(_children(os.getpid())) - others:
        for pid in orphans:
            _, _, usage = os.wait4(pid, 0)
            total += usage.ru_utime + usage.ru_stime
    return total


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    return [pid, *(member for child in _children(pid) for member in _family(child))]


def _children(pid: int) -> list[int]:
    try:
        tasks = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # it has ended, or there is no /proc
        return []
    return [int(child) for text in tasks for child in text.split()]


def resident_bytes(pid: int) -> int:
    """Resident memory of a process now; 0 where it is not known."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError):
        return 0


def peak_bytes(pid: int | str = "self") -> int:
    """Highest resident memory of a process so far; 0 where it is not known."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
