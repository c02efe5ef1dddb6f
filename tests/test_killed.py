"""Runs that are killed, stopped, started twice or short of disk: real processes, and the cron line of the README."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import speech_like
from tests.processes import ROOT, Start, environment, members, sessions, until

LONG_AGO_NS = 1_772_442_061_123_456_789
FILES = 100
RUN = ("calls", "--roles", "agent,customer", "-o", "r.csv", "--segments", "s.csv")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Recordings of four lengths, one of which is no audio."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(3):
        samples = np.stack([speech_like(6 + 6 * number, seed=number), speech_like(6 + 6 * number, seed=9)], axis=1)
        soundfile.write(folder / f"{number}.wav", samples, 8000, subtype="ULAW")
    (folder / "3.wav").write_text("no audio")
    return sorted(folder.iterdir())


@pytest.fixture
def calls(tmp_path: Path, sounds: list[Path]) -> Path:
    return many(tmp_path / "calls", sounds)


def many(folder: Path, sounds: list[Path]) -> Path:
    """A folder of many recordings."""
    folder.mkdir()
    for number in range(FILES):
        path = folder / f"{number:03d}.wav"
        shutil.copy(sounds[number % 4], path)
        os.utime(path, ns=(LONG_AGO_NS + number, LONG_AGO_NS + number))
    return folder


@pytest.fixture(scope="module")
def undisturbed(sounds: list[Path], tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The tables of rows and of windows of a run that nobody ended."""
    folder = tmp_path_factory.mktemp("undisturbed")
    many(folder / "calls", sounds)
    with sessions(folder, environment(tiny_model, folder)) as start:
        assert finished(start(*RUN, "-j", "2"))[0] == 1
    return [(folder / name).read_bytes() for name in ("r.csv", "s.csv")]


@pytest.fixture
def env(tiny_model: Path, tmp_path: Path) -> dict[str, str]:
    return environment(tiny_model, tmp_path)


