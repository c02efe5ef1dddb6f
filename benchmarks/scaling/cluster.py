"""How the wall time of a run on a Dask cluster depends on the number of its workers.

    python -m benchmarks.scaling.cluster [--hours X] [--clip-s X] [--rounds N] [--model NAME] [--out FILE]

The recordings are channels of calls as in `benchmarks.speed.tag`, cut into pieces. A scheduler and its workers are
processes of this computer, so the workers share its processors and memory: two of them are at best twice as fast as
one, and only where two processors have nothing else to do. The result says how busy the computer was. Runs without a
cluster, with one worker and with two take turns. Each is measured from the start of the command to the table that is
in its place; the workers are there before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import call_material
from benchmarks.machine import machine

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "cluster.json"
_WORKERS = (1, 2)


def main(argv: list[str] | None = None) -> int:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--clip-s", type=float, default=60.0, help="length of a recording")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="phone")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args(argv)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        voices = _write_recordings(Path(folder), hours=arguments.hours, clip_s=arguments.clip_s)
        runs = [
            {"workers": workers, **_run(f"{folder}/calls", arguments.model, workers)}
            for _ in range(arguments.rounds)
            for workers in (0, *_WORKERS)
        ]
    wall_s = {str(workers): median(run["wall_s"] for run in runs if run["workers"] == workers) for workers in (0, 1, 2)}
    result = {
        "settings": {name: str(value) for name, value in vars(arguments).items() if name != "out"},
        "voices": voices,
        "machine": machine(),
        "load_after": round(os.getloadavg()[0], 2),
        "quiet": load_before < 0.5,
        "model": arguments.model,
        "files": runs[0]["files"],
        "audio_hours": runs[0]["audio_hours"],
        "identical": len({run["sha256"] for run in runs}) == 1,
        "median_wall_s": wall_s,  # by workers; 0 is a run without a cluster, with one worker process
        "two_to_one": round(wall_s["1"] / wall_s["2"], 3),
        "runs": runs,
    }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: result[key] for key in ("median_wall_s", "two_to_one", "quiet", "identical")}))
    return 0 if result["identical"] else 1


def _write_recordings(folder: Path, *, hours: float, clip_s: float) -> str:
    """Write recordings into `calls`; returns where the voices come from."""
    rng = np.random.default_rng(19)
    source, speakers = call_material.voices(rng=rng)
    for name in ("whole", "calls"):
        (folder / name).mkdir()
    calls = call_material.write_calls(folder / "whole", speakers, hours=hours, rng=rng)
    count = int(2 * hours * 3600 / clip_s)  # of both channels
    call_material.write_clips(folder / "calls", calls, count=count, distinct=count, clip_s=clip_s)
    return source


def _run(calls: str, model: str, workers: int) -> dict[str, Any]:
    """One run in a folder of its own, with a cluster of its own."""
    with tempfile.TemporaryDirectory() as folder:
        started: list[subprocess.Popen[bytes]] = []
        where = ["-j", "1"]
        try:
            if workers:
                started = _cluster(folder, workers)
                where = ["--backend", "dask", "--scheduler", f"{folder}/scheduler.json"]
                first = next(path for path in sorted(Path(calls).rglob("*.wav")))
                for _ in range(workers):  # each worker imports sertag
                    _sertag([str(first), "-m", model, "-o", "-", "-f", "csv", *where])
            start_s = time.monotonic()
            out = f"{folder}/r.csv"
            _sertag([calls, "-m", model, "-o", out, "--summary", f"{folder}/s.json", *where])
            wall_s = time.monotonic() - start_s
            summary = json.loads(Path(folder, "s.json").read_text(encoding="utf-8"))
            digest = hashlib.sha256(Path(out).read_bytes()).hexdigest()
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()
    facts = {key: summary[key] for key in ("files_per_s", "realtime_factor", "audio_hours", "backend")}
    return {"wall_s": round(wall_s, 2), "files": summary["inputs"], "sha256": digest, **facts}


def _cluster(folder: str, workers: int) -> list[subprocess.Popen[bytes]]:
    """A scheduler and its workers; they are there when this returns."""
    import distributed

    file = f"{folder}/scheduler.json"
    scheduler = ["dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", file]
    worker = ["dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--scheduler-file", file]
    started = [_dask(scheduler, folder)]
    while not os.path.exists(file):
        time.sleep(0.1)
    started += [_dask(worker, folder) for _ in range(workers)]
    with distributed.Client(scheduler_file=file, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        client.wait_for_workers(workers)
    return started


def _dask(arguments: Sequence[str], folder: str) -> subprocess.Popen[bytes]:
    program, *rest = arguments
    command = [sys.executable, "-m", f"distributed.cli.{program}", *rest]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603


def _sertag(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "sertag", *arguments, "--quiet"]
    done = subprocess.run(command, stdout=subprocess.DEVNULL)  # noqa: S603
    if done.returncode not in (0, 1):  # 1: some recordings cannot be read
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
