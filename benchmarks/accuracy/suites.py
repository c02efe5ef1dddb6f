"""What is asked of recipes: on which clips they are tested, and from which they may learn.

Fixed before anything was tuned; `benchmarks.accuracy.run` measures the answers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from export.corpora.clips import Clip
from export.corpora.labels import LABELS
from export.evaluation.predictions import MAKE_UPS
from export.recipes import RECIPES
from export.recipes.base import Recipe
from export.training.splits import Split, speakers_among_others, splits

SEEDS = (1, 2, 3)
FIVE = ("tess", "ravdess", "emodb", "emovo", "nemo")
MIXED = ("tess", "ravdess", "crema_d")  # what the authors of the augmented recipes mix

# Conditions that are scored: a clip as it is or over a telephone line ("clean" and "phone"); for recipes that normalise
# by the channel also in calls of other make-ups.
PLAIN = ("clean", "phone")
_IN_CALLS = {f"{line}, {make_up}": f"{line}, {make_up}" for make_up in MAKE_UPS[1:] for line in PLAIN}
CONDITIONS = {**{line: f"{line}, {MAKE_UPS[0]}" for line in PLAIN}, **_IN_CALLS}
NOISY = {f"noise, {make_up}": f"noise, {make_up}" for make_up in MAKE_UPS[:2]}  # of trials


@dataclass(frozen=True, slots=True)
class Suite:
    """One question, asked of recipes.

    Attributes:
        name: of its file.
        title: for people.
        corpora: what is learnt from and tested.
        split: `random`, `speakers` and `corpora` as in `export.training.splits`; `among others`: each speaker of the
            first corpus is tested, the other corpora are learnt from too.
        labels: of recipes that take any; recipes of the field keep those of their authors.
        only: names of the recipes that are asked, all if empty.
        seeds: of splits and trainings.
    """

    name: str
    title: str
    corpora: tuple[str, ...]
    split: Literal["random", "speakers", "corpora", "among others"]
    labels: tuple[str, ...] = LABELS
    only: tuple[str, ...] = ()
    seeds: tuple[int, ...] = SEEDS

    def asks(self, recipe: str) -> bool:
        """Whether the suite is for a recipe."""
        return not self.only or recipe in self.only

    def labels_of(self, recipe: Recipe) -> tuple[str, ...]:
        """Labels of a recipe's network in this suite."""
        return self.labels if recipe.features.framing == "channel" else recipe.labels

    def splits(self, clips: Sequence[Clip], *, seed: int) -> list[Split]:
        """The parts that are tested, each with what is learnt from."""
        if self.split == "among others":
            return speakers_among_others(clips, corpus=self.corpora[0], seed=seed)
        return splits(clips, protocol=self.split, seed=seed)

    def tested(self, fold: str) -> str:
        """The corpora that a part is from."""
        if self.split == "corpora":
            return fold
        return self.corpora[0] if self.split == "among others" else "+".join(self.corpora)


_EIGHT = tuple(sorted((*LABELS, "calm")))  # of RAVDESS
_GERMAN = ("angry", "boredom", "disgust", "fear", "happy", "neutral", "sad")  # of EmoDB
_AUGMENTED = tuple(name for name, recipe in RECIPES.items() if recipe.augmentations)

SUITES = {
    suite.name: suite
    for suite in (
        Suite("random-tess", "TESS, clips split at random (leaks)", ("tess",), "random"),
        Suite("random-ravdess", "RAVDESS, clips split at random (leaks)", ("ravdess",), "random", _EIGHT),
        Suite("random-emodb", "EmoDB, clips split at random (leaks)", ("emodb",), "random", _GERMAN),
        Suite("random-mixed", "TESS, RAVDESS and CREMA-D, split at random (leaks)", MIXED, "random", only=_AUGMENTED),
        Suite("ravdess", "RAVDESS, 8 classes, six folds by actor number modulo 6", ("ravdess",), "speakers", _EIGHT),
        Suite("emodb", "EmoDB, 7 classes, one speaker out", ("emodb",), "speakers", _GERMAN),
        Suite("tess", "TESS, the other speaker", ("tess",), "speakers"),
        Suite(
            "tess-among-others",
            "TESS, the other speaker, beside four other corpora",
            FIVE,
            "among others",
            only=("phone",),
        ),
        Suite("corpora", "an unseen corpus out of five", FIVE, "corpora"),
    )
}


def possible(names: Sequence[str], available: Collection[str]) -> list[Suite]:
    """The suites of these names whose corpora are all there."""
    return [SUITES[name] for name in names if set(SUITES[name].corpora) <= set(available)]
