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
    """What each letter of a timeline means, and how far the scales of dimensions go."""
    line = Text()
    for label, letter in letters(spec.labels).items():
        line.append(letter, style=_COLOURS[Sentiment(spec.sentiment[label])])
        line.append(f" {label}  ")
    if spec.labels:
        line.append(UNSURE, style=_COLOURS[None])
        line.append(" not sure  ")
    for one in spec.outputs:
        line.append(f"{one.name} {one.least:g} to {one.most:g}{f' {one.unit}' if one.unit else ''}  ")
    line.append(SILENT, style=_COLOURS[None])
    line.append(" no speech")
    return line
