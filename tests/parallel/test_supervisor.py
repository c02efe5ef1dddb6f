"""Files that crash, hang, kill or starve the process that reads them: one row each, whatever happens beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import soundfile

from sertag.errors import SertagError
from sertag.model.model_file import ModelFile, describe
from sertag.parallel import batches, engine, supervisor, worker
from sertag.parallel.engine import tag_all
from sertag.parallel.pool import Batch
from sertag.parallel.worker import Worker
from sertag.records import AudioFile, FileResult, Options, Problem, Status
from tests.conftest import RATE_HZ, speech_like

Tag = Callable[..., list[FileResult]]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> ModelFile:
    return describe(str(tiny_model))


@pytest.fixture(autouse=True)
def _faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers whose decoder fails as the name of a file says; as many as are asked for."""
    monkeypatch.setattr(worker, "_PROGRAM", worker._PROGRAM.replace("from sertag", "import tests.faults; from sertag"))
    monkeypatch.setattr(engine, "_LITTLE_AUDIO_BYTES", 0)


@pytest.fixture
def recordings(tmp_path: Path) -> Callable[[list[str]], list[AudioFile]]:
    """Recordings of half a second with the names that are asked for."""
    sound = tmp_path / "sound"
    soundfile.write(sound, speech_like(0.5), RATE_HZ, format="WAV")

    def named(names: list[str]) -> list[AudioFile]:
        for name in names:
            (tmp_path / name).hardlink_to(sound)
        return [AudioFile(str(tmp_path / name), size_bytes=8000) for name in names]

    return named


@pytest.fixture
def tag(recordings: Callable[[list[str]], list[AudioFile]], model: ModelFile) -> Tag:
    """Tag recordings with these names; results are there, in order, and none but those of faults has failed."""

    def run(names: list[str], *, jobs: int, timeout_s: float | None = None) -> list[FileResult]:
        results = list(tag_all(recordings(names), model=model, options=Options(), jobs=jobs, timeout_s=timeout_s))
        assert [Path(result.path).name for result in results] == names
        for result in results:
            assert (problem(result) is None) == Path(result.path).name.startswith(("ok", "waits", "shouts", "once"))
        return results

    return run


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of the workers, as they start."""
    found: list[int] = []

    class Known(Worker):
        def __init__(self) -> None:
            super().__init__()
            found.append(self._process.pid)

    monkeypatch.setattr(engine, "Worker", Known)
    monkeypatch.setattr(supervisor, "Worker", Known)
    return found


def problem(result: FileResult) -> Problem | None:
    (row,) = result.channels
    return row.problem if row.status is Status.FAILED else None


def sound_names(count: int, first: int = 0) -> list[str]:
    return [f"ok_{number}.wav" for number in range(first, first + count)]


def test_every_fault_is_one_row(tag: Tag) -> None:
    """With two workers; that one alone survives too is the next test's subject."""
    faults = {
        "kills.wav": ("worker_died", "was ended by SIGKILL"),
        "crashes.wav": ("worker_died", "was ended by SIGSEGV"),
        "leaves.wav": ("worker_died", "ended with 3"),
        "chokes.wav": ("worker_died", "ended with 1"),
        "hangs.wav": ("timeout", "was stopped after 1.5 s"),
        "loops.wav": ("timeout", "--timeout can be longer"),
        "stops.wav": ("timeout", "was stopped after 1.5 s"),
        "raises.wav": ("internal_error", r"ZeroDivisionError: nobody \x1b[31m foresaw this; this is a fault of sertag"),
        "eats.wav": ("out_of_memory", "takes more memory than there is"),
    }
    names = sound_names(45)
    for place, fault in enumerate(faults):
        names.insert(4 + 5 * place, fault)
    results = {Path(result.path).name: result for result in tag(names, jobs=2, timeout_s=1.5)}
    for name, (code, message) in faults.items():
        found = problem(results[name])
        assert found is not None
        assert found.code == code
        assert message in found.message
        assert name in found.message
        assert found.message.isprintable()
    assert "Segmentation fault" in (results["crashes.wav"].crash or "")
    assert "MemoryError: no room for the answer" in (results["chokes.wav"].crash or "")
    assert "tests/faults.py" in (results["raises.wav"].crash or "")
    assert "\x1b" not in (results["raises.wav"].crash or "")


