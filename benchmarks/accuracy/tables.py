"""The results as tables: `recipes.csv`, a row a recipe, suite, tested corpus and condition, and one page.

Made of the suites' files, `calls.json`, the trials and the robustness file, and of nothing else. Mean and standard
deviation are over seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader

from benchmarks.accuracy import store
from benchmarks.accuracy.robustness.survival import ROBUSTNESS
from benchmarks.accuracy.store import CALLS, INTERVAL, Run, cell, is_current, mean_and_sd, read_calls
from benchmarks.accuracy.suites import CALL_RECIPES, MIXED, SUITES, Suite
from export.card.markdown import table
from export.features.clip_windows import CONDITIONS
from export.recipes import RECIPES
from sertag.storage.atomic_output import Output

RECIPES_CSV, PAGE = "recipes.csv", "README.md"
TRIALS, ELSEWHERE = "trials.csv", "not in the repository"
ALL = "all"  # corpora of a suite together
# Figures of the tables, in the order of their columns, and their titles.
_FIGURES = {
    "uar": "UAR %",
    INTERVAL: "95 % of the draws of speakers",
    "accuracy": "accuracy %",
    "ece": "ECE",
    "uar_of_the_surest_half": "UAR % of the surest half",
    "sentiment_uar": "sentiment UAR %",
    "anger_auc": "anger AUC",
}
_CORPORA = {
    "uar": "UAR %",
    INTERVAL: "95 % of the draws of speakers",
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
_FEWER = "mixed-corpora"  # it has a table of its own: fewer corpora to learn from than in `corpora`
_SPLITS = {"random": "random 80/20, **leaking**", "speakers": "unseen speakers", "corpora": "unseen corpus"}

_Found = Sequence[Mapping[str, Any]]  # figures of each seed
_Row = tuple[list[Any], _Found]  # the first cells of a row of a table, and what the others are made of
_Rows = Sequence[_Row]


def write(results: Path) -> Path:
    """Write table and page beside the suites' files; returns the page.

    Raises:
        OutputError: a file cannot be written.
    """
    rows = recipe_rows(results)
    page = results / PAGE
    written = {results / RECIPES_CSV: rows.to_csv(index=False), page: as_page(results, rows)}
    for place, text in written.items():
        with Output(str(place)) as output:
            output.write(text.encode())
    return page


def recipe_rows(results: Path) -> pd.DataFrame:
    """Every figure of every recipe: UAR, accuracy and ECE by suite, tested corpus and condition."""
    rows = [row for suite, recipe, runs in store.all_runs(results) for row in _rows(suite, recipe, runs)]
    order = {name: number for number, name in enumerate(RECIPES)}
    found = pd.DataFrame(rows)
    return found.sort_values("recipe", key=lambda names: names.map(order), kind="stable") if len(found) else found


def _rows(suite: Suite, recipe: str, runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    shared = {
        "recipe": recipe,
        "suite": suite.name,
        "split": suite.split,
        "seeds": len(runs),
        "classes": len(runs[0]["labels"]),
        "current": all(is_current(run) for run in runs),
        "dates": " ".join(sorted({run["date"] for run in runs})),
        "commits": " ".join(sorted({run["commit"] for run in runs})),
    }
    together = ALL if suite.split == "corpora" else "+".join(suite.corpora)
    parts = {together: [run["conditions"] for run in runs]}
    if suite.split == "corpora":
        parts |= {name: [run["folds"][name] for run in runs] for name in runs[0]["folds"]}
    for tested, found in parts.items():
        for condition in found[0]:
            own = [conditions[condition] for conditions in found]
            row = {**shared, "tested": tested, "condition": condition}
            for figure in ("uar", "accuracy", "ece"):
                if all(figure in item for item in own):
                    mean, sd = mean_and_sd([item[figure] for item in own])
                    row |= {figure: round(mean, 4), f"{figure}_sd": round(sd, 4)}
            yield row


def as_page(results: Path, rows: pd.DataFrame) -> str:
    """The page, filled into `page.md.j2`."""
    environment = Environment(  # noqa: S701 - Markdown, no HTML
        loader=FileSystemLoader(Path(__file__).parent), trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.get_template("page.md.j2").render(
        **(_of_the_field(rows) if len(rows) else {"measured": "Nothing was measured yet."}),
        calls=call_tables(results),
        suites=_suites(results),
        trials=_trials(results / TRIALS),
        robustness=_robustness(store.read_json(results / ROBUSTNESS)),
    )


def _of_the_field(rows: pd.DataFrame) -> dict[str, Any]:
    """What the page says of `recipes.csv`: claims, UAR by tested corpus, and when it was measured."""
    own = rows[rows["tested"] != ALL]
    fewer = own["suite"] == _FEWER
    dates = sorted({date for dates in rows["dates"] for date in dates.split()})
    return {
        "claims": _claims(rows),
        "by_corpus": [(name, _by_split(part)) for name, part in own[~fewer].groupby("tested", sort=False)],
        "fewer_corpora": _uar(own[fewer], "tested", {name: name for name in MIXED}) if fewer.any() else "",
        "measured": f"Measured {dates[0]} to {dates[-1]}; the commits are in `{RECIPES_CSV}`.",
    }


def _claims(rows: pd.DataFrame) -> str:
    """What authors claim beside what their recipe reaches here under their protocol."""
    lines = []
    for recipe in RECIPES.values():
        suite = SUITES["random-mixed" if recipe.augmentations else "random-tess"]
        own = rows[(rows["recipe"] == recipe.name) & (rows["suite"] == suite.name)]
        if recipe.claim and len(own):
            reached = _figure(own[own["condition"] == CONDITIONS[0]].iloc[0], "accuracy")
            lines.append([f"`{recipe.name}`", recipe.claim, reached, "+".join(suite.corpora)])
    head = ["recipe", "claimed", "reached here, accuracy %, random 80/20, **leaking**", "corpora"]
    return table(head, lines) if lines else ""


def _by_split(rows: pd.DataFrame) -> str:
    """UAR of every recipe on one corpus, by split."""
    known = set(rows["split"])
    classes = {name: ", ".join(map(str, sorted(set(own)))) for name, own in rows.groupby("recipe")["classes"]}
    return _uar(rows, "split", {name: title for name, title in _SPLITS.items() if name in known}, classes=classes)


def _uar(rows: pd.DataFrame, by: str, titles: Mapping[str, str], *, classes: Mapping[str, str] | None = None) -> str:
    """A row a recipe, a column for each value of a column, clean and by phone."""
    shown = {(row["recipe"], row[by], row["condition"]): _figure(row, "uar") for _, row in rows.iterrows()}
    columns = [(value, line) for value in titles for line in CONDITIONS]
    lines = [
        [f"`{name}`", *([classes[name]] if classes else []), *(shown.get((name, *column), "") for column in columns)]
        for name in rows["recipe"].unique()
    ]
    head = ["recipe", *(["classes"] if classes else [])]
    return table([*head, *(f"{titles[value]}, {line}" for value, line in columns)], lines)


def _figure(row: Mapping[str, Any], key: str) -> str:
    """Mean ± deviation (seeds); a dagger where the protocol is another one since."""
    spread = f" ± {100 * row[f'{key}_sd']:.1f}" if row["seeds"] > 1 else ""
    return f"{100 * row[key]:.1f}{spread} ({row['seeds']}){'' if row['current'] else ' †'}"


def call_tables(results: Path) -> list[dict[str, str]]:
    """Titles and tables of the recipes for calls, none where nothing was measured."""
    recipes: dict[str, list[Any]] = {}
    for run in read_calls(results / CALLS):
        recipes.setdefault(run["recipe"], []).append(run)
    groups: _Rows = [
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


def _corpora(groups: _Rows) -> str:
    rows: list[_Row] = []
    for head, found in groups:
        rows += [([*head, name], [own["corpora"][name] for own in found]) for name in found[0]["corpora"]]
        rows.append(([*head, "mean"], [own["mean"] for own in found]))
    return _table(["recipe", "condition", "corpus"], _CORPORA, rows)


def _ordinary(groups: _Rows) -> str:
    parts = ("ordinary", "anger_found", "taken_for_speech")
    rows: _Rows = [
        (head, [{k: v for part in parts for k, v in own[part].items()} for own in found]) for head, found in groups
    ]
    alarms = {key: f"windows of anger found %, at {key} false alarms an hour" for key in groups[0][1][0]["anger_found"]}
    return _table(["recipe", "condition"], _ORDINARY | alarms | _HEARD, rows)


def _calls(groups: _Rows) -> str:
    lines: list[list[object]] = []
    for head, found in groups:
        for share in [key for key in found[0]["calls"] if key != "ece"]:
            lines.append([*head, share, *(cell([own["calls"][share] for own in found], key) for key in _CALLS)])
        lines.append([*head, "ECE", cell([own["calls"] for own in found], "ece"), *[""] * (len(_CALLS) - 1)])
    return table(["recipe", "condition", "share of the stretch", *_CALLS.values()], lines)


def _table(head: Sequence[str], figures: Mapping[str, str], rows: _Rows) -> str:
    """Figures as columns behind the first cells of each row."""
    lines = [[*cells, *(cell(found, key) for key in figures)] for cells, found in rows]
    return table([*head, *figures.values()], lines)


def _suites(results: Path) -> list[dict[str, str]]:
    """Everything that was measured of the recipes for calls, suite by suite."""
    by_suite: dict[str, list[tuple[str, Sequence[Run]]]] = {}
    for suite, recipe, runs in store.all_runs(results):
        if recipe in CALL_RECIPES:
            by_suite.setdefault(suite.name, []).append((recipe, runs))
    found = []
    for name, own in by_suite.items():
        rows: _Rows = [
            ([f"`{recipe}`", len(runs), line], [run["conditions"][line] for run in runs])
            for recipe, runs in own
            for line in CONDITIONS
        ]
        first = own[0][1][0]
        text = f"{first['clips']} clips, chance {100 / len(first['labels']):.1f} %."
        shown = _table(["recipe", "seeds", "condition"], _FIGURES, rows)
        found.append({"title": SUITES[name].title, "text": text, "table": shown})
    return found


def _trials(place: Path) -> dict[str, int]:
    """How many trials the committed table has, and how many of them were made by code that is not here."""
    if not place.exists():
        return {}
    tried = pd.read_csv(place, keep_default_na=False)
    return {"count": len(tried), "elsewhere": int((tried["code"] == ELSEWHERE).sum())}


def _robustness(found: dict[str, Any]) -> str:
    """A column a model; models that are measured on the same calls cut them into windows of their own."""
    survives = {f"`{name}` {own['version']}": own["survives"] for name, own in found.items()}
    names = list(dict.fromkeys(name for own in survives.values() for name in own))
    lines = [[name, *(cell([own.get(name, {})], "share") for own in survives.values())] for name in names]
    return table(["distortion", *survives], lines) if lines else ""
