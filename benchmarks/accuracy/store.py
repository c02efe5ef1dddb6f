"""What was measured, as JSON: a file a suite, in it each recipe's runs, a run a seed; and one for calls.

A run by the same `PROTOCOL_VERSION` on the same recordings is not measured again. Figures are shares from 0 to 1.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.accuracy.suites import Suite
from export.errors import ExportError
from export.recipes import RECIPES
from export.training.experiment import PROTOCOL_VERSION
from sertag.storage.atomic_output import Output

RESULTS = Path(__file__).with_name("results")
CALLS = "calls.json"
Run = dict[str, Any]


def read(results: Path, suite: Suite) -> dict[str, list[Run]]:
    """Runs by recipe, in the order of the seeds; none where nothing was measured."""
    return dict(read_json(results / f"{suite.name}.json").get("recipes", {}))


def read_calls(place: Path) -> list[Run]:
    """All runs of recipes for calls in a file, by recipe and seed; none where nothing was measured."""
    return list(read_json(place).get("runs", []))


def is_current(run: Mapping[str, Any], *, data_sha256: str | None = None) -> bool:
    """Whether a run was measured by today's protocol, and on these recordings if any are named."""
    return run["protocol_version"] == PROTOCOL_VERSION and data_sha256 in (None, run.get("data_sha256"))


def add(results: Path, suite: Suite, recipe: str, run: Run) -> Path:
    """Put a run into the file of its suite, in the place of one of the same seed and of all by an older protocol."""
    runs = read(results, suite)
    kept = [own for own in runs.get(recipe, []) if own["seed"] != run["seed"] and is_current(own)]
    runs[recipe] = sorted([*kept, run], key=lambda own: own["seed"])
    document = {"suite": suite.name, "title": suite.title, "corpora": suite.corpora, "split": suite.split}
    return write_json(results / f"{suite.name}.json", {**document, "recipes": runs})


def add_calls(results: Path, run: Run) -> Path:
    """Put a run into the file for calls, in the place of an older one of the same recipe and seed."""
    order = [*RECIPES]
    by_seed = {(own["recipe"], own["seed"]): own for own in (*read_calls(results / CALLS), run)}
    runs = sorted(by_seed.values(), key=lambda own: (order.index(own["recipe"]), own["seed"]))
    return write_json(results / CALLS, {"runs": runs})


def read_json(place: Path) -> dict[str, Any]:
    """A file of results; nothing where there is none."""
    return dict(json.loads(place.read_text(encoding="utf-8"))) if place.exists() else {}


def write_json(place: Path, document: Mapping[str, Any]) -> Path:
    """Write a file of results in one step; an error leaves the old one."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{place.parent}: cannot keep what was measured: {error.strerror}; name another --out"
        raise ExportError(message, code="cannot_write") from error
    with Output(str(place)) as output:
        output.write((json.dumps(document, indent=1) + "\n").encode())
    return place


def commit() -> str:
    """The commit that is checked out, in short; empty outside of a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return told.stdout.strip()
