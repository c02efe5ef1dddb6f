"""A run on a real Dask cluster: the same tables as on this computer, and no row lost to processes that end."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sertag import ClusterError, Tagger
from sertag.parallel.cluster import installation
from tests.parallel.cluster import faulty
from tests.parallel.cluster.conftest import ROOT, Command, assert_same_tables, finished, names, supervised, until

dask = pytest.importorskip("dask", reason="the extra `dask` is not installed")
distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")

QUIET = {  # else they take a tenth of a processor while they wait
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "5s",
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[distributed.LocalCluster]:
    """Two workers, each a process, that are started again when they are killed; they look after themselves seldom."""
    with pytest.MonkeyPatch.context() as patch, dask.config.set(QUIET):
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, preload=[faulty.__file__]
        ) as started:
            yield started


@pytest.fixture
def client(cluster: distributed.LocalCluster) -> Iterator[distributed.Client]:
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture
def workers(cluster: distributed.LocalCluster, client: distributed.Client) -> list[int]:
    """Their processes."""
    return [nanny.pid for nanny in cluster.workers.values()]


@pytest.fixture
def on_dask(cluster: distributed.LocalCluster) -> list[str]:
    return ["--backend", "dask", "--scheduler", cluster.scheduler_address]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_tables_are_those_of_this_computer(
    sertag: Command, calls: Callable[..., Path], on_dask: list[str], suffix: str
) -> None:
    folder = calls(*names("ok", 40))
    (folder / "text.wav").write_text("no audio")
    assert_same_tables(sertag, suffix, on_dask)


def test_python_has_the_results_of_this_computer(
    cluster: distributed.LocalCluster, calls: Callable[..., Path], tiny_model: Path
) -> None:
    folder = calls(*names("ok", 12), "kills_1.wav")
    (folder / "text.wav").write_text("no audio")
    paths = [folder / "kills_1.wav", folder / "nothing.wav", *sorted(folder.glob("[ot]*.wav"))]
    tagger = Tagger(str(tiny_model))
    here = list(tagger.tag_many(paths[1:]))
    found = tagger.tag_many(paths, backend="dask", scheduler=cluster.scheduler_address)
    killed, *there = found
    assert killed.channels[0].problem is not None
    assert killed.channels[0].problem.code == "worker_died"
    assert there == here
    assert len(there) == 14


def test_python_says_what_cannot_be(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = Tagger(str(tiny_model))
    with pytest.raises(ValueError, match="`scheduler` is the address of a cluster; give `backend` dask or"):
        tagger.tag_many([], scheduler="tcp://127.0.0.1:9")
    with pytest.raises(ValueError, match="`backend` is 'slurm', expected one of local, dask, ray"):
        tagger.tag_many([], backend="slurm")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`jobs` is 0, expected more than 0"):
        tagger.tag_many([], jobs=0)
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    with pytest.raises(ClusterError, match=r"Dask at tcp://127\.0\.0\.1:9: "):
        next(tagger.tag_many(["call.wav"], backend="dask", scheduler="tcp://127.0.0.1:9"))


def test_standard_input_of_python_is_not_on_workers(cluster: distributed.LocalCluster, tiny_model: Path) -> None:
    (found,) = Tagger(str(tiny_model)).tag_many(["-"], backend="dask", scheduler=cluster.scheduler_address)
    assert found.channels[0].problem is not None
    assert found.channels[0].problem.code == "not_on_worker"


def test_a_worker_that_is_killed_loses_no_row(
    sertag: Command, calls: Callable[..., Path], on_dask: list[str], workers: list[int]
) -> None:
    calls(*names("waits", 30))
    process = sertag.start("calls", "-o", "there.csv", *on_dask)
    until(lambda: sertag.stored("there.csv") >= 3, "3 results are stored")
    os.kill(workers[0], signal.SIGKILL)
    code, said = finished(process)
    assert code == 0, said
    assert sertag.run("calls", "-o", "here.csv", "-j", "2")[0] == 0  # where nothing waits
    assert (sertag.folder / "there.csv").read_bytes() == (sertag.folder / "here.csv").read_bytes()


def test_a_recording_that_ends_its_process_is_one_failed_row(
    sertag: Command, calls: Callable[..., Path], on_dask: list[str], workers: list[int]
) -> None:
    calls(*names("ok", 9), "kills_1.wav", "hangs_1.wav")
    code, said = sertag.run("calls", "-o", "there.jsonl", "--timeout", "10", *on_dask)
    assert code == 1, said
    rows = (sertag.folder / "there.jsonl").read_text().splitlines()
    failures = [row for row in rows if '"failed"' in row]
    assert len(rows) == 11
    assert [code for row in failures for code in ("timeout", "worker_died") if f'"{code}"' in row] == [
        "timeout",
        "worker_died",
    ]
    assert supervised(*workers) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_on_workers_of_a_run_that_ends(
    sertag: Command, calls: Callable[..., Path], on_dask: list[str], workers: list[int], signum: signal.Signals
) -> None:
    calls(*names("ok", 6), *names("stops", 2))
    process = sertag.start("calls/stops_00.wav", "calls", "-o", "there.csv", *on_dask)
    until(lambda: sertag.stored("there.csv") >= 3, "3 results are stored")
    until(lambda: len(supervised(*workers)) == 2, "both workers tag")
    process.send_signal(signum)
    code, said = finished(process)
    assert code == (-signum if signum == signal.SIGKILL else 128 + signum)
    assert ("run the same command again to continue" in said) == (signum != signal.SIGKILL)
    until(lambda: supervised(*workers) == [], "no worker tags")
    assert not (sertag.folder / "there.csv").exists()


def test_the_commands_of_the_documentation(
    sertag: Command, calls: Callable[..., Path], cluster: distributed.LocalCluster
) -> None:
    """Word for word, but for places and addresses."""
    folder = calls("ok.wav")
    page = (ROOT / "docs" / "scaling.md").read_text()
    commands = [line for line in page.splitlines() if line.startswith("sertag ") and "--backend dask" in line]
    assert len(commands) == 3
    file = sertag.folder / "scheduler.json"
    file.write_text(json.dumps({"address": cluster.scheduler_address}))
    for command in commands:
        _, recordings, *arguments = shlex.split(command)
        assert recordings.endswith("/calls")
        places = {
            arguments[arguments.index("--out") + 1]: lambda name: str(sertag.folder / Path(name).name),
            arguments[arguments.index("--scheduler") + 1]: lambda address: (
                str(file) if address.endswith(".json") else cluster.scheduler_address
            ),
        }
        code, said = sertag.run(str(folder), *(places.get(word, str)(word) for word in arguments))
        assert (code, said.splitlines()[-1].partition(",")[0]) == (0, "1 file"), said


def _pretend(version: str | None) -> None:
    """Be another version, in a worker; None for the own one again."""
    import sertag

    installation.installation.cache_clear()
    sertag.__version__, before = version or sertag.__dict__.pop("_before"), sertag.__version__
    if version:
        sertag._before = before  # type: ignore[attr-defined]


def test_a_worker_with_another_version_is_named(
    sertag: Command, calls: Callable[..., Path], on_dask: list[str], client: distributed.Client
) -> None:
    calls("ok.wav")
    address = sorted(client.nthreads())[1]
    client.run(_pretend, "0.0.1", workers=[address])
    try:
        code, said = sertag.run("calls", "-o", "there.csv", *on_dask)
    finally:
        client.run(_pretend, None, workers=[address])
    assert code == 69
    assert f"worker {address} has sertag 0.0.1 (source " in said
    assert f"expected {installation.installation()}; install the same version there" in said


def test_a_model_that_workers_lack_is_sent_to_them(
    sertag: Command, calls: Callable[..., Path], on_dask: list[str], client: distributed.Client, tiny_model: Path
) -> None:
    calls(*names("ok", 3))
    caches = client.run(lambda: os.environ["XDG_CACHE_HOME"])
    with open(tiny_model, "rb") as model:
        only_here = f"/dev/fd/{model.fileno()}"
        code, said = sertag.run("calls", "-m", only_here, "-o", "there.csv", *on_dask, pass_fds=(model.fileno(),))
    assert code == 0, said
    (copy,) = (Path(next(iter(caches.values()))) / "sertag" / "models").iterdir()
    assert copy.read_bytes() == tiny_model.read_bytes()


def test_what_only_the_client_reaches_is_refused(
    sertag: Command, calls: Callable[..., Path], on_dask: list[str], sound: Path
) -> None:
    calls("ok.wav")
    with open(sound, "rb") as recording:
        here = f"/dev/fd/{recording.fileno()}"
        code, said = sertag.run(here, "calls", "-o", "there.csv", *on_dask, pass_fds=(recording.fileno(),))
    assert code == 1
    assert f"{here}: only the process that was given it can read it, expected a file that all workers reach" in said
    assert ",unreadable,not_on_worker," in (sertag.folder / "there.csv").read_text()
    code, said = sertag.run("-", *on_dask)
    assert code == 2
    assert "--backend dask cannot tag `-`" in said


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler, which has no sertag, and its worker as commands: process of the scheduler, path of its file."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sertag.py").write_text("raise ImportError('the scheduler has no sertag')")
    file = tmp_path / "scheduler.json"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    local = ["--scheduler-file", str(file)]
    settings = {"cwd": tmp_path, "stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    preload = ["--preload", faulty.__file__]
    env = os.environ | {"PYTHONPATH": str(tmp_path / "without")}
    own = os.environ | {"PYTHONPATH": str(ROOT)}  # for `tests.faults`
    with (
        subprocess.Popen([*scheduler, *local, "--host", "127.0.0.1"], env=env, **settings) as first,  # type: ignore[call-overload]
        subprocess.Popen([*worker, *local, *preload], env=own, **settings) as second,  # type: ignore[call-overload]
    ):
        try:
            until(file.exists, "the scheduler is there")
            yield first, str(file)
        finally:
            first.kill()
            second.kill()


def test_a_scheduler_that_vanishes_ends_the_run_and_the_next_one_goes_on(
    sertag: Command, calls: Callable[..., Path], lonely: tuple[subprocess.Popen[bytes], str]
) -> None:
    calls(*names("waits", 12))
    scheduler, file = lonely
    process = sertag.start("calls", "-o", "r.csv", "--backend", "dask", "--scheduler", file)
    until(lambda: sertag.stored("r.csv") >= 2, "2 results are stored")
    scheduler.kill()
    code, said = finished(process)
    assert code == 69
    assert said.splitlines()[-1] == (
        f"error: Dask at {file}: the connection to the scheduler was lost; the output files are unchanged; "
        "run the same command again to continue"
    )
    stored = sertag.stored("r.csv")
    code, said = sertag.run("calls", "-o", "r.csv")
    assert (code, f", {stored} reused; " in said) == (0, True), said


def test_a_scheduler_that_is_not_there_is_69(sertag: Command, calls: Callable[..., Path]) -> None:
    calls("ok.wav")
    sertag.env["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "1s"
    code, said = sertag.run("calls", "--backend", "dask", "--scheduler", "tcp://127.0.0.1:9")
    assert code == 69
    assert "Dask at tcp://127.0.0.1:9: " in said
    assert "is the scheduler running, and can this computer reach it?" in said


def test_a_file_of_a_scheduler_that_is_never_written_is_69(sertag: Command, calls: Callable[..., Path]) -> None:
    calls("ok.wav")
    sertag.env["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "1s"
    code, said = sertag.run("calls", "--backend", "dask", "--scheduler", "none.json")
    assert code == 69
    assert "Dask at none.json: there is no such file; is the scheduler running, with --scheduler-file" in said


def test_without_an_address_workers_are_started_here(sertag: Command, calls: Callable[..., Path]) -> None:
    calls("ok.wav")
    code, said = sertag.run("calls", "-o", "r.csv", "--backend", "dask", "-j", "1", "--summary", "s.json")
    assert code == 0, said
    assert '"jobs": 1,\n  "backend": "dask"' in (sertag.folder / "s.json").read_text()
    group = sertag.started[-1].pid
    listed = subprocess.run(["ps", "-o", "stat=", "-s", str(group)], capture_output=True, text=True).stdout
    assert [state for state in listed.split() if state[0] != "Z"] == []
