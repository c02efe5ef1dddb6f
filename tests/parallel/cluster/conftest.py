"""Runs of the command line on clusters, with recordings whose names say what they do to their worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import soundfile

from tests.conftest import speech_like

ROOT = Path(__file__).parents[3]
LONG_AGO_NS = 1_772_442_061_123_456_789
ENDED_S = 150.0  # the longest wait for what takes a second on a computer that has nothing else to do


@dataclass
class Command:
    """`sertag` in a folder of its own.

    Attributes:
        folder: working folder.
        env: environment.
        started: processes, ended with the test.
    """

    folder: Path
    env: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str, **settings: object) -> subprocess.Popen[bytes]:
        """Start it, in a session of its own."""
        command = [sys.executable, "-m", "sertag", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.env,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **{"stdout": subprocess.PIPE, **settings},
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, **settings: object) -> tuple[int, str]:
        """Run it: exit code, and what it says."""
        return finished(self.start(*arguments, **settings))

    def stored(self, out: str) -> int:
        """Results in the journal of a table."""
        journal = self.folder / f"{out}.journal"
        return journal.read_bytes().count(b"]]]\n") if journal.exists() else 0


@pytest.fixture
def sertag(tiny_model: Path, tmp_path: Path) -> Iterator[Command]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SERTAG_", "COV", "DASK_"))}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": paths, "XDG_CONFIG_HOME": str(tmp_path / "no-config"), "SERTAG_MODEL": str(tiny_model)}
    command = Command(tmp_path, clean | own)
    yield command
    for process in command.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "sound"
    soundfile.write(path, speech_like(6), 8000, format="WAV", subtype="ULAW")
    return path


@pytest.fixture
def calls(tmp_path: Path, sound: Path) -> Callable[..., Path]:
    """Make a folder of recordings with these names; `waits_…` takes 0.7 s of its worker, `kills_…` ends it."""

    def make(*names: str) -> Path:
        folder = tmp_path / "calls"
        folder.mkdir()
        for name in names:
            shutil.copy(sound, folder / name)
            os.utime(folder / name, ns=(LONG_AGO_NS, LONG_AGO_NS))
        return folder

    return make


def finished(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    said = process.communicate(timeout=240)[1]
    return process.returncode, said.decode()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + ENDED_S
    while not condition():
        assert time.monotonic() < deadline, f"not reached: {what}"
        time.sleep(0.05)


def supervised(*parents: int) -> list[str]:
    """Processes in which recordings are tagged, below these."""
    listed = subprocess.run(
        ["ps", "-ww", "-e", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return [
        row[0] for row in rows if int(row[1]) in parents and row[2][0] != "Z" and "sertag.parallel.worker" in row[3]
    ]


def names(kind: str, count: int) -> list[str]:
    return [f"{kind}_{number:02d}.wav" for number in range(count)]


def assert_same_tables(sertag: Command, suffix: str, on_cluster: list[str]) -> None:
    """Tables of `calls`, where one file is no audio, from this computer and from a cluster."""
    for where, arguments in (("here", []), ("there", on_cluster)):
        code, said = sertag.run("calls", "-o", f"{where}.{suffix}", "--segments", f"{where}-s.csv", *arguments)
        assert code == 1, said
        assert said.count("\n") == 2, said  # the file that is no audio, and the sum
    for name in (f".{suffix}", "-s.csv"):
        assert (sertag.folder / f"there{name}").read_bytes() == (sertag.folder / f"here{name}").read_bytes()
