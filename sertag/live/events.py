"""Events of live audio, as records and as the JSON objects that `sertag listen` prints.

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
        path: path of the rows.
        channels: number of channels.
        sample_rate: Hz.
        window_s, hop_s: length of a window and step between windows.
        started: wall clock, UTC, ISO 8601.
        call: information about the call from the source, such as its UUID; may be empty.
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
    """The result of one window of a channel.

    Attributes:
        channel, role: channel and role of the window.
        segment: as in a row, except that `index` counts the windows of this channel in the order of events.
        provisional: whether later audio can change the result; False for final results.
        withdrawn: an earlier event had this window, but in the whole recording it has no speech.
        lag_ms: time since the last sample of the window arrived; for final windows, since the last sample of their
            chunk or of all.
        dropped_ms: audio lost so far because processing could not keep up, milliseconds.
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
    """The end of a turn; a pause shorter than `talk.PAUSE_S` does not end it."""

    channel: Channel
    role: str
    start_s: float
    end_s: float
    lag_ms: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing audio.

    Attributes:
        cause: `overflow` (lost here, because processing could not keep up), `missing` (not sent by the source), `late`
            (it arrived after it had been replaced by silence), `stall` (the source sends nothing, and the time of the
            audio does not advance), `clock_jump` (its timestamps jumped by that much, and were corrected).
        channel: the channel; None for all.
        start_s: start of the gap.
        duration_s: its duration.
        filled: whether silence replaces it, so that later times are not shifted.
        open: whether the gap has not ended yet.
    """

    cause: Cause
    channel: int | None
    start_s: float
    duration_s: float
    filled: bool
    open: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The last event.

    Attributes:
        reason: why the audio ended.
        error: message of an error; empty after a normal end.
        dropped_ms: audio lost because processing could not keep up, milliseconds.
        lag_ms: time since the last sample arrived.
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
        **({"dimensions": list(origin.dimensions)} if origin.dimensions else {}),
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
