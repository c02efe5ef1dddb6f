"""Many files at once: one process for each job, results in the order of the input.

Files are the unit of work, so a result never depends on how many workers there are or which one it was. The parent
hands files out as they are asked for and keeps no more of them in flight than the workers need. The line itself is
imported inside functions, so that workers can start before the parent has loaded it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import lru_cache
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from sertag import signals
from sertag.errors import ModelError
from sertag.names import display_name
from sertag.records import AudioFile, ChannelResult, FileResult, Options, Problem, Status

if TYPE_CHECKING:
    from sertag.model import Model

# Workers take about a second to start, in which one process tags some 20 minutes of stereo telephone audio.
FEW_FILES = 64  # how many are looked at to know whether workers are worth it

_STDIN = "-"
_LITTLE_AUDIO_BYTES = 16_000_000
_BATCH_FILES, _BATCH_BYTES = 16, 500_000  # of one message to a worker
_MOST_WAITING = 1000  # batches that a very long file holds up
_IDLE_S = 300.0  # then a worker that has nothing to do ends
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_Job = tuple[list[AudioFile], "Future[list[FileResult]]"]
_Submit = Callable[[list[AudioFile]], _Job]


def tag_all(files: Iterable[AudioFile], *, model: Model, options: Options, jobs: int) -> Iterator[FileResult]:
    """Tag recordings, `jobs` at a time.

    Args:
        files: read lazily.
        model: loaded in this process; workers load the same file again.
        options: of the run.
        jobs: worker processes; with 1, and where workers would take longer to start than to work, the work is done
            in this process.

    Yields:
        One result a file, in the order of `files`.
    """
    files = iter(files)
    first = [] if jobs == 1 else list(itertools.islice(files, FEW_FILES))
    alone = jobs == 1 or _is_small(first)
    # Only this process has the standard input, so that one stays here.
    for here, group in itertools.groupby(itertools.chain(first, files), key=lambda file: alone or file.path == _STDIN):
        if here:
            yield from _tag_here(group, model=model, options=options)
        else:
            yield from _tag_in_workers(group, model=model, options=options, jobs=jobs)


def start(first: list[AudioFile], *, jobs: int) -> bool:
    """Start workers ahead of `tag_all`, while this process is still loading what it needs itself.

    Args:
        first: the first `FEW_FILES` files, fewer only if there are no more.
        jobs: as for `tag_all`.

    Returns:
        Whether there are workers now, which `stop` ends; none are started where `tag_all` would not use them.
    """
    if jobs == 1 or _is_small(first):
        return False
    for _ in range(jobs):
        _executor(jobs).submit(_load_the_line)
    return True


def usable_cpus() -> int:
    """Processors that this process may use: affinity and cgroup limits respected."""
    import joblib

    return int(joblib.cpu_count())


def stop() -> None:
    """End all workers at once; their unfinished files are lost, nothing else is."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def _is_small(first: list[AudioFile]) -> bool:
    """Whether the whole run, if these are all its files, is over before workers have started."""
    size_bytes = sum(file.size_bytes or 0 for file in first)
    return len(first) == 1 or (len(first) < FEW_FILES and size_bytes < _LITTLE_AUDIO_BYTES)


def _tag_here(files: Iterable[AudioFile], *, model: Model, options: Options) -> Iterator[FileResult]:
    from sertag.pipeline import tag_file

    return (tag_file(file, model=model, options=options) for file in files)


def _tag_in_workers(files: Iterable[AudioFile], *, model: Model, options: Options, jobs: int) -> Iterator[FileResult]:
    def submit(batch: list[AudioFile]) -> _Job:
        return batch, _executor(jobs).submit(_tag_in_worker, batch, model.path, model.sha256, options)

    waiting: deque[_Job] = deque()
    for batch in _batches(files):
        waiting.append(submit(batch))
        yield from _results_until_idle(waiting, submit, jobs=jobs)
    while waiting:
        yield from _next_results(waiting, submit)


def _batches(files: Iterable[AudioFile]) -> Iterator[list[AudioFile]]:
    """Files that travel together: a clip of seconds is tagged in about the time that a message takes."""
    batch: list[AudioFile] = []
    size_bytes = 0
    for file in files:
        batch.append(file)
        size_bytes += file.size_bytes or 0
        if len(batch) == _BATCH_FILES or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _executor(jobs: int) -> Any:
    """The workers, started where none are left; each is one thread, more would compete for the same processors."""
    from joblib.externals.loky import get_reusable_executor

    executor = get_reusable_executor(max_workers=jobs, timeout=_IDLE_S, env=dict.fromkeys(_THREADS, "1"))
    resource_tracker.ensure_running()  # which lifts the block of signals that the workers are to inherit
    signals.block()
    return executor


def _results_until_idle(waiting: deque[_Job], submit: _Submit, *, jobs: int) -> Iterator[FileResult]:
    """Yield what is ready, in order, until the workers need another batch."""
    while True:
        while waiting and waiting[0][1].done():
            yield from _next_results(waiting, submit)
        busy = [future for _, future in waiting if not future.done()]
        if len(waiting) >= _MOST_WAITING:  # the first file is a very long one
            wait([waiting[0][1]])
        elif len(busy) < 2 * jobs:  # one at work and one at hand for each
            return
        else:
            wait(busy, return_when=FIRST_COMPLETED)


def _next_results(waiting: deque[_Job], submit: _Submit) -> list[FileResult]:
    """Wait for the first batch; a file that ends its worker (a decoder that crashes, no memory) is a row as well.

    A dying worker takes everything in flight with it. The first files then run one by one, which shows whether one of
    them is to blame, and the others begin again.
    """
    batch, future = waiting.popleft()
    try:
        return future.result()
    except BrokenExecutor:
        results = [_result_alone(file, submit) for file in batch]
    jobs = [job if _is_sound(job[1]) else submit(job[0]) for job in waiting]
    waiting.clear()
    waiting.extend(jobs)
    return results


def _result_alone(file: AudioFile, submit: _Submit) -> FileResult:
    try:
        return submit([file])[1].result()[0]
    except BrokenExecutor:
        message = f"{display_name(file.path)}: the process that tagged it died; is there enough memory?"
        problem = Problem("worker_died", f"{message} fewer --jobs need less")
        return FileResult(file.path, (ChannelResult(channel=None, status=Status.FAILED, problem=problem),))


def _is_sound(future: Future[list[FileResult]]) -> bool:
    return not future.done() or not isinstance(future.exception(), BrokenExecutor)


def _tag_in_worker(batch: list[AudioFile], path: str, sha256: str, options: Options) -> list[FileResult]:
    from sertag.pipeline import tag_file

    return [tag_file(file, model=_worker_model(path, sha256), options=options) for file in batch]


def _load_the_line() -> None:
    import sertag.pipeline  # noqa: F401 - what takes a worker's time to start


@lru_cache(maxsize=1)
def _worker_model(path: str, sha256: str) -> Model:
    from sertag.memory import keep_freed_memory
    from sertag.model import load

    keep_freed_memory()
    model = load(path)
    if model.sha256 != sha256:
        message = f"{path}: the model file changed during the run ({sha256[:12]} became {model.sha256[:12]}); run again"
        raise ModelError(message, code="model_changed")
    return model
