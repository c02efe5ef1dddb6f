"""A run on a real Ray cluster: the same tables as on this computer, and no row lost to processes that end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.parallel.cluster.conftest import ROOT, Command, assert_same_tables, finished, names, supervised, until

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed")

# Imported by every Python that finds it first: also by the processes in which Ray's workers have recordings tagged.
CUSTOMIZE = """
import sys
if any("sertag.parallel.worker" in word for word in sys.orig_argv):
    sys.path.insert(0, {root!r})
    import tests.faults
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def short_folder() -> str:
    """A folder for sockets of Ray, whose paths may have 107 characters."""
    return tempfile.mkdtemp(prefix="ray-", dir="/tmp")


class Head:
    """The first node of a Ray cluster, with two processors, in a session of its own that is ended as a whole."""

    def __init__(self, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(CUSTOMIZE.format(root=str(ROOT)))
        paths = os.pathsep.join([str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        own = {"RAY_AUTH_MODE": "disabled", "RAY_gcs_rpc_server_reconnect_timeout_s": "5", "PYTHONPATH": paths}
        own |= {"RAY_USAGE_STATS_ENABLED": "0", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        self.env = own
        self.port, self.client_port = free_port(), free_port()
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", "2"]
        self._folder = short_folder()
        where = ["--node-ip-address", "127.0.0.1", "--port", str(self.port), "--temp-dir", self._folder]
        rest = ["--include-dashboard", "false", "--ray-client-server-port", str(self.client_port)]
        with open(folder / "ray.log", "wb") as log:
            self._process = subprocess.Popen(
                [*command, *where, *rest], env=os.environ | own, stdout=log, stderr=log, start_new_session=True
            )
        until(lambda: listens(self.port), "Ray is there")

    @property
    def processes(self) -> dict[int, str]:
        """Names of all processes of the cluster."""
        listed = subprocess.run(
            ["ps", "-ww", "-s", str(self._process.pid), "-o", "pid=,args="], capture_output=True, text=True
        )
        return {int(line.split(None, 1)[0]): line.split(None, 1)[1] for line in listed.stdout.splitlines()}

    def workers(self) -> list[int]:
        """Processes that do tasks. Not agents, such as `ray::DashboardAgent`: a node ends with them."""
        named = {pid: name.split()[0] for pid, name in self.processes.items() if name.startswith("ray::")}
        return [pid for pid, name in named.items() if not name.endswith("Agent")]

    def close(self) -> None:
        for pid in self.processes:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    head = Head(tmp_path_factory.mktemp("ray"))
    yield head
    head.close()


@pytest.fixture
def on_ray(head: Head, sertag: Command) -> list[str]:
    sertag.env |= {name: value for name, value in head.env.items() if name != "PYTHONPATH"}
    return ["--backend", "ray", "--scheduler", f"127.0.0.1:{head.port}"]


def test_tables_are_those_of_this_computer(sertag: Command, calls: Callable[..., Path], on_ray: list[str]) -> None:
    folder = calls(*names("ok", 30))
    (folder / "text.wav").write_text("no audio")
    for suffix in ("csv", "jsonl", "parquet"):
        assert_same_tables(sertag, suffix, on_ray)


def test_tables_from_the_client_server_too(
    sertag: Command, calls: Callable[..., Path], on_ray: list[str], head: Head
) -> None:
    (calls(*names("ok", 30)) / "text.wav").write_text("no audio")
    assert_same_tables(sertag, "csv", [*on_ray[:-1], f"ray://127.0.0.1:{head.client_port}"])


def test_a_cluster_of_its_own_does_not_look_for_one_that_ran_here_before(
    sertag: Command, calls: Callable[..., Path]
) -> None:
    calls("ok.wav")
    sertag.env["RAY_TMPDIR"] = folder = short_folder()
    remembered = Path(folder, "ray", "ray_current_cluster")
    remembered.parent.mkdir()
    remembered.write_text(f"127.0.0.1:{free_port()}")
    code, said = sertag.run("calls", "-o", "r.csv", "--backend", "ray", "--jobs", "1")
    shutil.rmtree(folder, ignore_errors=True)
    assert code == 0, said
    assert len((sertag.folder / "r.csv").read_text().splitlines()) == 2


def test_workers_that_are_killed_lose_no_row_and_a_killer_is_one(
    sertag: Command, calls: Callable[..., Path], on_ray: list[str], head: Head
) -> None:
    """The table is on standard output, where Ray writes too if it can."""
    calls(*names("waits", 20), "kills_1.wav")
    with open(sertag.folder / "there.csv", "wb") as table:
        process = sertag.start("calls", "-f", "csv", *on_ray, stdout=table)
        until(lambda: len(supervised(*head.workers())) == 2, "both workers tag")
        os.kill(head.workers()[0], signal.SIGKILL)
        code, said = finished(process)
    assert code == 1, said
    rows = (sertag.folder / "there.csv").read_text().splitlines()
    assert len(rows) == 22
    assert [row.split(",")[0] for row in rows[1:] if ",failed,worker_died," in row] == ["calls/kills_1.wav"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_on_workers_of_a_run_that_ends(
    sertag: Command, calls: Callable[..., Path], on_ray: list[str], head: Head, signum: signal.Signals
) -> None:
    calls(*names("ok", 6), *names("stops", 2))
    process = sertag.start("calls/stops_00.wav", "calls", "-o", "there.csv", *on_ray)
    until(lambda: sertag.stored("there.csv") >= 3, "3 results are stored")
    tagging = supervised(*head.workers())
    assert tagging
    process.send_signal(signum)
    assert finished(process)[0] == (-signum if signum == signal.SIGKILL else 128 + signum)
    until(lambda: not set(tagging) & set(every_process()), "no worker tags")


def every_process() -> list[str]:
    """Numbers of all processes that run."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,stat="], capture_output=True, text=True).stdout.splitlines()
    return [line.split()[0] for line in listed if line.split()[1][0] != "Z"]


def test_a_cluster_that_vanishes_ends_the_run_and_the_next_one_goes_on(
    sertag: Command, calls: Callable[..., Path], on_ray: list[str], head: Head
) -> None:
    """The last test of this module, because it ends the cluster."""
    calls(*names("waits", 60))
    process = sertag.start("calls", "-o", "r.csv", *on_ray)
    until(lambda: sertag.stored("r.csv") >= 2, "2 results are stored")
    head.close()
    code, said = finished(process)
    assert code == 69
    assert f"error: Ray at 127.0.0.1:{head.port}: " in said
    assert said.endswith("; the output files are unchanged; run the same command again to continue\n")
    stored = sertag.stored("r.csv")
    code, said = sertag.run("calls", "-o", "r.csv")
    assert (code, f", {stored} reused; " in said) == (0, True), said


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_69(sertag: Command, calls: Callable[..., Path], scheme: str) -> None:
    calls("ok.wav")
    sertag.env |= dict.fromkeys(("RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S", "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S"), "1")
    code, said = sertag.run("calls", "--backend", "ray", "--scheduler", f"{scheme}127.0.0.1:{free_port()}")
    assert code == 69
    assert "Connection refused; is the cluster running, and can this computer reach it?" in said
