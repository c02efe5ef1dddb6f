"""Write the generated parts of the README: the help text, the example and the tables of measured figures.

    python -m benchmarks.readme            # rewrite README.md
    python -m benchmarks.readme --check    # exit 1 if it is not what the committed results say

Every part stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy import store
from benchmarks.accuracy.suites import PLAIN
from benchmarks.accuracy.tables import PHONE, RECIPES_CSV
from export.card.card import read_figures
from sertag.model_file import describe

_ROOT = Path(__file__).parents[1]
README = _ROOT / "README.md"


def render(text: str, parts: dict[str, Callable[[], str]]) -> str:
    """The README with every part that has a name in `parts` written anew.

    Raises:
        ValueError: a part has no place in the text.
    """
    for name, make in parts.items():
        pattern = re.compile(rf"(<!-- begin: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md has no place for {name!r}")
        body = make()
        text = pattern.sub(lambda match, body=body: match[1] + body.rstrip() + "\n" + match[2], text)
    return text


def help_text() -> str:
    """`sertag --help` of the main command, as a user sees it in 100 columns."""
    return _console(["tag", "--help"])


def example() -> str:
    """The README's first command as it looks on a terminal."""
    who = ["--roles", "agent,customer", "--only-role", "customer"]
    return _console(["examples/calls", *who, "--format", "table", "--quiet"], codes=(1,))


def accuracy() -> str:
    """The model's figures on speakers it did not hear, from the JSON beside the model file."""
    file = describe()
    spec, conditions = file.spec, read_figures(file)["conditions"]
    corpora = next(iter(conditions.values()))["corpora"]
    told = {
        "accuracy": "accuracy",
        "ece": "ECE",
        "coverage": "answered",
        "accuracy_of_answers": "accuracy of the answers",
    }
    head = ["UAR in %", *corpora, "mean", *told.values()]
    rows = [
        [
            name,
            *(_percent(found["corpora"][corpus]["uar"]) for corpus in corpora),
            f"**{_percent(found['uar'])}**",
            *(f"{found[key]:.2f}" if key == "ece" else _percent(found[key]) for key in told),
        ]
        for name, found in conditions.items()
    ]
    rows.append(["chance", *(_percent(corpus["chance"]) for corpus in corpora.values()), *[""] * (1 + len(told))])
    table = _table(head, rows)
    return f"{table}\n\nProtocol: {spec.metrics['protocol']}.\nVersion {spec.version} of `{spec.name}`."


def held_out() -> str:
    """What the recipe of the model reaches on people and corpora left out, from the committed suites."""
    head = ["UAR in %, clean / phone", "one clip", "mixed call", "chance", "anger AUC"]
    rows = []
    for suite, recipe, runs in store.all_runs(store.RESULTS):
        if recipe != PHONE or suite.split == "random":
            continue
        alone, in_call = (
            " / ".join(_percent(_mean(runs, f"{line}{where}", "uar")) for line in ("clean", "phone"))
            for where in ("", ", mixed call")
        )
        chance = _percent(1 / len(runs[0]["labels"]))
        rows.append([suite.title, alone, in_call, chance, f"{_mean(runs, 'phone, mixed call', 'anger_auc'):.2f}"])
    return _table(head, rows)


def recipes() -> str:
    """What the recipes of the field reach, from the committed table of `python -m benchmarks.accuracy`."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in csv.DictReader((store.RESULTS / RECIPES_CSV).read_text(encoding="utf-8").splitlines()):
        if row["condition"] in PLAIN:
            uar = f"{100 * float(row['uar']):.0f}" + ("" if row["current"] == "True" else "†")
            found.setdefault((row["recipe"], row["split"], row["tested"]), {})[row["condition"]] = uar
    columns = {
        "TESS, random split (leaks)": ("random", "tess"),
        "TESS, the other speaker": ("speakers", "tess"),
        "RAVDESS, unseen speakers": ("speakers", "ravdess"),
        "EmoDB, unseen speakers": ("speakers", "emodb"),
        "RAVDESS, learnt elsewhere": ("corpora", "ravdess"),
        "EmoDB, learnt elsewhere": ("corpora", "emodb"),
    }
    rows = [
        [
            f"`{recipe}`",
            *(
                " / ".join(found.get((recipe, *column), {}).get(line, "-") for line in PLAIN)
                for column in columns.values()
            ),
        ]
        for recipe in dict.fromkeys(key[0] for key in found)
    ]
    table = _table(["UAR in %, clean / phone", *columns], rows)
    return table + ("\n\n† The protocol has changed since this was measured." if "†" in table else "")


def speed() -> str:
    """The table of costs, from the committed results of `python -m benchmarks.speed.tag`."""
    return _load("benchmarks/results/tag.json")["readme"]


def formats() -> str:
    """What can be read, as installed and with the extra, from the results of `python -m benchmarks.formats`."""
    tried = _load("benchmarks/results/formats.json")
    rows = []
    for container in dict.fromkeys(row["container"] for row in tried):
        own = [row for row in tried if row["container"] == container]
        plain = [row["codec"] for row in own if row["plain"]]
        extra = [row["codec"] for row in own if row["extra"] and not row["plain"]]
        rows.append([container, ", ".join(plain), ", ".join(extra)])
    return _table(["container", "reads as installed", "with `sertag[av]`"], rows)


def reliability() -> str:
    """What was done to sertag, and what came of it, from `benchmarks.torture` and `benchmarks.torture.resume`."""
    torture, resume = _load("benchmarks/results/torture.json"), _load("benchmarks/results/resume.json")
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


def differential(path: Path = _ROOT / "benchmarks" / "results" / "differential.json") -> str:
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
    return f"{text}\n\n{_table(head, rows)}\n\nExplained are:\n\n{reasons.removesuffix(';')}."


PARTS: dict[str, Callable[[], str]] = {
    "example": example,
    "help": help_text,
    "accuracy": accuracy,
    "held-out": held_out,
    "recipes": recipes,
    "speed": speed,
    "formats": formats,
    "reliability": reliability,
    "differential": differential,
}


def main(argv: list[str] | None = None) -> int:
    """Rewrite or check the README; the exit code says whether it was right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if something would change")
    check = parser.parse_args(argv).check
    old = README.read_text(encoding="utf-8")
    new = render(old, PARTS)
    if check:
        return int(old != new)
    README.write_text(new, encoding="utf-8")
    return 0


def _console(arguments: list[str], *, codes: tuple[int, ...] = (0,)) -> str:
    environment = {**os.environ, "COLUMNS": "110", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(  # noqa: S603 - the arguments are those of this module
        [sys.executable, "-m", "sertag", *arguments], cwd=_ROOT, env=environment, capture_output=True, check=False
    )
    if done.returncode not in codes:
        raise ValueError(f"sertag {' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode()}")
    shown = "\n".join(line.rstrip() for line in done.stdout.decode().splitlines()).strip("\n")
    return f"```text\n{shown}\n```"


def _mean(runs: Sequence[store.Run], condition: str, figure: str) -> float:
    """Of a figure over the seeds."""
    return store.mean_and_sd([run["conditions"][condition][figure] for run in runs])[0]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def _cost(percent: float) -> str:
    return f"{percent:.1f} %" if percent > 0 else "nothing that can be measured"


def _and(names: Sequence[str]) -> str:
    return " and ".join(sorted(set(names)))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _load(path: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((_ROOT / path).read_text(encoding="utf-8"))
    return result


if __name__ == "__main__":
    sys.exit(main())
