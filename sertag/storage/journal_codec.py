"""Results of a file to JSON and back without any loss, for the journal.

Floats are written by `repr`, which reads back as the same bits. The windows of a channel, which make up most of a long
recording, are one compressed string: their numbers as float64, little-endian, then their text as JSON. It is unpacked
only for a table of windows. That takes a third of the time and half of the space of text.
"""

from __future__ import annotations

import base64
import json
import math
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from enum import Enum
from operator import attrgetter
from typing import Any, cast, overload

from sertag.records import ChannelResult, Problem, Segment, Sentiment, Status, Trend

# Dimensions stand behind the other fields, and only where a model has some: so journals of others stay as they are.
_DIMENSIONS = "dimensions"
CHANNEL_FIELDS = tuple(field.name for field in fields(ChannelResult) if field.name != _DIMENSIONS)
SEGMENT_FIELDS = tuple(field.name for field in fields(Segment) if field.name != _DIMENSIONS)

_WORDS = ("index", "status", "emotion", "sentiment")
_TIMES = ("start_s", "end_s", "speech_ratio", "loudness_dbfs")
_ANSWERS = ("confidence", "arousal", "valence")  # then `probs` and dimensions; what a window lacks is NaN
_LEVEL = 1  # of zlib; higher levels take several times as long and save a few per cent


def dumps(channels: Sequence[ChannelResult]) -> str:
    """The channels of a file as one line of ASCII JSON.

    >>> dumps([ChannelResult(channel=0, status=Status.NO_SPEECH, duration_s=0.1)])[:37]
    '[[0,"no_speech","",null,0.1,null,null'
    """
    return _json([_channel_cells(channel) for channel in channels])


def loads(text: str) -> tuple[ChannelResult, ...]:
    """The channels of a file, equal to those given to `dumps`.

    Args:
        text: JSON text of `dumps`.

    >>> channels = (ChannelResult(channel=0, status=Status.NO_SPEECH, duration_s=0.1),)
    >>> loads(dumps(channels)) == channels
    True
    """
    cells, _ = _parse(text)
    return tuple(map(_channel, cells))


class StoredSegments(Sequence[Segment]):
    """The windows of a channel, unpacked when they are accessed; their number is known without."""

    def __init__(self, count: int, width: int, packed: str, dimensions: int = 0) -> None:
        """Take the values that `dumps` wrote: windows, numbers per window, the packed windows, dimensions of each."""
        self._count, self._width, self._packed, self._dimensions = count, width, packed, dimensions

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Segment]: ...
    def __getitem__(self, index: int | slice) -> Segment | Sequence[Segment]:
        return tuple(self)[index]

    def __iter__(self) -> Iterator[Segment]:
        data = zlib.decompress(base64.b64decode(self._packed))
        numbers = array("d")
        end = self._count * self._width * numbers.itemsize
        numbers.frombytes(data[:end])
        words = json.loads(data[end:])
        rows = zip(*[iter(_little_endian(numbers))] * self._width, strict=True)
        return (_segment(*pair, self._dimensions) for pair in zip(words, rows, strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


def _channel_cells(channel: ChannelResult) -> list[Any]:
    cells = [getattr(channel, name) for name in CHANNEL_FIELDS]
    cells[_SEGMENTS] = _packed(channel.segments)
    return [*cells, channel.dimensions] if channel.dimensions else cells


def _channel(cells: list[Any]) -> ChannelResult:
    for place, restore in _RESTORERS:
        if cells[place] is not None:
            cells[place] = restore(cells[place])
    if len(cells) > len(CHANNEL_FIELDS):
        cells[-1] = tuple(map(tuple, cells[-1]))  # dimensions
    return ChannelResult(*cells)


def _packed(segments: Sequence[Segment]) -> list[Any]:
    if not segments:
        return []
    width = max(len(segment.probs) for segment in segments)  # each window has one probability per label, or none
    dimensions = max(len(segment.dimensions) for segment in segments)
    width += len(_ANSWERS) + dimensions
    numbers = array("d")
    for segment in segments:
        numbers.extend(_times(segment))
        answers = (*map(_number, _answers(segment)), *segment.probs, *segment.dimensions)
        numbers.extend(answers if segment.probs or segment.dimensions else [math.nan] * width)
    words = _json([_words(segment) for segment in segments])
    packed = zlib.compress(_little_endian(numbers).tobytes() + words.encode("ascii"), _LEVEL)
    stored = [len(segments), len(_TIMES) + width, base64.b64encode(packed).decode("ascii")]
    return [*stored, dimensions] if dimensions else stored


def _little_endian(numbers: array[float]) -> array[float]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _segments(cells: list[Any]) -> tuple[Segment, ...]:
    # Callers only count windows or read them in order, which StoredSegments supports like a tuple.
    return cast("tuple[Segment, ...]", StoredSegments(*cells)) if cells else ()


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _segment(words: list[Any], numbers: tuple[float, ...], dimensions: int) -> Segment:
    index, status, emotion, sentiment = words
    start_s, end_s, speech_ratio, loudness_dbfs, *answers = numbers
    is_speech = status != Status.NO_SPEECH
    confidence, arousal, valence = (None if math.isnan(value) else value for value in answers[: len(_ANSWERS)])
    behind = len(answers) - dimensions
    return Segment(
        index=index,
        start_s=start_s,
        end_s=end_s,
        status=Status(status),
        emotion=emotion,
        confidence=confidence,
        sentiment=None if sentiment is None else Sentiment(sentiment),
        probs=tuple(answers[len(_ANSWERS) : behind]) if is_speech else (),
        speech_ratio=speech_ratio,
        loudness_dbfs=loudness_dbfs,
        arousal=arousal,
        valence=valence,
        dimensions=tuple(answers[behind:]) if is_speech else (),
    )


def _plain(value: Any) -> Any:
    """Values that `json` cannot write: a problem, and numpy scalars."""
    return [value.code, value.message] if isinstance(value, Problem) else value.item()


def _problem(cells: list[str]) -> Problem:
    return Problem(*cells)


def _members(kind: type[Enum]) -> Callable[[str], Any]:
    """What `kind` does with the value of a member, in a third of the time."""
    return {member.value: member for member in kind}.__getitem__


_json = json.JSONEncoder(separators=(",", ":"), default=_plain).encode
_parse = json.JSONDecoder().raw_decode  # text without spaces around it, which `json.loads` looks for
_words, _times, _answers = attrgetter(*_WORDS), attrgetter(*_TIMES), attrgetter(*_ANSWERS)
_SEGMENTS = CHANNEL_FIELDS.index("segments")
_RESTORE: dict[str, Callable[[Any], Any]] = {
    "status": _members(Status),
    "problem": _problem,
    "segments": _segments,
    "sentiment": _members(Sentiment),
    "probs": tuple,
    "fracs": tuple,
    "quarters": tuple,
    "arousal_quarters": tuple,
    "valence_quarters": tuple,
    "trend_label": _members(Trend),
}
_RESTORERS = [(CHANNEL_FIELDS.index(name), restore) for name, restore in _RESTORE.items()]
