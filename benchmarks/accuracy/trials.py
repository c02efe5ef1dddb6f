"""Configurations of a recipe, each tried on inner speakers and written down, whatever came of it.

The clips that a suite tests in a fold are left alone here: all other speakers of the fold are dealt over inner folds,
and each is scored by a network that has not heard them. Where corpora are the folds, each of the others is scored by a
network that has not heard it. One row of `trials.csv` a trial, so that nobody chooses among more configurations than
are written down.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy.figures import ANGRY
from benchmarks.accuracy.run import commit
from benchmarks.accuracy.suites import CONDITIONS, NOISY, SUITES, Suite
from export.corpora.clips import Clip, Corpus
from export.corpora.loading import relabel
from export.errors import ExportError
from export.evaluation.calibration import scale
from export.evaluation.metrics import area_under_curve, figures
from export.recipes.base import Recipe
from export.training.experiment import Experiment, experiment_for
from export.training.splits import assign_folds

TRIALS = "trials.csv"
HERE, ELSEWHERE = "in the repository", "not in the repository"
INNER_FOLDS = 3
_MOST_SCORED = 1000  # clips of an inner fold
_ASKED = {name: own for name, own in {**CONDITIONS, **NOISY}.items() if "neutral" not in own and "one mood" not in own}


def try_out(
    suite: Suite,
    recipe: Recipe,
    corpora: Mapping[str, Corpus],
    *,
    fold: int,
    seed: int,
    changes: Mapping[str, str],
    note: str,
    cache: Path,
    log: Path,
) -> dict[str, Any]:
    """Train one configuration, score it on the inner speakers of a fold and append it to a table.

    Args:
        suite: whose clips are split.
        recipe: that is changed.
        corpora: by name, decodable clips with their own labels.
        fold: which of the suite's folds is left alone, counted from 0.
        seed: of the split and the training.
        changes: name of a field of the recipe, or behind a dot of its `mixture` or `features` -> value.
        note: what is tried, in words.
        cache: folder for features.
        log: the table.

    Returns:
        The row.

    Raises:
        ExportError: no such fold or field, too few speakers, or a table that cannot be written.
    """
    changed_recipe = changed(dataclasses.replace(recipe, labels=suite.labels_of(recipe)), changes)
    asked = [corpora[name] for name in suite.corpora]
    clips = [clip for corpus in relabel(asked, onto=changed_recipe.labels) for clip in corpus.clips]
    experiment = experiment_for(clips, recipe=changed_recipe, cache=cache, jobs=1, conditions=_ASKED)
    row = {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "code": HERE,
        "recipe": recipe.name,
        "suite": suite.name,
        "fold": fold,
        "seed": seed,
        "changes": "; ".join(f"{name}={value}" for name, value in changes.items()),
        "note": note,
        **_inner(experiment, suite, fold=fold, seed=seed),
    }
    rows = pd.concat([read_trials(log), pd.DataFrame([row])], ignore_index=True)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(log, index=False)
    except OSError as error:
        message = f"{log}: cannot write down what was tried: {error.strerror}; name another --out"
        raise ExportError(message, code="cannot_write") from error
    return row


def read_trials(log: Path) -> pd.DataFrame:
    """All trials, a row each; none where there is no table."""
    return pd.read_csv(log, keep_default_na=False) if log.exists() else pd.DataFrame()


def scored_by(trials: pd.DataFrame, recipe: str) -> dict[str, set[str]]:
    """How the trials of a recipe touched the corpora: corpus -> dates and commits of trials that scored its clips."""
    touched: dict[str, set[str]] = {}
    for number, trial in enumerate(trials.to_dict("records")):
        suite = SUITES[str(trial["suite"])]
        left = sorted(suite.corpora)[int(trial["fold"])] if suite.split == "corpora" else ""
        names = set(suite.corpora) - {left} if suite.split == "corpora" else {suite.corpora[0]}
        for name in names if trial["recipe"] == recipe else ():
            touched.setdefault(name, set()).add(str(number))
    return touched


def changed(recipe: Recipe, changes: Mapping[str, str]) -> Recipe:
    """A recipe with some of its numbers and words changed; arguments and errors as of `try_out`.

    >>> from export.recipes import RECIPES
    >>> changed(RECIPES["phone"], {"epochs": "20", "mixture.clean": "0.3"}).mixture.clean
    0.3
    """
    for name, value in changes.items():
        part, _, own = name.rpartition(".")
        if part in ("mixture", "features"):
            recipe = dataclasses.replace(recipe, **{part: _with(getattr(recipe, part), own, value, name=name)})
        elif not part:
            recipe = _with(recipe, own, value, name=name)
        else:
            raise _no_field(name, recipe)
    return recipe


def _with(target: Any, own: str, value: str, *, name: str) -> Any:
    """A record with one of its numbers or words changed."""
    before = getattr(target, own, None)
    if not isinstance(before, int | float | str) or own not in {item.name for item in dataclasses.fields(target)}:
        raise _no_field(name, target)
    try:
        return dataclasses.replace(target, **{own: type(before)(value)})
    except ValueError as error:
        kind = type(before).__name__
        raise ExportError(f"--set {name}={value}: expected {kind}, such as {before}", code="bad_setting") from error


def _no_field(name: str, target: Any) -> ExportError:
    own = [
        item.name for item in dataclasses.fields(target) if isinstance(getattr(target, item.name), int | float | str)
    ]
    return ExportError(f"--set {name}: no such setting; expected one of {', '.join(own)}", code="bad_setting")


def _inner(experiment: Experiment, suite: Suite, *, fold: int, seed: int) -> dict[str, float]:
    """What those outside the fold were taken for by networks that had not heard them; means over inner folds."""
    found = suite.splits(experiment.clips, seed=seed)
    if fold >= len(found):
        raise ExportError(f"there is no fold {fold}; {suite.name} has {len(found)}, from 0 on", code="bad_fold")
    rest = np.setdiff1d(np.arange(len(experiment.clips)), found[fold].test)
    groups = _groups([experiment.clips[index] for index in rest], suite, seed=seed)
    parts: list[dict[str, float]] = []
    for group in sorted(set(groups)):
        here = np.array([own == group for own in groups])
        scored = np.sort(np.random.default_rng(seed).permutation(rest[here])[:_MOST_SCORED])
        split = dataclasses.replace(found[fold], train=rest[~here], validation=scored, test=scored)
        trial = experiment.run(split, seed=seed)
        truth = experiment.truth[scored]
        own: dict[str, float] = {}
        for name, scores in trial.scores.items():
            probs = scale(scores.log_probs, temperature=1.0)
            own[f"uar {name}"] = figures(probs, truth, labels=experiment.recipe.labels).uar
            if ANGRY in experiment.recipe.labels:
                angry = truth == experiment.recipe.labels.index(ANGRY)
                score = probs[:, experiment.recipe.labels.index(ANGRY)]
                own[f"anger auc {name}"] = area_under_curve(score, angry) if 0 < angry.sum() < len(angry) else np.nan
        parts.append(own)
    return {name: round(float(np.nanmean([own[name] for own in parts])), 4) for name in parts[0]}


def _groups(clips: Sequence[Clip], suite: Suite, *, seed: int) -> list[str]:
    """The name of the inner fold that each clip is scored in."""
    if suite.split == "corpora":
        return [clip.corpus for clip in clips]
    return [str(fold) for fold in assign_folds(clips, folds=INNER_FOLDS, seed=seed)]
