"""Tables of a night of calls, written as sertag writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sertag.analysis.loading import Loaded, load
from sertag.records import ChannelResult, FileResult, Segment, Sentiment, Status
from sertag.storage.atomic_output import Output
from sertag.tables.writers import open_table, results_view, segments_view
from tests.results import ORIGIN, no_speech, ok_channel, segment, unreadable

ROLES = ("agent", "customer")
CALM = {"emotion": "neutral", "sentiment": Sentiment.NEUTRAL, "confidence": 0.9, "attention": 0.1}


def call(path: str, *customer: dict[str, Any]) -> FileResult:
    """A call whose agent is calm; `customer` overrides fields of the customer's row."""
    agent = replace(ok_channel(0, "agent"), **CALM)
    fields: dict[str, Any] = {}
    for more in customer:
        fields |= more
    return FileResult(path, (agent, replace(ok_channel(1, "customer"), **fields)))


def night(count: int = 6) -> list[FileResult]:
    """Calls, the first of which are the worst; then one without speech and one that is no audio."""
    calls = [
        call(
            f"r/2026-03-{2 + index % 2:02}/2026-03-{2 + index % 2:02}_{index:04}.wav", {"attention": 0.9 - index / 100}
        )
        for index in range(count)
    ]
    return [*calls, no_speech("r/quiet.wav"), unreadable("r/text.wav")]


def write(path: Path, results: Iterable[FileResult], *, segments: bool = False) -> str:
    """Write a table in the format of its suffix."""
    view = (segments_view if segments else results_view)(ORIGIN)
    fmt: Any = path.suffix.removeprefix(".")
    with Output(str(path)) as output, open_table(output, fmt=fmt, view=view) as table:
        for result in results:
            table.add(result)
    return str(path)


def loaded(folder: Path, results: Iterable[FileResult], name: str = "r.jsonl") -> Loaded:
    """The same, read again."""
    return load([write(folder / name, results)])


def windows(*labels: tuple[float, str | None]) -> tuple[Segment, ...]:
    """Windows of 4 s every 2 s: confidence and emotion, `None` for uncertain."""
    return tuple(
        replace(
            segment(index, Status.OK if label else Status.UNCERTAIN),
            confidence=confidence,
            emotion=label,
            sentiment=Sentiment.NEUTRAL if label else None,
        )
        for index, (confidence, label) in enumerate(labels)
    )


def judged(path: str, *labels: tuple[float, str | None]) -> FileResult:
    """A recording of one channel with such windows."""
    channel: ChannelResult = replace(ok_channel(0, "customer"), segments=windows(*labels))
    return FileResult(path, (channel,))
