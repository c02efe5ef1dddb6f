"""Mutants in chunks: written to a folder, decoded, tagged by the whole command, and what became of each is counted.

Used by `benchmarks.torture`. Chunks are numbered, and chunk k of a seed is always the same files.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.processes import measure
from benchmarks.torture.mutants import Source, mutant

HANG_S = 60.0  # a mutant holds seconds of sound; the slowest sound one takes a tenth of a second
FAULTS = {  # error codes of rows that no file may cause
    "worker_died": "crashes",
    "timeout": "hangs",
    "internal_error": "internal_errors",
    "out_of_memory": "out_of_memory",
}
_DECODER = (sys.executable, "-m", "benchmarks.torture.decode_folder")

Figures = dict[str, Any]


def run_chunk(number: int, *, size: int, seed: int, among: list[Source], jobs: int) -> Figures:
    """Torture the decoders and the command with one chunk.

    Args:
        number: of the chunk, from 0.
        size: files of a chunk.
        seed: of the mutants.
        among: what is broken.
        jobs: workers of the command.

    Returns:
        Counts, to be added up with those of other chunks by `add`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index in range(number * size, (number + 1) * size):
            broken = mutant(index, seed=seed, among=among)
            (folder / f"{index:06}-{broken.name}.wav").write_bytes(broken.content)
        return {"files": size} | {"decoder": decoded(folder), "command": tagged(folder, jobs=jobs)}


def add(total: Figures, more: Figures) -> Figures:
    """Figures of both: counts are added, maxima compared, lists joined.

    >>> add({"a": 1, "slowest_s": 2.0, "by": {"x": 1}}, {"a": 2, "slowest_s": 1.0, "by": {"y": 1}})
    {'a': 3, 'slowest_s': 2.0, 'by': {'x': 1, 'y': 1}}
    """
    together = dict(total)
    for key, value in more.items():
        before = total.get(key)
        if before is None:
            together[key] = value
        elif isinstance(value, dict):
            together[key] = add(before, value)
        else:
            together[key] = max(before, value) if key.startswith(("slowest", "largest")) else before + value
    return together


def decoded(folder: Path) -> Figures:
    """Decode all files of a folder in a process of its own, which is started again behind a file that ends it."""
    names = sorted(path.name for path in folder.iterdir())
    figures: Figures = {"crashes": 0, "hangs": 0, "offenders": [], "slowest_s": 0.0, "largest_mb": 0.0}
    outcomes: Counter[str] = Counter()
    done = 0
    while done < len(names):
        how = ""
        for line in _decoder_lines(folder, names[done]):
            how = line.get("ended", "")
            if not how:
                done += 1
                outcomes[line["code"] or "read"] += 1
                figures["slowest_s"] = max(figures["slowest_s"], line["seconds"])
                figures["largest_mb"] = max(figures["largest_mb"], line["peak_mb"])
        if how:
            figures[how] += 1
            figures["offenders"].append(names[done])
            done += 1
    return figures | {"outcomes": dict(outcomes)}


def tagged(folder: Path, *, jobs: int) -> Figures:
    """Tag a folder with the command, and look whether every file has its rows, in order, and none it must not have."""
    command = [sys.executable, "-m", "sertag", "tag", str(folder), "-q", "-f", "jsonl", "--jobs", str(jobs)]
    run = measure([*command, "--timeout", f"{HANG_S:g}"], ok=(0, 1, 3))
    files = [json.loads(line) for line in run.output.splitlines()]
    wanted = sorted(str(path) for path in folder.iterdir())
    in_place = sum(one["path"] == two and bool(one["channels"]) for one, two in zip(files, wanted, strict=False))
    figures: Figures = {"lost": len(wanted) - in_place}
    figures |= dict.fromkeys(FAULTS.values(), 0) | {"offenders": [], "largest_mb": run.largest_mb or 0.0}
    statuses: Counter[str] = Counter()
    for file in files:
        statuses[file["status"]] += 1
        for fault in {FAULTS[row["error_code"]] for row in file["channels"] if row["error_code"] in FAULTS}:
            figures[fault] += 1
            figures["offenders"].append(Path(file["path"]).name)
    return figures | {"statuses": dict(statuses)}


def _decoder_lines(folder: Path, first: str) -> Iterator[dict[str, Any]]:
    """What `decode_folder` says, and at last `ended` where it did not come to its end."""
    command = [*_DECODER, str(folder), first]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as process:  # noqa: S603
        if process.stdout is None:
            raise TypeError("stdout is a pipe")
        waiting = select.poll()
        waiting.register(process.stdout, select.POLLIN)
        while waiting.poll(1000 * HANG_S):
            line = process.stdout.readline()
            if not line:
                if process.wait() != 0:
                    yield {"ended": "crashes"}
                return
            yield json.loads(line)
        process.kill()
        yield {"ended": "hangs"}
