"""Windows to the columns of a timeline: one letter each. Pure; `terminal` and `live.display` draw them.

A column may be shorter than a window or hold many. It shows the strongest emotion in it that is not neutral, since that
is what somebody looks for; neutral where there is none, then `?` for windows that are not sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sertag.records import Segment, Sentiment, Status

UNSURE, SILENT = "?", "."


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
    names, step_s = letters(labels), (end_s - start_s) / width
    edges = _edges(segments)
    columns: list[list[Segment]] = [[] for _ in range(width)]
    for segment, (begin_s, stop_s) in zip(segments, edges, strict=True):
        first = max(0, int((begin_s - start_s) / step_s + 0.5))
        last = min(width - 1, int((stop_s - start_s) / step_s - 0.5)) if stop_s > start_s else -1
        for column in range(min(first, width - 1), max(last, first) + 1) if begin_s < end_s else ():
            if 0 <= column < width and stop_s > start_s:
                columns[column].append(segment)
    return [_cell(found, names) for found in columns]


def clock(seconds: float) -> str:
    """A time of day within a recording.

    >>> clock(75.4), clock(3675)
    ('1:15', '1:01:15')
    """
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def axis(*, start_s: float, end_s: float, width: int) -> str:
    """Times under the columns, each at the column where it is.

    >>> axis(start_s=0, end_s=20, width=24)
    '0:00  0:05  0:10  0:15  '
    """
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
    span_s = max(end_s - start_s, 1e-9)
    step_s = next((step for step in steps if step / span_s * width >= 6), steps[-1])
    line = [" "] * width
    time_s = float(-(-start_s // step_s) * step_s)
    free = 0
    while time_s < end_s:
        text, place = clock(time_s), int((time_s - start_s) / span_s * width + 1e-9)
        if free <= place <= width - len(text):
            line[place : place + len(text)] = text
            free = place + len(text) + 1
        time_s += step_s
    return "".join(line)


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
