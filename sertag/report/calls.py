"""Tables to calls: rows of the same recording together, with their windows in little memory.

First stage of the report: **calls** -> days, playback -> page.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from sertag.analysis.merging import merge, place
from sertag.records import Sentiment, Status
from sertag.tables.readers import ReadRow
from sertag.tables.reading.sources import TableError

TEXTS = ("role", "status", "error_code", "error", "emotion", "sentiment", "trend_label")
NUMBERS = (
    *(
        "duration_s",
        "sample_rate",
        "speech_s",
        "segments",
        "confidence",
        "neg_q1",
        "neg_q2",
        "neg_q3",
        "neg_q4",
        "trend",
    ),
    *("peak_start_s", "peak_score", "talk_pct", "overtalk_s", "silence_s", "longest_silence_s", "loudness_dbfs"),
    *("attention", "arousal", "valence", "interruptions"),
)
UNCERTAIN_CODE, NO_SPEECH_CODE = -1, -2  # of windows without an emotion; others are indices of labels


@dataclass(slots=True)
class Channel:
    """One row of a result table.

    Attributes:
        channel: number, `mix`, or None where the file could not be opened.
        values: of the columns in `TEXTS` and `NUMBERS`.
        probs: of the labels; empty where there are none.
        windows: the scored windows as `_Windows.packed` writes them; empty where no table has them.
    """

    channel: int | str | None
    values: dict[str, str | float | None]
    probs: dict[str, float]
    windows: str = ""

    def text(self, column: str) -> str:
        """A column of `TEXTS`; empty where it is None."""
        return str(self.values[column] or "")

    def number(self, column: str) -> float | None:
        """A column of `NUMBERS`."""
        value = self.values[column]
        return value if isinstance(value, int | float) else None

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
    """

    tables: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    sentiments: dict[str, str] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    merged = merge(
        results,
        segments=segments,
        new=_Windows,
        add=lambda store, row: store.add(row, known.code(row)),
        storage=storage,
    )
    if not merged.with_rows:
        found = ", ".join(merged.names)
        raise TableError(f"{found}: windows alone make no report; name the result table too", code="no_results")
    for row in merged.rows:
        known.code(row)
    # A row of JSON may have a label that no row with probabilities has named.
    labels = list(dict.fromkeys((*merged.labels, *known.codes)))
    order = [labels.index(label) for label in known.codes]
    calls: dict[str, Call] = {}
    models: dict[Model, None] = {}
    for row in merged.rows:
        windows = merged.windows.pop(place(row), None)
        packed = windows.packed(order) if windows else ""
        calls.setdefault(row["path"], Call(row["path"])).channels.append(_channel(row, labels, packed))
        if row["model"]:
            models[Model(row["model"], row["model_sha256"] or "", row["schema"])] = None
    return Calls(merged.names, list(calls.values()), labels, known.sentiments, list(models), merged.remarks)


def _channel(row: ReadRow, labels: Sequence[str], windows: str) -> Channel:
    probs = {label: row[f"p_{label}"] for label in labels if row.get(f"p_{label}") is not None}
    return Channel(row["channel"], {column: row[column] for column in (*TEXTS, *NUMBERS)}, probs, windows)


class _Emotions:
    """The labels that were met, with codes in order of appearance, and their sentiments."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.sentiments: dict[str, str] = {}

    def code(self, row: ReadRow) -> int:
        """The code of the emotion of a row or a window."""
        emotion, sentiment = row["emotion"], row["sentiment"]
        if emotion is None:
            return NO_SPEECH_CODE if row["status"] == Status.NO_SPEECH else UNCERTAIN_CODE
        if sentiment in {one.value for one in Sentiment}:
            self.sentiments[emotion] = sentiment
        return self.codes.setdefault(emotion, len(self.codes))


class _Windows:
    """Windows of one channel in little memory: milliseconds, codes of labels, percentages and decibels."""

    def __init__(self) -> None:
        self._columns = {name: array("q") for name in ("start", "length", "code", "confidence", "speech", "level")}

    def add(self, window: ReadRow, code: int) -> None:
        """Keep a window."""
        start_s, end_s, level = window["start_s"] or 0.0, window["end_s"] or 0.0, window["loudness_dbfs"]
        values = {
            "start": round(1000 * start_s),
            "length": round(1000 * (end_s - start_s)),
            "code": code,
            "confidence": round(100 * (window["confidence"] or 0)),
            "speech": round(100 * (window["speech_ratio"] or 0)),
            "level": round(level) if level is not None else -100,
        }
        for name, value in values.items():
            self._columns[name].append(value)

    def packed(self, order: Sequence[int]) -> str:
        """JSON of the columns, in order of time; text, because a page opens calls one at a time.

        Args:
            order: place of each code among the labels of the page.
        """
        columns = self._columns
        columns["code"] = array("q", [order[code] if code >= 0 else code for code in columns["code"]])
        places = sorted(range(len(columns["start"])), key=columns["start"].__getitem__)
        return json.dumps(
            {name: [column[one] for one in places] for name, column in columns.items()}, separators=(",", ":")
        )
