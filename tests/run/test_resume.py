"""`run.resume`: known and new files in the order of the input, found and kept while the work goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertag import signals
from sertag.parallel import engine
from sertag.records import AudioFile, FileResult, Options
from sertag.run import resume
from sertag.storage.journal import Journal
from tests.run.runs import LONG_AGO_NS, Runs, made_up


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.lists(st.booleans(), max_size=40), most=st.integers(1, 5), batch=st.integers(1, 4))
def test_any_mixture_of_known_and_new_files_comes_out_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: list[bool], most: int, batch: int
) -> None:
    """However far ahead the work looks, and however many known files may wait behind new ones."""
    monkeypatch.setattr(resume, "_MOST_WAITING", most)
    files = [AudioFile(str(tmp_path / f"{number}.wav")) for number in range(len(known))]
    for file in files:
        Path(file.path).write_text(file.path)
        os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))

    def tag(new: Iterable[AudioFile], done: Callable[[FileResult], None]) -> Iterator[FileResult]:
        new = iter(new)
        while ahead := [made_up(file, Options()) for _, file in zip(range(batch), new, strict=False)]:
            for result in reversed(ahead):
                done(result)
            yield from ahead

    (tmp_path / "journal").unlink(missing_ok=True)
    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        list(resume.results((f for f, k in zip(files, known, strict=True) if k), journal=journal, tag=tag))
    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        found = list(resume.results(iter(files), journal=journal, tag=tag))
    assert [result for result, _ in found] == [made_up(file, Options()) for file in files]
    assert [reused for _, reused in found] == known


def test_files_are_found_while_the_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million known files neither wait in memory nor hold up the first row."""
    monkeypatch.setattr(resume, "_MOST_WAITING", 10)
    files = [AudioFile(str(tmp_path / f"{number}.wav")) for number in range(60)]
    for file in files:
        Path(file.path).write_text("a")
        os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    taken: list[AudioFile] = []

    def taking() -> Iterator[AudioFile]:
        for file in files:
            taken.append(file)
            yield file

    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        list(resume.results(files, journal=journal, tag=tag_in_order))
    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        results = resume.results(taking(), journal=journal, tag=tag_in_order)
        for _ in range(30):
            assert next(results)[1]
    assert len(taken) <= 40


def tag_in_order(files: Iterable[AudioFile], done: Callable[[FileResult], None]) -> Iterator[FileResult]:
    for file in files:
        done(made_up(file, Options()))
        yield made_up(file, Options())


def test_what_is_finished_is_kept_before_its_turn_comes(tmp_path: Path) -> None:
    """The first recording is a very long one, and the run is stopped before it is done."""
    files = [AudioFile(str(tmp_path / f"{number}.wav")) for number in range(4)]
    for file in files:
        Path(file.path).write_text("a")
        os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))

    def tag(new: Iterable[AudioFile], done: Callable[[FileResult], None]) -> Iterator[FileResult]:
        _, *others = new
        for file in others:
            done(made_up(file, Options()))
        raise signals.Stopped(signal.SIGTERM)
        yield  # a generator

    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        with pytest.raises(signals.Stopped):
            list(resume.results(files, journal=journal, tag=tag))
    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        assert [resume.is_known(file, journal) for file in files] == [False, True, True, True]


def test_nothing_new_starts_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    def must_not_start(*_: object, **__: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(engine, "Worker", must_not_start)
    runs("calls", "-o", "r.csv")
