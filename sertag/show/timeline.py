"""Windows to the columns of a timeline: one letter each. Pure; `terminal` and `live.display` draw them.

A column may be shorter than a window or contain many. It shows the strongest emotion in it that is not neutral; neutral
if there is none, and `?` if all windows are uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sertag.records import ChannelResult, Segment, Sentiment, Status
from sertag.spec import Dimension, ModelSpec
from sertag.text import clock

UNSURE, SILENT = "?", "."

_TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)


@dataclass(frozen=True, slots=True)
class Cell:
    """One column: a letter, how sure (0 to 1), and the sentiment, None where there is no emotion."""

    letter: str
    confidence: float = 0.0
    sentiment: Sentiment | None = None


def letters(labels: Sequence[str]) -> dict[str, str]:
    """A capital for each label, its first that no other has; digits where letters run out.

    >>> letters(("sad", "surprise", "neutral"))
    {'sad': 'S', 'surprise': 'U', 'neutral': 'N'}
    """
    found: dict[str, str] = {}
    for label in labels:
        choices = [*label.upper(), *"0123456789", "#"]
        free = [letter for letter in choices if letter.isalnum() and letter not in found.values()]
        found[label] = free[0] if free else "#"
    return found


def cells(
    segments: Sequence[Segment], *, labels: Sequence[str], start_s: float, end_s: float, width: int
) -> list[Cell]:
    """The columns of a stretch of time.

    Args:
        segments: windows of one channel, in order of time.
        labels: of the model.
        start_s: where the first column begins.
        end_s: where the last one ends.
        width: how many there are.

    >>> window = Segment(0, 0, 3, Status.OK, "sad", 0.8, Sentiment.NEGATIVE, (0.8, 0.2), 1.0, -20.0)
    >>> "".join(cell.letter for cell in cells([window], labels=("sad", "calm"), start_s=0, end_s=6, width=6))
    'SSS...'
    """
    names = letters(labels)
    return [_cell(found, names) for found in _columns(segments, start_s, end_s, width)]


def dimension_shares(
    segments: Sequence[Segment], number: int, *, spec: ModelSpec, start_s: float, end_s: float, width: int
) -> list[float | None]:
    """A dimension in the columns of a stretch of time, 0 to 1 of its scale; None where nobody speaks.

    Args:
        segments: windows of one channel, in order of time.
        number: of the dimension.
        spec: of the model.
        start_s: where the first column begins.
        end_s: where the last one ends.
        width: how many there are.
    """
    found = []
    for column in _columns(segments, start_s, end_s, width):
        values = [segment.dimensions[number] for segment in column if segment.dimensions]
        found.append(share_of_scale(sum(values) / len(values), spec.outputs[number]) if values else None)
    return found


def share_of_scale(value: float, dimension: Dimension) -> float:
    """Where a value lies on the scale of its dimension, 0 to 1."""
    return min(1.0, max(0.0, (value - dimension.least) / (dimension.most - dimension.least)))


def answer(channel: ChannelResult, spec: ModelSpec) -> str:
    """What a row says, in words: the emotion, or the status, how sure, and the dimensions of a model without labels."""
    sure = "" if channel.confidence is None else f" {channel.confidence:.0%}"
    found = f"{channel.emotion or channel.status.value}{sure}"
    if spec.labels or not channel.dimensions:
        return found
    values = [f"{one.name} {course[0]:.2f}" for one, course in zip(spec.outputs, channel.dimensions, strict=True)]
    return ", ".join(values)


def _columns(segments: Sequence[Segment], start_s: float, end_s: float, width: int) -> list[list[Segment]]:
    """The windows in each column of a stretch of time."""
    step_s = (end_s - start_s) / width
    columns: list[list[Segment]] = [[] for _ in range(width)]
    for segment, (begin_s, stop_s) in zip(segments, _edges(segments), strict=True):
        if stop_s <= start_s or begin_s >= end_s:
            continue
        first = min(width - 1, max(0, round((begin_s - start_s) / step_s)))
        behind = min(width, round((stop_s - start_s) / step_s))
        for column in range(first, max(behind, first + 1)):  # each is seen, however short
            columns[column].append(segment)
    return columns


def spans(segments: Sequence[Segment]) -> list[tuple[float, float, str | None, float]]:
    """Stretches of one label, as (start, end, label, confidence); the label is None where windows are not sure.

    Where windows overlap, each counts up to the middle of what they share. Windows without speech are left out.

    Args:
        segments: windows of one channel, in order of time.
    """
    found: list[tuple[float, float, str | None, float]] = []
    for segment, (begin_s, end_s) in zip(segments, _edges(segments), strict=True):
        if segment.status not in (Status.OK, Status.UNCERTAIN) or end_s <= begin_s:
            continue
        sure = segment.confidence or 0.0
        found.append((begin_s, end_s, segment.emotion, sure))
    return found


def axis(*, start_s: float, end_s: float, width: int) -> str:
    """Times under the columns, each at the column where it is.

    >>> axis(start_s=0, end_s=20, width=24)
    '0:00  0:05  0:10  0:15  '
    """
    line, free = [" "] * width, 0
    for time_s in ticks(start_s=start_s, end_s=end_s, most=max(1, width // 6)):
        text, place = clock(time_s), int((time_s - start_s) / (end_s - start_s) * width + 1e-9)
        if free <= place <= width - len(text):
            line[place : place + len(text)] = text
            free = place + len(text) + 1
    return "".join(line)


def ticks(*, start_s: float, end_s: float, most: int) -> list[int]:
    """Round times from `start_s` to before `end_s`, at most so many of them.

    >>> ticks(start_s=0, end_s=200, most=5)
    [0, 60, 120, 180]
    """
    step_s = next((step for step in _TICK_STEPS_S if (end_s - start_s) / step <= most), _TICK_STEPS_S[-1])
    return list(range(math.ceil(start_s / step_s) * step_s, math.ceil(end_s), step_s))


def _edges(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    """Where each window counts: where it overlaps a neighbour, up to the middle of what they share."""
    found = []
    for index, segment in enumerate(segments):
        begin_s, end_s = segment.start_s, segment.end_s
        if index and segments[index - 1].end_s > begin_s:
            begin_s = (segments[index - 1].end_s + begin_s) / 2
        if index + 1 < len(segments) and segments[index + 1].start_s < end_s:
            end_s = (segments[index + 1].start_s + end_s) / 2
        found.append((begin_s, end_s))
    return found


def _cell(segments: list[Segment], names: dict[str, str]) -> Cell:
    sure = [segment for segment in segments if segment.status is Status.OK and segment.emotion is not None]
    if sure:
        best = max(sure, key=lambda one: (one.sentiment is not Sentiment.NEUTRAL, one.confidence or 0.0))
        return Cell(names[best.emotion or ""], best.confidence or 0.0, best.sentiment)
    unsure = [segment.confidence or 0.0 for segment in segments if segment.status is Status.UNCERTAIN]
    return Cell(UNSURE, max(unsure)) if unsure else Cell(SILENT)
