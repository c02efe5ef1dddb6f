"""Tables of all measured pieces, as Markdown and as JSON, made of nothing but the pieces.

Folds of a seed are counted together first, so every clip weighs the same; mean and standard deviation are over seeds. A
clip without an answer is an error.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from export.markdown import filled, measured, table
from export.metrics import merit
from export.phone_pieces import read_shown
from export.phone_questions import QUESTIONS
from export.pieces import Piece, read_all
from export.recipes import RECIPES
from export.results import PHONE, code_behind
from sertag.output import Output

_PROTOCOLS = MappingProxyType(
    {"random": "random 80/20, **leaking**", "speakers": "unseen speakers", "corpora": "unseen corpus"}
)
_CONDITIONS = ("clean", "phone")


@dataclass(frozen=True, slots=True)
class Cell:
    """Figures of one recipe on one corpus under one protocol in one condition.

    Attributes:
        recipe, protocol, tested, condition: which; `tested` are the corpora that the clips are from.
        labels: classes of the network.
        seeds: over how many.
        complete: whether every seed has all its folds.
        current: whether the recipe is still the one that was measured.
        uar, uar_sd, accuracy, accuracy_sd: means and standard deviations over seeds, 0 to 1; 0 for one seed.
        ece: mean over seeds.
        clips: of one seed.
        commits, dates: of the pieces.
    """

    recipe: str
    protocol: str
    tested: str
    condition: str
    labels: int
    seeds: int
    complete: bool
    current: bool
    uar: float
    uar_sd: float
    accuracy: float
    accuracy_sd: float
    ece: float
    clips: int
    commits: tuple[str, ...]
    dates: tuple[str, ...]


def write_tables(place: Path) -> Path:
    """Write `README.md` and `summary.json` beside the pieces.

    Args:
        place: folder of the pieces, one folder a recipe.

    Returns:
        The page.

    Raises:
        OutputError: a file cannot be written.
    """
    cells = read_cells(place)
    summary = [{name: _rounded(getattr(cell, name)) for name in Cell.__slots__} for cell in cells]
    page = place / "README.md"
    for target, text in ((place / "summary.json", json.dumps(summary, indent=1) + "\n"), (page, as_markdown(cells))):
        with Output(str(target)) as output:
            output.write(text.encode())
    return page


def read_cells(place: Path) -> list[Cell]:
    """Every cell that has a piece, in the order of recipes and protocols."""
    grouped: dict[tuple[str, str, str], list[Piece]] = defaultdict(list)
    for recipe in RECIPES:
        for piece in read_all(place / recipe) + (_of_strangers(place) if recipe == PHONE else []):
            tested = piece["fold"] if piece["protocol"] == "corpora" else "+".join(piece["corpora"])
            grouped[recipe, piece["protocol"], tested].append(piece)
    codes = {recipe: code_behind(RECIPES[recipe]) for recipe, *_ in grouped}
    return [
        _cell(pieces, *key, condition=condition, code=codes[key[0]])
        for key, pieces in grouped.items()
        for condition in _CONDITIONS
    ]


def _of_strangers(place: Path) -> list[Piece]:
    """Pieces of the default model's own protocol, as those of other recipes are written; it answers every clip."""
    shown = read_shown(place)
    asked = [question for question in QUESTIONS if question.split in _PROTOCOLS and question.name in shown]
    return [
        piece
        | {
            "protocol": question.split,
            "corpora": list(question.corpora),
            "conditions": {
                name: piece["conditions"][name] | {"unanswered": [0] * len(piece["labels"])} for name in _CONDITIONS
            },
        }
        for question in asked
        for piece in shown[question.name]
    ]


def as_markdown(cells: Sequence[Cell]) -> str:
    """The page of tables."""
    corpora = list(dict.fromkeys(cell.tested for cell in sorted(cells, key=lambda cell: "+" in cell.tested)))
    parts = [_INTRODUCTION, _claims(cells), *(_corpus(tested, cells) for tested in corpora), _origin(cells)]
    return "\n".join(filled(part) for part in parts)


def _cell(pieces: Sequence[Piece], recipe: str, protocol: str, tested: str, *, condition: str, code: str) -> Cell:
    seeds = sorted({piece["seed"] for piece in pieces})
    of_seed = [[piece for piece in pieces if piece["seed"] == seed] for seed in seeds]
    found = [_pooled(own, condition) for own in of_seed]
    uars, accuracies, eces = (np.array(values) for values in zip(*found, strict=True))
    ddof = min(1, len(seeds) - 1)
    return Cell(
        recipe=recipe,
        protocol=protocol,
        tested=tested,
        condition=condition,
        labels=len(pieces[0]["labels"]),
        seeds=len(seeds),
        complete=protocol == "corpora" or all(len(own) == own[0]["folds"] for own in of_seed),
        current=all(piece["code"] == code for piece in pieces),
        uar=float(uars.mean()),
        uar_sd=float(uars.std(ddof=ddof)),
        accuracy=float(accuracies.mean()),
        accuracy_sd=float(accuracies.std(ddof=ddof)),
        ece=float(eces.mean()),
        clips=sum(piece["conditions"][condition]["clips"] for piece in of_seed[0]),
        commits=tuple(sorted({piece["commit"] for piece in pieces})),
        dates=tuple(sorted({piece["date"] for piece in pieces})),
    )


