"""One batch as a task, and the workers that tag it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import soundfile

from sertag.errors import ModelError
from sertag.model.model_file import describe
from sertag.parallel.pool import Batch, SupervisorPool, tag_batch
from sertag.parallel.supervisor import ClosedError, Job
from sertag.parallel.worker import Setup
from sertag.records import AudioFile, Options
from tests.conftest import RATE_HZ, speech_like


@pytest.fixture
def job(tiny_model: Path) -> Job:
    model = describe(str(tiny_model))
    return Job("a run", Setup(model.path, model.sha256, Options()), timeout_s=None, workers=2)


@pytest.fixture
def pool(job: Job) -> Iterator[SupervisorPool]:
    pool = SupervisorPool(job)
    yield pool
    pool.close()


@pytest.fixture
def batches(tmp_path: Path) -> list[Batch]:
    soundfile.write(tmp_path / "ok.wav", speech_like(5), RATE_HZ)
    good, missing = AudioFile(str(tmp_path / "ok.wav")), AudioFile("missing.wav")
    return [Batch(0, (good, missing)), Batch(1, (missing,)), Batch(2, (good,))]


def test_a_closed_pool_starts_nothing(pool: SupervisorPool, batches: list[Batch]) -> None:
    pool.close()
    with pytest.raises(ClosedError):
        tag_batch(batches[0], pool=pool)


class FakeWorker:
    """Remembers what was asked of all of them."""

    asked: ClassVar[list[str]] = []

    def kill(self) -> None:
        FakeWorker.asked.append("kill")

    def end(self) -> None:
        FakeWorker.asked.append("end")


def test_workers_end_at_the_same_time_and_once(job: Job) -> None:
    pool = SupervisorPool(job, prestarted=[FakeWorker(), FakeWorker()])  # type: ignore[list-item]
    pool.close()
    pool.close()
    assert FakeWorker.asked[:2] == ["kill", "kill"]
    assert FakeWorker.asked.count("end") == 2


def test_a_model_that_cannot_be_used_is_said_by_every_task(job: Job, batches: list[Batch], tmp_path: Path) -> None:
    """No task waits for a supervisor whose task has failed."""
    setup = Setup(str(tmp_path / "gone.onnx"), "", Options())
    pool = SupervisorPool(Job("another run", setup, None, workers=1))
    for batch in batches:
        with pytest.raises(ModelError):
            tag_batch(batch, pool=pool)
    pool.close()
