"""What is asked of recipes: on which clips they are tested, and from which they may learn. Fixed before any tuning."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from export.corpora.labels import LABELS
from export.recipes import RECIPES
from export.recipes.base import Recipe
from export.training.splits import Protocol

SEEDS = (1, 2, 3)
FIVE = ("tess", "ravdess", "emodb", "emovo", "nemo")
MIXED = ("tess", "ravdess", "crema_d")  # what the authors of the augmented recipes mix

CALL_RECIPES = tuple(name for name, recipe in RECIPES.items() if recipe.features.framing == "channel")
_FIELD = tuple(name for name in RECIPES if name not in CALL_RECIPES)
_AUGMENTED = tuple(name for name in _FIELD if RECIPES[name].augmentations)


@dataclass(frozen=True, slots=True)
class Suite:
    """One question, asked of recipes."""

    name: str  # of its file
    title: str  # for people
    corpora: tuple[str, ...]  # what is learnt from and tested
    split: Protocol
    labels: tuple[str, ...] = LABELS  # of recipes that take any; recipes of the field keep those of their authors
    only: tuple[str, ...] = ()  # names of the recipes that are asked, all if empty
    seeds: tuple[int, ...] = SEEDS  # of splits and trainings

    def asks(self, recipe: str) -> bool:
        """Whether the suite is for a recipe."""
        return not self.only or recipe in self.only

    def labels_of(self, recipe: Recipe) -> tuple[str, ...]:
        """Labels of a recipe's network in this suite."""
        return self.labels if recipe.features.framing == "channel" else recipe.labels


_EIGHT = tuple(sorted((*LABELS, "calm")))  # of RAVDESS
_GERMAN = ("angry", "boredom", "disgust", "fear", "happy", "neutral", "sad")  # of EmoDB
_SIX = ("angry", "disgust", "fear", "happy", "neutral", "sad")  # of CREMA-D

SUITES = {
    suite.name: suite
    for suite in (
        Suite("random-tess", "TESS, clips split at random (leaks)", ("tess",), "random", only=_FIELD),
        Suite("random-ravdess", "RAVDESS, clips split at random (leaks)", ("ravdess",), "random", only=_FIELD),
        Suite("random-emodb", "EmoDB, clips split at random (leaks)", ("emodb",), "random", only=_FIELD),
        Suite("random-mixed", "TESS, RAVDESS and CREMA-D, split at random (leaks)", MIXED, "random", only=_AUGMENTED),
        # One recipe: five folds of the LSTM are half an hour of training for the same answer.
        Suite("mixed", "TESS, RAVDESS and CREMA-D, five folds by speaker", MIXED, "speakers", only=("cnn-augmented",)),
        Suite("mixed-corpora", "an unseen corpus out of these three", MIXED, "corpora", only=_AUGMENTED),
        Suite("ravdess", "RAVDESS, 8 classes, six folds by actor number modulo 6", ("ravdess",), "speakers", _EIGHT),
        Suite("emodb", "EmoDB, 7 classes, one speaker out", ("emodb",), "speakers", _GERMAN),
        Suite("crema_d", "CREMA-D, 6 classes, five folds by speaker", ("crema_d",), "speakers", _SIX, CALL_RECIPES),
        Suite("tess", "TESS, the other speaker", ("tess",), "speakers", only=_FIELD),
        Suite("corpora", "an unseen corpus out of five", FIVE, "corpora", only=_FIELD),
    )
}


def possible(names: Sequence[str], available: Collection[str]) -> list[Suite]:
    """The suites of these names whose corpora are all there."""
    return [SUITES[name] for name in names if set(SUITES[name].corpora) <= set(available)]
