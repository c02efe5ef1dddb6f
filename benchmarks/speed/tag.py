"""What tagging costs: sertag against the floor of the job, a tutorial's loop and openSMILE, in one run on one machine.

    python -m benchmarks.speed.tag                  # 2 hours of stereo calls in 3 minutes, writes results/tag.json
    python -m benchmarks.speed.tag --long --many    # also an 8-hour call and 20,000 clips of 3 s: memory
    python -m benchmarks.speed.tag --profile        # where sertag's time goes, stage by stage; writes no file

Absolute times belong to the machine, ratios travel: contenders take turns, round by round, and medians are shown.
Core-seconds are user and system time of all processes of a command. The floor and the peers are charged for their work
alone, after imports and a first clip; sertag for whole commands, start-up included, and once more without it, which is
the command minus the same command on clips of 3 s: one for one worker, 64 for two, the fewest that get two. Peers that
are missing are left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import call_material
from benchmarks.machine import machine
from benchmarks.processes import Command, Measured, measure
from benchmarks.speed import tag_report
from sertag.model.session import DEFAULT_MODEL, load
from sertag.parallel.engine import FEW_FILES

RESULTS = Path(__file__).parents[1] / "results" / "tag.json"
CLIP_S = 3.0
SHORT_CLIPS = {1: 1, 2: FEW_FILES}  # by workers: from that number of files on sertag starts a second one, and joblib
LONG_HOURS, MANY_CLIPS, DISTINCT_CLIPS = 8.0, 20_000, 400
PEERS = {"tutorial": "librosa + Keras, clip by clip", "opensmile": "openSMILE eGeMAPS, clip by clip"}

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs: a folder to work in, the calls, their channel-seconds and the model."""

    folder: Path
    calls: tuple[Path, ...]
    channel_seconds: float
    model: str

    def sertag(self, *arguments: str | Path) -> list[str]:
        """A command line that tags; its out file is new, so nothing can be reused."""
        out = self.folder / f"out_{len(list(self.folder.glob('out_*')))}.csv"
        return [sys.executable, "-m", "sertag", "tag", "-q", "-m", self.model, "-o", str(out), *map(str, arguments)]

    def short(self, jobs: int) -> Path:
        """The folder of the fewest clips for so many workers."""
        return self.folder / f"short_{jobs}"

    def contender(self, name: str, *arguments: str) -> Report:
        """What a contender reports of itself."""
        command = [
            sys.executable,
            "-m",
            "benchmarks.speed.contenders",
            name,
            *map(str, self.calls),
            "--model",
            self.model,
        ]
        report: Report = json.loads(measure([*command, *arguments], env=_ONE_THREAD).output)
        return report


