"""Runs that are killed at random moments and called again until the table is there: is it the undisturbed one?

Used by `benchmarks.torture`. SIGKILL hits the whole process group, as when a container is removed, or the parent alone.
What the page cache holds is what the next run finds; power cuts are another matter.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.torture.mutants import mutant, sources

FORMATS, JOBS = ("csv", "jsonl"), (1, 2)
FILES = 150
_BROKEN_EVERY = 10  # files
_LONG_AGO_S = 1_700_000_000  # a file that is as new as the run would not be taken from the journal
_MOST_KILLS = 4  # in one round
_LONGEST_S = 300.0


@dataclass(frozen=True, slots=True)
class Bench:
    """Recordings, and what an undisturbed run makes of them.

    Attributes:
        folder: with the recordings in `calls`.
        tables: bytes by format.
        seconds: of an undisturbed run, by jobs.
    """

    folder: Path
    tables: dict[str, bytes]
    seconds: dict[int, float]


def prepare(folder: Path, *, seed: int, files: int = FILES) -> Bench:
    """Write recordings, some of them broken, and tag them undisturbed with every format and number of jobs.

    Raises:
        RuntimeError: the tables of different numbers of jobs differ.
    """
    (folder / "calls").mkdir()
    among = sources()
    for number in range(files):
        broken = number % _BROKEN_EVERY == 0
        sound = mutant(number, seed=seed, among=among) if broken else among[number % len(among)]
        path = folder / "calls" / f"{number:04}-{sound.name}.wav"
        path.write_bytes(sound.content)
        os.utime(path, (_LONG_AGO_S + number, _LONG_AGO_S + number))
    tables: dict[str, bytes] = {}
    seconds: dict[int, float] = {}
    for jobs in JOBS:
        for fmt in FORMATS:
            start_s = time.monotonic()
            out = _out(folder, f"undisturbed-{jobs}", fmt)
            _finish(_start(folder, out, jobs))
            seconds[jobs] = time.monotonic() - start_s
            if tables.setdefault(fmt, out.read_bytes()) != out.read_bytes():
                raise RuntimeError(f"{fmt}: {jobs} workers make another table than {JOBS[0]}")
    return Bench(folder, tables, seconds)


def run_round(number: int, *, seed: int, bench: Bench) -> dict[str, Any]:
    """Kill a run some times, let it finish, and compare.

    Args:
        number: of the round, which with `seed` decides format, jobs and moments.
        seed: of all rounds.
        bench: what to tag.

    Returns:
        Counts, to be added up with those of other rounds by `mutant_runs.add`.
    """
    rng = np.random.default_rng((seed, number))
    fmt, jobs = FORMATS[number % 2], JOBS[number // 2 % 2]
    out = _out(bench.folder, f"round-{number}", fmt)
    kills = hits = 0
    for _ in range(int(rng.integers(1, _MOST_KILLS + 1))):
        process = _start(bench.folder, out, jobs)
        delay_s = float(rng.uniform(0, 1.1 * bench.seconds[jobs]))
        kills += 1
        hits += _kill(process, delay_s, group=bool(rng.integers(2)))
    _finish(_start(bench.folder, out, jobs))
    reused = json.loads((out.parent / "run.json").read_text())["reused"]
    left = {path.name for path in out.parent.iterdir()} - {out.name, f"{out.name}.journal", "run.json"}
    return {
        "rounds": 1,
        "kills": kills,
        "kills_of_a_run_at_work": hits,
        "rows_reused": reused,
        "identical": int(out.read_bytes() == bench.tables[fmt]),
        "differing": int(out.read_bytes() != bench.tables[fmt]),
        "files_left_behind": len(left),
        "by": {f"{fmt}, {jobs} worker(s)": 1},
    }


def _out(folder: Path, name: str, fmt: str) -> Path:
    (folder / name).mkdir(exist_ok=True)
    return folder / name / f"r.{fmt}"


def _start(folder: Path, out: Path, jobs: int) -> subprocess.Popen[bytes]:
    """The command in a session of its own; nothing of it can be left behind unnoticed."""
    options = ["-q", "-o", str(out), "--summary", str(out.parent / "run.json"), "--jobs", str(jobs)]
    command = [sys.executable, "-m", "sertag", "tag", "calls", *options]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(command, cwd=folder, env=env, start_new_session=True)  # noqa: S603


def _kill(process: subprocess.Popen[bytes], delay_s: float, *, group: bool) -> bool:
    """Kill after a while; whether there was something to kill."""
    try:
        process.wait(delay_s)
        return False
    except subprocess.TimeoutExpired:
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        return True


def _finish(process: subprocess.Popen[bytes]) -> None:
    code = process.wait(_LONGEST_S)
    if code not in (0, 1):
        raise RuntimeError(f"a run ended with {code}, expected 0 or 1")
