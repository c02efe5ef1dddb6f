"""The first worker starts before the run is known to need it, and the process ends without taking memory apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sertag.parallel import engine
from sertag.parallel.worker import Worker
from tests.cli.conftest import Run
from tests.processes import ROOT


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch, run: Run) -> list[list[Worker]]:
    """What `prestart_first` was called with; nothing is started."""
    calls: list[list[Worker]] = []
    monkeypatch.setattr(engine, "prestart_first", calls.append)
    return calls


def test_a_worker_starts_at_once_where_there_is_something_new(run: Run, calls: Path, early: list[Any]) -> None:
    assert run("tag", "calls/a.wav", "-o", "r.csv").returncode == 0
    assert len(early) == 1


def test_no_worker_starts_at_once_where_a_journal_may_know_everything(run: Run, calls: Path, early: list[Any]) -> None:
    run("tag", "calls/a.wav", "-o", "r.csv")
    early.clear()
    assert run("tag", "calls/a.wav", "-o", "r.csv").returncode == 0
    assert early == []
    assert run("tag", "calls/a.wav", "-o", "r.csv", "--no-resume").returncode == 0
    assert len(early) == 1


@pytest.mark.parametrize("more", [("--dry-run",), ("--backend", "dask", "--scheduler", "tcp://localhost:1")])
def test_no_worker_starts_where_none_is_needed(run: Run, calls: Path, early: list[Any], more: tuple[str, ...]) -> None:
    run("tag", "calls/a.wav", "-o", "r.csv", *more)
    assert early == []
    assert run("tag").returncode == 2
    assert early == []


def test_a_worker_that_is_not_needed_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Started:
        ended = 0

        def end(self) -> None:
            Started.ended += 1

    monkeypatch.setattr(engine, "prestart_first", lambda prestarted: prestarted.append(Started()))
    assert run("tag", "missing.wav", "--quiet", "--verbose").returncode == 2  # which exclude each other
    assert Started.ended == 1


COLLECTIONS = (
    "import atexit, gc; seen = []; gc.callbacks.append(lambda phase, _: seen.append(phase)); "
    "atexit.register(lambda: print(len(seen) < 10))"
)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import atexit; atexit.register(print, 'at exit')", b"at exit\n"),
        (COLLECTIONS, b"True\n"),  # some 40 by default
        ("import threading, time; threading.Timer(0.5, print, ['waited for']).start()", b"waited for\n"),
    ],
)
def test_what_waits_for_the_end_still_happens(env: dict[str, str], program: str, expected: bytes) -> None:
    code = f"{program}; import sys; sys.argv[1:] = ['--version']; from sertag.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"sertag ")
    assert done.stdout.endswith(expected)
