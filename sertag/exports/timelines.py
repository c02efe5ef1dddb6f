"""Converts overlapping windows to intervals that do not overlap, for timelines of other programs.

If two windows overlap, each second belongs to the window whose middle is nearer. Neighbours with the same label become
one interval. Windows without speech are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sertag.analysis.loading import Loaded, windows_of
from sertag.records import Status
from sertag.tables.readers import ReadRow

UNCERTAIN = Status.UNCERTAIN.value


@dataclass(frozen=True, slots=True)
class Interval:
    """A part of one channel with one label.

    Attributes:
        start_s: start in seconds.
        end_s: end in seconds.
        label: an emotion, or `uncertain`.
        sentiment: sentiment of the emotion; None if it is uncertain.
        confidence: mean confidence over time.
    """

    start_s: float
    end_s: float
    label: str
    sentiment: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The intervals of one channel.

    Attributes:
        channel: a number, or `mix`.
        speaker: the role, or `channel 0` and so on.
        intervals: intervals in order of time.
        row: row of the result table, if there is one.
    """

    channel: int | str
    speaker: str
    intervals: tuple[Interval, ...]
    row: ReadRow | None


@dataclass(frozen=True, slots=True)
class Recording:
    """The timelines of one recording.

    Attributes:
        path: path as in the tables.
        duration_s: duration as in the results, or the end of the last window.
        timelines: one per channel.
    """

    path: str
    duration_s: float
    timelines: tuple[Timeline, ...]


def recordings(loaded: Loaded) -> Iterator[Recording]:
    """All recordings that have windows or rows, in the order of the tables."""
    windows = windows_of(loaded)
    rows = {(row["path"], row["channel"]): row for row in loaded.rows if row["channel"] is not None}
    places: dict[str, list[int | str]] = {}
    for path, channel in dict.fromkeys((*rows, *windows)):
        places.setdefault(path, []).append(channel)
    for path, channels in places.items():
        lines = [_timeline(windows.get((path, one), []), one, rows.get((path, one))) for one in channels]
        ends = [line.intervals[-1].end_s for line in lines if line.intervals]
        lengths = [line.row["duration_s"] or 0.0 for line in lines if line.row is not None]
        yield Recording(path, max((*ends, *lengths), default=0.0), tuple(lines))


def intervals(windows: Sequence[ReadRow]) -> tuple[Interval, ...]:
    """Intervals of the windows of one channel.

    >>> common = {"status": "ok", "sentiment": "neutral", "confidence": 0.5}
    >>> starts = {0.0: "calm", 2.0: "calm", 4.0: "sad"}
    >>> rows = [{"start_s": s, "end_s": s + 4.0, "emotion": emotion, **common} for s, emotion in starts.items()]
    >>> [(one.start_s, one.end_s, one.label) for one in intervals(rows)]
    [(0.0, 5.0, 'calm'), (5.0, 8.0, 'sad')]
    """
    speech = [row for row in windows if row["status"] != Status.NO_SPEECH.value and row["confidence"] is not None]
    cuts = [
        min(one["end_s"], max(one["start_s"], (one["end_s"] + two["start_s"]) / 2)) for one, two in pairwise(speech)
    ]
    begins = [max(row["start_s"], cut) for row, cut in zip(speech, (0.0, *cuts), strict=False)]
    ends = [min(row["end_s"], cut) for row, cut in zip(speech, (*cuts, float("inf")), strict=False)]
    return tuple(_merged(_interval(*own) for own in zip(speech, begins, ends, strict=True) if own[2] > own[1]))


def _timeline(windows: Sequence[ReadRow], channel: int | str, row: ReadRow | None) -> Timeline:
    role = (row or (windows[0] if windows else {})).get("role")
    return Timeline(channel, role or f"channel {channel}", intervals(windows), row)


def _interval(row: ReadRow, start_s: float, end_s: float) -> Interval:
    return Interval(
        round(start_s, 3), round(end_s, 3), row["emotion"] or UNCERTAIN, row["sentiment"], float(row["confidence"])
    )


def _merged(parts: Iterable[Interval]) -> Iterator[Interval]:
    last: Interval | None = None
    for part in parts:
        if last is not None and (last.label, last.end_s) == (part.label, part.start_s):
            weights = (last.end_s - last.start_s, part.end_s - part.start_s)
            confidence = (weights[0] * last.confidence + weights[1] * part.confidence) / sum(weights)
            last = Interval(last.start_s, part.end_s, part.label, part.sentiment, confidence)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last
