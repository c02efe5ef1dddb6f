"""The windows of one channel in little memory, as the page keeps them."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Sequence
from typing import Any

from sertag.tables.readers import ReadRow

_PREFIX = "d_"  # of columns of dimensions
_DECIMALS = 3


class Windows:
    """Milliseconds, codes of labels, percentages and decibels as integers, and the dimensions as they are."""

    def __init__(self) -> None:
        self._columns = {name: array("q") for name in ("start", "length", "code", "confidence", "speech", "level")}
        self._dimensions: dict[str, array[float]] = {}

    def add(self, window: ReadRow, code: int) -> None:
        """Keep a window.

        Args:
            window: a row of a table of windows.
            code: index of its label; negative for none.
        """
        start_s, end_s, level = window["start_s"] or 0.0, window["end_s"] or 0.0, window["loudness_dbfs"]
        values = {
            "start": round(1000 * start_s),
            "length": round(1000 * (end_s - start_s)),
            "code": code,
            "confidence": round(100 * (window["confidence"] or 0)),
            "speech": round(100 * (window["speech_ratio"] or 0)),
            "level": round(level) if level is not None else -100,
        }
        count = len(self._columns["start"])
        for name, value in values.items():
            self._columns[name].append(value)
        for column in window:
            if column.startswith(_PREFIX) and not isinstance(window[column], str):  # text is what a user has added
                own = self._dimension(column.removeprefix(_PREFIX), count)
                own.append(math.nan if window[column] is None else window[column])

    def ends(self, dimension: str) -> list[float]:
        """The least and the greatest value of a dimension; empty where no window has any."""
        known = [value for value in self._dimensions.get(dimension, ()) if not math.isnan(value)]
        return [min(known), max(known)] if known else []

    def packed(self, order: Sequence[int], dimensions: Sequence[str]) -> str:
        """JSON of the columns, in order of time; text, because a page opens calls one at a time.

        Args:
            order: place of each code among the labels of the page.
            dimensions: of the page; each is a list under `values`.
        """
        columns, count = self._columns, len(self._columns["start"])
        code = array("q", [order[code] if code >= 0 else code for code in columns["code"]])
        places = sorted(range(count), key=columns["start"].__getitem__)
        made: dict[str, Any] = {
            name: [column[one] for one in places] for name, column in (columns | {"code": code}).items()
        }
        values = [self._dimension(name, count) for name in dimensions]
        made["values"] = [[_rounded(column[one]) for one in places] for column in values]
        return json.dumps(made, separators=(",", ":"))

    def _dimension(self, name: str, count: int) -> array[float]:
        """The values of a dimension in the first `count` windows; not a number where a table has none."""
        own = self._dimensions.setdefault(name, array("d"))
        own.extend([math.nan] * (count - len(own)))
        return own


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, _DECIMALS)
