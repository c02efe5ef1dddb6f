"""Runs of the command line in a test's own folder, in this process or as a user starts them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.cli.tables.runner import invoke
from tests.conftest import speech_like
from tests.in_process import without_workers
from tests.processes import environment

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

SILENCE = np.zeros(16000, np.float32)


@pytest.fixture
def env(tiny_model: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user without settings of their own, and with a model."""
    return environment(tiny_model, tmp_path)


@pytest.fixture
def process(env: dict[str, str], tmp_path: Path) -> Run:
    """Run `sertag` in the test's folder as a process of its own, with workers."""

    def run(*arguments: str | bytes, **more: Any) -> subprocess.CompletedProcess[bytes]:
        settings: dict[str, Any] = {"cwd": tmp_path, "env": env, "capture_output": True, "timeout": 60} | more
        return subprocess.run([sys.executable, "-m", "sertag", *arguments], **settings)

    return run


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `sertag` in the test's folder without any process: recordings are tagged here, by the same pipeline."""
    monkeypatch.chdir(tmp_path)
    without_workers(monkeypatch)
    for name in list(os.environ):
        if name.startswith("SERTAG_"):
            monkeypatch.delenv(name)

    def run(
        *arguments: str | bytes, env: dict[str, str] = env, input: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        own = {name: value for name, value in env.items() if name.startswith(("SERTAG_", "XDG_", "_SERTAG", "COMP_"))}
        done = invoke(*map(os.fsdecode, arguments), env=own, input=input, prog_name="sertag")
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout_bytes, done.stderr_bytes)

    return run


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call, a mono recording, silence and a file that is no audio."""
    folder = tmp_path_factory.mktemp("recorded")
    stereo = np.stack([speech_like(12, seed=1), speech_like(12, seed=2)], axis=1)
    soundfile.write(folder / "a.wav", stereo, 8000, subtype="ULAW")
    soundfile.write(folder / "b.wav", speech_like(9, seed=3), 8000)
    soundfile.write(folder / "silence.wav", SILENCE, 8000)
    (folder / "text.wav").write_text("this is no audio at all")
    return folder


@pytest.fixture
def calls(tmp_path: Path, recorded: Path) -> Path:
    """A folder `calls` with these recordings."""
    return Path(shutil.copytree(recorded, tmp_path / "calls"))
