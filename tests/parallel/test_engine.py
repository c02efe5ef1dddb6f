"""Many files: the same results whoever does the work, in order, and read as the work goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertag.errors import ModelError
from sertag.model.session import Model, load
from sertag.parallel import batches, engine
from sertag.parallel.engine import FEW_FILES, end, prestart, tag_all, usable_cpus
from sertag.parallel.worker import Worker
from sertag.records import AudioFile, FileResult, Options, Problem, Status
from sertag.tagging import pipeline
from sertag.tagging.pipeline import tag_file
from tests.conftest import RATE_HZ, speech_like
from tests.onnx_models import tiny_spec, write_model

ROOT = Path(__file__).parents[2]
OPTIONS = Options(roles=("agent", "customer"))


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load(str(tiny_model))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[AudioFile]:
    """Every kind of outcome: calls of several lengths, silence, too short, not audio, missing, refused by discovery."""
    folder = tmp_path_factory.mktemp("calls")
    sounds = [np.stack([speech_like(s, seed=i), speech_like(s, seed=i + 9)], 1) for i, s in enumerate((3, 9, 17, 6.5))]
    sounds += [np.zeros((40_000, 1)), np.full((80, 1), 0.1)]
    for number, sound in enumerate(sounds):
        soundfile.write(folder / f"{number}.wav", sound, RATE_HZ, subtype="ULAW")
    (folder / "text.wav").write_text("no audio")
    names = [*(f"{number}.wav" for number in range(len(sounds))), "text.wav", "missing.wav"]
    problem = Problem("dangling_link", "points nowhere")
    return [*(AudioFile(str(folder / name)) for name in names), AudioFile("link.wav", problem=problem)]


@pytest.fixture(scope="module")
def expected(files: list[AudioFile], model: Model) -> dict[str, FileResult]:
    found = [tag_file(file, model=model, options=OPTIONS) for file in files]
    assert {result.status for result in found} >= {Status.OK, Status.NO_SPEECH, Status.TOO_SHORT, Status.UNREADABLE}
    return {result.path: result for result in found}


@pytest.fixture
def as_many_as_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few short files would have one worker."""
    monkeypatch.setattr(engine, "_LITTLE_AUDIO_BYTES", 0)


