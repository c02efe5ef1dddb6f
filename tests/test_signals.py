"""Ctrl-C and its like, at any moment and more than once: an exit code, no traceback, a sound terminal, nobody left."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertag import signals
from tests.conftest import RATE_HZ, speech_like
from tests.processes import ROOT, Start, environment, members, read_all, sessions, until

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"  # the cursor


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    soundfile.write(folder / "0000.wav", np.tile(speech_like(20, seed=1), 12), RATE_HZ)
    for number in range(1, 2000):
        (folder / f"{number:04}.wav").symlink_to("0000.wav")
    return folder


@pytest.fixture
def start(many: Path, tiny_model: Path, tmp_path: Path) -> Iterator[Start]:
    """Start a program in a folder with many recordings, in a session of its own."""
    (tmp_path / "many").symlink_to(many)
    (tmp_path / "r.csv").write_text("old")
    with sessions(tmp_path, environment(tiny_model, tmp_path) | {"TERM": "xterm"}) as start:
        yield start


def listens(process: subprocess.Popen[bytes]) -> None:
    """Wait until the command itself, and no longer the interpreter that loads it, takes care of signals."""
    blocked = Path(f"/proc/{process.pid}/status")
    if not blocked.exists():
        pytest.skip("no /proc tells what a process does about signals")
    while not int(blocked.read_text().split("SigBlk:")[1].split()[0], 16) >> signal.SIGINT - 1 & 1:
        time.sleep(0.002)


@pytest.mark.parametrize("delay_s", [0, 0.15, 1])
def test_pressed_twice_at_any_moment_on_a_terminal(start: Start, tmp_path: Path, delay_s: float) -> None:
    ours, theirs = pty.openpty()
    process = start("many", "-o", "r.csv", "-j", "2", stderr=theirs)
    os.close(theirs)
    listens(process)
    time.sleep(delay_s)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        time.sleep(0.05)
    pressed_s = time.monotonic()
    shown = read_all(ours)
    assert process.wait(30) == 130, shown
    assert time.monotonic() - pressed_s < 5  # 2 s by contract; more for a machine that is busy with other tests
    assert b"Traceback" not in shown
    assert b"Exception ignored" not in shown
    assert shown.rfind(SHOW) >= shown.rfind(HIDE)
    assert (tmp_path / "r.csv").read_text() == "old"
    until(lambda: not members(process.pid), "a worker that was being born sees that it is alone", seconds=10)


def test_a_display_that_is_interrupted_at_its_start_shows_the_cursor_again(start: Start) -> None:
    program = """
import rich.live, signal, os, time
hide = rich.live.Live.refresh
def refresh(self):
    hide(self)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
rich.live.Live.refresh = refresh
from sertag.__main__ import main
main()
"""
    ours, theirs = pty.openpty()
    process = start("many", "-o", "r.csv", "-j", "1", program=program, stderr=theirs)
    os.close(theirs)
    shown = read_all(ours)
    assert process.wait(30) == 143
    assert HIDE in shown
    assert shown.rfind(SHOW) > shown.rfind(HIDE)


def test_pressed_while_modules_are_loaded(start: Start) -> None:
    program = """
import os, signal, sys, time
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "sertag.cli.commands":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
sys.meta_path.insert(0, Interrupting())
from sertag.__main__ import main
main()
"""
    process = start(program=program)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == -signal.SIGINT
    assert said == b""


def test_pressed_while_outputs_are_moved_into_place_it_is_too_late(start: Start, tmp_path: Path) -> None:
    program = """
import os, time
replace = os.replace
def slowly(*arguments, **more):
    open("moving", "w").close()
    time.sleep(0.5)
    replace(*arguments, **more)
os.replace = slowly
from sertag.__main__ import main
main()
"""
    process = start("many/0000.wav", "-o", "r.csv", "-q", program=program)
    while not (tmp_path / "moving").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert (process.returncode, said) == (0, b"")
    assert (tmp_path / "r.csv").read_text() != "old"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_workers_are_ended_before_threads(start: Start, tmp_path: Path, signum: signal.Signals) -> None:
    """So that a thread that ends slowly keeps no worker alive; what was to be done at exit is done all the same."""
    program = """
import atexit, subprocess
from multiprocessing.pool import ThreadPool
from sertag.parallel.supervisor import Supervisor
tag, terminate = Supervisor.tag, ThreadPool.terminate
def tagged(self, files):
    open("tagging", "w").close()
    return tag(self, files)
def ended(self):
    command = ["ps", "-e", "-o", "ppid=,stat=,args="]
    open("left", "a").write("threads end\\n" + subprocess.run(command, capture_output=True, text=True).stdout)
    terminate(self)
Supervisor.tag, ThreadPool.terminate = tagged, ended
atexit.register(lambda: open("at_exit", "w").close())
from sertag.__main__ import main
main()
"""
    process = start("many", "-o", "r.csv", "-q", "-j", "2", program=program)
    while not (tmp_path / "tagging").exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signum)
    said = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 128 + signum, said
    assert said.startswith(f"error: stopped by {signum.name}; ")
    left = (tmp_path / "left").read_text()
    assert left.startswith("threads end\n")
    assert [
        line for line in left.splitlines() if line.split()[0] == str(process.pid) and "sertag.parallel" in line
    ] == []
    assert (tmp_path / "at_exit").exists()


def test_what_was_ignored_at_the_start_stays_ignored(start: Start, tmp_path: Path) -> None:
    program = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
from sertag.__main__ import main
main()
"""
    process = start("many", "-o", "r.csv", "-j", "2", program=program)
    listens(process)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 143


SWALLOWED = """
import os, signal, time
from sertag import signals
signals._AGAIN_S = 100  # that it is lost is seen, not waited for
signals.install()
class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)
try:
    Finalised()  # what is raised in there is lost
    try:
        time.sleep(5)
    except BaseException:
        pass  # as a careless library does
    time.sleep(5)
except signals.Stopped as stop:
    print("arrived", stop.exit_code)
"""
UNWINDING = """
import os, signal, time
from sertag import signals
signals.install()
try:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    finally:
        time.sleep(0.6)
        print("ended in order")
except signals.Stopped as stop:
    signals.ignore()
    print("arrived", stop.exit_code)
"""
STRANGER = """
import os, signal, time
from sertag import signals
signals.install()
os.kill(os.getpid(), signal.SIGUSR1)
time.sleep(0.1)
print("nothing happened")
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (SWALLOWED, "arrived 143\n"),
        (UNWINDING, "ended in order\narrived 143\n"),
        (STRANGER, "nothing happened\n"),
    ],
)
def test_the_exception_arrives_and_is_not_raised_again_on_its_way(program: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_by_itself_is_told_once_and_a_second_ctrl_c_ends_it_at_once(first: signal.Signals) -> None:
    program = (
        "import time\n"
        "from sertag import signals\n"
        "signals.install()\n"
        "with signals.handled(lambda _: print('told', flush=True)):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(first)
        assert process.stdout.readline() == "told\n"
        time.sleep(0.3)  # the thread that waits for signals repeats itself
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == -signal.SIGINT


def test_signals_are_handled_only_where_they_were_taken_over() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with signals.handled(lambda _: None):
        assert signal.getsignal(signal.SIGUSR1) == before
