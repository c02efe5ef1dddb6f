"""Tables to calls: merges the rows of any number of tables by recording.

First stage of the report: **calls** -> days, playback -> page. If several tables contain a recording, as those of
several runs may, the rows of the last table are used.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sertag.records import Sentiment, Status
from sertag.tables.readers import ReadRow, ReadTable, TableError, open_results
from sertag.text import display_name, plural

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


def load(results: Sequence[str], *, segments: Sequence[str] = ()) -> Calls:
    """Read all tables.

    Args:
        results: tables of results or of windows, in any order; `-` is standard input.
        segments: tables of windows.

    Raises:
        TableError: a table cannot be read, `segments` has one of results, or there are only windows.
    """
    loaded = _Loading()
    for path in (*results, *segments):
        with open_results(path) as table:
            if table.kind == "segments":
                loaded.add_windows(table)
            elif path in segments:
                message = f"{table.name}: is a table of results, expected one of windows; name it without --segments"
                raise TableError(message, code="no_segments")
            else:
                loaded.add_results(table)
            loaded.calls.notes += table.warnings
    return loaded.finished()


class _Loading:
    def __init__(self) -> None:
        self.calls = Calls()
        self._by_path: dict[str, Call] = {}
        self._windows: dict[tuple[str, int | str | None], _Windows] = {}
        self._models: dict[Model, None] = {}
        self._repeated = 0
        self._results = 0

    def add_results(self, table: ReadTable) -> None:
        """Rows of a table; a recording that an earlier one has too is replaced whole."""
        self._results += 1
        self._begin(table)
        fresh: dict[str, Call] = {}
        for row in table.rows:
            path = str(row["path"])
            call = fresh.setdefault(path, Call(path))
            call.channels = [known for known in call.channels if known.channel != row["channel"]]
            call.channels.append(self._channel(row, table.labels))
        self._repeated += len(fresh.keys() & self._by_path.keys())
        self._by_path.update(fresh)

    def add_windows(self, table: ReadTable) -> None:
        """Windows, whose rows may come before or after."""
        self._begin(table)
        fresh: dict[tuple[str, int | str | None], _Windows] = {}
        for row in table.rows:
            place = str(row["path"]), row["channel"]
            fresh.setdefault(place, _Windows()).add(row, self._code(row))
        self._windows.update(fresh)

    def finished(self) -> Calls:
        """All of it, with the windows where they belong."""
        calls = self.calls
        if not self._results:
            found = ", ".join(calls.tables)
            raise TableError(f"{found}: windows alone make no report; name the result table too", code="no_results")
        calls.calls, calls.models = list(self._by_path.values()), list(self._models)
        for call in calls.calls:
            for channel in call.channels:
                windows = self._windows.pop((call.path, channel.channel), None)
                channel.windows = windows.packed() if windows else channel.windows
        if self._repeated:
            what = plural(self._repeated, "recording")
            calls.notes.append(f"{what} in more than one table; the rows of the table that was named last are shown")
        if self._windows:
            what = plural(len(self._windows), "channel")
            calls.notes.append(f"windows of {what} belong to no row and are left out; are the tables of the same run?")
        return calls

    def _begin(self, table: ReadTable) -> None:
        self.calls.tables.append(table.name)
        self.calls.labels += [label for label in table.labels if label not in self.calls.labels]

    def _channel(self, row: ReadRow, labels: Iterable[str]) -> Channel:
        if row.get("model"):
            self._models[Model(str(row["model"]), str(row.get("model_sha256") or ""), row.get("schema"))] = None
        self._learn_sentiment(row)
        probs = {label: row[f"p_{label}"] for label in labels if row.get(f"p_{label}") is not None}
        channel = Channel(row["channel"], {column: row.get(column) for column in (*TEXTS, *NUMBERS)}, probs)
        windows = _Windows()
        for window in row.get("windows", ()):
            windows.add(window, self._code(window))
        channel.windows = windows.packed()
        return channel

    def _code(self, window: ReadRow) -> int:
        self._learn_sentiment(window)
        emotion = window.get("emotion")
        if emotion is None:
            return NO_SPEECH_CODE if window.get("status") == Status.NO_SPEECH else UNCERTAIN_CODE
        if emotion not in self.calls.labels:  # a row of JSON whose labels nobody has named yet
            self.calls.labels.append(emotion)
        return self.calls.labels.index(emotion)

    def _learn_sentiment(self, row: ReadRow) -> None:
        emotion, sentiment = row.get("emotion"), row.get("sentiment")
        if emotion and sentiment in {known.value for known in Sentiment}:
            self.calls.sentiments[emotion] = str(sentiment)


class _Windows:
    """Windows of one channel in little memory: milliseconds, codes of labels, percentages and decibels."""

    def __init__(self) -> None:
        self._columns = {name: array("q") for name in ("start", "length", "code", "confidence", "speech", "level")}

    def add(self, window: ReadRow, code: int) -> None:
        start_s, end_s = window["start_s"] or 0.0, window["end_s"] or 0.0
        level = window.get("loudness_dbfs")
        values = {
            "start": round(1000 * start_s),
            "length": round(1000 * (end_s - start_s)),
            "code": code,
            "confidence": round(100 * (window.get("confidence") or 0)),
            "speech": round(100 * (window.get("speech_ratio") or 0)),
            "level": round(level) if level is not None else -100,
        }
        for name, value in values.items():
            self._columns[name].append(value)

    def packed(self) -> str:
        """JSON of the columns, in order of time; text, because a page opens calls one at a time. Empty for none."""
        starts = self._columns["start"]
        if not starts:
            return ""
        order = sorted(range(len(starts)), key=starts.__getitem__)
        columns = {name: [column[index] for index in order] for name, column in self._columns.items()}
        return json.dumps(columns, separators=(",", ":"))


def name_of(call: Call) -> str:
    """The path as it can be shown."""
    return display_name(call.path)