def _pooled(folds: Sequence[Piece], condition: str) -> tuple[float, float, float]:
    """UAR, accuracy and ECE over the folds of one seed."""
    own = [piece["conditions"][condition] for piece in folds]
    confusion = np.sum([found["confusion"] for found in own], axis=0)
    unanswered = np.sum([found["unanswered"] for found in own], axis=0)
    ece = np.average([found["ece"] for found in own], weights=[found["clips"] for found in own])
    return *merit(confusion, unanswered), float(ece)


def _claims(cells: Sequence[Cell]) -> str:
    """What authors claim beside what their recipe reaches here under their protocol."""
    rows = []
    for recipe in RECIPES.values():
        own = "tess+ravdess+crema_d" if recipe.augmentations else "tess"
        chosen = [c for c in cells if (c.recipe, c.protocol, c.tested) == (recipe.name, "random", own)]
        if recipe.claim and chosen:
            clean = next(cell for cell in chosen if cell.condition == "clean")
            figure = _figure(clean.accuracy, clean.accuracy_sd, clean)
            rows.append([f"`{recipe.name}`", recipe.claim, figure, own])
    head = ["recipe", "claimed", "reached here, accuracy %, random 80/20, **leaking**", "corpora"]
    return f"\n## What the authors claim\n\n{table(head, rows)}\n" if rows else ""


def _corpus(tested: str, cells: Sequence[Cell]) -> str:
    own = [cell for cell in cells if cell.tested == tested]
    protocols = [name for name in _PROTOCOLS if any(cell.protocol == name for cell in own)]
    columns = [f"{_PROTOCOLS[name]}, {condition}" for name in protocols for condition in _CONDITIONS]
    body = table(["recipe", "classes", *columns], list(_rows(own, protocols)))
    return f"\n## {tested}\n\nUAR in percent.\n\n{body}\n"


def _rows(cells: Sequence[Cell], protocols: Sequence[str]) -> Iterator[list[str]]:
    for recipe in dict.fromkeys(cell.recipe for cell in cells):
        own = {(cell.protocol, cell.condition): cell for cell in cells if cell.recipe == recipe}
        shown = [own.get((name, condition)) for name in protocols for condition in _CONDITIONS]
        classes = ", ".join(map(str, sorted({cell.labels for cell in own.values()})))
        yield [f"`{recipe}`", classes, *(_figure(c.uar, c.uar_sd, c) if c else "" for c in shown)]


def _figure(mean: float, sd: float, cell: Cell) -> str:
    """Mean ± deviation (seeds); a star where folds are missing, a dagger where the recipe has changed since."""
    spread = f" ± {100 * sd:.1f}" if cell.seeds > 1 else ""
    marks = ("" if cell.complete else " *") + ("" if cell.current else " †")
    return f"{100 * mean:.1f}{spread} ({cell.seeds}){marks}"


def _origin(cells: Sequence[Cell]) -> str:
    dates, commits = _all(cell.dates for cell in cells), _all(cell.commits for cell in cells)
    if not dates:
        return "\nNothing was measured yet.\n"
    return f"\n{measured(dates, commits)}\n"


def _all(parts: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted({item for part in parts for item in part})


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


_INTRODUCTION = """
# What the recipes reach

Written by `python -m export results` from the files in this folder: one a recipe, protocol, corpus, tested fold and
seed.

Every cell is the mean over seeds, ± their standard deviation, (how many seeds). A star marks cells whose folds are not
all measured yet, a dagger those whose recipe or training has changed since it was measured. "Phone" sends each tested
clip over a simulated telephone line of its own. Chance is 100 over the number of classes that the corpus has.

- random 80/20, **leaking**: clips are split at random, so every speaker is on both sides. It is what most projects of
  the field report, and says nothing of strangers.
- unseen speakers: nobody who is tested was learnt from. TESS: each of the two speakers once; RAVDESS: six folds by
  actor number modulo 6; EmoDB: one speaker out.
- unseen corpus: learnt from the other four of TESS, RAVDESS, EmoDB, EMOVO and nEMO. Labels that a network does not have
  are left out of training and test; RAVDESS' `calm` counts as neutral where a recipe has no `calm`, EmoDB's boredom is
  left out.

In each training a tenth of the speakers that are not tested (of the clips, where there are fewer than three) chooses
the epoch and fits the temperature. The length of the trainings of `phone` is fixed; its figures of unseen speakers and
corpora are those of its own protocol, `python -m export protocol phone`, where what is tested has chosen nothing.
"""
