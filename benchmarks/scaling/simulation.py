"""What a run of 50 million files takes: unit costs that are measured, and a simulation made of them.

    python -m benchmarks.scaling.simulation measure     # what one file costs the command's own process: half a minute
    python -m benchmarks.scaling.simulation simulate    # from that and the other committed results: a minute

Both write `benchmarks/results/scaling.json`, from which `python -m benchmarks.readme` makes the tables of
`docs/scaling.md`.

Measured is everything that happens to a file on the computer of the client while workers tag: to find it, the batch on
its way out and its results on the way back, the journal, and two tables. The cluster is played: it answers at once with
results of a real recording. Files are links to one file of a folder.

The simulation hands out batches as the engine does: each worker takes the next one when it is free, the client takes
results one after the other, in the order in which they are ready, and nothing is handed out while too many files are
open behind one that takes long. A recording's length is drawn from a log-normal distribution, and one in a million is a
recording of eight hours.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
RESULT = RESULTS / "scaling.json"
_FILES = 50_000_000
_MEASURED_FILES = (300, 1_200)
_WINDOWS = (0, 200)  # of a file whose results are played: a short clip without a window, and a call
_CALL_S, CHANNELS = 300.0, 2
_SPREAD = 0.8  # of the logarithm of the length: half of all calls are between 3 and 9 minutes
_LONG_EVERY, _LONG_S = 1_000_000, 8 * 3600.0
_TASK_S, _OPEN_EACH, _AHEAD = 30.0, 1000, 2  # as in `parallel.batches` and `cluster.session`
_CLUSTERS = (16, 100, 1000)


def main(argv: list[str] | None = None) -> int:
    """Measure or simulate, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "simulate", "play"))
    parser.add_argument("--files", type=int, default=_FILES)
    parser.add_argument("--windows", type=int, default=0, help="of a file, for `play`")
    arguments = parser.parse_args(argv)
    if arguments.what == "play":
        print(json.dumps(_played(arguments.files, arguments.windows)))
        return 0
    found = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    if arguments.what == "measure":
        found |= {"machine": machine(), "client": _measured()}
    else:
        found["simulation"] = simulate(found["client"], files=arguments.files)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def rates() -> dict[str, float]:
    """Seconds of a channel that one core tags in a second, by model."""
    found = {}
    for model, path in (("phone", "tag-phone.json"), ("phone-deep", "tag.json")):
        contenders = json.loads((RESULTS / path).read_text(encoding="utf-8"))["contenders"]
        name = "sertag, 1 worker, without start-up"
        found[model] = float(next(one["per_core_second"] for one in contenders if one["name"] == name))
    return found


def simulate(client: dict[str, float], *, files: int) -> dict[str, Any]:
    """Runs of all models on clusters of several sizes.

    Args:
        client: unit costs, as `_measured` returns them.
        files: how many recordings there are.
    """
    known = json.loads((RESULTS / "resume.json").read_text(encoding="utf-8"))["known_files"]
    runs = []
    for model, rate in rates().items():
        for workers in _CLUSTERS:
            run = _run(client, workers=workers, files=files, work_s=_CALL_S * CHANNELS / rate)
            memory_bytes = run.pop("most_open") * client["result_bytes"] + files * _kept_bytes_a_file()
            journal_bytes = files * (client["journal_bytes_a_file"] + _windows() * client["journal_bytes_a_window"])
            costs = {"memory_bytes": round(memory_bytes), "journal_bytes": round(journal_bytes)}
            runs.append({"model": model, "workers": workers, **run, **costs})
    return {
        "files": files,
        "call_s": _CALL_S,
        "channels": CHANNELS,
        "windows": _windows(),
        "nothing_new_s": round(files * known["wall_s"] / known["files"]),
        "runs": runs,
    }


def _kept_bytes_a_file() -> float:
    """What the client remembers of each file, from a run over known files and what its process takes anyway."""
    known = json.loads((RESULTS / "resume.json").read_text(encoding="utf-8"))["known_files"]
    alone = json.loads((RESULTS / "tag.json").read_text(encoding="utf-8"))["memory"]["batch, 1 worker"]
    return 1e6 * float(known["peak_mb"] - (alone["together_mb"] - alone["largest_mb"])) / int(known["files"])


def _windows() -> int:
    return _WINDOWS[1]


