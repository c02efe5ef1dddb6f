"""The results as tables: `recipes.csv`, a row a recipe, suite, tested corpus and condition, and one page.

Made of the files of results and of nothing else. Mean and standard deviation are over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader

from benchmarks.accuracy.robustness import ROBUSTNESS
from benchmarks.accuracy.store import CALLS, is_current, read, read_calls, read_json
from benchmarks.accuracy.suites import CALL_RECIPES, MIXED, SUITES
from export.card.markdown import table
from export.features.clip_windows import CONDITIONS
from export.recipes import RECIPES
from sertag.storage.atomic_output import Output

RECIPES_CSV, PAGE = "recipes.csv", "README.md"
ALL = "all"  # corpora of a suite together
INTERVAL = "interval"  # of 95 % of the draws of speakers
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
_SPEECH = {"speech": "speech taken for speech %", "no_speech": "other sound taken for speech %"}
_STRETCHES = {
    "answered": "answered %",
    "right": "row names the prevailing mood %",
    "attention": "attention, median",
    "peak_in_stretch": "peak in the stretch %",
    "quarter_with_centre": "worst quarter is that of the stretch %",
    "ece": "ECE of rows",
}
_FEWER = "mixed-corpora"  # it has a table of its own: fewer corpora to learn from than in `corpora`
_SPLITS = {"random": "random 80/20, **leaking**", "speakers": "unseen speakers", "corpora": "unseen corpus"}
_MEANS = ["uar", "accuracy", "ece"]


def write(results: Path) -> Path:
    """Write table and page beside the suites' files; returns the page."""
    rows = recipe_rows(results)
    page = results / PAGE
    written = {results / RECIPES_CSV: rows.to_csv(index=False), page: as_page(results, rows)}
    for place, text in written.items():
        with Output(str(place)) as output:
            output.write(text.encode())
    return page


def measured(results: Path) -> pd.DataFrame:
    """Every figure of the suites: a row a suite, recipe, seed, tested corpus (or all together) and condition."""
    rows = []
    for suite in SUITES.values():
        together = ALL if suite.split == "corpora" else "+".join(suite.corpora)
        for recipe, runs in read(results, suite).items():
            for run in runs:
                about = {"recipe": recipe, "suite": suite.name, "split": suite.split, "classes": len(run["labels"])}
                about |= {key: run[key] for key in ("seed", "date", "commit", "clips")}
                tested = {together: run["conditions"], **(run["folds"] if suite.split == "corpora" else {})}
                rows += [
                    {**about, "current": is_current(run), "tested": corpus, "condition": condition, **figures}
                    for corpus, conditions in tested.items()
                    for condition, figures in conditions.items()
                ]
    return pd.DataFrame(rows)


def recipe_rows(results: Path) -> pd.DataFrame:
    """Mean and deviation over the seeds of UAR, accuracy and ECE."""
    found = measured(results)
    if found.empty:
        return found
    by_run = found.groupby(["recipe", "suite", "split", "classes", "tested", "condition"], sort=False)
    words = by_run.agg(
        seeds=("seed", "size"),
        current=("current", "all"),
        dates=("date", lambda dates: " ".join(sorted(set(dates)))),
        commits=("commit", lambda commits: " ".join(sorted(set(commits)))),
    )
    means = by_run[_MEANS].mean()
    deviations = by_run[_MEANS].std().fillna(0.0).where(means.notna()).add_suffix("_sd")
    rows = words.join(means.round(4)).join(deviations.round(4)).reset_index()
    order = {name: number for number, name in enumerate(RECIPES)}
    rows = rows.sort_values("recipe", key=lambda names: names.map(order), kind="stable")
    head = ["recipe", "suite", "split", "seeds", "classes", "current", "dates", "commits", "tested", "condition"]
    return rows[[*head, *(name for figure in _MEANS for name in (figure, f"{figure}_sd"))]]


