"""Many files at once: one process for each job, results in the order of the input.

Files are the unit of work, so a result never depends on how many workers there are or which one it was. The parent
hands files out as they are asked for and keeps no more of them in flight than the workers need.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import lru_cache

from sertag.errors import ModelError
from sertag.model import Model, load
from sertag.pipeline import tag_file
from sertag.records import AudioFile, FileResult, Options

_STDIN = "-"
# Workers take about a second to start, in which one process tags some 20 minutes of stereo telephone audio.
_FEW_FILES = 64
_LITTLE_AUDIO_BYTES = 16_000_000


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
    first = [] if jobs == 1 else list(itertools.islice(files, _FEW_FILES))
    alone = jobs == 1 or _is_small(first)
    # Only this process has the standard input, so that one stays here.
    for here, group in itertools.groupby(itertools.chain(first, files), key=lambda file: alone or file.path == _STDIN):
        if here:
            yield from (tag_file(file, model=model, options=options) for file in group)
        else:
            yield from _tag_in_workers(group, model=model, options=options, jobs=jobs)


def usable_cpus() -> int:
    """Processors that this process may use: affinity and cgroup limits respected."""
    import joblib

    return int(joblib.cpu_count())


def stop() -> None:
    """End all workers at once; their unfinished files are lost, nothing else is."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _is_small(first: list[AudioFile]) -> bool:
    """Whether the whole run, if these are all its files, is over before workers have started."""
    size_bytes = sum(file.size_bytes or 0 for file in first)
    return len(first) == 1 or (len(first) < _FEW_FILES and size_bytes < _LITTLE_AUDIO_BYTES)


def _tag_in_workers(files: Iterable[AudioFile], *, model: Model, options: Options, jobs: int) -> Iterator[FileResult]:
    import joblib

    # Every worker is one thread: more would compete for the same processors.
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        pool = joblib.Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="3*n_jobs")
        task = joblib.delayed(_tag_in_worker)
        yield from pool(task(file, model.path, model.sha256, options) for file in files)


def _tag_in_worker(file: AudioFile, path: str, sha256: str, options: Options) -> FileResult:
    return tag_file(file, model=_worker_model(path, sha256), options=options)


@lru_cache(maxsize=1)
def _worker_model(path: str, sha256: str) -> Model:
    model = load(path)
    if model.sha256 != sha256:
        message = f"{path}: the model file changed during the run ({sha256[:12]} became {model.sha256[:12]}); run again"
        raise ModelError(message, code="model_changed")
    return model