def _run(client: dict[str, float], *, workers: int, files: int, work_s: float) -> dict[str, float]:
    """One run, batch by batch."""
    batch = int(np.clip(round(_TASK_S / work_s), 1, _OPEN_EACH // 4))
    batches = -(-files // batch)
    client_s = batch * (client["cpu_s_a_file"] + _windows() * client["cpu_s_a_window"])
    rng = np.random.default_rng(0)
    free = [0.0] * workers
    waiting: deque[float] = deque()  # when the results of open batches are with the client, in order
    most_waiting = max(_AHEAD * workers, _OPEN_EACH * workers // batch)
    ready_s = yielded_s = worked_s = 0.0
    most_open = 0
    for seconds in _lengths(rng, batches, batch=batch, work_s=work_s):
        start_s = heapq.heappop(free)
        if len(waiting) >= most_waiting:
            yielded_s = max(yielded_s, waiting.popleft())
            start_s = max(start_s, yielded_s)
        heapq.heappush(free, start_s + seconds)
        worked_s += seconds
        # The client is a server with one place; batches are ready in about the order in which they began.
        ready_s = max(ready_s, start_s) + client_s
        waiting.append(max(ready_s, start_s + seconds))
        while waiting and waiting[0] <= start_s:
            yielded_s = max(yielded_s, waiting.popleft())
        most_open = max(most_open, len(waiting) * batch)
    wall_s = max(*free, ready_s)
    return {
        "files_a_batch": batch,
        "wall_s": round(wall_s),
        "core_hours": round(worked_s / 3600),
        "workers_busy": round(worked_s / workers / wall_s, 3),
        "client_busy": round(batches * client_s / wall_s, 3),
        "most_open": most_open,
    }


def _lengths(rng: np.random.Generator, batches: int, *, batch: int, work_s: float) -> Any:
    """Seconds of work of each batch."""
    scale = work_s / np.exp(_SPREAD**2 / 2)
    step = max(1, 2_000_000 // batch)
    for first in range(0, batches, step):
        count = min(step, batches - first)
        seconds = scale * rng.lognormal(0, _SPREAD, (count, batch)).sum(axis=1)  # (batches,)
        seconds += (rng.random(count) < batch / _LONG_EVERY) * (work_s * _LONG_S / _CALL_S)
        yield from seconds.tolist()


def _measured() -> dict[str, float]:
    """What files and windows cost the client, each as the difference between two runs in processes of their own."""
    few, many = _MEASURED_FILES
    runs = {(files, windows): _in_process(files, windows) for files in _MEASURED_FILES for windows in _WINDOWS}

    def a_file(what: str, windows: int) -> float:
        return float(runs[many, windows][what] - runs[few, windows][what]) / (many - few)

    def a_window(what: str) -> float:
        return (a_file(what, _WINDOWS[1]) - a_file(what, _WINDOWS[0])) / (_WINDOWS[1] - _WINDOWS[0])

    return {
        "cpu_s_a_file": a_file("cpu_s", _WINDOWS[0]),
        "cpu_s_a_window": a_window("cpu_s"),
        "journal_bytes_a_file": a_file("journal_bytes", _WINDOWS[0]),
        "journal_bytes_a_window": a_window("journal_bytes"),
        "result_bytes": float(runs[few, _WINDOWS[1]]["result_bytes"]),
    }


def _in_process(files: int, windows: int) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.scaling.simulation",
        "play",
        "--files",
        str(files),
        "--windows",
        str(windows),
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _played(files: int, windows: int) -> dict[str, float]:
    """A run on a cluster that answers at once."""
    from sertag.parallel.cluster import session
    from sertag.run.batch import run
    from sertag.run.settings import Request

    answer = _answer(windows)
    session.Connection = lambda opening: _PlayedConnection(answer)  # type: ignore[assignment, misc]
    with tempfile.TemporaryDirectory() as folder:
        _link(Path(folder, "calls"), files)
        before_s = _cpu_s()
        out = f"{folder}/r.csv"
        request = Request(paths=(f"{folder}/calls",), out=out, segments=f"{folder}/s.csv", quiet=True, backend="dask")
        run(request)
        return {
            "cpu_s": _cpu_s() - before_s,
            "journal_bytes": os.path.getsize(f"{out}.journal"),
            "result_bytes": len(answer) * 3,  # as objects, about three times as many as pickled
        }


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _answer(windows: int) -> bytes:
    """The pickled results of a recording with so many windows, half of them in each channel."""
    from dataclasses import replace

    from sertag import Tagger

    result = Tagger("phone").tag(next(iter(sorted((ROOT / "examples" / "calls").glob("*billing*.wav")))))
    channels = []
    for channel in result.channels:
        some = channel.segments or result.channels[-1].segments
        many = tuple(replace(some[number % len(some)], index=number) for number in range(windows // 2))
        channels.append(replace(channel, segments=many))
    return pickle.dumps(tuple(channels))


def _link(folder: Path, files: int) -> None:
    folder.mkdir()
    (folder / "0.wav").write_bytes(b"a recording")
    os.utime(folder / "0.wav", (1.7e9, 1.7e9))
    for number in range(1, files):
        os.link(folder / "0.wav", folder / f"{number}.wav")


class _PlayedConnection:
    """Answers each batch at once, through pickles, as a driver does."""

    name, leased = "Played", False

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._thread = ThreadPoolExecutor(1)  # an answer comes in another thread than the question

    def slots(self) -> tuple[int, int]:
        return 16, 1

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        return {}

    def submit(self, function: Callable[..., Any], files: Any, order: Any) -> Future[Any]:
        return self._thread.submit(self._tagged, pickle.dumps((function, files, order)))

    def close(self) -> None:
        self._thread.shutdown()

    def _tagged(self, request: bytes) -> Any:
        from sertag.parallel.cluster.node import Answer
        from sertag.records import FileResult

        _, files, _ = pickle.loads(request)  # noqa: S301 - made here
        results = [FileResult(file.path, pickle.loads(self._answer)) for file in files]  # noqa: S301
        return Answer("tagged", results, 1.0)


if __name__ == "__main__":
    sys.exit(main())