@pytest.mark.parametrize(("jobs", "count"), [(1, 5), (2, 300)], ids=["few", "many"])
def test_one_killer_among_good_ones(tag: Tag, pids: list[int], jobs: int, count: int) -> None:
    names = sound_names(count)
    names.insert(count // 2, "kills.wav")
    results = tag(names, jobs=jobs)
    assert sum(problem(result) is not None for result in results) == 1
    assert len(pids) == jobs + 2  # one more for each time that it killed one


def test_a_file_whose_worker_was_killed_beside_it_is_tried_again(tag: Tag, pids: list[int]) -> None:
    tag(["ok_1.wav", "once.wav", "ok_2.wav"], jobs=1)
    assert len(pids) == 2


def test_only_so_much_is_read_behind_a_slow_file(
    recordings: Callable[[list[str]], list[AudioFile]], model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_OPEN_FILES", 500)
    monkeypatch.setattr(batches, "_OPEN_EACH", 1)
    read: list[int] = []

    def endless(first: AudioFile) -> Iterator[AudioFile]:
        yield first
        while True:
            read.append(1)
            yield AudioFile("gone.wav", problem=Problem("not_found", "gone"))

    slow, *_ = recordings(["hangs.wav"])
    results = tag_all(endless(slow), model=model, options=Options(), jobs=2, timeout_s=3)
    assert problem(next(results)) is not None
    assert 100 <= len(read) <= 500 + batches._BATCH_FILES
    results.close()  # type: ignore[attr-defined]


def test_workers_go_on_when_joblib_is_called_again(tag: Tag, pids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_OPEN_FILES", 20)
    monkeypatch.setattr(batches, "_OPEN_EACH", 1)
    monkeypatch.setattr(batches, "_QUEUED", 8)
    calls: list[int] = []
    take = batches.BatchQueue.take

    def counted(queue: batches.BatchQueue) -> Iterator[Batch]:
        calls.append(1)
        return take(queue)

    monkeypatch.setattr(batches.BatchQueue, "take", counted)
    tag(["waits_1.wav", *sound_names(200), "waits_2.wav", *sound_names(200, first=200)], jobs=2)
    assert len(calls) > 1
    assert len(pids) == 2


def test_huge_files_are_tagged_one_by_one(recordings: Callable[[list[str]], list[AudioFile]], model: ModelFile) -> None:
    """Each of them is more than may wait for its turn."""
    files = [AudioFile(file.path, size_bytes=10**13) for file in recordings(["waits.wav", *sound_names(9)])]
    results = list(tag_all(files, model=model, options=Options(), jobs=2))
    assert [result.path for result in results] == [file.path for file in files]
    assert [problem(result) for result in results] == [None] * 10


def test_workers_killed_by_the_system_cost_nothing(
    recordings: Callable[[list[str]], list[AudioFile]], model: ModelFile, pids: list[int]
) -> None:
    """Of those that were there from the start: who has ended beside a file twice is taken to be ended by it."""
    files = recordings(sound_names(100))
    results = []
    for result in tag_all(files, model=model, options=Options(), jobs=3):
        results.append(result)
        for number in range(3) if len(results) == 20 else ():
            with suppress(ProcessLookupError):
                os.kill(pids[number], signal.SIGKILL)
    assert [result.path for result in results] == [file.path for file in files]
    assert [problem(result) for result in results] == [None] * 100


def killed_at_once(monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
    """The first workers are killed before they are ready."""
    left = iter(range(times))

    class Doomed(Worker):
        def __init__(self) -> None:
            super().__init__()
            if next(left, None) is not None:
                self._process.kill()

    monkeypatch.setattr(engine, "Worker", Doomed)
    monkeypatch.setattr(supervisor, "Worker", Doomed)


@pytest.mark.parametrize(("jobs", "times"), [(1, 4), (2, 7)])
def test_workers_killed_at_their_start_are_started_again(
    tag: Tag, monkeypatch: pytest.MonkeyPatch, jobs: int, times: int
) -> None:
    killed_at_once(monkeypatch, times=times)
    monkeypatch.setattr(supervisor, "_PAUSE_S", 0.0)
    assert len(tag(sound_names(20), jobs=jobs)) == 20


def test_workers_that_never_start_end_the_run(tag: Tag, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_at_once(monkeypatch, times=1000)
    monkeypatch.setattr(supervisor, "_PAUSE_S", 0.0)
    with pytest.raises(SertagError, match="8 in a row ended before they were ready, the last was ended") as caught:
        tag(sound_names(20), jobs=2)
    assert caught.value.code == "no_workers"


def test_a_start_that_hangs_is_given_up(tag: Tag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_PROGRAM", "import time; time.sleep(1000)")
    for name, value in {"_START_S": 0.1, "_POLL_S": 0.1, "_PAUSE_S": 0.0}.items():
        monkeypatch.setattr(supervisor, name, value)
    with pytest.raises(SertagError, match="cannot be started"):
        tag(sound_names(1), jobs=1)


def test_a_worker_that_cannot_begin_says_why(tag: Tag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_PROGRAM", "raise SystemExit('nothing is installed')")
    monkeypatch.setattr(supervisor, "_PAUSE_S", 0.0)
    with pytest.raises(SertagError, match="ended with 1: nothing is installed; is there enough memory"):
        tag(sound_names(1), jobs=1)


def test_time_in_which_everything_stood_still_does_not_count(tag: Tag, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-Z, a laptop that sleeps: the clock goes on, nobody works."""
    monkeypatch.setattr(supervisor, "_POLL_S", 0.1)
    leaps = iter(range(1_000_000))
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: 1e6 * next(leaps))
    tag(["waits.wav"], jobs=1, timeout_s=30)


def test_a_slow_reader_of_results_makes_no_file_late(
    recordings: Callable[[list[str]], list[AudioFile]], model: ModelFile
) -> None:
    files = recordings(["ok_1.wav", *(f"waits_{number}.wav" for number in range(3))])
    for result in tag_all(files, model=model, options=Options(), jobs=1, timeout_s=1.5):
        assert problem(result) is None
        time.sleep(1.6)


def test_a_worker_without_work_is_not_late(tag: Tag, pids: list[int]) -> None:
    tag([f"waits_{number}.wav" for number in range(4)], jobs=2, timeout_s=1.5)  # one batch, for one of the two
    assert len(pids) == 2


@pytest.mark.parametrize(("size_bytes", "place"), [(10**6, 39), (10**8, 2)])
def test_a_long_file_does_not_hold_up_the_others(
    recordings: Callable[[list[str]], list[AudioFile]], model: ModelFile, size_bytes: int, place: int
) -> None:
    """Ends because the last file is at work beside the first; of large files none waits behind another."""
    names = ["patient.wav", *sound_names(38)]
    names.insert(place, "last.wav")
    files = [AudioFile(file.path, size_bytes=size_bytes) for file in recordings(names)]
    results = list(tag_all(files, model=model, options=Options(), jobs=2))
    assert [problem(result) for result in results] == [None] * 40


def test_standard_input_is_not_read_twice(model: ModelFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second worker would find what the first one had left of it."""
    fault = f"f['-'] = lambda: open({str(tmp_path / 'opened')!r}, 'a').write('once ') and f['leaves']()"
    program = worker._PROGRAM.replace("; from sertag", f"; from tests.faults import FAULTS as f; {fault}; from sertag")
    monkeypatch.setattr(worker, "_PROGRAM", program)
    (result,) = tag_all([AudioFile("-")], model=model, options=Options(), jobs=1)
    found = problem(result)
    assert found is not None
    assert found.code == "worker_died"
    assert (tmp_path / "opened").read_text() == "once "


def test_what_decoders_say_is_not_heard(tag: Tag, capfd: pytest.CaptureFixture[str]) -> None:
    _, dying = tag(["shouts.wav", "leaves.wav"], jobs=1)
    assert capfd.readouterr() == ("", "")
    assert dying.crash is None  # what was said about one file is not taken for another's


def test_no_worker_is_left_of_a_run_that_was_given_up(
    recordings: Callable[[list[str]], list[AudioFile]], model: ModelFile, pids: list[int]
) -> None:
    results = tag_all(recordings([*sound_names(30), "hangs.wav"]), model=model, options=Options(), jobs=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_command_says_all_of_it_in_rows_log_and_exit_code(
    recordings: Callable[[list[str]], list[AudioFile]], tiny_model: Path, tmp_path: Path
) -> None:
    program = f"from sertag.parallel import worker as w; w._PROGRAM = {worker._PROGRAM!r}; import sertag.__main__ as m"
    names = ["ok.wav", "crashes.wav", "raises.wav", "loops.wav"]
    options = ["-m", str(tiny_model), "-o", "r.jsonl", "--timeout", "1.5", "--log-file", "log"]
    recordings(names)
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; m.main()", *names, *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    codes = [None, "worker_died", "internal_error", "timeout"]
    assert [row["path"] for row in found] == names
    assert [row["channels"][0]["error_code"] for row in found][1:] == codes[1:]
    assert found[0]["status"] != "failed"
    log = (tmp_path / "log").read_text()
    assert "Fatal Python error: Segmentation fault" in log
    assert "ZeroDivisionError: nobody \\x1b[31m foresaw this" in log
    assert "\x1b" not in log
