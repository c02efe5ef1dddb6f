"""Cells of the tables: a figure of several seeds as their mean ± standard deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

INTERVAL = "interval"


def cell(found: Sequence[Mapping[str, Any]], key: str) -> str:
    """A figure, empty where no seed has it: shares in percent, areas and errors with three digits, others with one.

    >>> cell([{"uar": 0.25}, {"uar": 0.75}, {"uar": None}], "uar"), cell([{"anger_auc": 0.5}], "anger_auc")
    ('50.0 ± 35.4', '0.500')
    >>> cell([{"uar_low": 0.2, "uar_high": 0.4}], INTERVAL)
    '20.0 to 40.0'
    """
    if key == INTERVAL:
        low, high = ([own[end] for own in found if end in own] for end in ("uar_low", "uar_high"))
        return f"{100 * np.mean(low):.1f} to {100 * np.mean(high):.1f}" if low else ""
    values = [own[key] for own in found if own.get(key) is not None]
    if not values:
        return ""
    plain = key.endswith(("auc", "ece", "attention"))
    times, digits = (1, 3) if plain else (1, 1) if key.endswith("an_hour") else (100, 1)
    mean, sd = mean_and_sd(values)
    return f"{times * mean:.{digits}f}" + (f" ± {times * sd:.{digits}f}" if len(values) > 1 else "")


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds; 0 for one seed.

    >>> mean_and_sd([0.25, 0.75])
    (0.5, 0.3535533905932738)
    """
    return float(np.mean(values)), float(np.std(values, ddof=min(1, len(values) - 1)))
