"""Where streams, terminals and signals matter: real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from tests.cli.conftest import Run
from tests.cli.outputs import leftovers, on_terminal
from tests.conftest import speech_like
from tests.processes import members, sessions, until


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_standard_output_is_5(process: Run, calls: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = process("calls/b.wav", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 5
    assert b"No space left" in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_closed_standard_output_is_5(process: Run, calls: Path) -> None:
    done = process("calls/b.wav", preexec_fn=lambda: os.close(1))
    assert done.returncode == 5
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_reader_that_leaves_ends_it_quietly(env: dict[str, str], calls: Path, tmp_path: Path, jobs: str) -> None:
    for index in range(150):  # enough for workers to be started and for the pipe to be full
        (calls / f"copy{index}.wav").symlink_to("b.wav")
    command = [sys.executable, "-m", "sertag", "calls", "-f", "jsonl", "-j", jobs]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["path"] == "calls/a.wav"
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(30) == 141  # 128 + SIGPIPE, as a shell reports `cat`
    assert said == b""


def test_on_a_terminal_a_table_is_shown_and_names_do_nothing(env: dict[str, str], calls: Path, tmp_path: Path) -> None:
    shutil.copy(calls / "b.wav", calls / "\x1b[31mred.wav")
    code, screen = on_terminal(["calls"], env | {"TERM": "xterm"}, tmp_path)
    assert code == 1
    assert "confidence" in screen
    assert r"\x1b[31mred.wav" in screen
    assert "\x1b[31mred.wav" not in screen
    assert "times real time" in screen


def test_no_color_is_honoured(env: dict[str, str], calls: Path, tmp_path: Path) -> None:
    _, screen = on_terminal(["calls", "--no-progress"], env | {"TERM": "xterm", "NO_COLOR": "1"}, tmp_path)
    assert "\x1b[3" not in screen


def test_csv_on_a_terminal_is_escaped_too(env: dict[str, str], calls: Path, tmp_path: Path) -> None:
    shutil.copy(calls / "b.wav", calls / "\x1b[31mred.wav")
    _, screen = on_terminal(["calls", "-f", "csv"], env | {"TERM": "xterm"}, tmp_path)
    assert "\x1b" not in screen
    assert r"calls/\x1b[31mred.wav,0,,ok" in screen


@pytest.mark.parametrize(
    ("signum", "code", "jobs"), [(signal.SIGINT, 130, "2"), (signal.SIGTERM, 143, "1"), (signal.SIGHUP, 143, "2")]
)
def test_signal_ends_the_run_in_order(
    env: dict[str, str], tmp_path: Path, signum: signal.Signals, code: int, jobs: str
) -> None:
    many = tmp_path / "many"
    many.mkdir()
    soundfile.write(tmp_path / "call.wav", speech_like(30, seed=1), 8000)
    for index in range(1000):
        (many / f"{index:04d}.wav").symlink_to("../call.wav")
    (tmp_path / "r.csv").write_text("old")
    with sessions(tmp_path, env) as start:
        process = start("many", "-o", "r.csv", "-j", jobs, "--log-file", "log")
        until(lambda: (size_of(tmp_path, "r.csv.journal") or 0) > 10_000, "recordings are being tagged")
        assert size_of(tmp_path, ".sertag") is not None  # the new table
        process.send_signal(signum)
        started = time.monotonic()
        said = process.communicate(timeout=30)[1]
        assert process.returncode == code
        assert time.monotonic() - started < 5  # 2 s by contract; more for a machine that is busy with other tests
        assert b"Traceback" not in said
        assert b"stopped by" in said
        assert (tmp_path / "r.csv").read_text() == "old"
        assert leftovers(tmp_path) == []
        until(lambda: not members(process.pid), "no worker is left")


def size_of(folder: Path, prefix: str) -> int | None:
    return next((path.stat().st_size for path in folder.glob(f"{prefix}*")), None)
