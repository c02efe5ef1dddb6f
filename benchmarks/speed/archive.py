"""What a run over a whole archive costs: a first run over tiny files, and a run that finds nothing new.

    python -m benchmarks.speed.archive                    # a million files, 4 GB; writes results/archive.json
    python -m benchmarks.speed.archive --files 20000 --first 5000 --out a.json
    python -m benchmarks.speed.archive --only first_run   # keeps the other figures of the file

Whole processes. The files are WAV files of a tenth of a second, too short for a window, in folders of a thousand: what
is measured is all that a file costs besides its sound. Memory of the first run is that of its main process, which has
the journal and the order, when shares of its files were done. For the run that finds nothing new, the journal is filled
with the real result of one file under the names of all: it does what it would do after a first run over all of them.
`find`, which looks at every file too, takes turns with it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import statistics
import struct
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.processes import Command, Measured, measure, peak_bytes, resident_bytes
from sertag import Tagger
from sertag.model.model_file import describe
from sertag.run import resume
from sertag.run.inputs import inputs
from sertag.run.settings import Request
from sertag.storage.journal import Key

RESULTS = Path(__file__).parents[1] / "results" / "archive.json"
FOLDER_FILES = 1000
SAMPLES, RATE_HZ = 800, 8000
SHARES = (1, 5, 20, 50, 75)
PARTS = ("first_run", "nothing_new")

_POLL_S = 0.2
_ENV = {"PYTHONPATH": str(Path(__file__).parents[2])}  # the commands run in a folder of their own

Report = dict[str, Any]


def main() -> None:
    """Measure, print and write."""
    args = _arguments()
    report: Report = json.loads(args.out.read_text()) if args.only else {}
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        if args.only != "nothing_new":
            before = machine()
            write_tree(folder / "archive", files=args.first)
            report["first_run"] = {"machine": before, "model": args.model}
            report["first_run"] |= first_run(folder, files=args.first, model=args.model, jobs=args.jobs)
            shutil.rmtree(folder / "archive")
        if args.only != "first_run":
            before = machine()
            write_tree(folder / "archive", files=args.files)
            report["nothing_new"] = {"machine": before, "model": args.model}
            report["nothing_new"] |= nothing_new(folder, files=args.files, model=args.model, rounds=args.rounds)
    text = json.dumps(report, indent=1) + "\n"
    args.out.write_text(text)
    sys.stdout.write(text)


def write_tree(folder: Path, *, files: int) -> None:
    """Write tiny WAV files with different samples, a folder an hour, long enough ago to be known."""
    samples = os.urandom(2 * SAMPLES)
    form = (16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    header = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVEfmt ", *form, b"data", len(samples))
    now_s = time.time()
    for number in range(0, files, FOLDER_FILES):
        hour_s = now_s - 3600 * (1 + number // FOLDER_FILES)
        inside = folder / time.strftime("%Y/%m/%d/%H", time.gmtime(hour_s))
        inside.mkdir(parents=True)
        for call in range(number, min(number + FOLDER_FILES, files)):
            path = inside / f"call-{call:07}-agent{call % 40:02}.wav"
            path.write_bytes(header + samples)
            os.utime(path, (hour_s, hour_s))


def first_run(folder: Path, *, files: int, model: str, jobs: int) -> Report:
    """Tag a tree of which nothing is known.

    Args:
        folder: holds the tree; the table and its journal are written beside it.
        files: in the tree.
        model: name of the model.
        jobs: worker processes.

    Returns:
        Seconds, files a second, and memory of the main process when shares of the files were done.
    """
    journal = folder / "r.parquet.journal"
    resident_mb: dict[str, float] = {}
    line_bytes, peak = 0.0, 0
    with Command([*_sertag(folder, model), "--jobs", str(jobs)], env=_ENV) as running:
        while running.is_running():
            time.sleep(_POLL_S)
            size = journal.stat().st_size if journal.exists() else 0
            if not line_bytes and size > 1_000_000:
                line_bytes = size / journal.read_bytes().count(b"\n")
            for share in SHARES:
                if line_bytes and size >= line_bytes * files * share / 100:
                    resident_mb.setdefault(f"{share} %", resident_bytes(running.pid) / 1e6)
            peak = peak_bytes(running.pid) or peak
        wall_s, cpu_s = running.finish()
    return {
        "files": files,
        "jobs": jobs,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "files_per_s": files / wall_s,
        "main_process_mb": resident_mb | {"highest": peak / 1e6},
        "journal_mb": journal.stat().st_size / 1e6,
        "table_mb": (folder / "r.parquet").stat().st_size / 1e6,
    }


def nothing_new(folder: Path, *, files: int, model: str, rounds: int) -> Report:
    """Run over a tree of which everything is known, in turns with `find`.

    Args:
        folder: holds the tree; the table and its journal are written beside it.
        files: in the tree.
        model: name of the model.
        rounds: turns of each; medians are reported.

    Raises:
        ValueError: not all files were known.
    """
    _fill_journal(folder, model)
    runs: dict[str, list[Measured]] = {"find": [], "sertag": []}
    for _ in range(rounds):
        runs["find"].append(measure(["find", str(folder / "archive"), "-type", "f", "-newermt", "2100-01-01"]))
        runs["sertag"].append(measure([*_sertag(folder, model), "--summary", str(folder / "s.json")], env=_ENV))
        reused = json.loads((folder / "s.json").read_text())["reused"]
        if reused != files:
            raise ValueError(f"{reused} of {files} files were known")
    report: Report = {
        name: {
            "wall_s": statistics.median(run.wall_s for run in found),
            "cpu_s": statistics.median(run.cpu_s for run in found),
            "peak_mb": max(run.largest_mb or 0.0 for run in found),
        }
        for name, found in runs.items()
    }
    report |= {"files": files, "journal_mb": (folder / "r.parquet.journal").stat().st_size / 1e6}
    return report | {"cpu_times_find": report["sertag"]["cpu_s"] / report["find"]["cpu_s"]}


def _fill_journal(folder: Path, model: str) -> None:
    (folder / "r.parquet.journal").unlink(missing_ok=True)
    request = Request(paths=(str(folder / "archive"),), out=str(folder / "r.parquet"), model=model)
    journal = resume.open_journal(request, model=describe(model), logger=logging.getLogger("sertag"))
    channels = None
    with journal or nullcontext():
        for file in inputs(request):
            channels = channels or Tagger(model).tag(file.path).channels
            if journal is not None and file.size_bytes is not None and file.mtime_ns is not None:
                journal.add(Key(file.path, file.size_bytes, file.mtime_ns), channels)


def _sertag(folder: Path, model: str) -> list[str]:
    out = ["--out", str(folder / "r.parquet"), "-q", "--no-progress"]
    return [sys.executable, "-m", "sertag", "tag", str(folder / "archive"), "-m", model, *out]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.archive", description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1_000_000, help="that are known (1000000)")
    parser.add_argument("--first", type=int, default=1_000_000, help="files of the first run (1000000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of `find` and sertag (3)")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes of the first run (2)")
    parser.add_argument("--only", choices=PARTS, default=None, help="measure this part, keep the other one of --out")
    parser.add_argument("--model", default="phone", help="name or file (phone)")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the tree is made; the folder for temporary files"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON (benchmarks/results/archive.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
