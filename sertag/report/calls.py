"""Tables to calls: rows of the same recording together, with their windows in little memory.

First stage of the report: **calls** -> days, playback -> page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean

from sertag.analysis.merging import merge, place
from sertag.records import Sentiment, Status
from sertag.report.windows import Windows
from sertag.spec.dimension import dimension_columns
from sertag.tables.readers import ReadRow
from sertag.tables.reading.sources import TableError

TEXTS = ("role", "status", "error_code", "error", "emotion", "sentiment", "trend_label")
QUARTERS = ("neg_q1", "neg_q2", "neg_q3", "neg_q4")
NUMBERS = (
    *("duration_s", "sample_rate", "segments", "confidence", "trend"),
    *("peak_start_s", "peak_score", "talk_pct", "overtalk_s", "silence_s", "longest_silence_s", "loudness_dbfs"),
    *("attention", "interruptions"),
)
_STATUS_CODES = {status.value: -1 - place for place, status in enumerate(Status)}


@dataclass(slots=True)
class Channel:
    """One row of a result table.

    Attributes:
        channel: number, `mix`, or None where the file could not be opened.
        values: of the columns in `TEXTS`, `NUMBERS` and `QUARTERS`, and of those of dimensions.
        probs: of the labels; empty where there are none.
        windows: the scored windows as `Windows.packed` writes them; empty where no table has them.
    """

    channel: int | str | None
    values: dict[str, str | float | None]
    probs: dict[str, float]
    windows: str = ""

    def text(self, column: str) -> str:
        """A column of `TEXTS`; empty where it is None."""
        return str(self.values[column] or "")

    def number(self, column: str) -> float | None:
        """A column of `NUMBERS` or of a dimension."""
        value = self.values[column]
        return value if isinstance(value, int | float) else None

    @property
    def who(self) -> str:
        """The channel as people call it; empty for a file that could not be opened."""
        if self.channel is None:
            return ""
        return self.text("role") or (f"channel {self.channel}" if self.channel != "mix" else "all channels mixed")

    @property
    def urgency(self) -> float | None:
        """By what calls are sorted: `attention`; tables of schema 1 have only the score of the peak."""
        attention = self.number("attention")
        return self.number("peak_score") if attention is None else attention


@dataclass(slots=True)
class Call:
    """One recording.

    Attributes:
        path: as in the table, see `text.encode_path`.
        channels: its rows, in order.
    """

    path: str
    channels: list[Channel] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        """Of the longest channel; 0 where nothing could be read."""
        return max((channel.number("duration_s") or 0.0 for channel in self.channels), default=0.0)

    @property
    def worst(self) -> Channel | None:
        """The channel to listen to first; None where none has an emotion to speak of."""
        rated = [channel for channel in self.channels if channel.urgency is not None]
        return max(rated, key=lambda channel: channel.urgency or 0.0, default=None)


@dataclass(frozen=True, slots=True)
class Model:
    """What made rows, as the tables say."""

    name: str
    sha256: str
    schema: int | None


@dataclass(frozen=True, slots=True)
class Range:
    """How far the values of a dimension go in the tables, which do not hold its scale.

    Attributes:
        name: of the dimension, without `d_`.
        least, most: of all rows and windows, in its own unit; `most` is larger.
    """

    name: str
    least: float
    most: float

    @property
    def column(self) -> str:
        """Column of the mean of a channel."""
        return f"d_{self.name}"

    def share(self, value: float) -> float:
        """Where a value lies between `least` (0) and `most` (1)."""
        return (value - self.least) / (self.most - self.least)


@dataclass(slots=True)
class Calls:
    """The merged content of all tables.

    Attributes:
        tables: their names.
        calls: in the order of the tables.
        labels: of all models, in the order of the columns.
        sentiments: of the labels that were found with one.
        models: of the rows, in order of appearance.
        notes: what was wrong with the tables.
        dimensions: numbers that the models estimate beside labels or instead of them.
    """

    tables: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    sentiments: dict[str, str] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dimensions: list[Range] = field(default_factory=list)

    @property
    def channels(self) -> list[Channel]:
        """All rows."""
        return [channel for call in self.calls for channel in call.channels]

    @property
    def without_labels(self) -> bool:
        """Whether the models name no emotions: then a row without one may be `ok`."""
        return bool(self.dimensions) and not self.labels


def load(results: Sequence[str], *, segments: Sequence[str] = (), storage: str = "") -> Calls:
    """Read all tables; what counts of several is said in `analysis.merging`.

    Args:
        results: tables of results or of windows, in order of time; `-` is standard input.
        segments: tables of windows.
        storage: settings for URLs, from `remote.options`.

    Raises:
        TableError: a table cannot be read, `segments` has one of results, or there are only windows.
    """
    known = _Emotions()
    merged = merge(results, segments=segments, new=Windows, add=partial(_add, known), storage=storage)
    if not merged.with_rows:
        found = ", ".join(merged.names)
        raise TableError(f"{found}: windows alone make no report; name the result table too", code="no_results")
    for row in merged.rows:
        known.code(row)
    # A row of JSON may have a label that no row with probabilities has named.
    labels = list(dict.fromkeys((*merged.labels, *known.codes)))
    order = [labels.index(label) for label in known.codes]
    dimensions = [_range(name, merged.rows, merged.windows.values()) for name in merged.dimensions]
    columns = (
        *TEXTS,
        *NUMBERS,
        *QUARTERS,
        *(column for name in merged.dimensions for column in dimension_columns(name)),
    )
    calls: dict[str, Call] = {}
    models: dict[Model, None] = {}
    for row in merged.rows:
        windows = merged.windows.pop(place(row), None)
        packed = windows.packed(order, merged.dimensions) if windows else ""
        probs = {label: row[f"p_{label}"] for label in labels if row.get(f"p_{label}") is not None}
        values = {column: row.get(column) for column in columns}
        calls.setdefault(row["path"], Call(row["path"])).channels.append(Channel(row["channel"], values, probs, packed))
        if row["model"]:
            models[Model(row["model"], row["model_sha256"] or "", row["schema"])] = None
    all_calls, all_models = list(calls.values()), list(models)
    return Calls(merged.names, all_calls, labels, known.sentiments, all_models, merged.remarks, dimensions)


def status_code(status: str) -> int:
    """What stands for a row or window without an emotion where those with one have the index of their label."""
    return _STATUS_CODES.get(status, _STATUS_CODES[Status.FAILED])


def mean(channels: Iterable[Channel], column: str) -> float | None:
    """Of the channels that have a value; each counts once, however long it is."""
    values = [value for channel in channels if (value := channel.number(column)) is not None]
    return fmean(values) if values else None


def role_name(role: str, roles: Sequence[str]) -> str:
    """What a role is called beside the others; channels may have none."""
    return role or ("no role" if len(roles) > 1 else "all channels")


def _range(name: str, rows: Iterable[ReadRow], windows: Iterable[Windows]) -> Range:
    means = [value for row in rows if isinstance(value := row.get(f"d_{name}"), float)]
    values = [*means, *(value for one in windows for value in one.ends(name))]
    least, most = min(values, default=0.0), max(values, default=1.0)
    return Range(name, least, most if most > least else least + 1.0)


def _add(known: _Emotions, store: Windows, row: ReadRow) -> None:
    store.add(row, known.code(row))


class _Emotions:
    """The labels that were met, with codes in order of appearance, and their sentiments."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.sentiments: dict[str, str] = {}

    def code(self, row: ReadRow) -> int:
        """The code of the emotion of a row or a window."""
        emotion, sentiment = row["emotion"], row["sentiment"]
        if emotion is None:
            return status_code(row["status"])
        if sentiment in {one.value for one in Sentiment}:
            self.sentiments[emotion] = sentiment
        return self.codes.setdefault(emotion, len(self.codes))
