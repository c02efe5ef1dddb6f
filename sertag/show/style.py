"""Colours of sentiments on a terminal, and what letters mean; everything can be read without colours."""

from __future__ import annotations

from rich.text import Text

from sertag.records import Sentiment
from sertag.show.timeline import SILENT, UNSURE, Cell, letters
from sertag.spec import ModelSpec

_COLOURS = {Sentiment.NEGATIVE: "bold red", Sentiment.POSITIVE: "bold green", Sentiment.NEUTRAL: "cyan", None: "dim"}

_BETWEEN = "  "


def cell_style(cell: Cell) -> str:
    """The style of one column."""
    return _COLOURS[cell.sentiment]


def legend(spec: ModelSpec, *, width: int) -> list[Text]:
    """What each letter of a timeline means, and how far the scales of dimensions go.

    Args:
        spec: of the model.
        width: of the lines, in characters; an entry is never divided.
    """
    signs = [(letter, label, Sentiment(spec.sentiment[label])) for label, letter in letters(spec.labels).items()]
    entries = [Text.assemble((sign, _COLOURS[sentiment]), f" {meaning}") for sign, meaning, sentiment in signs]
    if spec.labels:
        entries.append(Text.assemble((UNSURE, _COLOURS[None]), " not sure"))
    for one in spec.outputs:
        entries.append(Text(f"{one.name} {one.least:g} to {one.most:g}{f' {one.unit}' if one.unit else ''}"))
    entries.append(Text.assemble((SILENT, _COLOURS[None]), " no speech"))
    lines = [Text()]
    for entry in entries:
        if lines[-1] and len(lines[-1]) + len(_BETWEEN) + len(entry) > width:
            lines.append(Text())
        lines[-1].append(_BETWEEN if lines[-1] else "").append_text(entry)
    return lines
