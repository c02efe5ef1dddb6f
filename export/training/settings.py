"""The settings of a training run: everything that decides the result besides recipe and clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CROSS_VALIDATED = "cross-validated"


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the result besides recipe and clips."""

    protocol: Literal["speakers", "random", "corpora", "cross-validated"] = "speakers"  # how clips are split
    fold: int = 0  # which of the protocol's parts is tested
    folds: int | None = None  # parts of the cross-validation; 4, or the number of speakers if that is smaller, if None
    folds_by: Literal["speaker", "corpus"] = "speaker"  # whose clips are all in one part
    seed: int = 1  # of the split and of the training
    epochs: int | None = None  # most of them; the recipe's if None
    counts_as: tuple[tuple[str, str], ...] = ()  # what each label of the corpora became
    name: str = ""  # of the model, which rows show; the recipe's if empty
    version: str = "1"  # of the model
