"""Figures of the default model from the pieces of its protocol: JSON, a page and pictures, made of nothing else.

Folds of a seed are counted together, so every clip weighs the same; where corpora are the folds, each corpus does in
UAR and accuracy. Sentiment and anger are means over folds. Mean and standard deviation are over seeds. Where the recipe
was chosen by trials on a test's corpus, the folds that all of these trials have left alone are told apart.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from export.candidates import AS_IT_IS
from export.choice import read_choice
from export.metrics import merit
from export.phone_page import as_markdown
from export.phone_protocol import code_of_training
from export.phone_questions import CALLS, CONDITIONS, FOUND, QUESTIONS, Question
from export.pictures import coverage_curves, reliability_diagram
from export.pieces import Piece, read_all, read_lines
from export.surety import Surety, from_plain
from sertag.output import Output

TRIALS = "search.jsonl"
CHOICE = "choice"
CHOSEN = "chosen"

_HALF = 0.5  # of the clips, those that the model is surest of
_PICTURED = "phone, in a call"


def write_summary(pieces: Path, out: Path) -> Path:
    """Write `phone.json`, `phone.md`, `phone-reliability.png` and `phone-coverage.png`.

    Args:
        pieces: folder of the pieces.
        out: folder for what is written; what `export.search` and `export.choice` have tried is looked for there.

    Returns:
        The page.

    Raises:
        OutputError: a file cannot be written.
    """
    found = read_pieces(pieces)
    summary = summary_of(found, out)
    page = out / "phone.md"
    shown = as_markdown(summary, code=code_of_training())
    for target, text in ((out / "phone.json", json.dumps(summary, indent=1) + "\n"), (page, shown)):
        with Output(str(target)) as output:
            output.write(text.encode())
    counted = {question.title: surety for question in QUESTIONS if (surety := _all_seeds(found, question)) is not None}
    if counted:
        title = f"Speakers that the network never heard; {_PICTURED}"
        points = {name: own.reliability() for name, own in counted.items()}
        reliability_diagram(points, out / "phone-reliability.png", title=title)
        curves = {name: own.curve() for name, own in counted.items()}
        coverage_curves(curves, out / "phone-coverage.png", title=title)
    return page


def summary_of(pieces: Mapping[str, Sequence[Piece]], out: Path) -> dict[str, Any]:
    """All figures of pieces, by their question, with what a folder says of trials and of choices; see `summarise`."""
    return summarise(
        pieces,
        trials=read_lines(out / TRIALS),
        choice=read_choice(out / CHOICE),
        chosen=read_pieces(out / CHOSEN),
    )


def read_pieces(place: Path) -> dict[str, list[Piece]]:
    """Pieces by their question."""
    found: dict[str, list[Piece]] = defaultdict(list)
    for piece in read_all(place):
        found[piece["test"]].append(piece)
    return found


def summarise(
    pieces: Mapping[str, Sequence[Piece]],
    *,
    trials: Sequence[Mapping[str, Any]] = (),
    choice: Mapping[str, Any] = MappingProxyType({}),
    chosen: Mapping[str, Sequence[Piece]] = MappingProxyType({}),
) -> dict[str, Any]:
    """All figures as plain objects; shares from 0 to 1.

    Args:
        pieces: by their question.
        trials: the lines of `export.search`.
        choice: see `export.choice.choose`.
        chosen: pieces, by their question, of what was chosen without the tested corpus.
    """
    measured = [piece for own in pieces.values() for piece in own]
    asked = [question for question in QUESTIONS if pieces.get(question.name)]
    return {
        "tests": {
            question.name: _answer(question, pieces[question.name], trials)
            | _untouched(question, pieces[question.name], choice.get("chosen", {}), chosen.get(question.name, []))
            for question in asked
        },
        "choice": dict(choice),
        "labels_that_survive": _surviving([piece for piece in measured if piece["test"] != CALLS]),
        "labels_that_survive_in_calls": _surviving(pieces.get(CALLS, [])),
        "dates": sorted({piece["date"] for piece in measured}),
        "commits": sorted({piece["commit"] for piece in measured}),
        "codes": sorted({piece["code"] for piece in measured if piece["test"] != CALLS}),
    }


def _answer(question: Question, pieces: Sequence[Piece], trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    seeds = sorted({piece["seed"] for piece in pieces})
    of_seed = [[piece for piece in pieces if piece["seed"] == seed] for seed in seeds]
    folds = {
        fold: {
            name: _over_seeds([_of_fold(piece["conditions"][name]) for piece in pieces if piece["fold"] == fold])
            for name in CONDITIONS
        }
        for fold in sorted({piece["fold"] for piece in pieces})
    }
    complete = all(len(own) == own[0]["folds"] for own in of_seed)
    return {
        "title": question.title,
        "labels": list(question.labels),
        "seeds": len(seeds),
        "complete": complete,
        "alike": len({piece["rules"] for piece in pieces}) == 1,
        "clips": sum(piece["conditions"]["clean"]["clips"] for piece in of_seed[0]),
        "conditions": {
            name: _over_seeds([_of_seed([piece["conditions"][name] for piece in own], question) for own in of_seed])
            for name in CONDITIONS
        },
        "folds": folds,
        "chosen_on": _chosen_on(question, folds, trials, complete=complete),
    }


def _untouched(
    question: Question, pieces: Sequence[Piece], candidates: Mapping[str, str], chosen: Sequence[Piece]
) -> dict[str, Any]:
    """Figures in which every fold is of the candidate that was chosen without its corpus; as far as it is measured.

    Args:
        question: which.
        pieces: of the recipe as it is.
        candidates: what was chosen, by the corpus that was left alone.
        chosen: pieces of these, where it is another one.
    """
    if not candidates:
        return {}
    names = {piece["fold"]: candidates[question.tested(piece["fold"])] for piece in pieces}
    kept = [piece for piece in pieces if names[piece["fold"]] == AS_IT_IS]
    kept += [piece for piece in chosen if names.get(piece["fold"]) == piece["candidate"]]
    by_seed = [[piece for piece in kept if piece["seed"] == seed] for seed in sorted({piece["seed"] for piece in kept})]
    of_seed = [own for own in by_seed if len(own) == own[0]["folds"]]
    figures = {
        name: _over_seeds([_of_seed([piece["conditions"][name] for piece in own], question) for own in of_seed])["uar"]
        for name in CONDITIONS
        if of_seed
    }
    return {"untouched": {"candidates": sorted(set(names.values())), "seeds": len(of_seed), "uar": figures}}


def _chosen_on(
    question: Question, folds: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], *, complete: bool
) -> dict[str, Any]:
    """How far trials of the recipe have scored what is tested here."""
    tested = set(folds) if question.split == "corpora" else {question.corpora[0]}
    used = [trial for trial in trials if tested & _scored_by(trial)]
    left = {trial["fold"] if trial["test"] == question.name else None for trial in used}
    by_all = len(left) == 1 and None not in left and question.split != "corpora"  # each leaves another
    alone = list(folds)[used[0]["fold"]] if complete and by_all else None
    return {
        "trials": len(used),
        "corpora": sorted(tested & set().union(*map(_scored_by, used))),
        "left_alone": alone,  # by all of them
        "uar_left_alone": {name: own["uar"] for name, own in folds[alone].items()} if alone else {},
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


def _all_seeds(pieces: dict[str, list[Piece]], question: Question) -> Surety | None:
    own = pieces.get(question.name)
    if not own:
        return None
    return sum_of(from_plain(piece["conditions"][_PICTURED]["surety"], labels=len(question.labels)) for piece in own)


def _surviving(pieces: Sequence[Piece]) -> dict[str, float]:
    """Share of the windows whose label survives, by distortion, over all pieces that have looked."""
    looked = [piece["survival"] for piece in pieces if "survival" in piece]
    names = looked[0] if looked else ()
    return {
        name: round(sum(own[name]["same"] for own in looked) / max(1, sum(own[name]["windows"] for own in looked)), 4)
        for name in names
    }
