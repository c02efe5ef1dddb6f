"""Reads verdicts of listeners, from the page of the report or written by hand, and matches them with windows and rows.

A verdict is a line of CSV with `path`, `channel`, `start_s` (empty for the whole channel), and either `verdict`,
`right` or `wrong` about the displayed `label`, or only `label`, the emotion that the listener heard. In `sample` the
report writes the random sample that the verdict belongs to, as in `seed=1&role=customer&place=12`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sertag.analysis.loading import WINDOWS_HINT, Loaded, lacks_windows, windows_of
from sertag.analysis.merging import place
from sertag.errors import SertagError
from sertag.tables.delimited import read_cells
from sertag.tables.readers import ReadRow
from sertag.tables.reading.sources import name_of
from sertag.text import display_name, display_text

_COLUMNS = ("path", "channel", "start_s")
_WORDS: Mapping[str, bool] = {
    **dict.fromkeys(("right", "y", "yes", "true", "1", "correct"), True),
    **dict.fromkeys(("wrong", "n", "no", "false", "0", "incorrect"), False),
}
_SKIPPED = frozenset(("", "skip", "skipped", "?"))
_SAME_S = 0.005  # tables have three decimals


class VerdictError(SertagError):
    """A file of verdicts cannot be used."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The place of a verdict in a random sample.

    Attributes:
        population: the filters of the page from which the sample was drawn, as text; empty for everything.
        seed: seed of the draw.
        place: place in the order of the draw, from 1.
    """

    population: str
    seed: str
    place: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of a listener.

    Attributes:
        path: path of the recording, as in the tables.
        channel: channel as text; empty if the recording has only one.
        start_s: start of the window; None for the whole channel.
        right: whether the displayed label is right; None if the listener named a label.
        label: the displayed label, or the one that the listener named; None if there is none.
        sample: the sample it belongs to; None if the listener chose what to judge.
    """

    path: str
    channel: str
    start_s: float | None
    right: bool | None
    label: str | None
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A window or a row with an emotion, and the verdict on it.

    Attributes:
        call: path of the recording.
        emotion: emotion of sertag.
        confidence: its confidence.
        truth: the emotion that the listener heard; None if it is only known to be another one.
        sample: the sample it was drawn for; None if a listener chose it.
    """

    call: str
    emotion: str
    confidence: float
    truth: str | None
    sample: Sample | None = None

    @property
    def right(self) -> bool:
        """Whether the emotion is the one that the listener heard."""
        return self.truth == self.emotion


@dataclass(slots=True)
class Matched:
    """Verdicts matched with the tables.

    Attributes:
        windows: judged windows.
        rows: judged rows.
        missing: verdicts on windows and rows that no table contains.
        skipped: number of verdicts without a judgement.
        silent: verdicts on windows and rows without an emotion.
        stale: verdicts on a label that the tables no longer have.
        disputed: windows and rows with contradicting verdicts.
    """

    windows: list[Judged] = field(default_factory=list)
    rows: list[Judged] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: int = 0
    silent: int = 0
    stale: int = 0
    disputed: int = 0


def read_verdicts(path: str, *, storage: str = "") -> tuple[list[Verdict], int]:
    """Read a file of verdicts.

    Args:
        path: path of a CSV file with a header; separated by comma, semicolon or tab.
        storage: settings for URLs, from `remote.options`.

    Returns:
        The verdicts, and the number of lines that the listener skipped.

    Raises:
        TableError: the file cannot be read.
        VerdictError: the file has no verdicts, or a line is not valid.
    """
    name = name_of(path)
    expected = "the CSV file that the report saves, with path, channel, start_s and a verdict"
    lines = read_cells(path, expected=expected, storage=storage)
    header = [column.strip().lower() for column in lines[0][1]] if lines else []
    _check_header(name, header)
    found = [_verdict(f"{name}: line {number}", header, cells) for number, cells in lines[1:]]
    said = [verdict for verdict in found if verdict is not None]
    return said, len(found) - len(said)


def match(verdicts: Sequence[Verdict], loaded: Loaded) -> Matched:
    """Match verdicts with windows and rows.

    Args:
        verdicts: verdicts of one or several listeners.
        loaded: the tables; gets a remark if there are verdicts on windows but no windows.
    """
    if lacks_windows(loaded) and any(verdict.start_s is not None for verdict in verdicts):
        loaded.remarks.append(f"{loaded.name}: has no windows for the verdicts on windows; {WINDOWS_HINT}")
    matched = Matched()
    rows: dict[tuple[str, str], ReadRow] = {(row["path"], _text(row["channel"])): row for row in loaded.rows}
    windows = {(path, _text(channel)): own for (path, channel), own in windows_of(loaded).items()}
    only = _only_channels([*map(place, loaded.rows), *windows])
    about: dict[tuple[Any, ...], tuple[ReadRow, list[Verdict]]] = {}
    for verdict in verdicts:
        channel = verdict.channel or only.get(verdict.path, "")
        key = (verdict.path, channel)
        row = rows.get(key) if verdict.start_s is None else _at(windows.get(key, ()), verdict.start_s)
        if row is None:
            matched.missing.append(_place(verdict))
            continue
        start_s = None if verdict.start_s is None else row["start_s"]
        about.setdefault((*key, start_s), (row, []))[1].append(verdict)
    for (*_, start_s), (row, own) in about.items():
        _judge(matched, matched.rows if start_s is None else matched.windows, row, own)
    return matched


def _check_header(name: str, header: Sequence[str]) -> None:
    missing = [column for column in _COLUMNS if column not in header]
    if missing or not {"verdict", "label"} & set(header):
        found = ", ".join(header[:8]) or "nothing"
        message = (
            f"{name}: its columns are {display_text(found)}; expected path, channel, start_s, and verdict or label"
        )
        raise VerdictError(message, code="no_verdicts")


def _verdict(where: str, header: Sequence[str], line: Sequence[str]) -> Verdict | None:
    """The verdict of a line; None if the listener skipped it."""
    if len(line) != len(header):
        message = f"{where} has {len(line)} cells, the header has {len(header)}; mend that line"
        raise VerdictError(message, code="bad_verdict")
    cells = dict(zip(header, (cell.strip() for cell in line), strict=True))
    word, label = cells.get("verdict", "").lower(), cells.get("label", "")
    if word in _SKIPPED and (word or not label):
        return None
    if word and word not in _WORDS:
        message = f"{where} has the verdict {display_text(word)!r}; expected right, wrong or skip"
        raise VerdictError(message, code="bad_verdict")
    try:
        start_s = float(cells["start_s"].replace(",", ".")) if cells["start_s"] else None
    except ValueError as error:
        message = (
            f"{where} has start_s {display_text(cells['start_s'])!r}; expected seconds, or nothing for a whole call"
        )
        raise VerdictError(message, code="bad_verdict") from error
    sample = _sample(where, cells.get("sample", ""))
    return Verdict(line[header.index("path")], cells["channel"], start_s, _WORDS.get(word), label or None, sample)


def _sample(where: str, text: str) -> Sample | None:
    if not text:
        return None
    facts = dict(parse_qsl(text))
    place, seed = facts.pop("place", ""), facts.pop("seed", "")
    if not (place.isascii() and place.isdigit() and seed):
        message = f"{where} has the sample {display_text(text)!r}; expected seed and place, as in seed=1&place=12"
        raise VerdictError(f"{message}, or nothing", code="bad_verdict")
    return Sample(", ".join(f"{name} {value}" for name, value in facts.items()), seed, int(place))


def _judge(matched: Matched, judged: list[Judged], row: ReadRow, verdicts: Sequence[Verdict]) -> None:
    emotion = row["emotion"]
    if emotion is None:
        matched.silent += len(verdicts)
        return
    fresh = [verdict for verdict in verdicts if verdict.right is not False or verdict.label in (None, emotion)]
    matched.stale += len(verdicts) - len(fresh)
    truths = {_truth(verdict, emotion) for verdict in fresh}
    if len(truths - {None}) > 1 or truths == {None, emotion}:
        matched.disputed += 1
    elif truths:
        sample = next((verdict.sample for verdict in fresh if verdict.sample is not None), None)
        judged.append(Judged(row["path"], emotion, row["confidence"], next(iter(truths - {None}), None), sample))


def _truth(verdict: Verdict, emotion: str) -> str | None:
    if verdict.right is None:
        return verdict.label
    return (verdict.label or emotion) if verdict.right else None


def _only_channels(places: Sequence[tuple[str, Any]]) -> dict[str, str]:
    """The channel of each recording that has only one."""
    found: dict[str, set[str]] = {}
    for path, channel in places:
        found.setdefault(path, set()).add(_text(channel))
    return {path: next(iter(channels)) for path, channels in found.items() if len(channels) == 1}


def _at(windows: Sequence[ReadRow], start_s: float) -> ReadRow | None:
    return next((row for row in windows if abs(row["start_s"] - start_s) <= _SAME_S), None)


def _place(verdict: Verdict) -> str:
    where = display_name(verdict.path) + (f" channel {display_text(verdict.channel)}" if verdict.channel else "")
    return where if verdict.start_s is None else f"{where} at {verdict.start_s:.3f} s"


def _text(channel: Any) -> str:
    return "" if channel is None else str(channel)
