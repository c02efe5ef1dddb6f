"""Tables for tests of the page: calls with two speakers, windows, failures, and names that mean harm."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sertag.records import ChannelResult, FileResult, Problem, Segment, Sentiment, Status, Trend
from sertag.tables.columns import ModelInfo, file_object, result_columns, result_rows, segment_columns, segment_rows
from tests.results import LABELS, ORIGIN, no_speech, unreadable

HOSTILE = "</script><img onerror=alert(1) src=x>.wav"
SENTIMENTS = {"angry": Sentiment.NEGATIVE, "happy": Sentiment.POSITIVE, "neutral": Sentiment.NEUTRAL}
DURATION_S = 20.0
DIMENSIONS = ("arousal", "depth")
BOTH = ModelInfo(LABELS, "both", "ab" * 32, DIMENSIONS)
ALONE = ModelInfo((), "alone", "cd" * 32, DIMENSIONS)


def window(index: int, emotion: str | None, status: Status = Status.OK) -> Segment:
    """Four seconds every two."""
    sure = emotion is not None
    return Segment(
        index=index,
        start_s=2.0 * index,
        end_s=2.0 * index + 4,
        status=status if sure or status is not Status.OK else Status.UNCERTAIN,
        emotion=emotion,
        confidence=None if status is Status.NO_SPEECH else 0.7,
        sentiment=SENTIMENTS[emotion] if emotion else None,
        probs=() if status is Status.NO_SPEECH else tuple(0.7 if label == emotion else 0.15 for label in LABELS),
        speech_ratio=0.5 + index % 3 / 10,
        loudness_dbfs=-20.0 - index,
    )


def channel(number: int, emotions: Iterable[str | None], *, attention: float, role: str = "") -> ChannelResult:
    """A channel whose emotion is that of its first window."""
    windows = tuple(window(index, emotion) for index, emotion in enumerate(emotions))
    emotion = windows[0].emotion or "neutral"
    return ChannelResult(
        channel=number,
        status=Status.OK,
        role=role,
        duration_s=DURATION_S,
        sample_rate=8000,
        speech_s=10.0,
        segments=windows,
        emotion=emotion,
        confidence=0.7,
        margin=0.4,
        sentiment=SENTIMENTS[emotion],
        probs=tuple(0.7 if label == emotion else 0.15 for label in LABELS),
        fracs=(1.0, 0.0, 0.0),
        quarters=(0.1, 0.2, None, 0.4),
        trend=0.2,
        trend_label=Trend.WORSENING,
        peak_start_s=6.0,
        peak_score=0.7,
        talk_pct=81.0,
        overtalk_s=1.5,
        silence_s=2.3,
        longest_silence_s=1.0,
        loudness_dbfs=-20.0,
        clipped_pct=0.0,
        attention=attention,
        interruptions=2,
    )


def call(path: str, *, attention: float, emotions: tuple[str | None, ...] = ("neutral", "angry")) -> FileResult:
    """A call of an agent and a customer; the customer is the one to listen to."""
    agent = channel(0, ("neutral", "neutral"), attention=attention / 4, role="agent")
    return FileResult(path, (agent, channel(1, emotions, attention=attention, role="customer")))


def mixed() -> list[FileResult]:
    """Every kind of row there is."""
    uncertain = replace(
        channel(0, (None, "happy"), attention=0.05), status=Status.UNCERTAIN, emotion=None, sentiment=None
    )
    remark = replace(channel(0, ("happy",), attention=0.02), problem=Problem("truncated", "cut.wav: its header lies"))
    return [
        call("calls/2026-03-02_a.wav", attention=0.9, emotions=("angry", "neutral", None, "angry", "neutral")),
        call("calls/2026-03-03_b.wav", attention=0.3),
        call(HOSTILE, attention=0.5, emotions=("happy",)),
        FileResult("calls/unsure.wav", (uncertain,)),
        FileResult("cut.wav", (remark,)),
        unreadable("bad.wav"),
        no_speech("quiet.wav"),
    ]


def estimated(results: Iterable[FileResult], *, labels: bool) -> list[FileResult]:
    """The same from a model that estimates arousal, 1 to 5, and depth, 0 to 1, with labels or without any."""
    return [
        replace(result, channels=tuple(_estimated(channel, labels=labels) for channel in result.channels))
        for result in results
    ]


def _estimated(channel: ChannelResult, *, labels: bool) -> ChannelResult:
    if not channel.segments:
        return channel
    windows = [replace(one, dimensions=(1.0 + one.index, 0.25)) for one in channel.segments]
    mean = 1.0 + (len(windows) - 1) / 2
    made = replace(channel, segments=tuple(windows), dimensions=((mean, 1.0, 2.0, None, 4.0), (0.25,) * 5))
    if labels:
        return made
    nothing: dict[str, Any] = {"emotion": None, "confidence": None, "sentiment": None, "probs": ()}
    made = replace(made, segments=tuple(replace(one, status=Status.OK, **nothing) for one in windows))
    row: dict[str, Any] = {"margin": None, "fracs": (), "quarters": (None,) * 4, "trend": None, "trend_label": None}
    return replace(made, status=Status.OK, peak_start_s=None, peak_score=None, attention=None, **nothing, **row)


def write_jsonl(path: Path, results: Iterable[FileResult], *, origin: ModelInfo = ORIGIN) -> str:
    """A table with windows inside."""
    path.write_text("".join(json.dumps(file_object(result, origin=origin)) + "\n" for result in results))
    return str(path)


def write_csv(path: Path, results: Iterable[FileResult], *, segments: bool = False, origin: ModelInfo = ORIGIN) -> str:
    """A table of results or of windows."""
    columns, rows = (segment_columns, segment_rows) if segments else (result_columns, result_rows)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(column.name for column in columns(origin.labels, origin.dimensions))
        writer.writerows(row for result in results for row in rows(result, origin=origin))
    return str(path)
