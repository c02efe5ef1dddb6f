"""Runs of `sertag` as processes: their environment, what is left of them, and waiting for what they do."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def environment(model: Path, home: Path) -> dict[str, str]:
    """The environment of a user without settings of their own, and with a model."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SERTAG_", "COV"))}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": paths, "XDG_CONFIG_HOME": str(home / "no-config"), "SERTAG_MODEL": str(model)}
    return clean | own


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
