"""All recipes under all protocols, in pieces that are measured once and kept.

A piece is one recipe, protocol, choice of corpora, tested fold and seed: one small file. The same command goes on where
it stopped, and does again only what another recipe, other data or other rules would make different. More is asked of
the default model on strangers than of the others; `phone_protocol` measures it, and the tables take it from there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed

from export.benches import Bench, Trial, bench_for
from export.calibration import scale
from export.clips import Clip, Corpus
from export.corpora import relabel
from export.dataset import Ints
from export.describe import data_hash
from export.fit import Scores
from export.metrics import calibration_error, count_confusion, merit
from export.phone_protocol import code_of_training, recipe_of
from export.phone_questions import QUESTIONS
from export.pieces import Piece, do_all, fingerprint, is_there, keep, origin, slug
from export.protocols import Protocol, Split, splits
from export.recipe import Recipe, code_of
from export.recipes import RECIPES
from export.recipes.phone import RECIPE as PHONE_RECIPE
from export.report import Report

SEEDS = (1, 2, 3)
ACROSS_SEEDS = (1,)  # across corpora, where a training takes longest
PHONE = PHONE_RECIPE.name
_RULES = 1  # raised when a piece is measured otherwise


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces that share their clips: the folds of one recipe, protocol, choice of corpora and seed."""

    recipe: str
    protocol: Protocol
    corpora: tuple[str, ...]
    seed: int


def plan(recipes: Sequence[str], protocols: Sequence[Protocol], available: Sequence[str]) -> list[Group]:
    """Everything to measure, what is asked for first in front.

    Args:
        recipes: names.
        protocols: which.
        available: corpora that are there.
    """
    alone = [("tess",), ("ravdess",), ("emodb",)]
    mixed = ("tess", "ravdess", "crema_d")  # what the authors of the augmented models mix
    across = ("tess", "ravdess", "emodb", "emovo", "nemo")
    wanted = [
        Group(recipe, "random", corpora, seed)
        for corpora in (*alone, mixed)
        for seed in SEEDS
        for recipe in recipes
        if corpora != mixed or recipe.endswith("augmented")
    ]
    wanted += [Group(recipe, "speakers", corpora, seed) for corpora in alone for seed in SEEDS for recipe in recipes]
    wanted += [Group(recipe, "corpora", across, seed) for seed in ACROSS_SEEDS for recipe in recipes]
    return [
        group
        for group in wanted
        if group.protocol in protocols
        and set(group.corpora) <= set(available)
        and (group.recipe != PHONE or group.protocol == "random")
    ]


def measure(
    groups: Sequence[Group],
    corpora: Mapping[str, Corpus],
    *,
    place: Path,
    cache: Path,
    jobs: int,
    report: Report = lambda what, share: None,
) -> None:
    """Measure what is not there yet.

    Args:
        groups: what to measure, in this order.
        corpora: by name, decodable clips with their own labels.
        place: folder of the pieces, one folder a recipe.
        cache: folder for features.
        jobs: groups at a time, each on one thread.
        report: called with what was measured, and the share of the groups that is done.

    Raises:
        ExportError: clips that cannot be split as a protocol wants, or features that cannot be kept.
        OutputError: a piece cannot be written.
    """
    work = [
        delayed(measure_group)(group, [corpora[name] for name in group.corpora], place=place, cache=cache)
        for group in groups
    ]
    do_all(work, jobs=jobs, report=report, what="results")


def measure_group(group: Group, corpora: Sequence[Corpus], *, place: Path, cache: Path) -> list[str]:
    """Measure the folds of a group that are not there yet; returns what to tell of each."""
    recipe = _recipe_of(group)
    clips = [clip for corpus in relabel(corpora, onto=recipe.labels) for clip in corpus.clips]
    rules = _rules(recipe, clips)
    told: list[str] = []
    if all(is_there(place / piece_name(group, split), rules) for split in _splits(clips, group)):
        return told
    bench = bench_for(clips, recipe=recipe, cache=cache, jobs=1)
    found = _splits(bench.clips, group)
    for split in found:
        where = place / piece_name(group, split)
        if is_there(where, rules):
            continue
        began = time.monotonic()
        trial = bench.run(split, seed=group.seed)
        took_s = time.monotonic() - began
        piece = _piece(group, split, trial, bench) | {
            "folds": len(found),
            "rules": rules,
            "code": code_behind(recipe),
            "training_s": round(took_s, 1),
            **origin(),
        }
        keep(where, piece)
        told.append(f"{where.parent.name}/{where.stem}: {_short(piece)}, {trial.epochs} epochs in {took_s:.0f} s")
    return told


def _recipe_of(group: Group) -> Recipe:
    """The recipe of a group; the default model's has the labels that its protocol gives it on the same corpus."""
    if group.recipe != PHONE:
        return RECIPES[group.recipe]
    (question,) = (question for question in QUESTIONS if question.corpora == group.corpora)
    return recipe_of(question)


def _piece(group: Group, split: Split, trial: Trial, bench: Bench) -> Piece:
    people = {bench.clips[index].person for index in split.learn}
    return {
        **asdict(group),
        "fold": split.name,
        "leaking": split.leaking,
        "inner_strangers": split.inner_strangers,
        "labels": list(bench.recipe.labels),
        "learnt": {"clips": len(split.learn), "speakers": len(people), "inner_clips": len(split.inner)},
        "epochs": {"run": trial.epochs, "kept": trial.kept},
        "temperature": round(trial.temperature, 4),
        "conditions": {
            name: _condition(scores, bench.truth[split.test], trial.temperature, len(bench.recipe.labels))
            for name, scores in trial.scores.items()
        },
    }


def _condition(scores: Scores, truth: Ints, temperature: float, labels: int) -> dict[str, Any]:
    heard = scores.answered
    probs = scale(scores.log_probs[heard], temperature=temperature)
    confusion = count_confusion(probs.argmax(axis=1), truth[heard], classes=labels)
    unanswered = np.bincount(truth[~heard], minlength=labels)
    uar, accuracy = merit(confusion, unanswered)
    ece = calibration_error(probs, truth[heard], weights=np.ones(len(probs))) if heard.any() else 0.0
    return {
        "clips": len(truth),
        "accuracy": round(accuracy, 4),
        "uar": round(uar, 4),
        "ece": round(ece, 4),
        "unanswered": unanswered.tolist(),
        "confusion": confusion.tolist(),
    }


def code_behind(recipe: Recipe) -> str:
    """What the figures of a recipe come from, whatever the clips: its code and settings, the way of measuring."""
    return code_of_training() if recipe.name == PHONE else fingerprint([_RULES, code_of(recipe)])


def _rules(recipe: Recipe, clips: Sequence[Clip]) -> str:
    """What a piece depends on: the network's code, comments apart, its settings, the clips, the way of measuring."""
    training = code_of_training() if recipe.name == PHONE else code_of(recipe)
    return fingerprint([_RULES, training, data_hash(clips)])


def _splits(clips: Sequence[Clip], group: Group) -> list[Split]:
    return splits(clips, protocol=group.protocol, seed=group.seed)


def piece_name(group: Group, split: Split) -> str:
    """Where a piece lies in the folder of the pieces."""
    corpora = "all" if group.protocol == "corpora" else "+".join(group.corpora)
    return f"{group.recipe}/{group.protocol}-{corpora}-{slug(split.name)}-{group.seed}.json"


def _short(piece: Piece) -> str:
    return ", ".join(f"{name} UAR {100 * found['uar']:.1f}" for name, found in piece["conditions"].items())
