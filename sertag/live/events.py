"""What is said of audio while it comes, as records and as the JSON objects that `sertag listen` prints.

Events come in this order: `Start`; `Window`, `SpeechEnd` and `Gap` as things happen; every window once more when it is
final, which is when its chunk was scored, at the end of the audio at the latest; `End` with the rows. Times are seconds
from the first sample, so no clock that jumps can move them. Numbers are rounded as in tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, Literal

from sertag.records import SCHEMA, ChannelResult, FileResult, Segment, Status
from sertag.tables.columns import ModelInfo, file_object
from sertag.text import encode_path

Channel = int | Literal["mix"]
Cause = Literal["overflow", "stall", "missing", "late", "clock_jump"]
Reason = Literal["end_of_stream", "hang_up", "interrupted", "max_duration", "stalled", "failed"]


@dataclass(frozen=True, slots=True)
class Start:
    """Audio begins.

    Attributes:
        path: what the rows are called.
        channels: how many there are.
        sample_rate: Hz.
        window_s, hop_s: length of a window and step between windows.
        started: wall clock, UTC, ISO 8601.
        call: what the source says of the call, such as its UUID; empty where it says nothing.
    """

    path: str
    channels: int
    sample_rate: int
    window_s: float
    hop_s: float
    started: str
    call: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """What one window of a channel says.

    Attributes:
        channel, role: whose it is.
        segment: as in a row, except that `index` counts the windows of this channel as they are said.
        provisional: said before the rest of the recording was known; False once nothing can change it.
        withdrawn: it was said before, and the row has no such window: there is no speech in it.
        lag_ms: since it could be known: since its last sample came, or, once it is final, since the last
            sample of its chunk or of all.
        dropped_ms: audio that was lost so far because nothing could keep up, milliseconds.
    """

    channel: Channel
    role: str
    segment: Segment
    provisional: bool
    lag_ms: int
    dropped_ms: int
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class SpeechEnd:
    """Somebody has stopped speaking; a shorter pause than `talk.PAUSE_S` is none."""

    channel: Channel
    role: str
    start_s: float
    end_s: float
    lag_ms: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Audio that did not come.

    Attributes:
        cause: `overflow` (lost here, because nothing could keep up), `missing` (the source left it out), `late` (it
            came when its place was taken by silence), `stall` (the source sends nothing, and time stands still),
            `clock_jump` (its timestamps leapt by that much, and were set to go on).
        channel: whose; None for all.
        start_s: where.
        duration_s: how much.
        filled: whether silence stands for it, so that what follows keeps its time.
        open: whether it still goes on.
    """

    cause: Cause
    channel: int | None
    start_s: float
    duration_s: float
    filled: bool
    open: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """It is over.

    Attributes:
        reason: why.
        error: what went wrong, for people; empty after a normal end.
        dropped_ms: audio that was lost because nothing could keep up, milliseconds.
        lag_ms: since the last sample came.
        result: the rows, the same as those of a recording of the same samples.
    """

    reason: Reason
    error: str
    dropped_ms: int
    lag_ms: int
    result: FileResult


Event = Start | Window | SpeechEnd | Gap | End


@singledispatch
def event_object(event: Event, *, origin: ModelInfo) -> dict[str, Any]:
    """An event as a JSON object.

    Args:
        event: any.
        origin: of the rows.

    Returns:
        Only dicts, lists, strings, numbers, booleans and None. `result` of an `end` is what `sertag tag --format jsonl`
        prints of the same audio.

    >>> gap = Gap("stall", None, start_s=4, duration_s=2, filled=False, open=True)
    >>> event_object(gap, origin=ModelInfo(("calm",), "m", ""))["duration_ms"]
    2000
    """
    raise TypeError(f"{type(event).__name__} is no event")


@event_object.register
def _(event: Start, *, origin: ModelInfo) -> dict[str, Any]:
    return {
        "event": "start",
        "schema": SCHEMA,
        "path": encode_path(event.path),
        "started": event.started,
        "channels": event.channels,
        "sample_rate": event.sample_rate,
        "window_s": event.window_s,
        "hop_s": event.hop_s,
        "labels": list(origin.labels),
        "model": origin.model,
        "model_sha256": origin.model_sha256,
        "call": event.call,
    }


@event_object.register
def _(event: Window, *, origin: ModelInfo) -> dict[str, Any]:
    channel = ChannelResult(event.channel, Status.OK, event.role, segments=(event.segment,))
    (segment,) = file_object(FileResult("", (channel,)), origin=origin)["channels"][0]["segments"]
    return {
        "event": "window",
        "channel": event.channel,
        "role": event.role,
        **segment,
        "provisional": event.provisional,
        "withdrawn": event.withdrawn,
        "lag_ms": event.lag_ms,
        "dropped_ms": event.dropped_ms,
    }


@event_object.register
def _(event: SpeechEnd, *, origin: ModelInfo) -> dict[str, Any]:
    times = {"start_s": round(event.start_s, 3), "end_s": round(event.end_s, 3), "lag_ms": event.lag_ms}
    return {"event": "speech_end", "channel": event.channel, "role": event.role, **times}


@event_object.register
def _(event: Gap, *, origin: ModelInfo) -> dict[str, Any]:
    return {
        "event": "gap",
        "cause": event.cause,
        "channel": event.channel,
        "start_s": round(event.start_s, 3),
        "duration_ms": round(1000 * event.duration_s),
        "filled": event.filled,
        "open": event.open,
    }


@event_object.register
def _(event: End, *, origin: ModelInfo) -> dict[str, Any]:
    return {
        "event": "end",
        "reason": event.reason,
        "error": event.error or None,
        "dropped_ms": event.dropped_ms,
        "lag_ms": event.lag_ms,
        "result": file_object(event.result, origin=origin),
    }
