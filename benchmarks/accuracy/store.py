"""What was measured, as JSON: one file a suite, in it each recipe's runs, a run for each seed.

A run says by which `PROTOCOL_VERSION` and on which recordings it was measured; where both are still the same, it is not
measured again. Figures are shares from 0 to 1, rounded to four digits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.suites import SUITES, Suite
from export.errors import ExportError
from export.training.experiment import PROTOCOL_VERSION
from sertag.storage.atomic_output import Output

RESULTS = Path(__file__).with_name("results")
Run = dict[str, Any]


def read(results: Path, suite: Suite) -> dict[str, list[Run]]:
    """Runs by recipe, in the order of the seeds; none where nothing was measured."""
    place = results / f"{suite.name}.json"
    return dict(json.loads(place.read_text(encoding="utf-8"))["recipes"]) if place.exists() else {}


def is_current(run: Mapping[str, Any], *, data_sha256: str | None = None) -> bool:
    """Whether a run was measured by today's protocol, and on these recordings if any are named."""
    of_today = run["protocol_version"] == PROTOCOL_VERSION
    return of_today and (data_sha256 is None or data_sha256 == run.get("data_sha256"))


def find(results: Path, suite: Suite, recipe: str, *, seed: int) -> Run | None:
    """The run of a recipe and seed."""
    return next((run for run in read(results, suite).get(recipe, []) if run["seed"] == seed), None)


def add(results: Path, suite: Suite, recipe: str, run: Run) -> Path:
    """Put a run into the file of its suite, in the place of an older one of the same seed.

    Raises:
        ExportError: the folder cannot be made.
        OutputError: the file cannot be written; the old one still stands.
    """
    runs = read(results, suite)
    others = [own for own in runs.get(recipe, []) if own["seed"] != run["seed"]]
    runs[recipe] = sorted([*others, run], key=lambda own: own["seed"])
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{results}: cannot keep what was measured: {error.strerror}; name another --out"
        raise ExportError(message, code="cannot_write") from error
    place = results / f"{suite.name}.json"
    document = {"suite": suite.name, "title": suite.title, "corpora": suite.corpora, "split": suite.split}
    with Output(str(place)) as output:
        output.write((json.dumps({**document, "recipes": runs}, indent=1) + "\n").encode())
    return place


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds; 0 for one seed.

    >>> mean_and_sd([0.25, 0.75])
    (0.5, 0.3535533905932738)
    """
    return float(np.mean(values)), float(np.std(values, ddof=min(1, len(values) - 1)))


def all_runs(results: Path) -> list[tuple[Suite, str, list[Run]]]:
    """Suite, recipe and runs of everything that was measured, in the order of the suites."""
    return [(suite, recipe, runs) for suite in SUITES.values() for recipe, runs in read(results, suite).items()]
