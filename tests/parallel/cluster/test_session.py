"""What becomes of batches on a cluster that loses, lacks or refuses them; the cluster is played, workers are real."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sertag.errors import ClusterError, SertagError
from sertag.model.model_file import ModelFile, describe
from sertag.parallel.cluster import node, session
from sertag.parallel.cluster.installation import Installation, installation
from sertag.parallel.cluster.node import Answer
from sertag.parallel.cluster.session import ClusterChoice
from sertag.parallel.engine import tag_all
from sertag.parallel.tasks import TaskLostError
from sertag.records import AudioFile, FileResult, Options, Problem, Status

Outcome = Answer | Exception | None  # None: what a worker really says


class PlayedConnection:
    """A cluster in threads of this process.

    Attributes:
        outcomes: what becomes of a task, by a function of its files and of how many tasks were begun before.
        sent: models that were sent.
        there: installations of its workers.
    """

    outcomes: ClassVar[Callable[[tuple[AudioFile, ...], int], Outcome]]
    sent: ClassVar[list[bytes]]
    batches: ClassVar[list[list[str]]]
    there: ClassVar[dict[str, Any]]

    def __init__(self, opening: object) -> None:
        self.name, self.leased = "Played", False
        self._threads = ThreadPoolExecutor(2)
        self._run_id = opening.run_id  # type: ignore[attr-defined]

    def slots(self) -> tuple[int, int]:
        return 2, 1

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        if function is node.look:
            return self.there
        self.sent.append(arguments[-1])
        return {"one": None}

    def submit(self, function: Callable[..., Any], files: tuple[AudioFile, ...], order: node.Order) -> Future[Any]:
        begun = len(self.batches)
        self.batches.append([file.path for file in files])

        def task() -> Answer:
            outcome = PlayedConnection.outcomes(files, begun)
            if isinstance(outcome, Exception):
                raise outcome
            answer: Answer = function(files, order) if outcome is None else outcome
            return answer

        return self._threads.submit(task)

    def close(self) -> None:
        node.end(self._run_id)
        self._threads.shutdown()


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> type[PlayedConnection]:
    monkeypatch.setattr(session, "Connection", PlayedConnection)
    PlayedConnection.outcomes = lambda files, begun: None
    PlayedConnection.sent, PlayedConnection.batches = [], []
    PlayedConnection.there = {"one": node.Worker(installation(), "m.onnx")}
    return PlayedConnection


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> ModelFile:
    return describe(str(tiny_model))


def tag(model: ModelFile, count: int = 40, said: list[str] | None = None) -> list[FileResult]:
    """Files that cannot be read, so that nothing takes long."""
    problem = Problem("not_found", "gone")
    files = [AudioFile(f"{number}.wav", problem=problem) for number in range(count)]
    say = (said if said is not None else []).append
    choice = ClusterChoice("dask", None, say)
    results = list(tag_all(files, model=model, options=Options(), jobs=None, cluster=choice))
    assert [result.path for result in results] == [file.path for file in files]
    assert choice.at_once == 2
    return results


def test_results_come_in_order(played: type[PlayedConnection], model: ModelFile) -> None:
    assert {result.status for result in tag(model)} == {Status.UNREADABLE}
    assert max(map(len, played.batches)) > 1


def test_a_batch_that_ends_workers_goes_file_by_file_and_its_killer_is_one_failed_row(
    played: type[PlayedConnection], model: ModelFile
) -> None:
    def outcome(files: tuple[AudioFile, ...], begun: int) -> Outcome:
        return TaskLostError("4 workers ended") if any(file.path == "11.wav" for file in files) else None

    played.outcomes = outcome
    results = tag(model)
    assert [result.path for result in results if result.status is Status.FAILED] == ["11.wav"]
    (row,) = results[11].channels
    assert row.problem is not None
    assert row.problem.code == "worker_died"
    assert row.problem.message.startswith("11.wav: Played: 4 workers ended; ")
    assert ["11.wav"] in played.batches


def test_a_model_that_a_late_worker_lacks_is_sent(
    played: type[PlayedConnection], model: ModelFile, tiny_model: Path
) -> None:
    played.outcomes = lambda files, begun: Answer("no_model") if begun == 3 else None
    tag(model)
    assert played.sent == [tiny_model.read_bytes()]


def test_a_model_that_a_worker_lacks_from_the_beginning_is_sent_first(
    played: type[PlayedConnection], model: ModelFile
) -> None:
    played.there = {"one": node.Worker(installation(), None), "two": node.Worker(installation(), "m.onnx")}
    tag(model)
    assert len(played.sent) == 1


@pytest.mark.parametrize(("kind", "said"), [("no_model", "its model was not kept"), ("ended", "its processes were")])
def test_a_batch_that_always_comes_back_ends_the_run(
    played: type[PlayedConnection], model: ModelFile, kind: Any, said: str
) -> None:
    played.outcomes = lambda files, begun: Answer(kind) if files[-1].path == "3.wav" else None
    with pytest.raises(ClusterError, match=f"a batch was given to workers 4 times, each time {said}"):
        tag(model)


@pytest.mark.parametrize(
    "outcome", [ClusterError("gone", code="cluster_lost"), Answer("refused", error=SertagError("gone", code="version"))]
)
def test_what_ends_the_run_ends_it(played: type[PlayedConnection], model: ModelFile, outcome: Outcome) -> None:
    played.outcomes = lambda files, begun: outcome if begun > 4 else None
    with pytest.raises(SertagError, match="gone"):
        tag(model)


def test_other_code_is_refused_and_other_libraries_are_said(played: type[PlayedConnection], model: ModelFile) -> None:
    here = installation()
    libraries = (("numpy", "1.0"), *here.libraries[2:])
    played.there = {"a": node.Worker(dataclasses.replace(here, libraries=libraries), "m.onnx")}
    said: list[str] = []
    tag(model, said=said)
    assert len(said) == 1
    assert said[0].startswith("worker a has numpy 1.0 (here ")
    played.there = {"a": node.Worker(here, "m.onnx"), "b": node.Worker(dataclasses.replace(here, code="0"), "m.onnx")}
    with pytest.raises(ClusterError, match=r"Played: worker b has sertag \S+ \(source 0\), expected sertag "):
        tag(model)
    played.there = {"c": ModuleNotFoundError("No module named 'sertag'")}
    with pytest.raises(ClusterError, match=r"worker c cannot run sertag .* No module named 'sertag'; install"):
        tag(model)


def test_a_worker_that_came_late_with_other_code_refuses_itself(
    played: type[PlayedConnection], model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "installation", lambda: Installation("0.0.1", "abc", ()))
    with pytest.raises(SertagError, match=r"has sertag 0\.0\.1 \(source abc\), expected sertag "):
        tag(model)
