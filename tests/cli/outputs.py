"""What a run wrote: the rows of a table, what is left in a folder, what a terminal shows."""

from __future__ import annotations

import csv
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.processes import read_all


def rows(data: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV table."""
    text = data.decode("utf-8", "strict")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def leftovers(folder: Path) -> list[str]:
    """Temporary files of outputs that were not put in place."""
    return [name for name in os.listdir(folder) if name.startswith(".sertag")]


def on_terminal(arguments: list[str], env: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run `sertag` on a terminal of 120 columns: exit code, and what is on the screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sertag", *arguments]
    process = subprocess.Popen(command, cwd=folder, env=env | {"COLUMNS": "120"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = read_all(ours)
    return process.wait(30), screen.decode()
