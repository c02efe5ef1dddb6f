"""What nobody should do to sertag, done many times: no crash, no hang and no lost row, or their number in the results.

    python -m benchmarks.torture kills --rounds 200          # kill -9 at random moments, and again until it is done
    python -m benchmarks.torture mutants --count 20000       # broken recordings, through the decoders and the command
    python -m benchmarks.torture fuzz --minutes 30 --corpus FOLDER     # the decoders by coverage; pip install atheris
    python -m benchmarks.torture show 1234 > broken.wav      # one of the mutants, to look at

Each part writes its figures into `benchmarks/results/torture.json` as it goes and goes on from there when it is called
again, unless seed, versions or recordings have changed. The exit code is 1 where a figure that must be 0 is not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.torture import kill_rounds
from benchmarks.torture.fuzz import run_fuzzer
from benchmarks.torture.mutant_runs import add, run_chunk
from benchmarks.torture.mutants import Source, mutant, sources
from sertag import __version__

RESULTS = Path(__file__).parents[1] / "results" / "torture.json"
SEED = 5
CHUNK = 250  # mutants that are lost if this is stopped
MUST_BE_0 = ("crashes", "hangs", "internal_errors", "out_of_memory", "lost", "differing", "files_left_behind")

Report = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one part and write its figures; the exit code."""
    args = _arguments(arguments)
    if args.part == "show":
        sys.stdout.buffer.write(mutant(args.number, seed=args.seed, among=sources()).content)
        return 0
    report = {"kills": kills, "mutants": mutants, "fuzz": fuzz}[args.part](args)
    print(json.dumps(report, indent=1))
    return int(bool(faults(report)))


def kills(args: argparse.Namespace) -> Report:
    """Round after round of killed runs, until there were `--rounds`."""
    section = _begun(args, "kills", seed=args.seed, files=args.files, sources=_digest(sources()))
    done = section["figures"].get("rounds", 0)
    with tempfile.TemporaryDirectory() as folder:
        bench = kill_rounds.prepare(Path(folder), seed=args.seed, files=args.files)
        for number in range(done, args.rounds):
            section["figures"] = add(section["figures"], kill_rounds.run_round(number, seed=args.seed, bench=bench))
            _write(args.out, "kills", section)
    return section


def mutants(args: argparse.Namespace) -> Report:
    """Chunk after chunk of mutants, until there were `--count`."""
    among = sources()
    section = _begun(args, "mutants", seed=args.seed, chunk=args.chunk, sources=_digest(among))
    while section["figures"].get("files", 0) < args.count:
        number = section["figures"].get("files", 0) // args.chunk
        chunk = run_chunk(number, size=args.chunk, seed=args.seed, among=among, jobs=args.jobs)
        section["figures"] = add(section["figures"], chunk)
        _write(args.out, "mutants", section)
    return section


def fuzz(args: argparse.Namespace) -> Report:
    """The fuzzer, until it has run for `--minutes`."""
    section = _begun(args, "fuzz", seed=args.seed, sources=_digest(sources()))
    left_s = 60 * args.minutes - section["figures"].get("seconds", 0)
    if left_s > 0:
        runs = section["figures"].get("runs", 0)
        found = run_fuzzer(Path(args.corpus), seconds=round(left_s), seed=args.seed + runs)
        section["figures"] = add(section["figures"], found)
        _write(args.out, "fuzz", section)
    return section


def faults(report: Report) -> Report:
    """The figures of a part that must be 0 and are not."""
    found: Report = {}
    for key, value in report.items():
        if isinstance(value, dict):
            found |= faults(value)
        elif key in MUST_BE_0 and value:
            found[key] = value
    return found


def _begun(args: argparse.Namespace, part: str, **protocol: Any) -> Report:
    """The part as it stands in the results, or a new one where anything that decides about it has changed."""
    about = machine()
    libraries = about["libraries"] | {name: _version(name) for name in ("av", "atheris")}
    protocol |= {"sertag": __version__, "libraries": libraries}
    section: Report = _read(args.out).get(part, {})
    if args.fresh or section.get("protocol") != protocol:
        section = {"protocol": protocol, "machine": about, "started": _now(), "figures": {}}
    command = f"python -m benchmarks.torture {part}"
    return section | {"command": command}


def _read(path: Path) -> Report:
    report: Report = json.loads(path.read_text()) if path.exists() else {}
    return report


def _write(path: Path, part: str, section: Report) -> None:
    section["finished"] = _now()
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(_read(path) | {part: section}, indent=1) + "\n")
    os.replace(beside, path)


def _digest(among: list[Source]) -> str:
    digest = hashlib.sha256()
    for source in among:
        digest.update(source.content)
    return digest.hexdigest()[:16]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    prog = "python -m benchmarks.torture"
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--seed", type=int, default=SEED, help=f"of everything random ({SEED})")
    common.add_argument("--out", type=Path, default=RESULTS, help="JSON (benchmarks/results/torture.json)")
    common.add_argument("--fresh", action="store_true", help="begin anew")
    part = parts.add_parser("kills", parents=[common], help="kill -9 and resume")
    part.add_argument("--rounds", type=int, default=200, help="how many in all (200)")
    part.add_argument("--files", type=int, default=kill_rounds.FILES, help=f"of the run ({kill_rounds.FILES})")
    part = parts.add_parser("mutants", parents=[common], help="broken recordings")
    part.add_argument("--count", type=int, default=20_000, help="how many in all (20000)")
    part.add_argument("--chunk", type=int, default=CHUNK, help=f"how many at once ({CHUNK})")
    part.add_argument("--jobs", type=int, default=2, help="workers of the command (2)")
    part = parts.add_parser("fuzz", parents=[common], help="decoders, guided by coverage")
    part.add_argument("--minutes", type=float, default=30.0, help="in all (30)")
    part.add_argument("--corpus", required=True, help="folder of what reached new code, kept from run to run")
    part = parts.add_parser("show", parents=[common], help="one mutant on standard output")
    part.add_argument("number", type=int)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
