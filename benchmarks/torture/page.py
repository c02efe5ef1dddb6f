"""What the documentation shows of `benchmarks.torture`, `.resume` and `.differential`, from their committed results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"


def reliability() -> str:
    """What was done to sertag, and what came of it, from `benchmarks.torture` and `benchmarks.torture.resume`."""
    torture, resume = _load("torture.json"), _load("resume.json")
    kills, mutants, fuzz = (torture[part]["figures"] for part in ("kills", "mutants", "fuzz"))
    decoder, command = mutants["decoder"], mutants["command"]
    overhead = [f"{_cost(run['overhead_pct_of_cpu'])} for {name}" for name, run in resume["overhead"].items()]
    formats, jobs = zip(*(kind.removesuffix(" worker(s)").split(", ") for kind in kills["by"]), strict=True)
    largest_mb = max(decoder["largest_mb"], command["largest_mb"])
    known = resume["known_files"]
    per_100_000_s = known["cpu_s"] * 100_000 / known["files"]
    lines = [
        f"killed by SIGKILL {kills['kills']:,} times in {kills['rounds']} rounds, at random moments, and called again: "
        f"{kills['identical']} of {kills['rounds']} tables byte for byte that of an undisturbed run "
        f"({_and(formats)}, {_and(jobs)} workers), {kills['files_left_behind']} files left behind;",
        f"{mutants['files']:,} recordings of all formats, broken by flipped bits, cuts, splices and lying headers: "
        f"{command['lost']} without a row, {command['crashes']} crashes, {command['hangs']} hangs, largest process "
        f"{largest_mb:.0f} MB, the slowest decoded in {decoder['slowest_s']:.1f} s;",
        f"{fuzz['executions']:,} inputs in {fuzz['seconds'] / 60:.0f} minutes of a fuzzer that is guided by the code "
        f"that it reaches: {fuzz['crashes']} crashes, {fuzz['hangs']} hangs, {fuzz['out_of_memory']} out of memory;",
        f"of the processor time of a run the journal costs {' and '.join(overhead)}; {known['files']:,} known files "
        f"take {per_100_000_s:.0f} s per 100,000 and {known['peak_mb']:.0f} MB.",
    ]
    return "\n".join(f"- {line}" for line in lines)


FAMILIES = {  # rows of the table of the differential run, and the containers in each
    "WAV and its kin": ("wav", "wavex", "rifx", "rf64", "bw64", "w64"),
    "AU, CAF, AIFF, VOC, NIST, IRCAM": ("au", "au-little", "caf", "aiff", "aifc", "voc", "nist", "ircam"),
    "FLAC, WavPack, TTA": ("flac", "wv", "tta"),
    "MP3, MP2, AAC, AC-3, AMR": ("mp3", "mp2", "adts", "ac3", "eac3", "amr"),
    "Ogg": ("ogg",),
    "MP4, M4A, MOV, 3GP": ("m4a", "mp4", "mp4-fragmented", "mov", "3gp"),
    "Matroska, WebM": ("mkv", "webm"),
    "ASF, AVI, FLV, MPEG": ("asf", "avi", "flv", "mpegts", "mpegps"),
}


def differential(path: Path = RESULTS / "differential.json") -> str:
    """What sertag reads of damaged recordings beside what ffmpeg plays, from `benchmarks.torture.differential`."""
    if not path.exists():
        return "The differential run was not measured yet."
    report = json.loads(path.read_text(encoding="utf-8"))
    kinds = tuple(report["verdicts"])
    rows = []
    for family, containers in FAMILIES.items():
        found = [row for name, row in report["by_container"].items() if name.rstrip("*") in containers]
        if found:
            counts = [sum(row[kind] for row in found) for kind in kinds]
            rows.append([family, str(sum(counts)), *map(str, counts)])
    text = (
        f"{report['cases']:,} recordings of all containers and codecs, damaged by cuts, wrong sizes, joins, chains, "
        f"tags, lost bytes and packets, compared in length, channels, rate and sound with what FFmpeg "
        f"{report['ffmpeg']} plays:"
    )
    reasons = "\n".join(f"- {name}: {reason};" for name, reason in report["explanations"].items())
    head = ["container", "cases", *(kind if kind != "same" else "the same" for kind in kinds)]
    return f"{text}\n\n{table(head, rows)}\n\nExplained are:\n\n{reasons.removesuffix(';')}."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def _cost(percent: float) -> str:
    return f"{percent:.1f} %" if percent > 0 else "nothing that can be measured"


def _and(names: Sequence[str]) -> str:
    return " and ".join(sorted(set(names)))


def _load(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return result
