from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertag import parallel, pipeline
from sertag.errors import ModelError
from sertag.model import Model, load
from sertag.parallel import stop, tag_all, usable_cpus
from sertag.records import AudioFile, ChannelResult, FileResult, Options, Problem, Status
from tests.conftest import RATE_HZ, speech_like
from tests.onnx_models import tiny_spec, write_model

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
    found = list(tag_all(files, model=model, options=OPTIONS, jobs=1))
    assert [result.path for result in found] == [file.path for file in files]
    assert {result.status for result in found} >= {Status.OK, Status.NO_SPEECH, Status.TOO_SHORT, Status.UNREADABLE}
    return {result.path: result for result in found}


@pytest.fixture(autouse=True)
def _always_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few short files would be tagged in this process, which is quicker."""
    monkeypatch.setattr(parallel, "_is_small", lambda first: False)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), jobs=st.sampled_from([1, 2, 3]))
def test_any_number_of_jobs_and_any_order_give_the_same_results(
    data: st.DataObject, jobs: int, files: list[AudioFile], expected: dict[str, FileResult], model: Model
) -> None:
    some = data.draw(st.lists(st.sampled_from(files), max_size=12))  # repeated files included
    found = list(tag_all(some, model=model, options=OPTIONS, jobs=jobs))
    assert found == [expected[file.path] for file in some]
    assert repr(found) == repr([expected[file.path] for file in some])  # to the last bit of every number


def test_workers_do_the_work(files: list[AudioFile], model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "tag_file", _must_not_run_here)
    assert len(list(tag_all(files, model=model, options=OPTIONS, jobs=2))) == len(files)


def test_one_job_needs_no_workers(files: list[AudioFile], model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_tag_in_workers", _must_not_run_here)
    assert len(list(tag_all(files, model=model, options=OPTIONS, jobs=1))) == len(files)


def test_standard_input_is_read_in_this_process(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    here: list[str] = []

    def tag_here(file: AudioFile, *, model: Model, options: Options) -> FileResult:
        here.append(file.path)
        return FileResult(file.path, ())

    monkeypatch.setattr(pipeline, "tag_file", tag_here)
    refused = [AudioFile(f"{number}.wav", problem=Problem("x", "x")) for number in range(3)]
    some = [*refused[:2], AudioFile("-"), refused[2]]
    found = tag_all(some, model=model, options=OPTIONS, jobs=2)
    assert [result.path for result in found] == ["0.wav", "1.wav", "-", "2.wav"]
    assert here == ["-"]


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (2, 64 + 16 * (2 * 2 + 1) + 64)])
def test_the_list_of_files_is_read_as_the_work_goes_on(model: Model, jobs: int, most: int) -> None:
    taken: list[int] = []

    def endless() -> Iterator[AudioFile]:
        while True:
            taken.append(1)
            yield AudioFile("gone.wav", problem=Problem("not_found", "gone"))

    results = tag_all(endless(), model=model, options=OPTIONS, jobs=jobs)
    assert next(results).path == "gone.wav"
    assert len(taken) <= most
    results.close()  # type: ignore[attr-defined]


def test_a_worker_that_dies_costs_one_file(
    files: list[AudioFile], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ended it, a decoder that crashes or the system for want of memory."""
    monkeypatch.setattr(parallel, "_tag_in_worker", _dies_of_text)
    monkeypatch.setattr(parallel, "_BATCH_FILES", 2)
    some = files * 2
    found = list(tag_all(some, model=model, options=OPTIONS, jobs=2))
    assert [result.path for result in found] == [file.path for file in some]
    for result in found:
        died = result.path.endswith("text.wav")
        assert result.status == (Status.FAILED if died else Status.OK)
        problem = result.channels[0].problem
        assert (problem is not None and problem.code == "worker_died") == died


def test_a_long_file_does_not_hold_up_the_others(model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(parallel, "_tag_in_worker", _waits_for_the_last)
    some = [AudioFile(f"{tmp_path}/{number}", size_bytes=10**6) for number in range(40)]
    found = list(tag_all(some, model=model, options=OPTIONS, jobs=2))  # ends because number 39 runs beside number 0
    assert [result.path for result in found] == [file.path for file in some]


def test_no_files_give_no_results(model: Model) -> None:
    assert list(tag_all([], model=model, options=OPTIONS, jobs=2)) == []


def test_a_model_that_changes_during_the_run_ends_it(files: list[AudioFile], tmp_path: Path) -> None:
    path = write_model(tmp_path / "moving.onnx", tiny_spec())
    model = load(str(path))
    write_model(path, tiny_spec(), seed=1)
    with pytest.raises(ModelError, match="changed during the run") as caught:
        list(tag_all(files, model=model, options=OPTIONS, jobs=2))
    assert caught.value.code == "model_changed"
    assert str(path) in str(caught.value)


def test_workers_can_be_stopped_and_start_again(files: list[AudioFile], model: Model) -> None:
    results = tag_all(files, model=model, options=OPTIONS, jobs=2)
    next(results)
    stop()
    assert len(list(tag_all(files, model=model, options=OPTIONS, jobs=2))) == len(files)


@pytest.mark.parametrize(
    ("sizes", "small"),
    [([10**9], True), ([1000] * 5, True), ([10_000_000] * 2, False), ([1000] * 64, False), ([], True)],
)
def test_workers_start_only_where_there_is_work_for_them(
    sizes: list[int], small: bool, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    started: list[bool] = []
    monkeypatch.setattr(parallel, "_tag_in_workers", lambda group, **_: started.append(True) or list(group))
    monkeypatch.setattr(pipeline, "tag_file", lambda file, **_: file)
    some = [AudioFile(f"{number}.wav", size_bytes=size) for number, size in enumerate(sizes)]
    assert list(tag_all(some, model=model, options=OPTIONS, jobs=2)) == some
    assert started == ([] if small else [True])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity can be set on Linux only")
def test_affinity_is_respected() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= usable_cpus() <= len(allowed)


def _must_not_run_here(*_: object, **__: object) -> None:
    raise AssertionError("not in this process")


def _ok(file: AudioFile) -> FileResult:
    return FileResult(file.path, (ChannelResult(channel=0, status=Status.OK),))


def _dies_of_text(batch: list[AudioFile], path: str, sha256: str, options: Options) -> list[FileResult]:
    if any(file.path.endswith("text.wav") for file in batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return [_ok(file) for file in batch]


def _waits_for_the_last(batch: list[AudioFile], path: str, sha256: str, options: Options) -> list[FileResult]:
    for file in batch:
        place = Path(file.path)
        place.touch()
        deadline_s = time.monotonic() + 30
        while place.name == "0" and not (place.parent / "39").exists():
            if time.monotonic() > deadline_s:
                raise TimeoutError("the last file was not tagged beside the first")
            time.sleep(0.01)
    return [_ok(file) for file in batch]