def as_page(results: Path, rows: pd.DataFrame) -> str:
    """The page, filled into `page.md.j2`."""
    environment = Environment(  # noqa: S701 - Markdown, no HTML
        loader=FileSystemLoader(Path(__file__).parent), trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.get_template("page.md.j2").render(
        **(_of_the_field(rows) if len(rows) else {"measured": "Nothing was measured yet."}),
        calls=call_tables(results),
        suites=_suites(results),
        robustness=_robustness(read_json(results / ROBUSTNESS)),
    )


def cell(values: pd.Series[Any]) -> str:
    """A figure over its seeds, empty where none has it: percent, or three digits, or one, as its name has it.

    >>> cell(pd.Series([0.25, 0.75, None], name="uar")), cell(pd.Series([0.5], name="anger_auc"))
    ('50.0 ± 35.4', '0.500')
    >>> cell(pd.Series([(0.2, 0.4)], name=INTERVAL))
    '20.0 to 40.0'
    """
    name, known = str(values.name), values.dropna()
    if known.empty:
        return ""
    if name == INTERVAL:
        return "{:.1f} to {:.1f}".format(*100 * np.mean(known.tolist(), axis=0))
    plain = name.endswith(("auc", "ece", "attention"))
    times, digits = (1, 3) if plain else (1, 1) if name.endswith("an_hour") else (100, 1)
    spread = f" ± {times * known.std():.{digits}f}" if len(known) > 1 else ""
    return f"{times * known.mean():.{digits}f}{spread}"


def _table(rows: Sequence[Mapping[str, Any]], by: Sequence[str], figures: Mapping[str, str]) -> str:
    """A row for each value of some columns, in their order; each figure over its seeds."""
    found = pd.DataFrame(rows).rename(columns={"uar_low": INTERVAL})
    if INTERVAL in found:
        ends = zip(found[INTERVAL], found["uar_high"], strict=True)
        found[INTERVAL] = pd.Series([*ends], dtype=object).where(found["uar_high"].notna())
    shown = found.reindex(columns=[*by, *figures]).groupby([*by], sort=False).agg(cell).rename(columns=figures)
    return _markdown(shown.reset_index())


def _markdown(shown: pd.DataFrame) -> str:
    return table(list(shown.columns), shown.to_numpy().tolist())


def _of_the_field(rows: pd.DataFrame) -> dict[str, Any]:
    """What the page says of `recipes.csv`: claims, UAR by tested corpus, and when it was measured."""
    classes = rows.groupby(["recipe", "tested"])["classes"].agg(lambda own: ", ".join(map(str, sorted(set(own)))))
    shown = rows.drop(columns="classes").join(classes, on=["recipe", "tested"])
    shown = shown.assign(shown=_figures(rows, "uar"), recipe="`" + rows["recipe"] + "`")
    fewer, own = shown[shown["suite"] == _FEWER], shown[(shown["suite"] != _FEWER) & (shown["tested"] != ALL)]
    dates = sorted({date for dates in rows["dates"] for date in dates.split()})
    by_corpus = [
        (name, _uar(part, ["recipe", "classes"], "split", _SPLITS)) for name, part in own.groupby("tested", sort=False)
    ]
    return {
        "claims": _claims(rows),
        "by_corpus": by_corpus,
        "fewer_corpora": _uar(fewer, ["recipe"], "tested", {name: name for name in MIXED}) if len(fewer) else "",
        "measured": f"Measured {dates[0]} to {dates[-1]}; the commits are in `{RECIPES_CSV}`.",
    }


def _claims(rows: pd.DataFrame) -> str:
    """What authors claim beside what their recipe reaches here under their protocol."""
    rows = rows.assign(reached=_figures(rows, "accuracy"))
    lines = []
    for recipe in RECIPES.values():
        suite = SUITES["random-mixed" if recipe.augmentations else "random-tess"]
        own = rows[(rows["recipe"] == recipe.name) & (rows["suite"] == suite.name)]
        if recipe.claim and len(own):
            lines.append([f"`{recipe.name}`", recipe.claim, own["reached"].iloc[0], "+".join(suite.corpora)])
    head = ["recipe", "claimed", "reached here, accuracy %, random 80/20, **leaking**", "corpora"]
    return table(head, lines) if lines else ""


def _uar(rows: pd.DataFrame, index: list[str], by: str, titles: Mapping[str, str]) -> str:
    """A row a recipe, a column for each value of another column, clean and by phone."""
    wide = rows.pivot_table(index=index, columns=[by, "condition"], values="shown", aggfunc="first", sort=False)
    known = [(value, line) for value in titles if value in set(rows[by]) for line in CONDITIONS]
    wide = wide.reindex(columns=known).fillna("")
    wide.columns = pd.Index([f"{titles[value]}, {line}" for value, line in known])
    return _markdown(wide.reset_index())


def _figures(rows: pd.DataFrame, key: str) -> list[str]:
    """Mean ± deviation (seeds); a dagger where the protocol is another one since."""
    columns = (rows[name] for name in (key, f"{key}_sd", "seeds", "current"))
    return [
        f"{100 * mean:.1f}{f' ± {100 * spread:.1f}' if seeds > 1 else ''} ({seeds}){'' if current else ' †'}"
        for mean, spread, seeds, current in zip(*columns, strict=True)
    ]


def call_tables(results: Path) -> list[dict[str, str]]:
    """Titles and tables of the recipes for calls, none where nothing was measured."""
    runs = read_calls(results / CALLS)
    if not runs:
        return []
    outdated = {run["recipe"] for run in runs if not is_current(run)}
    acted: list[dict[str, Any]] = []
    ordinary, stretches = [*acted], [*acted]
    for run in runs:
        for condition, found in run["conditions"].items():
            about = {"recipe": f"`{run['recipe']}`{' †' * (run['recipe'] in outdated)}", "condition": condition}
            corpora, calls = found["corpora"] | {"mean": found["mean"]}, dict(found["calls"])
            acted += [{**about, "corpus": name, **own} for name, own in corpora.items()]
            ordinary.append(about | found["ordinary"] | found["anger_found"] | found["taken_for_speech"])
            all_calls = {"all calls": {"ece": calls.pop("ece")}}
            stretches += [{**about, "share of the stretch": share, **own} for share, own in (calls | all_calls).items()]
    by, alarms = ["recipe", "condition"], next(iter(runs[0]["conditions"].values()))["anger_found"]
    found_at = {key: f"windows of anger found %, at {key} false alarms an hour" for key in alarms}
    return [
        {"title": "Unseen corpora", "table": _table(acted, [*by, "corpus"], _CORPORA)},
        {"title": "Ordinary speech", "table": _table(ordinary, by, _ORDINARY | found_at | _SPEECH)},
        {
            "title": "Simulated calls with an angry stretch",
            "table": _table(stretches, [*by, "share of the stretch"], _STRETCHES),
        },
    ]


def _suites(results: Path) -> list[dict[str, str]]:
    """Everything that was measured of the recipes for calls, suite by suite."""
    rows = measured(results)
    if rows.empty:
        return []
    rows = rows[rows["recipe"].isin(CALL_RECIPES) & (rows["tested"] != ALL)]
    rows = rows.assign(seeds=rows.groupby(["suite", "recipe", "condition"])["seed"].transform("size"))
    found = []
    for name, own in rows.assign(recipe="`" + rows["recipe"] + "`").groupby("suite", sort=False):
        text = f"{own['clips'].iloc[0]} clips, chance {100 / own['classes'].iloc[0]:.1f} %."
        shown = _table(own.to_dict("records"), ["recipe", "seeds", "condition"], _FIGURES)
        found.append({"title": SUITES[str(name)].title, "text": text, "table": shown})
    return found


def _robustness(found: dict[str, Any]) -> str:
    """A column a model; models that are measured on the same calls cut them into windows of their own."""
    rows = [
        {"distortion": name, "model": f"`{model}` {own['version']}", "share": f"{100 * survives['share']:.1f}"}
        for model, own in found.items()
        for name, survives in own["survives"].items()
    ]
    if not rows:
        return ""
    wide = pd.DataFrame(rows).pivot_table(
        index="distortion", columns="model", values="share", aggfunc="first", sort=False
    )
    return _markdown(wide.fillna("").reset_index())
