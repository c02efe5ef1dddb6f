"""What sertag reads of damaged recordings, compared with what ffmpeg plays of them, 2,000 times or more.

    python -m benchmarks.torture.differential --data DIR --count 2000 --seed 1 --out differential.json
    python -m benchmarks.torture.differential --only 1000123      # writes that file, prints both sides

Real clips are written in every container and codec, damaged as recorders, disks, pipes and people damage them, and read
by both. Differences of more than 0.2 s are explained by a table (`verdict`), announced by sertag, or unexplained; the
exit code is 1 where there is one of the last kind. `--sertag DIR` tries the package of another tree. A run that was
stopped goes on where it was when it is called again, unless the code or the versions have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.call_material import data_folder
from benchmarks.machine import machine
from benchmarks.torture.differential.explanations import EXPLANATIONS, PRINTED
from benchmarks.torture.differential.ffmpeg import Played, play
from benchmarks.torture.differential.recordings.cases import case
from benchmarks.torture.differential.recordings.formats import formats
from benchmarks.torture.differential.recordings.recording import Recording
from benchmarks.torture.differential.recordings.speech import clips
from benchmarks.torture.differential.verdict import Read, Verdict, judge

RESULTS = Path(__file__).parents[2] / "results" / "differential.json"
_ROOT = Path(__file__).parents[3]
_LIMIT_S = 30.0
_PER_SEED = 1_000_000
_SAVED_EVERY = 20

Report = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit code."""
    args = _arguments(arguments)
    speech = clips(args.data)
    with Reader(args.sertag) as reader, tempfile.TemporaryDirectory() as name:
        if args.only is not None:
            return _show(args.only, Path(name), speech, reader)
        report = _begun(args)
        first = args.seed * _PER_SEED + args.first
        for seed in range(first + report["cases"], first + args.count):
            found = run(seed, folder=Path(name), speech=speech, reader=reader)
            _count(report, seed, found)
            if report["cases"] % _SAVED_EVERY == 0:
                _write(args.out, report)
    _write(args.out, report)
    return int(report["verdicts"]["unexplained"] > 0)


@dataclass(frozen=True, slots=True)
class Compared:
    """A case with both sides."""

    recording: Recording
    path: Path
    played: Played
    read: Read
    verdict: Verdict


def run(seed: int, *, folder: Path, speech: tuple[Path, ...], reader: Reader) -> Compared:
    """Make the recording of a seed, read it by both and judge.

    Args:
        seed: which one.
        folder: to work in; what an earlier case left there is removed.
        speech: clips.
        reader: reads as sertag does.
    """
    for old in folder.iterdir():
        old.unlink()
    recording = case(seed, folder=folder, clips=speech, among=formats())
    path = folder / f"{seed}{recording.format.suffix}"
    path.write_bytes(recording.content)
    played, read = play(path, muxer=recording.format.muxer), reader.read(path)
    return Compared(recording, path, played, read, judge(recording, played, read))


class Reader:
    """A child process that reads files as sertag does, started again when it crashes or hangs; a context manager."""

    def __init__(self, sertag: Path) -> None:
        """`sertag` is the tree whose package is tried."""
        self._environment = {**os.environ, "PYTHONPATH": str(sertag)}
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: Path) -> Read:
        """What sertag reads of a file, or how its process ended."""
        process = self._started()
        if process.stdin is None or process.stdout is None:
            raise TypeError("both are pipes")
        process.stdin.write(f"{path}\n".encode())
        waiting = select.poll()
        waiting.register(process.stdout, select.POLLIN)
        line = process.stdout.readline() if waiting.poll(1000 * _LIMIT_S) else None
        if line:
            return Read(**json.loads(line))
        self._stop()
        return Read(ended="hangs" if line is None else f"crashes ({process.returncode})")

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, str(Path(__file__).with_name("read.py"))]
            self._process = subprocess.Popen(  # noqa: S603 - the program beside this one
                command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _show(seed: int, folder: Path, speech: tuple[Path, ...], reader: Reader) -> int:
    """Write the file of a seed and print both sides."""
    found = run(seed, folder=folder, speech=speech, reader=reader)
    kept = Path(found.path.name)
    kept.write_bytes(found.recording.content)
    recording, played, read = found.recording, found.played, asdict(found.read)
    read.pop("outline")
    tracks = [{name: getattr(track, name) for name in _TRACK} for track in played.tracks]
    held = {"held_s": recording.held_s, "spoken_s": recording.spoken_s, "most_s": recording.most_s}
    shown = {
        "file": str(kept),
        "format": recording.format.name,
        "faults": recording.faults,
        "made": {"rate_hz": recording.rate_hz, "channels": recording.channels, **held},
        "ffmpeg": {"tracks": tracks, "errors": played.errors, "said": played.said, "forced": played.forced},
        "sertag": read,
        "verdict": asdict(found.verdict),
    }
    print(json.dumps(shown, indent=1))
    return int(found.verdict.kind == "unexplained")


_TRACK = ("channels", "rate_hz", "codec", "played_s", "clock_s", "packets_s")


def _begun(args: argparse.Namespace) -> Report:
    """The report as it stands, or a new one where anything that decides about it has changed."""
    new = _new(args)
    report: Report = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    decisive = ("command", "ffmpeg", "formats", "code", "explanations")
    return report if all(report.get(name) == new[name] for name in decisive) else new


def _new(args: argparse.Namespace) -> Report:
    command = f"python -m benchmarks.torture.differential --count {args.count} --seed {args.seed}"
    return {
        "command": command + (f" --first {args.first}" if args.first else ""),
        "code": _digest(args.sertag / "sertag" / "audio", Path(__file__).parent),
        "machine": machine(),
        "ffmpeg": subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[2],  # noqa: S607
        "formats": len(formats()),
        "cases": 0,
        "verdicts": dict.fromkeys(VERDICTS, 0),
        "reasons": {kind: {} for kind in VERDICTS},
        "by_container": {},
        "by_fault": {},
        "explanations": {one.name: one.reason for one in EXPLANATIONS} | dict([PRINTED]),
        "unexplained": [],
        "announced": [],
    }


def _digest(*folders: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


VERDICTS = ("same", "explained", "announced", "unexplained")


def _count(report: Report, seed: int, found: Compared) -> None:
    recording, verdict = found.recording, found.verdict
    report["cases"] += 1
    report["verdicts"][verdict.kind] += 1
    reasons = report["reasons"][verdict.kind]
    reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
    tables = [(report["by_container"], recording.format.container + ("*" if recording.format.tracks > 1 else ""))]
    tables += [(report["by_fault"], name) for name in recording.kinds]
    for table, name in tables:
        table.setdefault(name, dict.fromkeys(VERDICTS, 0))[verdict.kind] += 1
    if verdict.kind in ("unexplained", "announced"):
        line = {"seed": seed, "format": recording.format.name, "faults": list(recording.faults)}
        report[verdict.kind].append(line | {"reason": verdict.reason, "detail": verdict.detail})


def _write(path: Path, report: Report) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, path)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.torture.differential",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder of recordings (SERTAG_DATA)")
    parser.add_argument("--count", type=int, default=2000, help="how many cases (2000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (0)")
    parser.add_argument("--seed", type=int, default=1, help="of all of them (1)")
    parser.add_argument("--only", type=int, metavar="SEED", help="one case of the results, written to a file here")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON (benchmarks/results/differential.json)")
    parser.add_argument("--sertag", type=Path, default=_ROOT, metavar="DIR", help="tree whose package sertag is tried")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
