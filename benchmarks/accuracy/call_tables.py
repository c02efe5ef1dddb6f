"""The tables of `calls.json`: unseen corpora, ordinary speech and simulated calls, by recipe and condition.

Cells are means over seeds, ± their standard deviation where there are several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.cells import cell
from benchmarks.accuracy.store import CALLS, is_current, read_calls
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
_HEARD = {"speech": "speech taken for speech %", "no_speech": "other sound taken for speech %"}
_CALLS = {
    "answered": "answered %",
    "right": "row names the prevailing mood %",
    "attention": "attention, median",
    "peak_in_stretch": "peak in the stretch %",
    "quarter_with_centre": "worst quarter is that of the stretch %",
}
_Group = tuple[list[str], Sequence[Mapping[str, Any]]]  # recipe and condition as cells, figures of each seed


def call_tables(results: Path) -> list[dict[str, str]]:
    """Titles and tables, none where nothing was measured.

    Args:
        results: folder of the results.
    """
    recipes: dict[str, list[Any]] = {}
    for run in read_calls(results / CALLS):
        recipes.setdefault(run["recipe"], []).append(run)
    groups = [
        ([f"`{name}`" + ("" if all(map(is_current, runs)) else " †"), line], [run["conditions"][line] for run in runs])
        for name, runs in recipes.items()
        for line in runs[0]["conditions"]
    ]
    made = {
        "Unseen corpora": _corpora,
        "Ordinary speech": _ordinary,
        "Simulated calls with an angry stretch": _calls,
    }
    return [{"title": title, "table": make(groups)} for title, make in made.items()] if groups else []


def _corpora(groups: Sequence[_Group]) -> str:
    lines = []
    for head, found in groups:
        parts = {name: [own["corpora"][name] for own in found] for name in found[0]["corpora"]}
        parts["mean"] = [own["mean"] for own in found]
        lines += [[*head, name, *(cell(part, key) for key in _CORPORA)] for name, part in parts.items()]
    return table(["recipe", "condition", "corpus", *_CORPORA.values()], lines)


def _ordinary(groups: Sequence[_Group]) -> str:
    alarms = list(groups[0][1][0]["anger_found"])
    columns = [("ordinary", key, title) for key, title in _ORDINARY.items()]
    columns += [("anger_found", key, f"windows of anger found %, at {key} false alarms an hour") for key in alarms]
    columns += [("taken_for_speech", key, title) for key, title in _HEARD.items()]
    lines = [[*head, *(cell([own[part] for own in found], key) for part, key, _ in columns)] for head, found in groups]
    return table(["recipe", "condition", *(title for *_, title in columns)], lines)


def _calls(groups: Sequence[_Group]) -> str:
    lines = []
    for head, found in groups:
        for share in [key for key in found[0]["calls"] if key != "ece"]:
            lines.append([*head, share, *(cell([own["calls"][share] for own in found], key) for key in _CALLS)])
        lines.append([*head, "ECE", cell([own["calls"] for own in found], "ece"), *[""] * (len(_CALLS) - 1)])
    return table(["recipe", "condition", "share of the stretch", *_CALLS.values()], lines)
