"""The tables of docs/models.md, from committed results. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]  # makes a table of Markdown

_RESULTS = Path(__file__).parents[1] / "results"


def networks(table: Table) -> str:
    """Other people's networks and how near sertag comes, from the results of `python -m benchmarks.networks`."""
    tried = json.loads((_RESULTS / "networks.json").read_text(encoding="utf-8"))
    same = [
        [name, one["package"], one["what"], f"{one['near']} of {one['windows']}", f"{one['difference']:.0e}"]
        for name, one in tried.items()
        if "difference" in one
    ]
    refused = [[name, one["package"], one["refused"]] for name, one in tried.items() if "refused" in one]
    head = ["network", "from", "takes; tells", "windows within 0.00001", "largest difference"]
    commands = (f"    {one['command']}" for one in tried.values())
    shown = "\n".join(dict.fromkeys(commands))
    return "\n\n".join((table(head, same), table(["refused", "from", "message"], refused), f"The commands:\n\n{shown}"))


def memory(table: Table) -> str:
    """What a worker needs with a model, from the results of `python -m benchmarks.memory`."""
    rows = json.loads((_RESULTS / "memory.json").read_text(encoding="utf-8"))
    names = ("file_mb", "worker_mb", "counted_mb")
    cells = [[row["model"], *(f"{row[name]:,.0f} MB" for name in names)] for row in rows]
    return table(["model", "file", "worker, measured", "counted on"], cells)


def calibration(table: Table) -> str:
    """What `--calibrate` changes, from the results of `python -m benchmarks.networks.calibration`."""
    found = json.loads((_RESULTS / "calibration.json").read_text(encoding="utf-8"))
    names = {
        "fit": "RAVDESS, those of the fit",
        "ravdess, other speakers": "RAVDESS, other speakers",
        "crema_d": "CREMA-D",
        "emodb": "EmoDB",
    }
    rows = [
        [
            names[name],
            f"{one['before']['right']:.0%}",
            *(f"{one[when]['confidence']:.2f}" for when in ("before", "after")),
            *(f"{one[when]['calibration_error']:.2f}" for when in ("before", "after")),
        ]
        for name, one in found["sets"].items()
    ]
    head = ["200 clips of", "right", "confidence before", "after", "calibration error before", "after"]
    return table(head, rows) + f"\n\n{found['fitted'].capitalize()}."