@pytest.fixture
def start(env: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    with sessions(tmp_path, env) as start:
        yield start


def finished(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    said = process.communicate(timeout=120)[1]
    return process.returncode, said.decode()


def kept(folder: Path, out: str) -> int:
    """Results in the journal."""
    journal = folder / f"{out}.journal"
    return journal.read_bytes().count(b"]]]\n") if journal.exists() else 0


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_again_and_again_the_result_is_that_of_an_undisturbed_run(
    start: Start, calls: Path, undisturbed: list[bytes], tmp_path: Path, jobs: str
) -> None:
    (tmp_path / "r.csv").write_text("old")
    for wanted in (0, 9):
        process = start(*RUN, "-j", jobs)
        until(lambda wanted=wanted: kept(tmp_path, "r.csv") >= wanted, f"{wanted} results are kept")
        before = kept(tmp_path, "r.csv")
        process.kill()
        process.communicate(timeout=30)
        assert before <= kept(tmp_path, "r.csv") < FILES * 3 / 4
        assert (tmp_path / "r.csv").read_text() == "old"
    reused = kept(tmp_path, "r.csv") * 2  # two channels
    code, said = finished(start(*RUN, "-j", jobs))
    assert code == 1
    assert f", {reused} reused; " in said
    assert [(tmp_path / name).read_bytes() for name in ("r.csv", "s.csv")] == undisturbed
    assert set(os.listdir(tmp_path)) == {"calls", "r.csv", "r.csv.journal", "s.csv"}  # no lock, no leftovers


def test_stopped_run_goes_on(start: Start, calls: Path, tmp_path: Path) -> None:
    process = start("calls", "-o", "r.csv", "-j", "2")
    until(lambda: kept(tmp_path, "r.csv") >= 5, "5 results are kept")
    process.terminate()
    code, said = finished(process)
    assert code == 143
    assert "stopped by SIGTERM; the output files are unchanged; run the same command again to continue" in said
    assert sorted(os.listdir(tmp_path)) == ["calls", "r.csv.journal"]
    reused = kept(tmp_path, "r.csv")
    assert 5 <= reused < FILES * 3 / 4
    code, said = finished(start("calls", "-o", "r.csv", "-j", "2"))
    assert (code, f", {reused * 2} reused; " in said) == (1, True)


@pytest.mark.parametrize(("signum", "jobs"), [(signal.SIGKILL, "1"), (signal.SIGKILL, "2"), (signal.SIGTERM, "2")])
def test_nothing_is_left_of_a_run_whose_group_is_ended(
    start: Start, calls: Path, tmp_path: Path, signum: signal.Signals, jobs: str
) -> None:
    """As by a container that is removed, or a service that is stopped; a recording is being waited for."""
    os.mkfifo(tmp_path / "calls" / "never.wav")
    process = start("calls", "calls/never.wav", "-o", "r.csv", "-j", jobs)
    until(lambda: kept(tmp_path, "r.csv") >= 5, "5 results are kept")
    assert len(members(process.pid)) > int(jobs)
    os.killpg(process.pid, signum)
    start_s = time.monotonic()
    assert process.wait(10) == (-signum if signum == signal.SIGKILL else 143)
    took_s = time.monotonic() - start_s
    until(lambda: members(process.pid) == [], "every process has ended")
    assert took_s < 5  # a third of a second where nobody else needs the processors
    shared = Path("/dev/shm")  # noqa: S108 - where joblib may keep semaphores and arrays
    assert [path.name for path in shared.iterdir() if f"_{process.pid}_" in path.name] == []
    if signum == signal.SIGTERM:  # else the next run removes what is left
        assert sorted(os.listdir(tmp_path)) == ["calls", "r.csv.journal"]


def test_second_run_of_the_same_table_is_75_at_once(start: Start, calls: Path, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("r.csv")
    first = start("calls", "-o", "r.csv", "-j", "1")
    until(lambda: kept(tmp_path, "r.csv") >= 1, "the first has begun")
    first.send_signal(signal.SIGSTOP)
    code, said = finished(start("calls", "-o", "link.csv"))
    first.send_signal(signal.SIGCONT)
    assert code == 75
    assert re.fullmatch(
        rf"error: link\.csv is being written by process {first.pid} on \S+ since 2\S+Z; wait .*\n", said
    )
    assert finished(first)[0] == 1
    assert finished(start("calls", "-o", "r.csv"))[0] == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(start: Start, calls: Path, small_disk: Path) -> None:
    (small_disk / "r.csv").write_text("old")
    code, said = finished(start("calls", "-o", "disk/r.csv", "-j", "1"))
    assert code == 5
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert (small_disk / "r.csv").read_text() == "old"
    assert sorted(os.listdir(small_disk)) == ["r.csv", "r.csv.journal"]
    assert kept(small_disk, "r.csv") > 0
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    reused = kept(small_disk, "r.csv")
    code, said = finished(start("calls", "-o", "disk/r.csv", "-j", "1"))
    assert (code, f", {reused * 2} reused; " in said) == (1, True)


def cron_line() -> str:
    """The command of the README's recipe, without the time."""
    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("    30 2 * * * "))
    return line.split(None, 5)[5]


@pytest.fixture
def cron(env: dict[str, str], tmp_path: Path, calls: Path) -> Callable[[], tuple[int, str]]:
    """Run the recipe with the folders and the programs of this test: exit code, and what was mailed."""
    programs = tmp_path / "bin"
    programs.mkdir()
    mail = f'#!/bin/sh\necho "$@" > {tmp_path}/mailed\ncat >> {tmp_path}/mailed\n'
    sertag = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sertag "$@"\n'
    for name, script in (("mail", mail), ("sertag", sertag)):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    line = cron_line()
    for place in ("/rec", "/srv", "/var/log"):
        assert place in line
        (tmp_path / place.strip("/").replace("/", "-")).mkdir()
        line = line.replace(f"{place}/", f"{tmp_path / place.strip('/').replace('/', '-')}/")
    line = line.replace(" /rec ", f" {calls} ")

    def run() -> tuple[int, str]:
        (tmp_path / "mailed").unlink(missing_ok=True)
        cron_env = env | {"PATH": f"{programs}:/usr/bin:/bin"}
        done = subprocess.run(["/bin/sh", "-c", line], cwd="/", env=cron_env, capture_output=True, timeout=120)
        mailed = tmp_path / "mailed"
        return done.returncode, mailed.read_text() if mailed.exists() else ""

    return run


def test_cron_line_of_the_readme(cron: Callable[[], tuple[int, str]], calls: Path, tmp_path: Path) -> None:
    """It mails when something failed, and only then; does what is new; and does nothing beside another run."""
    assert cron()[1].startswith("-s sertag: 1 ")
    bad = [path for number, path in enumerate(sorted(calls.iterdir())) if number % 4 == 3]
    for path in bad:
        path.unlink()
    assert cron() == (0, "")
    log = (tmp_path / "var-log" / "sertag.log").read_text()
    assert f"{FILES - len(bad)} files" in log.splitlines()[-1]
    assert "nothing new" in log.splitlines()[-1]
    table = (tmp_path / "srv" / "results.csv").read_bytes()
    lock = tmp_path / "srv" / "results.csv.lock"
    with subprocess.Popen(["flock", str(lock), "sh", "-c", "echo held; sleep 30"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        mailed = cron()[1]
        holder.terminate()
    assert "-s sertag: 75 " in mailed
    assert (tmp_path / "srv" / "results.csv").read_bytes() == table
