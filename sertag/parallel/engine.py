"""Many files at once: one process for each job, results in the order of the input.

Files are the unit of work, so a result never depends on how many workers there are or which one it was. All work is
done in workers, with one job too: whatever a recording does to the process that reads it, the run goes on.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from sertag.parallel.supervisor import Crew
from sertag.parallel.worker import Setup, Worker
from sertag.records import AudioFile, FileResult, Options

# A worker takes half a second of a processor to start, in which one tags half an hour of stereo telephone audio.
FEW_FILES = 64  # how many are looked at to know whether a second one is worth it

_LITTLE_AUDIO_BYTES = 16_000_000


class ModelFile(Protocol):
    """What has to be known of a model here; `model.Model` and `model_file.ModelFile` will do."""

    @property
    def path(self) -> str:
        """Of the file."""

    @property
    def sha256(self) -> str:
        """Of its bytes."""


def tag_all(
    files: Iterable[AudioFile],
    *,
    model: ModelFile,
    options: Options,
    jobs: int | None,
    timeout_s: float | None = None,
    done: Callable[[FileResult], None] | None = None,
    ahead: list[Worker] | None = None,
) -> Iterator[FileResult]:
    """Tag recordings, `jobs` at a time.

    Args:
        files: read lazily.
        model: workers load the file themselves.
        options: of the run.
        jobs: worker processes, None for as many as there are processors; fewer are used where one more would take
            longer to start than to work.
        timeout_s: longest time for one file, None for any. Time in which the whole run stood still does not count.
        done: called in this process with each result that a worker gives, as soon as it is there, whatever its turn.
        ahead: workers that `start` has started; they are taken out of the list.

    Yields:
        One result a file, in the order of `files`. A file that crashes the process that reads it, has it killed for
        want of memory, or takes too long, is a failed result.

    Raises:
        ModelError: the model cannot be used, or changed during the run.
        SertagError: `no_workers`, they cannot be started.
    """
    files = iter(files)
    first = list(itertools.islice(files, FEW_FILES))
    if not first:
        return
    ahead = [] if ahead is None else ahead
    start(first, jobs=jobs, ahead=ahead)
    setup = Setup(model.path, model.sha256, options)
    crew = Crew(ahead, itertools.chain(first, files), setup=setup, timeout_s=timeout_s, done=done)
    ahead.clear()
    try:
        yield from crew.results()
    finally:
        crew.end()


def start(first: list[AudioFile], *, jobs: int | None, ahead: list[Worker]) -> None:
    """Start workers ahead of `tag_all`, while this process is still loading what it needs itself.

    Args:
        first: the first `FEW_FILES` files, fewer only if there are no more.
        jobs: as for `tag_all`.
        ahead: gets the workers that it lacks. Who never comes to `tag_all` has to `end` them.
    """
    if first and not ahead:
        ahead.append(Worker())  # it loads while processors are counted
    ahead.extend(Worker() for _ in range(_worthwhile(first, jobs) - len(ahead)))


def end(ahead: list[Worker]) -> None:
    """End workers that nobody has taken over."""
    while ahead:
        ahead.pop().end()


def usable_cpus() -> int:
    """Processors that this process may use: affinity and cgroup limits respected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about semaphores, which nobody needs to count
        import joblib

    return int(joblib.cpu_count())


def _worthwhile(first: list[AudioFile], jobs: int | None) -> int:
    """How many workers are worth their start, if these are all the files or the first `FEW_FILES` of more."""
    size_bytes = sum(file.size_bytes or 0 for file in first)
    little = len(first) < FEW_FILES and size_bytes < _LITTLE_AUDIO_BYTES
    return min(1 if little else jobs or usable_cpus(), len(first))