@pytest.mark.usefixtures("as_many_as_jobs")
@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_any_number_of_jobs_and_any_order_give_the_results_of_the_line(
    jobs: int, files: list[AudioFile], expected: dict[str, FileResult], model: Model
) -> None:
    """Few orders, because each starts workers; which batches there are is decided by the moment anyway."""
    some = random.Random(jobs).choices(files, k=12)  # noqa: S311 - repeated files included
    found = list(tag_all(some, model=model, options=OPTIONS, jobs=jobs))
    assert found == [expected[file.path] for file in some]
    assert repr(found) == repr([expected[file.path] for file in some])  # to the last bit of every number


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_is_done_in_this_process(
    files: list[AudioFile], model: Model, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    def not_here(*_: object, **__: object) -> None:
        raise AssertionError("a file that crashes its process would end the run")

    monkeypatch.setattr(pipeline, "tag_file", not_here)
    assert len(list(tag_all(files, model=model, options=OPTIONS, jobs=jobs))) == len(files)


@pytest.mark.parametrize("jobs", [1, 2])
def test_of_a_million_names_no_more_are_read_than_are_needed(
    model: Model, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slowly the results are read."""
    monkeypatch.setattr(batches, "_OPEN_FILES", 500)
    monkeypatch.setattr(batches, "_OPEN_EACH", 1)
    taken: list[int] = []

    def million() -> Iterator[AudioFile]:
        for number in range(1_000_000):
            taken.append(number)
            yield AudioFile(f"{number}.wav", problem=Problem("not_found", "gone"))

    results = tag_all(million(), model=model, options=OPTIONS, jobs=jobs)
    for number in range(2000):
        assert next(results).path == f"{number}.wav"
        if number in (0, 1000):
            time.sleep(0.3)
        assert len(taken) <= number + 500 + 2 * batches._BATCH_FILES  # whole batches are read, and yielded
    results.close()  # type: ignore[attr-defined]


UNREAD = """
import atexit, os, sys, threading
from sertag.model.model_file import describe
from sertag.parallel import batches, engine
from sertag.records import AudioFile, Options
engine._LITTLE_AUDIO_BYTES = 0
workers = []
atexit.register(lambda: print(*(worker._process.poll() for worker in workers)))  # after all others
prestart = engine.prestart
def remembered(first, *, jobs, prestarted):
    prestart(first, jobs=jobs, prestarted=prestarted)
    workers.extend(prestarted)
engine.prestart = remembered
files = [AudioFile(path) for path in sys.argv[3:]]
results = engine.tag_all(files, model=describe(sys.argv[1]), options=Options(), jobs=int(sys.argv[2]))
print(next(results).path, flush=True)
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_iterator_that_is_left_unread_does_not_hold_up_the_end(tiny_model: Path, tmp_path: Path, jobs: int) -> None:
    soundfile.write(tmp_path / "ok.wav", speech_like(3), RATE_HZ)
    os.mkfifo(tmp_path / "never.wav")  # a worker waits for it
    paths = [str(tmp_path / name) for name in ("ok.wav", "never.wav", "never.wav")]
    command = [sys.executable, "-c", UNREAD, str(tiny_model), str(jobs), *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [paths[0], " ".join(["-9"] * jobs)]


def test_no_files_give_no_results(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "Worker", None)
    assert list(tag_all([], model=model, options=OPTIONS, jobs=2)) == []


def test_a_model_that_changes_during_the_run_ends_it(files: list[AudioFile], tmp_path: Path) -> None:
    path = write_model(tmp_path / "moving.onnx", tiny_spec())
    model = load(str(path))
    write_model(path, tiny_spec(), seed=1)
    with pytest.raises(ModelError, match="changed during the run") as caught:
        list(tag_all(files, model=model, options=OPTIONS, jobs=2))
    assert caught.value.code == "model_changed"
    assert str(path) in str(caught.value)


class FakeWorker:
    """Counts how many there are."""

    alive = 0

    def __init__(self) -> None:
        FakeWorker.alive += 1

    def end(self) -> None:
        FakeWorker.alive -= 1


@pytest.mark.parametrize(
    ("sizes", "jobs", "workers"),
    [
        ([10**9], 4, 1),
        ([1000] * 5, 4, 1),
        ([10_000_000] * 2, 4, 2),
        ([10_000_000] * 8, 4, 4),
        ([1000] * FEW_FILES, 4, 4),
        ([1000] * FEW_FILES, 1, 1),
        ([], 4, 0),
    ],
)
def test_a_worker_starts_where_there_is_work_for_it(
    sizes: list[int], jobs: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "Worker", FakeWorker)
    first = [AudioFile(f"{number}.wav", size_bytes=size) for number, size in enumerate(sizes)]
    prestarted: list[Worker] = []
    prestart(first, jobs=jobs, prestarted=prestarted)
    assert FakeWorker.alive == len(prestarted) == workers
    end(prestarted)
    assert FakeWorker.alive == len(prestarted) == 0


def test_without_a_number_of_jobs_processors_are_counted_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "Worker", FakeWorker)
    monkeypatch.setattr(engine, "usable_cpus", lambda: 3)
    prestarted: list[Worker] = []
    prestart(
        [AudioFile(f"{number}.wav", size_bytes=1000) for number in range(FEW_FILES)], jobs=None, prestarted=prestarted
    )
    assert len(prestarted) == 3
    end(prestarted)
    monkeypatch.setattr(engine, "usable_cpus", lambda: pytest.fail("they were counted for a single clip"))
    prestart([AudioFile("a.wav", size_bytes=1000)], jobs=None, prestarted=prestarted)
    assert len(prestarted) == 1
    end(prestarted)


def test_workers_that_were_started_ahead_do_the_work(
    files: list[AudioFile], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    prestarted: list[Worker] = []
    prestart(files, jobs=1, prestarted=prestarted)
    monkeypatch.setattr(engine, "Worker", None)
    assert len(list(tag_all(files, model=model, options=OPTIONS, jobs=1, prestarted=prestarted))) == len(files)
    assert prestarted == []


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity can be set on Linux only")
def test_affinity_is_respected() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= usable_cpus() <= len(allowed)
