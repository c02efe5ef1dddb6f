"""What the journal costs a run, and what a run costs that finds everything in it.

    python -m benchmarks.torture.resume        # some minutes, writes results/resume.json

Whole processes. With and without a journal take turns, each over a new table; the overhead is the median over the turns
of the ratio of their processor time. The known files are a few clips under many names, and their real results stand in
the journal under all of them: a run over them does what it would do over as many recordings.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import call_material
from benchmarks.machine import machine
from benchmarks.processes import Measured, measure
from sertag import Tagger
from sertag.model.model_file import describe
from sertag.run import resume
from sertag.run.settings import Request
from sertag.storage.journal import Journal, Key

RESULTS = Path(__file__).parents[1] / "results" / "resume.json"
CLIP_S, DISTINCT_CLIPS = 3.0, 200

_ENV = {"PYTHONPATH": str(Path(__file__).parents[2])}  # the commands run in a folder of their own
_RUN = "from sertag.__main__ import main; main()"
_RUN_WITHOUT_JOURNAL = f"from sertag.run.settings import Request; Request.journal = None; {_RUN}"

Report = dict[str, Any]


def main() -> None:
    """Measure, print and write."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as name, _working_in(Path(name)) as folder:
        rng = np.random.default_rng(11)
        voices, speakers = call_material.voices(rng=rng)
        Path("calls").mkdir()
        calls = call_material.write_calls(folder / "calls", speakers, hours=args.hours, rng=rng)
        report: Report = {
            "machine": machine(),
            "material": {"voices": voices, "clips": args.clips, "clip_s": CLIP_S, "hours_of_stereo_calls": args.hours},
            "overhead": {
                "clips of 3 s": overhead(_clips("clips", calls, args.clips), rounds=args.rounds),
                "stereo calls of 5 minutes": overhead("calls", rounds=args.rounds),
            },
            "known_files": known_files(_clips("known", calls, args.known)),
        }
    text = json.dumps(report, indent=1) + "\n"
    args.out.write_text(text)
    sys.stdout.write(text)


def overhead(recordings: str, *, rounds: int) -> Report:
    """Tag a folder with and without a journal, one worker, in turns.

    Args:
        recordings: the folder.
        rounds: turns of each.

    Returns:
        Medians of processor and wall time with and without, and the overhead in percent of processor time.
    """
    runs: dict[str, list[Measured]] = {_RUN: [], _RUN_WITHOUT_JOURNAL: []}
    for _ in range(rounds):
        for program, found in runs.items():
            Path("r.csv.journal").unlink(missing_ok=True)
            found.append(measure([sys.executable, "-c", program, "-q", recordings, "-o", "r.csv", "-j", "1"], env=_ENV))
    with_journal, without = runs.values()
    ratios = [one.cpu_s / other.cpu_s for one, other in zip(with_journal, without, strict=True)]
    return {
        "with": _medians(with_journal),
        "without": _medians(without),
        "overhead_pct_of_cpu": 100 * (statistics.median(ratios) - 1),
    }


def known_files(recordings: str) -> Report:
    """Run over a folder of which everything is known.

    Args:
        recordings: the folder.

    Returns:
        Files, seconds and memory of the run, bytes of the journal.
    """
    request = Request(paths=(recordings,), out="known.csv")
    journal = resume.open_journal(request, model=describe(), logger=logging.getLogger("sertag"))
    if journal is None:
        raise ValueError(f"{request.out} has no journal")
    with journal:
        count = _fill(journal, recordings)
    command = [sys.executable, "-c", _RUN, "-q", recordings, "-o", request.out, "--summary", "known.json"]
    run = measure(command, env=_ENV)
    reused = json.loads(Path("known.json").read_text())["reused"]
    if reused != count:
        raise ValueError(f"{reused} of {count} files were known")
    size = os.path.getsize(journal.path)
    return {
        "files": count,
        "wall_s": run.wall_s,
        "cpu_s": run.cpu_s,
        "peak_mb": run.largest_mb,
        "journal_mb": size / 1e6,
    }


def _fill(journal: Journal, recordings: str) -> int:
    """Write the result of every file into the journal, tagging each content once."""
    tagger, results = Tagger(), {}
    count = 0
    for name in sorted(os.listdir(recordings)):
        path = os.path.join(recordings, name)
        found = os.stat(path)
        if found.st_ino not in results:
            results[found.st_ino] = tagger.tag(path).channels
        journal.add(Key(path, found.st_size, found.st_mtime_ns), results[found.st_ino])
        count += 1
    return count


def _clips(name: str, calls: list[Path], count: int) -> str:
    Path(name).mkdir()
    call_material.write_clips(Path(name), calls, count=count, distinct=min(count, DISTINCT_CLIPS), clip_s=CLIP_S)
    return name


def _medians(runs: list[Measured]) -> Report:
    return {
        "cpu_s": statistics.median(run.cpu_s for run in runs),
        "wall_s": statistics.median(run.wall_s for run in runs),
    }


@contextmanager
def _working_in(folder: Path) -> Iterator[Path]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture.resume", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=2000, help="clips of 3 s for the overhead (2000)")
    parser.add_argument("--hours", type=float, default=1.0, help="of stereo calls for the overhead (1)")
    parser.add_argument("--rounds", type=int, default=15, help="turns with and without a journal (15)")
    parser.add_argument("--known", type=int, default=200_000, help="known files (200000)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON (benchmarks/results/resume.json)")
    args = parser.parse_args()
    args.out = args.out.absolute()
    return args


if __name__ == "__main__":
    main()
