from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sertag.errors import OutputError
from sertag.storage import lock as locks
from sertag.storage.lock import LockedError, hold, open_locked

ROOT = Path(__file__).parents[2]

HOLD_AND_WAIT = """
import sys, time
from sertag.storage.lock import hold
with hold(sys.argv[1], of="r.csv"):
    print("held", flush=True)
    time.sleep(60)
"""

# Counts in a file, which loses counts unless one process at a time does it.
COUNT = """
import sys, time
from sertag.storage.lock import LockedError, hold
for _ in range(40):
    while True:
        try:
            with hold(sys.argv[1], of="r.csv"):
                count = int(open(sys.argv[2]).read())
                time.sleep(0.0005)
                open(sys.argv[2], "w").write(str(count + 1))
            break
        except LockedError:
            time.sleep(0.0002)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)


def test_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = str(tmp_path / "r.csv.lock")
    with hold(path, of="r.csv"), pytest.raises(LockedError) as caught, hold(path, of="r.csv"):
        pass
    message = str(caught.value)
    assert message.startswith(f"r.csv is being written by process {os.getpid()} on {socket.gethostname()} since 20")
    assert caught.value.code == "locked"


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    path = str(tmp_path / "r.csv.lock")
    for _ in range(2):
        with hold(path, of="r.csv"):
            assert os.path.exists(path)
        assert os.listdir(tmp_path) == []
    with pytest.raises(ZeroDivisionError), hold(path, of="r.csv"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.lock"
    with start(HOLD_AND_WAIT, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=f"process {process.pid} "), hold(str(path), of="r.csv"):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert path.exists()
    with hold(str(path), of="r.csv"):
        assert str(os.getpid()) in path.read_text()
        assert str(process.pid) not in path.read_text()


def test_one_at_a_time_whatever_the_order_of_opening_locking_and_removing(tmp_path: Path) -> None:
    """Without the second look at the file's name, counts are lost within a few rounds."""
    count = tmp_path / "count"
    count.write_text("0")
    processes = [start(COUNT, tmp_path / "r.csv.lock", count) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert count.read_text() == "160"
    for process in processes:
        process.communicate()


def test_lock_on_a_removed_file_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The holder removes the file and lets go, just after somebody else has opened it."""
    path = tmp_path / "r.csv.lock"
    tried: list[int] = []
    lock = locks.lock

    def late(stream: object) -> bool | None:
        if not tried:
            path.unlink()
        tried.append(1)
        return lock(stream)  # type: ignore[arg-type]

    monkeypatch.setattr(locks, "lock", late)
    stream = open_locked(str(path))
    assert stream is not None
    assert len(tried) == 2
    assert os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    stream.close()


def test_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "r.csv.lock").symlink_to("precious")
    with pytest.raises(OutputError, match=r"r\.csv\.lock"), hold(str(tmp_path / "r.csv.lock"), of="r.csv"):
        pass
    assert (tmp_path / "precious").read_text() == "precious"


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"), hold(str(tmp_path / "no" / "lock"), of="r.csv"):
        pass


def test_folder_that_vanishes_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with hold(str(tmp_path / "sub" / "lock"), of="r.csv"):
        (tmp_path / "sub" / "lock").unlink()
        (tmp_path / "sub").rmdir()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_locks_work_goes_on_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with hold(str(tmp_path / "r.csv.lock"), of="r.csv"):
        pass
    assert "this file system has no locks" in caplog.text


def test_system_without_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    with hold(str(tmp_path / "r.csv.lock"), of="r.csv"):
        pass


def test_what_the_lock_file_says_cannot_colour_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.lock"
    with hold(str(path), of="r.csv"):
        path.write_bytes(b"\x1b[31mred\xff\n" + b"x" * 1000)
        with pytest.raises(LockedError) as caught, hold(str(path), of="r.csv"):
            pass
    assert str(caught.value).isprintable()
