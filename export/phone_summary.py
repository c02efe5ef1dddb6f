"""Figures of the default model from the pieces of its protocol: JSON, a page and pictures, made of nothing else.

Folds of a seed are counted together, so every clip weighs the same; where corpora are the folds, each corpus does in
UAR and accuracy. Sentiment and anger are means over folds. Mean and standard deviation are over seeds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.markdown import filled, table
from export.metrics import merit
from export.phone_questions import CALLS, CONDITIONS, FOUND, QUESTIONS, Question
from export.pictures import coverage_curves, reliability_diagram
from export.pieces import Piece
from export.surety import Surety, from_plain
from sertag.output import Output

_IN_PERCENT = ("uar", "accuracy", "sentiment_uar", "gain_of_the_surest_half")
_HALF = 0.5  # of the clips, those that the model is surest of
_PICTURED = "phone, in a call"


def write_summary(pieces: Path, out: Path) -> Path:
    """Write `phone.json`, `phone.md`, `phone-reliability.png` and `phone-coverage.png`.

    Args:
        pieces: folder of the pieces.
        out: folder for what is written.

    Returns:
        The page.

    Raises:
        OutputError: a file cannot be written.
    """
    found = read_pieces(pieces)
    summary = summarise(found)
    page = out / "phone.md"
    for target, text in ((out / "phone.json", json.dumps(summary, indent=1) + "\n"), (page, as_markdown(summary))):
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


def read_pieces(place: Path) -> dict[str, list[Piece]]:
    """Pieces by their question."""
    found: dict[str, list[Piece]] = defaultdict(list)
    for file in sorted(place.glob("*.json")):
        piece = json.loads(file.read_text(encoding="utf-8"))
        found[piece["test"]].append(piece)
    return found


def summarise(pieces: dict[str, list[Piece]]) -> dict[str, Any]:
    """All figures as plain objects; shares from 0 to 1."""
    measured = [piece for own in pieces.values() for piece in own]
    asked = [question for question in QUESTIONS if pieces.get(question.name)]
    return {
        "tests": {question.name: _answer(question, pieces[question.name]) for question in asked},
        "labels_that_survive": _surviving([piece for piece in measured if piece["test"] != CALLS]),
        "labels_that_survive_in_calls": _surviving(pieces.get(CALLS, [])),
        "dates": sorted({piece["date"] for piece in measured}),
        "commits": sorted({piece["commit"] for piece in measured}),
    }


def as_markdown(summary: dict[str, Any]) -> str:
    """The page."""
    parts = [_INTRODUCTION]
    for name, found in summary["tests"].items():
        parts.append(_test(name, found))
    parts.append(_survival(summary))
    if dates := summary["dates"]:
        parts.append(f"\nMeasured {dates[0]} to {dates[-1]} at {', '.join(summary['commits'])}.\n")
    return "\n".join(filled(part) for part in parts if part)


def _answer(question: Question, pieces: Sequence[Piece]) -> dict[str, Any]:
    seeds = sorted({piece["seed"] for piece in pieces})
    of_seed = [[piece for piece in pieces if piece["seed"] == seed] for seed in seeds]
    return {
        "title": question.title,
        "labels": list(question.labels),
        "seeds": len(seeds),
        "complete": all(len(own) == own[0]["folds"] for own in of_seed),
        "alike": len({piece["rules"] for piece in pieces}) == 1,
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


def _test(name: str, found: dict[str, Any]) -> str:
    columns = {
        "uar": "UAR %",
        "accuracy": "accuracy %",
        "ece": "ECE",
        "gain_of_the_surest_half": "UAR points more on the surest half",
        "sentiment_uar": "sentiment UAR %",
        "anger_auc": "anger AUC",
        **{
            f"false_alarms_an_hour_at_{share:.0%}": f"false alarms an hour, {share:.0%} of anger found"
            for share in FOUND
        },
    }
    rows = [
        [condition, *(_figure(key, own.get(key)) for key in columns)] for condition, own in found["conditions"].items()
    ]
    missing = "" if found["complete"] else "Not all folds are measured yet."
    mixed = "" if found["alike"] else "Not all pieces are of the same code and clips: measure the older ones again."
    chance = f"{100 / len(found['labels']):.1f}"
    return f"""
## {found["title"]}

{found["clips"]} clips, {found["seeds"]} seed{"s" if found["seeds"] > 1 else ""}, chance {chance} %.
{missing}
{mixed}

{table(["condition", *columns.values()], rows)}

{_folds(found) if name == "corpora" else ""}
"""


def _folds(found: dict[str, Any]) -> str:
    rows = [
        [
            fold,
            *(
                f"{_figure('uar', own[name].get('uar'))}; {_figure('anger_auc', own[name].get('anger_auc'))}"
                for name in CONDITIONS
            ),
        ]
        for fold, own in found["folds"].items()
    ]
    return f"UAR % and anger AUC by tested corpus:\n\n{table(['corpus', *CONDITIONS], rows)}"


def _figure(key: str, found: dict[str, float] | None) -> str:
    if found is None:
        return ""
    times, digits = (100, 1) if key in _IN_PERCENT else (1, 1 if "alarms" in key else 3)
    return f"{times * found['mean']:.{digits}f} ± {times * found['sd']:.{digits}f}"


def _survival(summary: dict[str, Any]) -> str:
    clips, calls = summary["labels_that_survive"], summary["labels_that_survive_in_calls"]
    if not clips and not calls:
        return ""
    rows = [
        [name, *(f"{100 * own[name]:.1f}" if name in own else "" for own in (clips, calls))] for name in clips or calls
    ]
    return f"""
## What a label survives

Percent of the scored windows that keep their label: clips of a corpus that the network has never heard, and real calls.

{table(["distortion", "clips of an unseen corpus", "real calls"], rows)}
"""


_INTRODUCTION = """
# What the default model reaches on strangers

Written by `python -m export protocol phone` from the pieces in `protocol/`: one a test, tested fold and seed. Every
cell is the mean over seeds ± their standard deviation. Nothing was chosen on tested speakers: temperature and least
confidence come from inner speakers of the training side, the length of training is fixed.

"Phone" is a simulated telephone line. "In a call" takes the channel's statistics from about 24 clips of the same
speaker over the same line, all emotions mixed; the others from the clip alone. The surest half are the clips with the
highest confidence. False alarms are clips of neutral and calm speech that score as angry as it takes to find that share
of the angry clips. The recordings are acted: none of this says how anger is found in a call centre.
"""
