"""The tables of `calls.json`: unseen corpora, ordinary speech and simulated calls, by recipe and condition.

Cells are means over seeds, ± their standard deviation where there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.call_runs import Entry, read_calls
from benchmarks.accuracy.store import is_current, mean_and_sd
from export.card.markdown import table

_CORPORA = {
    "uar": "UAR %",
    "interval": "95 % of the draws of speakers",
    "uar_as_shipped": "UAR % as shipped",
    "anger_auc": "anger AUC",
    "arousal_auc": "arousal AUC",
    "angry_against_happy_auc": "anger against joy AUC",
}
_ORDINARY = {
    "neutral": "called neutral %",
    "uncertain": "uncertain %",
    "angry_an_hour": "called angry, an hour",
    "disgust_or_fear_an_hour": "disgust or fear, an hour",
    "any_emotion_an_hour": "any emotion, an hour",
}
_CALLS = {
    "answered": "answered %",
    "right": "row names the prevailing mood %",
    "attention": "attention, median",
    "peak_in_stretch": "peak in the stretch %",
    "quarter_with_centre": "worst quarter is that of the stretch %",
}
Read = Callable[[Any], float | None]


def call_tables(results: Path) -> list[dict[str, str]]:
    """Titles and tables, none where nothing was measured.

    Args:
        results: folder of the results.
    """
    runs = read_calls(results)
    if not runs:
        return []
    groups = [
        (name, condition, [run["conditions"][condition] for run in own], all(is_current(run) for run in own))
        for name, own in _by_recipe(runs).items()
        for condition in own[0]["conditions"]
    ]
    made = {
        "Unseen corpora": _corpora(groups),
        "Ordinary speech": _ordinary(groups),
        "Simulated calls with an angry stretch": _calls(groups),
    }
    return [{"title": title, "table": text} for title, text in made.items()]


_Group = tuple[str, str, list[Any], bool]


def _by_recipe(runs: Sequence[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for run in runs:
        found.setdefault(run["recipe"], []).append(run)
    return found


def _corpora(groups: Sequence[_Group]) -> str:
    lines = []
    for name, condition, found, current in groups:
        for corpus in [*found[0]["corpora"], "mean"]:
            own = [item["mean"] if corpus == "mean" else item["corpora"][corpus] for item in found]
            cells = [_interval(own) if key == "interval" else _cell(own, key) for key in _CORPORA]
            lines.append([_named(name, current), condition, corpus, *cells])
    return table(["recipe", "condition", "corpus", *_CORPORA.values()], lines)


def _ordinary(groups: Sequence[_Group]) -> str:
    alarms = list(groups[0][2][0]["anger_found"])
    head = [f"windows of anger found %, at {count} false alarms an hour" for count in alarms]
    lines = []
    for name, condition, found, current in groups:
        cells = [_cell([item["ordinary"] for item in found], key) for key in _ORDINARY]
        cells += [_cell([item["anger_found"] for item in found], count) for count in alarms]
        passed = [_cell([item["taken_for_speech"] for item in found], key) for key in ("speech", "no_speech")]
        lines.append([_named(name, current), condition, *cells, *passed])
    heard = ["speech taken for speech %", "other sound taken for speech %"]
    return table(["recipe", "condition", *_ORDINARY.values(), *head, *heard], lines)


def _calls(groups: Sequence[_Group]) -> str:
    lines = []
    for name, condition, found, current in groups:
        for share in [key for key in found[0]["calls"] if key != "ece"]:
            cells = [_cell([item["calls"][share] for item in found], key) for key in _CALLS]
            lines.append([_named(name, current), condition, share, *cells])
        lines.append([_named(name, current), condition, "ECE", _cell([item["calls"] for item in found], "ece")])
    width = 3 + len(_CALLS)
    filled = [[*line, *[""] * (width - len(line))] for line in lines]
    return table(["recipe", "condition", "share of the stretch", *_CALLS.values()], filled)


def _named(name: str, current: bool) -> str:
    return f"`{name}`" + ("" if current else " †")


def _interval(found: Sequence[Any]) -> str:
    low, high = (mean_and_sd([own[end] for own in found])[0] for end in ("uar_low", "uar_high"))
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _cell(found: Sequence[Any], key: str) -> str:
    values = [own[key] for own in found if own.get(key) is not None]
    if not values:
        return ""
    times, digits = (
        (1, 1) if key.endswith("an_hour") else (1, 3) if key.endswith(("auc", "ece", "attention")) else (100, 1)
    )
    mean, sd = mean_and_sd(values)
    return f"{times * mean:.{digits}f}" + (f" ± {times * sd:.{digits}f}" if len(values) > 1 else "")
