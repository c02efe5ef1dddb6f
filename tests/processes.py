"""Runs of `sertag` as processes: their environment, what is left of them, and waiting for what they do."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def environment(model: Path, home: Path) -> dict[str, str]:
    """The environment of a user without settings of their own, and with a model."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SERTAG_", "COV"))}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": paths, "XDG_CONFIG_HOME": str(home / "no-config"), "SERTAG_MODEL": str(model)}
    return clean | own


Start = Callable[..., "subprocess.Popen[bytes]"]


@contextmanager
def sessions(folder: Path, env: Mapping[str, str]) -> Iterator[Start]:
    """A function that starts `sertag` in a session of its own; nothing of it is left afterwards, whatever happens.

    Ctrl-C arrives there as on a terminal, even where the tests themselves ignore it.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, program: str = "", **more: Any) -> subprocess.Popen[bytes]:
        how = ["-c", program] if program else ["-m", "sertag"]
        settings: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | more
        process = subprocess.Popen(
            [sys.executable, *how, *arguments],
            cwd=folder,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            **settings,
        )
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            if process.stderr is not None:
                process.stderr.close()


def members(session: int) -> list[str]:
    """Commands of the live processes of a session."""
    listed = subprocess.run(
        ["ps", "-o", "stat=,args=", "-s", str(session)], capture_output=True, text=True, check=False
    )
    lines = (line.split(None, 1) for line in listed.stdout.splitlines())
    return [line[-1] for line in lines if not line[0].startswith("Z")]


def until(condition: Callable[[], object], what: str, *, seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not reached: {what}"
        time.sleep(0.01)


def read_all(descriptor: int) -> bytes:
    """What a terminal shows until nobody writes to it any more."""
    shown = b""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    while waiting.poll(60_000):
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(descriptor)
    return shown
