"""Results to rows: which columns a table has, in which order, and how each number is rounded.

Pure functions; `writers` writes rows to files. The columns are a stable interface: new ones are only appended. So is
the rounding: seconds have 3 decimals, percentages and levels 1, probabilities and values computed from them 4. A value
that does not exist or is not finite is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, Literal

from sertag.records import FAILURES, SCHEMA, ChannelResult, FileResult, Segment
from sertag.spec import ModelSpec
from sertag.spec.dimension import dimension_columns
from sertag.text import encode_path

Kind = Literal["text", "channel", "count", "seconds", "percent", "level", "probability", "dimension"]
Cell = str | int | float | None
Row = tuple[Cell, ...]
_Numbers = tuple[tuple[int, int | None], ...]

DECIMALS = {"seconds": 3, "percent": 1, "level": 1, "probability": 4, "dimension": 4}
_NO_COURSE = (None,) * 5  # the mean and those of the quarters
_SCALES = tuple(10.0**decimals for decimals in range(5))
_NO_TIE, _EXACT = 0.4999, 2.0**20
_QUARTERS, _AROUSAL_QUARTERS, _VALENCE_QUARTERS = (
    tuple(f"{name}_q{number}" for number in range(1, 5)) for name in ("neg", "arousal", "valence")
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; `kind` `channel` is a number or `mix`."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model of the rows.

    Attributes:
        labels: labels of the model, in the order of its output.
        model: name of the model.
        model_sha256: SHA-256 of its file, hexadecimal.
        dimensions: names of its dimensions, in the order of its output.
    """

    labels: tuple[str, ...]
    model: str
    model_sha256: str
    dimensions: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: ModelSpec, *, sha256: str) -> ModelInfo:
        """The model of a specification and of the file with this SHA-256."""
        return cls(spec.labels, spec.name, sha256, tuple(one.name for one in spec.outputs))


