"""A worker ends with its parent, does not hear Ctrl-C, and loads nothing from where it happens to be."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

from sertag.errors import ModelError
from sertag.model.model_file import describe
from sertag.parallel import worker
from sertag.parallel.worker import Setup, Worker
from sertag.records import AudioFile, FileResult, Options, Status
from tests.conftest import RATE_HZ, speech_like

ROOT = Path(__file__).parents[2]
NAMELESS = getattr(signal, "SIGRTMIN", 34) + 1  # Python has no name for most signals of real time
WITH_FAULTS = worker._PROGRAM.replace("from sertag", "import tests.faults; from sertag")
WITHOUT_KERNEL = "import sertag.parallel.worker; sertag.parallel.worker._die_with_parent = int"


@pytest.fixture
def setup(tiny_model: Path) -> Setup:
    model = describe(str(tiny_model))
    return Setup(model.path, model.sha256, Options())


@pytest.fixture
def started() -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def start() -> Worker:
        workers.append(Worker())
        return workers[-1]

    yield start
    for one in workers:
        if not one.connection.closed:
            one.end()


def sound(folder: Path, name: str = "ok.wav") -> AudioFile:
    soundfile.write(folder / name, speech_like(5), RATE_HZ)
    return AudioFile(str(folder / name))


def test_it_is_ready_and_then_answers_each_file(started: Callable[[], Worker], setup: Setup, tmp_path: Path) -> None:
    one = started()
    one.submit(setup)
    assert one.receive() is None
    one.submit([sound(tmp_path), AudioFile("missing.wav")])
    assert [one.receive(), one.receive()]
    one.submit([sound(tmp_path)])
    answer = one.receive()
    assert isinstance(answer, FileResult)
    assert answer.status is Status.OK
    assert one.end() == ("was ended by SIGKILL", "")


def test_a_model_that_cannot_be_used_is_the_answer(started: Callable[[], Worker], setup: Setup, tmp_path: Path) -> None:
    one = started()
    one.submit(Setup(str(tmp_path / "gone.onnx"), setup.model_sha256, setup.options))
    answer = one.receive()
    assert isinstance(answer, ModelError)
    assert answer.code == "no_model"


def test_a_signal_from_the_terminal_is_not_for_it(started: Callable[[], Worker], setup: Setup, tmp_path: Path) -> None:
    one = started()
    for moment in ("at its start", "when it is ready"):
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(one._process.pid, signum)
        if moment == "at its start":
            one.submit(setup)
            assert one.receive() is None
    one.submit([sound(tmp_path)])
    assert isinstance(one.receive(), FileResult)


def test_modules_beside_recordings_are_not_loaded(
    started: Callable[[], Worker], setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "soundfile", "sertag", "signal", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of a stranger')")
    monkeypatch.chdir(tmp_path)
    one = started()
    one.submit(setup)
    assert one.receive() is None


@pytest.mark.parametrize(
    ("signum", "how"),
    [(signal.SIGKILL, "was ended by SIGKILL"), (NAMELESS, f"was ended by signal {NAMELESS}")],
)
def test_it_says_which_signal_ended_it(started: Callable[[], Worker], signum: int, how: str) -> None:
    one = started()
    os.kill(one._process.pid, signum)
    with pytest.raises(EOFError):
        one.receive()
    assert one.end()[0] == how


def test_it_says_what_a_crash_was(
    started: Callable[[], Worker], setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_PROGRAM", WITH_FAULTS)
    one = started()
    one.submit(setup)
    one.submit([sound(tmp_path, "shouts.wav"), sound(tmp_path, "crashes.wav")])
    assert one.receive() is None
    assert isinstance(one.receive(), FileResult)
    with pytest.raises(EOFError):
        one.receive()
    how, stderr_tail = one.end()
    assert how == "was ended by SIGSEGV"
    assert "Segmentation fault" in stderr_tail
    assert "in _crashes" in stderr_tail
    assert "complains" not in stderr_tail


def test_without_space_for_temporary_files_it_works_all_the_same(
    started: Callable[[], Worker], setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    monkeypatch.setattr(worker, "_PROGRAM", WITH_FAULTS)
    one = started()
    one.submit(setup)
    assert one.receive() is None
    one.submit([sound(tmp_path, "shouts.wav"), sound(tmp_path)])
    assert isinstance(one.receive(), FileResult)
    assert isinstance(one.receive(), FileResult)
    assert one.end() == ("was ended by SIGKILL", "")


PARENT = """
import sys, time
from sertag.parallel import worker
from sertag.records import AudioFile, Options
from sertag.parallel.worker import Setup, Worker
worker._PROGRAM = sys.argv[1]
one = Worker()
print(one._process.pid, flush=True)
if sys.argv[2] != "starting":
    one.submit(Setup(sys.argv[3], sys.argv[4], Options()))
    one.receive()
if sys.argv[2].endswith(".wav"):
    one.submit([AudioFile(sys.argv[2])])
    time.sleep(0.2)
print("there", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["starting", "idle", "loops.wav", "hangs.wav"])
def test_it_ends_when_its_parent_is_killed(setup: Setup, state: str) -> None:
    program = WITH_FAULTS.replace("import tests.faults", f"import tests.faults; {WITHOUT_KERNEL}")
    if state == "hangs.wav":
        program = WITH_FAULTS
        if sys.platform != "linux":
            pytest.skip("the kernel does not end a process that lets no thread run")
    command = [sys.executable, "-c", PARENT, program, state, setup.model_path, setup.model_sha256]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "there\n"
        assert is_alive(pid)
        parent.kill()
    deadline_s = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline_s, "an orphan is left"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie that nobody has buried yet."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()[:1] not in ("", "Z")


ARRAYS = """
import resource
import numpy as np
np.ones(3_000_000, np.float32)  # the first time is never free of charge
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    first = np.ones(3_000_000, np.float32)
    second = np.ones(3_000_000, np.float32)
    del first, second
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc reads these variables")
def test_freed_arrays_are_used_again_without_page_faults() -> None:
    faults = [
        int(subprocess.run([sys.executable, "-c", ARRAYS], env=env, capture_output=True, check=True).stdout)
        for env in (os.environ | worker._ENVIRONMENT, os.environ)
    ]
    arrays_bytes = 20 * 2 * 3_000_000 * 4
    assert faults[0] < arrays_bytes / 4096 / 100
    assert faults[0] < faults[1] / 10


LIMITED = """
import numpy as np
from sertag.parallel.worker import limit_memory
limit_memory(model_bytes={model_bytes})
kept = [np.empty(1 << 30, np.uint8) for _ in range({gib})]
print("there was enough")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit does not count arrays")
@pytest.mark.parametrize(("model_bytes", "gib", "enough"), [(0, 3, True), (0, 5, False), (1 << 30, 5, True)])
def test_a_process_has_its_share_and_no_more(model_bytes: int, gib: int, enough: bool) -> None:
    command = [sys.executable, "-c", LIMITED.format(model_bytes=model_bytes, gib=gib)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("there was enough" in done.stdout) == enough
    assert ("MemoryError" in done.stderr) != enough
