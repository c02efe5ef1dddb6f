"""The settings of a training run: everything that decides the result besides recipe and clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CROSS_VALIDATED = "cross-validated"


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the result besides recipe and clips.

    Attributes:
        protocol: how clips are split: one of `export.training.splits.PROTOCOLS`, or every clip tested once.
        fold: which of the protocol's parts is tested, counted from 0.
        folds, folds_by: parts of the cross-validation, and whose clips are all in one part.
        seed: of the split and of the training.
        epochs: most of them; the recipe's if None.
        answers_right: share of the answers over the model's `min_confidence` that is to be right.
        counts_as: what each label of the corpora became, for the model's history.
        name, version: of the model, which rows show; the recipe's name if empty.
    """

    protocol: Literal["speakers", "random", "corpora", "cross-validated"] = "speakers"
    fold: int = 0
    folds: int = 4
    folds_by: Literal["speaker", "corpus"] = "speaker"
    seed: int = 1
    epochs: int | None = None
    answers_right: float = 0.6
    counts_as: tuple[tuple[str, str], ...] = ()
    name: str = ""
    version: str = "1"
