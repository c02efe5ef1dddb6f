"""Configurations of the default model, each tried on inner speakers and written down, whatever came of it.

The clips that `phone_protocol` tests in a fold are left alone here: all other speakers of the fold are dealt over inner
folds, and each is scored by a network that has not heard them. Where corpora are the folds, each of the others is
scored by a network that has not heard it. One line of JSON a trial, appended, so that nobody chooses among more
configurations than are written down.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from export.benches import PhoneBench
from export.calibration import scale
from export.candidates import changed
from export.clips import Clip, Corpus
from export.corpora import relabel
from export.dataset import Ints
from export.errors import ExportError
from export.fit_phone import Settings
from export.folds import assign_folds
from export.metrics import Probs, area_under_curve, figures
from export.phone_protocol import ANGRY, recipe_of, rules_of
from export.phone_questions import CONDITIONS, Question, refuse_missing, splits_of
from export.pieces import origin, read_lines
from export.predictions import IN_NOISE

INNER_FOLDS = 3
_MOST_SCORED = 1000  # clips of an inner fold
_CONDITIONS = MappingProxyType({**CONDITIONS, **{name: name for name in IN_NOISE}})


def try_out(
    question: Question,
    corpora: Mapping[str, Corpus],
    *,
    fold: int,
    seed: int,
    changes: Mapping[str, str],
    note: str,
    cache: Path,
    log: Path,
) -> dict[str, Any]:
    """Train one configuration and score it on the inner speakers of a fold, unless that was done before.

    Args:
        question: whose clips are split.
        corpora: by name, decodable clips with their own labels.
        fold: which of the question's folds is left out, counted from 0.
        seed: of the split and the training.
        changes: name of a setting of `fit_phone.Settings`, or behind a dot of its `mixture` or `features` -> value.
        note: what is tried, in words; changes of the code are told by their hash alone.
        cache: folder for features.
        log: the file that the trial is appended to.

    Returns:
        The line.

    Raises:
        ExportError: no such fold or setting, too few speakers, or a log that cannot be written.
    """
    settings = changed(Settings(), changes)
    recipe = dataclasses.replace(
        recipe_of(question), epochs=settings.epochs, batch=settings.batch, features=settings.features
    )
    refuse_missing([question], corpora)
    asked = [corpora[name] for name in question.corpora]
    clips = [clip for corpus in relabel(asked, onto=question.labels) for clip in corpus.clips]
    what = {
        "test": question.name,
        "fold": fold,
        "seed": seed,
        "inner_folds": len(question.corpora) - 1 if question.split == "corpora" else INNER_FOLDS,
        "changes": dict(changes),
        "rules": rules_of(question, recipe, clips),
    }
    for line in read_lines(log):
        if what.items() <= line.items():
            return line
    bench = PhoneBench(clips, recipe=recipe, cache=cache, jobs=1, conditions=_CONDITIONS, settings=settings)
    began = time.monotonic()
    inner = _inner(bench, question, fold=fold, seed=seed)
    line = {**what, "note": note, "inner": inner, "took_s": round(time.monotonic() - began, 1), **origin()}
    _append(log, line)
    return line


def _inner(bench: PhoneBench, question: Question, *, fold: int, seed: int) -> dict[str, dict[str, Any]]:
    """What those outside the fold were taken for by networks that had not heard them."""
    found = splits_of(question, bench.clips, seed=seed)
    if fold >= len(found):
        raise ExportError(f"there is no fold {fold}; {question.name} has {len(found)}, from 0 on", code="bad_fold")
    rest = np.setdiff1d(np.arange(len(bench.clips)), found[fold].test)
    groups = _groups([bench.clips[index] for index in rest], question, seed=seed)
    probs: dict[str, list[Probs]] = {name: [] for name in _CONDITIONS}
    truth: list[Ints] = []
    for group in np.unique(groups):
        scored, learnt = rest[groups == group], rest[groups != group]
        scored = np.sort(np.random.default_rng(seed).permutation(scored)[:_MOST_SCORED])
        split = dataclasses.replace(found[fold], learn=learnt, inner=scored, test=scored)
        trial = bench.run(split, seed=seed)
        truth.append(bench.truth[scored])
        for name, scores in trial.scores.items():
            probs[name].append(scale(scores.log_probs, temperature=1.0))
    names = bench.recipe.labels
    if question.split != "corpora":
        return {
            name: _figures(np.concatenate(parts), np.concatenate(truth), labels=names) for name, parts in probs.items()
        }
    tested = [str(group) for group in np.unique(groups)]
    return {
        name: _mean(tested, [_figures(*own, labels=names) for own in zip(parts, truth, strict=True)])
        for name, parts in probs.items()
    }


def _groups(clips: Sequence[Clip], question: Question, *, seed: int) -> npt.NDArray[Any]:
    """The name or number of the inner fold that each clip is scored in."""
    if question.split == "corpora":
        return np.array([clip.corpus for clip in clips])
    return assign_folds(clips, folds=INNER_FOLDS, seed=seed)


def _mean(corpora: Sequence[str], found: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Means over corpora, and what is told of each."""
    values = {name: [own[name] for own in found if name in own] for name in set().union(*found)}
    means = {name: round(float(np.mean(values[name])), 4) for name in sorted(values)}
    return {**means, "corpora": dict(zip(corpora, found, strict=True))}


def _figures(probs: Probs, truth: Ints, *, labels: tuple[str, ...]) -> dict[str, float]:
    found, angry = figures(probs, truth, labels=labels), truth == labels.index(ANGRY)
    plain = {"uar": round(found.uar, 4), "accuracy": round(found.accuracy, 4)}
    if angry.any() and not angry.all():
        plain["anger_auc"] = round(area_under_curve(probs[:, labels.index(ANGRY)], angry), 4)
    return plain


def _append(log: Path, line: Mapping[str, Any]) -> None:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
    except OSError as error:
        message = f"{log}: cannot write down what was tried: {error.strerror}; name another --out"
        raise ExportError(message, code="cannot_write") from error
