"""Colours of sentiments on a terminal, and what letters mean; everything can be read without colours."""

from __future__ import annotations

from rich.text import Text

from sertag.records import Sentiment
from sertag.show.timeline import SILENT, UNSURE, Cell, letters
from sertag.spec import ModelSpec

_COLOURS = {Sentiment.NEGATIVE: "bold red", Sentiment.POSITIVE: "bold green", Sentiment.NEUTRAL: "cyan", None: "dim"}


def cell_style(cell: Cell) -> str:
    """The style of one column."""
    return _COLOURS[cell.sentiment]


def legend(spec: ModelSpec) -> Text:
    """What each letter of a timeline means."""
    line = Text()
    for label, letter in letters(spec.labels).items():
        line.append(letter, style=_COLOURS[Sentiment(spec.sentiment[label])])
        line.append(f" {label}  ")
    line.append(UNSURE, style=_COLOURS[None])
    line.append(" not sure  ")
    line.append(SILENT, style=_COLOURS[None])
    line.append(" no speech")
    return line