@lru_cache(maxsize=8)
def result_columns(labels: tuple[str, ...], dimensions: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """The columns of the result table.

    >>> [column.name for column in result_columns(("calm",))][13:16]
    ['sentiment', 'p_calm', 'frac_calm']
    """
    return (
        *_columns("text", "path"),
        *_columns("channel", "channel"),
        *_columns("text", "role", "status", "error_code", "error"),
        *_columns("seconds", "duration_s"),
        *_columns("count", "sample_rate"),
        *_columns("seconds", "speech_s"),
        *_columns("count", "segments"),
        *_columns("text", "emotion"),
        *_columns("probability", "confidence", "margin"),
        *_columns("text", "sentiment"),
        *_columns("probability", *(f"p_{label}" for label in labels), *(f"frac_{label}" for label in labels)),
        *_columns("probability", *_QUARTERS, "trend"),
        *_columns("text", "trend_label"),
        *_columns("seconds", "peak_start_s"),
        *_columns("probability", "peak_score"),
        *_columns("percent", "talk_pct"),
        *_columns("seconds", "overtalk_s", "silence_s", "longest_silence_s"),
        *_columns("level", "loudness_dbfs"),
        *_columns("percent", "clipped_pct"),
        *_columns("text", "model", "model_sha256"),
        *_columns("count", "schema"),
        *_columns("probability", "attention", "arousal", "valence", *_AROUSAL_QUARTERS, *_VALENCE_QUARTERS),
        *_columns("count", "interruptions"),
        *_columns("dimension", *(column for name in dimensions for column in dimension_columns(name))),
    )


@lru_cache(maxsize=8)
def segment_columns(labels: tuple[str, ...], dimensions: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """The columns of the table of scored windows.

    >>> [column.name for column in segment_columns(("calm",))][-5:]
    ['p_calm', 'speech_ratio', 'loudness_dbfs', 'arousal', 'valence']
    """
    return (
        *_columns("text", "path"),
        *_columns("channel", "channel"),
        *_columns("text", "role"),
        *_columns("count", "segment"),
        *_columns("seconds", "start_s", "end_s"),
        *_columns("text", "status", "emotion"),
        *_columns("probability", "confidence"),
        *_columns("text", "sentiment"),
        *_columns("probability", *(f"p_{label}" for label in labels), "speech_ratio"),
        *_columns("level", "loudness_dbfs"),
        *_columns("probability", "arousal", "valence"),
        *_columns("dimension", *(f"d_{name}" for name in dimensions)),
    )


def result_rows(result: FileResult, *, origin: ModelInfo) -> Iterator[Row]:
    """The rows of one file, one per channel, rounded, in the order of `result_columns`."""
    numbers, path = _result_numbers(origin.labels, origin.dimensions), encode_path(result.path)
    for channel in result.channels:
        yield _rounded(_result_cells(path, channel, origin), numbers)


def segment_rows(result: FileResult, *, origin: ModelInfo) -> Iterator[Row]:
    """The scored windows of one file, rounded, in the order of `segment_columns`."""
    numbers, path = _segment_numbers(origin.labels, origin.dimensions), encode_path(result.path)
    for channel in result.channels:
        for segment in channel.segments:
            yield _rounded([path, channel.channel, channel.role, *_segment_cells(segment, origin)], numbers)


def file_object(result: FileResult, *, origin: ModelInfo) -> dict[str, Any]:
    """One file as an object for JSON: the same values as its rows; probabilities, dimensions and windows are nested."""
    return {
        "schema": SCHEMA,
        "path": encode_path(result.path),
        "status": result.status.value,
        "model": origin.model,
        "model_sha256": origin.model_sha256,
        "channels": [_channel_object(result, index, origin) for index in range(len(result.channels))],
    }


def rounded(value: float | None, kind: Kind) -> float | None:
    """A number with the decimals of its kind; None where it is None or not finite.

    >>> rounded(-0.00001, "probability"), rounded(1.23456, "seconds"), rounded(float("-inf"), "level")
    (0.0, 1.235, None)
    """
    return None if value is None else _with_decimals(value, DECIMALS[kind])


def _columns(kind: Kind, *names: str) -> Iterator[Column]:
    return (Column(name, kind) for name in names)


@lru_cache(maxsize=8)
def _result_numbers(labels: tuple[str, ...], dimensions: tuple[str, ...]) -> _Numbers:
    return _numbers(result_columns(labels, dimensions))


@lru_cache(maxsize=8)
def _segment_numbers(labels: tuple[str, ...], dimensions: tuple[str, ...]) -> _Numbers:
    return _numbers(segment_columns(labels, dimensions))


def _numbers(columns: tuple[Column, ...]) -> _Numbers:
    """The places of columns of numbers, with their decimals; None for counts."""
    kinds = ((place, column.kind) for place, column in enumerate(columns))
    return tuple((place, DECIMALS.get(kind)) for place, kind in kinds if kind in DECIMALS or kind == "count")


def _rounded(cells: list[Any], numbers: _Numbers) -> Row:
    for place, decimals in numbers:
        cell = cells[place]
        if cell is not None:
            # int: numpy's integers are no JSON
            cells[place] = int(cell) if decimals is None else _with_decimals(cell, decimals)
    return tuple(cells)


def _with_decimals(value: float, decimals: int) -> float | None:
    """`round(value, decimals)`, which takes three times as long where no digit is in doubt; None if not finite."""
    value, scale = float(value), _SCALES[decimals]  # not numpy's, whose products may have half the digits
    if -_EXACT < value < _EXACT:
        scaled = value * scale
        whole = round(scaled)
        if -_NO_TIE < scaled - whole < _NO_TIE:  # the product is off by a millionth at most
            return whole / scale  # the double that is nearest to the decimal number, and never -0.0
    return round(value, decimals) + 0.0 if isfinite(value) else None  # adding zero turns -0.0 into 0.0


def _result_cells(path: str, channel: ChannelResult, origin: ModelInfo) -> list[Any]:
    nothing = (None,) * len(origin.labels)
    problem = channel.problem
    return [
        path,
        channel.channel,
        channel.role,
        channel.status.value,
        problem.code if problem else None,
        problem.message if problem else None,
        channel.duration_s,
        channel.sample_rate,
        channel.speech_s,
        None if channel.status in FAILURES else len(channel.segments),
        channel.emotion,
        channel.confidence,
        channel.margin,
        channel.sentiment.value if channel.sentiment else None,
        *(channel.probs or nothing),
        *(channel.fracs or nothing),
        *channel.quarters,
        channel.trend,
        channel.trend_label.value if channel.trend_label else None,
        channel.peak_start_s,
        channel.peak_score,
        channel.talk_pct,
        channel.overtalk_s,
        channel.silence_s,
        channel.longest_silence_s,
        channel.loudness_dbfs,
        channel.clipped_pct,
        origin.model,
        origin.model_sha256,
        SCHEMA,
        channel.attention,
        channel.arousal,
        channel.valence,
        *channel.arousal_quarters,
        *channel.valence_quarters,
        channel.interruptions,
        *(value for course in channel.dimensions or (_NO_COURSE,) * len(origin.dimensions) for value in course),
    ]


def _segment_cells(segment: Segment, origin: ModelInfo) -> tuple[Any, ...]:
    return (
        segment.index,
        segment.start_s,
        segment.end_s,
        segment.status.value,
        segment.emotion,
        segment.confidence,
        segment.sentiment.value if segment.sentiment else None,
        *(segment.probs or (None,) * len(origin.labels)),
        segment.speech_ratio,
        segment.loudness_dbfs,
        segment.arousal,
        segment.valence,
        *(segment.dimensions or (None,) * len(origin.dimensions)),
    )


def _channel_object(result: FileResult, index: int, origin: ModelInfo) -> dict[str, Any]:
    one = FileResult(result.path, (result.channels[index],))
    flat = _named(result_columns(origin.labels, origin.dimensions), next(result_rows(one, origin=origin)))
    columns = segment_columns(origin.labels, origin.dimensions)
    segments = [_named(columns, row) for row in segment_rows(one, origin=origin)]
    for segment in segments:
        segment["probs"] = _nested(segment, "p_", origin)
        if origin.dimensions:
            segment["dimensions"] = {name: segment.pop(f"d_{name}") for name in origin.dimensions}
    nested: dict[str, Any] = {
        "probs": _nested(flat, "p_", origin),
        "fracs": _nested(flat, "frac_", origin),
        "quarters": [flat.pop(name) for name in _QUARTERS],
        "arousal_quarters": [flat.pop(name) for name in _AROUSAL_QUARTERS],
        "valence_quarters": [flat.pop(name) for name in _VALENCE_QUARTERS],
        "segments": [_without(segment, "path", "channel", "role") for segment in segments],
    }
    if origin.dimensions:
        courses = {name: [flat.pop(column) for column in dimension_columns(name)] for name in origin.dimensions}
        nested["dimensions"] = {name: course[0] for name, course in courses.items()}
        nested["dimension_quarters"] = {name: course[1:] for name, course in courses.items()}
    return _without(flat, "path", "model", "model_sha256", "schema") | nested


def _named(columns: tuple[Column, ...], row: Row) -> dict[str, Any]:
    return {column.name: cell for column, cell in zip(columns, row, strict=True)}


def _nested(flat: dict[str, Any], prefix: str, origin: ModelInfo) -> dict[str, Any] | None:
    """Remove the columns with a prefix from `flat` and return them nested; None if all of them are empty."""
    values = {label: flat.pop(prefix + label) for label in origin.labels}
    return None if None in values.values() or not values else values


def _without(flat: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in flat.items() if name not in names}
