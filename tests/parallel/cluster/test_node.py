"""What a worker of a cluster does: processes that end with the run or when nobody asks, and a model that is found."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import soundfile

from sertag.errors import OutputError
from sertag.model.model_file import bundled, describe, read
from sertag.parallel.cluster import model_copies, node
from sertag.parallel.cluster.installation import installation
from sertag.parallel.cluster.node import Order, end, look, renew, tag_there, take_model
from sertag.parallel.supervisor import Job
from sertag.parallel.worker import Setup
from sertag.records import AudioFile, Options, RemoteObject, Status
from sertag.remote.options import parse_options
from tests.conftest import RATE_HZ, speech_like
from tests.parallel.cluster.conftest import supervised, until


@pytest.fixture
def order(tiny_model: Path, tmp_path: Path) -> Order:
    model = describe(str(tiny_model))
    setup = Setup(model.path, model.sha256, Options(), folder=str(tmp_path))
    return Order(Job(tmp_path.name, setup, timeout_s=None, workers=1), installation(), leased=True)


@pytest.fixture
def file(tmp_path: Path) -> AudioFile:
    soundfile.write(tmp_path / "ok.wav", speech_like(5), RATE_HZ)
    return AudioFile("ok.wav", size_bytes=(tmp_path / "ok.wav").stat().st_size)


def test_the_process_stays_for_the_next_batch_and_ends_with_the_run(order: Order, file: AudioFile) -> None:
    first = tag_there([file], order)
    assert [result.status for result in first.results] == [Status.OK]
    assert first.work_s > 0
    (pid,) = supervised(os.getpid())
    assert tag_there([file], order).results == first.results
    assert supervised(os.getpid()) == [pid]
    end(order.job.run_id)
    assert supervised(os.getpid()) == []
    assert tag_there([file], order).kind == "ended"  # a batch that was on its way


def test_the_process_ends_when_nobody_asks_for_it(
    order: Order, file: AudioFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "RENEW_S", 0.1)
    tag_there([file], order)
    monkeypatch.setattr(node, "LEASE_S", 6.0)
    for _ in range(16):
        time.sleep(0.5)
        renew(order.job.run_id)
    assert len(supervised(os.getpid())) == 1
    until(lambda: supervised(os.getpid()) == [], "it has ended")
    monkeypatch.setattr(node, "LEASE_S", 60.0)
    assert tag_there([file], order).kind == "tagged"  # the client is there again
    end(order.job.run_id)


def test_recordings_that_are_not_there_or_others_say_so(order: Order, file: AudioFile, tmp_path: Path) -> None:
    gone, other = AudioFile("gone.wav", size_bytes=9), AudioFile("ok.wav", size_bytes=9)
    found = tag_there([gone, other, file], order).results
    end(order.job.run_id)
    problems = [result.channels[0].problem for result in found]
    assert [result.status for result in found] == [Status.UNREADABLE, Status.UNREADABLE, Status.OK]
    assert problems[0] is not None
    assert problems[1] is not None
    assert problems[0].code == "not_on_worker"
    assert problems[0].message.startswith("gone.wav: was found by the run, but worker ")
    assert problems[1].code == "differs_on_worker"
    assert "9 where it was found" in problems[1].message


def test_relative_paths_are_not_those_of_the_worker(order: Order, file: AudioFile, tmp_path: Path) -> None:
    """Where the folder of the client is not there, nothing else is read in its place."""
    (tmp_path / "here").mkdir()
    setup = Setup(order.job.setup.model_path, order.job.setup.model_sha256, Options(), folder=str(tmp_path / "none"))
    job = Job("elsewhere", setup, timeout_s=None, workers=1)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        found = tag_there([file, AudioFile(str(tmp_path / "ok.wav"))], Order(job, installation(), leased=False)).results
    finally:
        os.chdir(before)
        end("elsewhere")
    assert [result.status for result in found] == [Status.UNREADABLE, Status.OK]


def test_a_model_is_found_by_its_digest(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(model_copies.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    content = tiny_model.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    assert model_copies.find(str(tiny_model), sha256) == str(tiny_model)
    assert model_copies.find("/on/the/client/only.onnx", sha256) is None
    assert model_copies.find(str(tiny_model), "0" * 64) is None
    kept = model_copies.keep(content)
    assert model_copies.find("/on/the/client/only.onnx", sha256) == kept
    Path(kept).write_bytes(b"torn")
    assert model_copies.find("/on/the/client/only.onnx", sha256) is None
    path, content = read(bundled()[0])
    assert model_copies.find(f"/elsewhere/{Path(path).name}", hashlib.sha256(content).hexdigest()) == path


def test_a_model_is_kept_where_there_is_no_home(
    order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(model_copies.tempfile, "gettempdir", lambda: str(tmp_path))
    assert Path(model_copies.keep(tiny_model.read_bytes())).is_relative_to(tmp_path)
    take_model(order, b"not needed, because it is here")
    assert look(order).model == str(tiny_model)
    monkeypatch.setattr(model_copies.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot be kept on this worker: .*Not a directory"):
        model_copies.keep(b"another")


@pytest.mark.skipif(find_spec("s3fs") is None, reason="the extra `remote` is not installed")
def test_a_storage_that_only_the_client_may_read_is_a_row_that_names_the_worker(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = parse_options(["endpoint_url=http://127.0.0.1:9"])
    there = AudioFile("s3://archive/a.wav", size_bytes=5, remote=RemoteObject("s3://archive/a.wav", None, options))
    (result,) = tag_there([there], order).results
    end(order.job.run_id)
    problem = result.channels[0].problem
    assert problem is not None
    assert problem.code == "no_credentials"
    assert f"; so it is on worker {platform.node()}, and workers need the network, the credentials" in problem.message
