"""Figures of the default model from the pieces of its protocol: JSON, a page and pictures, made of nothing else.

Folds of a seed are counted together, so every clip weighs the same; where corpora are the folds, each corpus does in
UAR and accuracy. Sentiment and anger are means over folds. Mean and standard deviation are over seeds. Which pieces
count, so that none has chosen what it measures, says `phone_pieces`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from export.candidates import AS_IT_IS
from export.choice import read_choice
from export.metrics import merit
from export.phone_page import as_markdown
from export.phone_pieces import CHOICE, CHOSEN, PROTOCOL, names_of, read_pieces, read_shown, untouched
from export.phone_protocol import code_of_training
from export.phone_questions import CALLS, CONDITIONS, FOUND, QUESTIONS, Question
from export.pictures import coverage_curves, reliability_diagram
from export.pieces import Piece, read_lines
from export.surety import Surety, from_plain
from sertag.output import Output

TRIALS = "search.jsonl"

_HALF = 0.5  # of the clips, those that the model is surest of
_PICTURED = "phone, in a call"


def write_summary(results: Path) -> Path:
    """Write `phone.json`, `phone.md`, `phone-reliability.png` and `phone-coverage.png`.

    Args:
        results: folder for what is written, where the folders of `export.phone_pieces` and the trials of
            `export.search` lie.

    Returns:
        The page.

    Raises:
        OutputError: a file cannot be written.
    """
    summary = summary_of(results)
    page = results / "phone.md"
    shown = as_markdown(summary, code=code_of_training())
    for target, text in ((results / "phone.json", json.dumps(summary, indent=1) + "\n"), (page, shown)):
        with Output(str(target)) as output:
            output.write(text.encode())
    pieces = read_shown(results)
    counted = {own.title: _all_seeds(pieces[own.name], own) for own in QUESTIONS if own.name in pieces}
    if counted:
        title = f"Speakers that the network never heard; {_PICTURED}"
        points = {name: own.reliability() for name, own in counted.items()}
        reliability_diagram(points, results / "phone-reliability.png", title=title)
        curves = {name: own.curve() for name, own in counted.items()}
        coverage_curves(curves, results / "phone-coverage.png", title=title)
    return page


def summary_of(results: Path) -> dict[str, Any]:
    """All figures of the pieces in a folder; see `summarise`."""
    return summarise(
        read_pieces(results / PROTOCOL),
        trials=read_lines(results / TRIALS),
        choice=read_choice(results / CHOICE),
        chosen=read_pieces(results / CHOSEN),
    )


def summarise(
    pieces: Mapping[str, Sequence[Piece]],
    *,
    trials: Sequence[Mapping[str, Any]] = (),
    choice: Mapping[str, Any] = MappingProxyType({}),
    chosen: Mapping[str, Sequence[Piece]] = MappingProxyType({}),
) -> dict[str, Any]:
    """All figures as plain objects; shares from 0 to 1.

    Args:
        pieces: by their question, of the recipe as it is.
        trials: the lines of `export.search`.
        choice: see `export.choice.choose`.
        chosen: pieces, by their question, of what was chosen without the tested corpus.
    """
    candidates = choice.get("chosen", {})
    clean = untouched(pieces, candidates=candidates, chosen=chosen)
    of_recipe = [piece for name, own in pieces.items() for piece in own if name != CALLS]
    of_tests = [*of_recipe, *(piece for own in clean.values() for piece in own)]
    calls = pieces.get(CALLS, [])
    measured = [*of_tests, *calls]
    return {
        "tests": {
            question.name: _told(question, pieces[question.name], clean[question.name], trials, candidates=candidates)
            for question in QUESTIONS
            if question.name in clean
        },
        "choice": dict(choice),
        "labels_that_survive": _surviving(of_recipe),
        "labels_that_survive_in_calls": _surviving(calls),
        "behaviour_in_calls": calls[0]["behaviour"] if calls else "",
        "dates": sorted({piece["date"] for piece in measured}),
        "commits": sorted({piece["commit"] for piece in measured}),
        "codes": sorted({piece["code"] for piece in of_tests}),
    }


def _told(
    question: Question,
    pieces: Sequence[Piece],
    clean: Sequence[Piece],
    trials: Sequence[Mapping[str, Any]],
    *,
    candidates: Mapping[str, str],
) -> dict[str, Any]:
    """The answer to a question, and how far what is tested took part in the choice of what is tested on it.

    Args:
        question: which.
        pieces: of the recipe as it is.
        clean: the untouched ones, if all are measured.
        trials: of the recipe.
        candidates: by the corpus without which each was chosen.
    """
    answer = _answer(question, clean or pieces)
    recipe = _answer(question, pieces)["conditions"]
    tested = {question.tested(piece["fold"]) for piece in pieces}
    used = [_scored_by(trial) & tested for trial in trials]
    return answer | {
        "untouched": bool(clean),
        "candidates": sorted({*names_of(question, pieces, candidates=candidates).values()}),
        "uar_of_the_recipe": {name: found["uar"] for name, found in recipe.items()},
        "trials": {"scored": sum(map(bool, used)), "corpora": sorted(set().union(*used))},
    }


def _answer(question: Question, pieces: Sequence[Piece]) -> dict[str, Any]:
    seeds = sorted({piece["seed"] for piece in pieces})
    of_seed = [[piece for piece in pieces if piece["seed"] == seed] for seed in seeds]
    rules = {(piece.get("candidate", AS_IT_IS), piece["rules"]) for piece in pieces}
    return {
        "title": question.title,
        "labels": list(question.labels),
        "seeds": len(seeds),
        "complete": all(len(own) == own[0]["folds"] for own in of_seed),
        "alike": len(rules) == len({candidate for candidate, _ in rules}),
        "clips": sum(piece["conditions"]["clean"]["clips"] for piece in of_seed[0]),
        "conditions": {
            name: _over_seeds([_of_seed([piece["conditions"][name] for piece in own], question) for own in of_seed])
            for name in CONDITIONS
        },
        "folds": {
            fold: {
                name: _over_seeds([_of_fold(piece["conditions"][name]) for piece in pieces if piece["fold"] == fold])
                for name in CONDITIONS
            }
            for fold in sorted({piece["fold"] for piece in pieces})
        },
    }


def _scored_by(trial: Mapping[str, Any]) -> set[str]:
    """The corpora whose clips a trial has scored, all of them or all but a fold."""
    question = {own.name: own for own in QUESTIONS}[trial["test"]]
    if question.split != "corpora":
        return {question.corpora[0]}
    return set(question.corpora) - {sorted(question.corpora)[trial["fold"]]}


def _of_seed(folds: Sequence[Piece], question: Question) -> dict[str, float]:
    labels = len(question.labels)
    pooled = sum_of(from_plain(fold["surety"], labels=labels) for fold in folds)
    if question.split == "corpora":
        uar, accuracy = (float(np.mean([fold[name] for fold in folds])) for name in ("uar", "accuracy"))
    else:
        confusion = np.sum([fold["confusion"] for fold in folds], axis=0)
        uar, accuracy = merit(confusion, np.zeros(labels, dtype=np.int64))
    half = pooled.uar_at(_HALF)
    found = {"uar": uar, "accuracy": accuracy, "ece": pooled.calibration_error, "uar_of_the_surest_half": half}
    found["gain_of_the_surest_half"] = half - pooled.uar_at(1.0)
    found["sentiment_uar"] = float(np.mean([fold["sentiment_uar"] for fold in folds]))
    return found | _angers([fold["anger"] for fold in folds if fold["anger"]])


def _of_fold(found: Piece) -> dict[str, float]:
    plain = {name: found[name] for name in ("uar", "accuracy", "ece", "sentiment_uar")}
    return plain | _angers([found["anger"]] if found["anger"] else [])


def _angers(found: Sequence[Piece]) -> dict[str, float]:
    """Means over folds in which somebody is angry."""
    if not found:
        return {}
    means = {"anger_auc": float(np.mean([own["auc"] for own in found]))}
    for share in (f"{share:.0%}" for share in FOUND):
        an_hour = [own["false_alarms_an_hour"][share] for own in found]
        means[f"false_alarms_an_hour_at_{share}"] = float(np.mean(an_hour))
    return means


def _over_seeds(found: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of each figure."""
    ddof = min(1, len(found) - 1)
    return {
        name: {
            "mean": round(float(np.mean([own[name] for own in found])), 4),
            "sd": round(float(np.std([own[name] for own in found], ddof=ddof)), 4),
        }
        for name in found[0]
        if all(name in own for own in found)
    }


def sum_of(parts: Iterable[Surety]) -> Surety:
    """All counts together; there must be one or more."""
    first, *rest = parts
    for part in rest:
        first = first + part
    return first


def _all_seeds(pieces: Sequence[Piece], question: Question) -> Surety:
    return sum_of(from_plain(piece["conditions"][_PICTURED]["surety"], labels=len(question.labels)) for piece in pieces)


def _surviving(pieces: Sequence[Piece]) -> dict[str, float]:
    """Share of the windows whose label survives, by distortion, over all pieces that have looked."""
    looked = [piece["survival"] for piece in pieces if "survival" in piece]
    names = looked[0] if looked else ()
    return {
        name: round(sum(own[name]["same"] for own in looked) / max(1, sum(own[name]["windows"] for own in looked)), 4)
        for name in names
    }
