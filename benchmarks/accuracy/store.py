"""What was measured, as JSON: one file a suite, in it each recipe's runs, a run for each seed; and one file for calls.

A run says by which `PROTOCOL_VERSION` and on which recordings it was measured; where both are still the same, it is not
measured again. Figures are shares from 0 to 1, rounded to four digits.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.suites import SUITES, Suite
from export.errors import ExportError
from export.recipes import RECIPES
from export.training.experiment import PROTOCOL_VERSION
from sertag.storage.atomic_output import Output

RESULTS = Path(__file__).with_name("results")
CALLS = "calls.json"
INTERVAL = "interval"
Run = dict[str, Any]


def read(results: Path, suite: Suite) -> dict[str, list[Run]]:
    """Runs by recipe, in the order of the seeds; none where nothing was measured."""
    return dict(read_json(results / f"{suite.name}.json").get("recipes", {}))


def read_calls(place: Path) -> list[Run]:
    """All runs of recipes for calls in a file, by recipe and seed; none where nothing was measured."""
    return list(read_json(place).get("runs", []))


def all_runs(results: Path) -> list[tuple[Suite, str, list[Run]]]:
    """Suite, recipe and runs of everything that was measured, in the order of the suites."""
    return [(suite, recipe, runs) for suite in SUITES.values() for recipe, runs in read(results, suite).items()]


def is_current(run: Mapping[str, Any], *, data_sha256: str | None = None) -> bool:
    """Whether a run was measured by today's protocol, and on these recordings if any are named."""
    of_today = run["protocol_version"] == PROTOCOL_VERSION
    return of_today and (data_sha256 is None or data_sha256 == run.get("data_sha256"))


def add(results: Path, suite: Suite, recipe: str, run: Run) -> Path:
    """Put a run into the file of its suite, in the place of one of the same seed and of all by an older protocol.

    Means over seeds are of one protocol only.
    """
    runs = read(results, suite)
    kept = [own for own in _others(runs.get(recipe, []), run, "seed") if is_current(own)]
    runs[recipe] = sorted([*kept, run], key=lambda own: own["seed"])
    document = {"suite": suite.name, "title": suite.title, "corpora": suite.corpora, "split": suite.split}
    return write_json(results / f"{suite.name}.json", {**document, "recipes": runs})


def add_calls(results: Path, run: Run) -> Path:
    """Put a run into the file for calls, in the place of an older one of the same recipe and seed."""
    order = {name: number for number, name in enumerate(RECIPES)}
    runs = [*_others(read_calls(results / CALLS), run, "recipe", "seed"), run]
    runs.sort(key=lambda own: (order.get(own["recipe"], len(order)), own["seed"]))
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


def cell(found: Sequence[Mapping[str, Any]], key: str) -> str:
    """A figure, empty where no seed has it: shares in percent, areas and errors with three digits, others with one.

    >>> cell([{"uar": 0.25}, {"uar": 0.75}, {"uar": None}], "uar"), cell([{"anger_auc": 0.5}], "anger_auc")
    ('50.0 ± 35.4', '0.500')
    >>> cell([{"uar_low": 0.2, "uar_high": 0.4}], INTERVAL)
    '20.0 to 40.0'
    """
    if key == INTERVAL:
        low, high = ([own[end] for own in found if end in own] for end in ("uar_low", "uar_high"))
        return f"{100 * np.mean(low):.1f} to {100 * np.mean(high):.1f}" if low else ""
    values = [own[key] for own in found if own.get(key) is not None]
    if not values:
        return ""
    plain = key.endswith(("auc", "ece", "attention"))
    times, digits = (1, 3) if plain else (1, 1) if key.endswith("an_hour") else (100, 1)
    mean, sd = mean_and_sd(values)
    return f"{times * mean:.{digits}f}" + (f" ± {times * sd:.{digits}f}" if len(values) > 1 else "")


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds; 0 for one seed.

    >>> mean_and_sd([0.25, 0.75])
    (0.5, 0.3535533905932738)
    """
    return float(np.mean(values)), float(np.std(values, ddof=min(1, len(values) - 1)))


def commit() -> str:
    """The commit that is checked out, in short; empty outside of a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return told.stdout.strip()


def _others(runs: list[Run], run: Run, *keys: str) -> list[Run]:
    return [own for own in runs if any(own[key] != run[key] for key in keys)]