def main() -> None:
    """Measure, print and write."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as name:
        bench, material = _prepare(Path(name), hours=args.hours, model=args.model)
        if args.profile:
            tag_report.show_profile(bench.contender("profile"))
            return
        report: Report = {"machine": machine(), "material": material}
        report |= compare(bench, rounds=args.rounds, peers=args.peers, clips=args.clips)
        report["start_up"] = start_up(bench, times=2 * args.rounds - 1)
        report["network"] = bench.contender("network")
        if args.long:
            report["memory"] |= {"one 8-hour call": long_call(bench)}
        if args.many:
            report["memory"] |= {"20,000 clips of 3 s, 2 workers": many_clips(bench)}
    report["targets"] = tag_report.targets(report)
    report["readme"] = tag_report.markdown(report)
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    tag_report.show(report)


def compare(bench: Bench, *, rounds: int, peers: bool, clips: int) -> Report:
    """The floor, sertag with 1 and 2 workers and the peers, in turns.

    Args:
        bench: what to work on.
        rounds: turns of each; medians are reported.
        peers: whether the peers take part.
        clips: how many clips of one channel the peers get.

    Returns:
        `contenders`, `speed_up_2_workers`, `peers` (libraries, or that one is missing) and `memory` of the batches.
    """
    runs: dict[str, list[Report]] = {}
    pairs: list[Report] = []
    batches: dict[int, list[Measured]] = {1: [], 2: []}
    short: dict[int, list[Measured]] = {1: [], 2: []}
    for _ in range(rounds):
        runs.setdefault("floor", []).append(bench.contender("floor"))
        pairs.append(bench.contender("two_floors"))
        for jobs, found in batches.items():
            found.append(measure(bench.sertag("--jobs", str(jobs), *bench.calls)))
            short[jobs].append(measure(bench.sertag("--jobs", str(jobs), bench.short(jobs))))
        for peer in PEERS if peers else ():
            runs.setdefault(peer, []).append(bench.contender(peer, "--clips", str(clips)))
    missing = {peer: found[0]["missing"] for peer, found in runs.items() if "missing" in found[0]}
    contenders = [_row("floor", runs["floor"])]
    for jobs, found in batches.items():
        shortest_s = SHORT_CLIPS[jobs] * CLIP_S
        contenders += _sertag_rows(f"sertag, {_workers(jobs)}", {bench.channel_seconds: found, shortest_s: short[jobs]})
    contenders += [_row(PEERS[name], found) for name, found in runs.items() if name in PEERS and name not in missing]
    _add_ratios(contenders)
    return {
        "contenders": contenders,
        "speed_up_2_workers": _speed_up(contenders) | {"of_two_floors_at_once": _scaling(runs["floor"], pairs)},
        "peers": {PEERS[name]: _about(name, found[0]) for name, found in runs.items() if name in PEERS},
        "memory": {f"batch, {_workers(jobs)}": _memory(found) for jobs, found in batches.items()},
    }


def start_up(bench: Bench, *, times: int) -> Report:
    """Wall and processor seconds of whole processes that have next to nothing to do, medians."""
    commands = {
        "sertag --help": [sys.executable, "-m", "sertag", "--help"],
        "one clip of 3 s": bench.sertag("--jobs", "1", "--no-resume", bench.short(1)),
    }
    runs = {name: [measure(command) for _ in range(times)] for name, command in commands.items()}
    return {
        name: {"wall_s": _median([run.wall_s for run in found]), "cpu_s": _median([run.cpu_s for run in found])}
        for name, found in runs.items()
    }


def long_call(bench: Bench) -> Report:
    """Memory and cost of one stereo call of 8 hours."""
    path = bench.folder / "long.wav"
    call_material.write_long_call(path, bench.calls, hours=LONG_HOURS)
    found = measure(bench.sertag("--jobs", "1", path))
    path.unlink()
    return {**_memory([found]), "per_core_second": LONG_HOURS * 3600 * 2 / found.cpu_s, "wall_s": found.wall_s}


def many_clips(bench: Bench) -> Report:
    """Memory at the beginning, in the middle and at the end of 20,000 clips, and their cost."""
    folder = bench.folder / "clips"
    folder.mkdir()
    call_material.write_clips(folder, bench.calls, count=MANY_CLIPS, distinct=DISTINCT_CLIPS, clip_s=CLIP_S)
    marks = {MANY_CLIPS * share // 100: f"{share} %" for share in (10, 25, 50, 75, 100)}
    resident_mb: dict[str, float | None] = {}
    options = ["-q", "-m", bench.model, "--jobs", "2", "--format", "jsonl"]
    with Command([sys.executable, "-m", "sertag", "tag", *options, str(folder)]) as running:
        for number, _ in enumerate(running.lines(), start=1):
            if number in marks:
                resident_mb[marks[number]] = running.resident_mb()
        wall_s, cpu_s = running.finish()
        peak = {"largest_mb": running.largest_mb, "together_mb": running.together_mb}
    return {**peak, "resident_mb": resident_mb, "files": number, "files_per_s": number / wall_s, "cpu_s": cpu_s}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.tag", description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.0, help="of stereo calls (2)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender (3)")
    parser.add_argument("--clips", type=int, default=60, help="clips of 4 s that the peers get (60)")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--long", action="store_true", help="an 8-hour call, 460 MB on disk")
    parser.add_argument("--many", action="store_true", help="20,000 clips of 3 s")
    parser.add_argument("--profile", action="store_true", help="only the time by stage")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"name or file ({DEFAULT_MODEL})")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON (benchmarks/results/tag.json)")
    return parser.parse_args()


def _prepare(folder: Path, *, hours: float, model: str) -> tuple[Bench, Report]:
    rng = np.random.default_rng(11)
    source, speakers = call_material.voices(rng=rng)
    calls = folder / "calls"
    calls.mkdir()
    paths = call_material.write_calls(calls, speakers, hours=hours, rng=rng)
    bench = Bench(folder, tuple(paths), hours * 3600 * 2, model)
    for jobs, count in SHORT_CLIPS.items():
        bench.short(jobs).mkdir()
        call_material.write_clips(bench.short(jobs), paths, count=count, distinct=count, clip_s=CLIP_S)
    spec = load(model).spec
    about = {"name": spec.name, "version": spec.version, "n_fft": spec.features.n_fft, "hop": spec.features.hop_length}
    material = {"hours": hours, "files": len(paths), "channels": 2, "rate_hz": call_material.RATE_HZ, "voices": source}
    return bench, {**material, "model": about}


def _row(name: str, runs: Sequence[Report]) -> Report:
    return {
        "name": name,
        "channel_seconds": runs[0]["channel_seconds"],
        "cpu_s": _median([run["cpu_s"] for run in runs]),
        "wall_s": _median([run["wall_s"] for run in runs]) if "wall_s" in runs[0] else None,
    }


def _sertag_rows(name: str, runs: Mapping[float, Sequence[Measured]]) -> list[Report]:
    """Whole commands and, where they are long enough to tell, the same without start-up.

    Args:
        name: of the row.
        runs: long and short commands by their channel-seconds.
    """
    whole, start = (
        {
            "channel_seconds": channel_seconds,
            "cpu_s": _median([run.cpu_s for run in found]),
            "wall_s": _median([run.wall_s for run in found]),
        }
        for channel_seconds, found in runs.items()
    )
    rows: list[Report] = [{"name": name, **whole}]
    if all(whole[key] > 1.5 * start[key] for key in whole):
        rows.append({"name": f"{name}, without start-up", **{key: whole[key] - start[key] for key in whole}})
    return rows


def _add_ratios(contenders: Sequence[Report]) -> None:
    """To each row: speed, its cost in floors, and how much cheaper sertag with 1 worker is."""
    for row in contenders:
        row["per_core_second"] = row["channel_seconds"] / row["cpu_s"]
    speeds = {row["name"]: row["per_core_second"] for row in contenders}
    for row in contenders:
        row["times_floor"] = speeds["floor"] / row["per_core_second"]
        row["sertag_faster_by"] = speeds["sertag, 1 worker"] / row["per_core_second"]


def _speed_up(contenders: Sequence[Report]) -> Report:
    """Wall time of 1 worker in that of 2, for whole commands and, where it is known, without start-up."""
    wall_s = {row["name"]: row["wall_s"] for row in contenders}
    ends = {"whole": "", "without_start_up": ", without start-up"}
    pairs = {key: (f"sertag, 1 worker{end}", f"sertag, 2 workers{end}") for key, end in ends.items()}
    return {key: wall_s[one] / wall_s[two] for key, (one, two) in pairs.items() if one in wall_s and two in wall_s}


def _scaling(alone: Sequence[Report], together: Sequence[Report]) -> float:
    """How much faster two processes do the floor's work twice than one does: what this machine's cores are worth."""
    return 2 * _median([run["wall_s"] for run in alone]) / _median([run["wall_s"] for run in together])


def _workers(jobs: int) -> str:
    return f"{jobs} worker" if jobs == 1 else f"{jobs} workers"


def _about(name: str, report: Report) -> Any:
    return f"not installed ({report['missing']})" if "missing" in report else report["libraries"]


def _memory(runs: Sequence[Measured]) -> Report:
    largest = [run.largest_mb for run in runs if run.largest_mb is not None]
    together = [run.together_mb for run in runs if run.together_mb is not None]
    return {"largest_mb": max(largest, default=None), "together_mb": max(together, default=None)}


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
