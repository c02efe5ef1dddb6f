"""The pieces of the default model's protocol, and which of them its figures come from.

Trials of the recipe have scored clips of the corpora that it is tested on. So a figure comes, as soon as all of it is
measured, from what `export.choice` has chosen without a clip of the tested corpus: from the recipe where that is the
same, otherwise from another candidate, tested in the same folds with the same seeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from export.candidates import AS_IT_IS
from export.choice import read_choice
from export.phone_questions import QUESTIONS, Question
from export.pieces import Piece, read_all

PROTOCOL = "protocol"  # folders: of the recipe as it is,
CHOSEN = "chosen"  # of other candidates, and
CHOICE = "choice"  # of what was looked at to choose


def read_pieces(place: Path) -> dict[str, list[Piece]]:
    """Pieces by their question."""
    found: dict[str, list[Piece]] = defaultdict(list)
    for piece in read_all(place):
        found[piece["test"]].append(piece)
    return found


def read_shown(results: Path) -> dict[str, list[Piece]]:
    """The pieces that figures come from, by their question: the untouched ones, or those of the recipe.

    Args:
        results: folder of the folders above.
    """
    pieces = read_pieces(results / PROTOCOL)
    candidates = read_choice(results / CHOICE).get("chosen", {})
    clean = untouched(pieces, candidates=candidates, chosen=read_pieces(results / CHOSEN))
    return {name: own or pieces[name] for name, own in clean.items()}


def untouched(
    pieces: Mapping[str, Sequence[Piece]], *, candidates: Mapping[str, str], chosen: Mapping[str, Sequence[Piece]]
) -> dict[str, list[Piece]]:
    """For each question, fold and seed, the piece of what was chosen without the corpus that is tested there.

    Args:
        pieces: by their question, of the recipe as it is.
        candidates: what was chosen, by the corpus that was left alone; see `export.choice.choose`.
        chosen: pieces of these, where it is another one; those of an older choice are passed over.

    Returns:
        By every question that has pieces, as many as it has; none where one of them is not measured yet, or nothing
        was chosen.
    """
    return {
        question.name: _untouched(question, own, candidates=candidates, chosen=chosen.get(question.name, ()))
        for question in QUESTIONS
        if (own := pieces.get(question.name))
    }


def _untouched(
    question: Question, pieces: Sequence[Piece], *, candidates: Mapping[str, str], chosen: Sequence[Piece]
) -> list[Piece]:
    names = names_of(question, pieces, candidates=candidates)
    own = {(piece["fold"], piece["seed"]): piece for piece in pieces if names.get(piece["fold"]) == AS_IT_IS}
    own |= {(piece["fold"], piece["seed"]): piece for piece in chosen if names.get(piece["fold"]) == piece["candidate"]}
    wanted = [(piece["fold"], piece["seed"]) for piece in pieces]
    return [own[key] for key in wanted] if own.keys() >= set(wanted) else []


def names_of(question: Question, pieces: Sequence[Piece], *, candidates: Mapping[str, str]) -> dict[str, str]:
    """The candidate that was chosen without what is tested, by fold; nothing where nothing was chosen."""
    return {piece["fold"]: candidates[question.tested(piece["fold"])] for piece in pieces} if candidates else {}
