"""Columns derived from the path of a recording: `file`, `folder`, `day`, `week` and `month`.

They are added only if they are used, and never replace a column of the table. A week is given by its Monday.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import PurePosixPath

from sertag.errors import SertagError
from sertag.tables.readers import ReadRow
from sertag.text import decode_path, encode_path, plural

DERIVED: Mapping[str, str] = {name: "text" for name in ("file", "folder", "day", "week", "month")}
DATE = r"(?<!\d)(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)"

_NAMED = ("year", "month", "day")
_OF_DAY = frozenset(("day", "week", "month"))


class DateError(SertagError):
    """A pattern for dates cannot be used."""


class DatePattern:
    r"""A pattern that finds the day of a call in its file name or path; the value of `--date-regex`.

    The groups `year`, `month` and `day` are the date. Without these groups, the match or its first group must contain
    year, month and day in this order.

    >>> DatePattern().find("calls/2026-03-02_0901.wav")
    datetime.date(2026, 3, 2)
    >>> DatePattern(r"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{4})").find("02.03.2026/7.wav")
    datetime.date(2026, 3, 2)
    """

    def __init__(self, date_regex: str | None = None) -> None:
        """Compile a pattern; None for dates as in `2026-03-02` and `20260302`.

        Raises:
            DateError: it is not a regular expression.
        """
        try:
            self._pattern = re.compile(date_regex or DATE)
        except re.error as error:
            message = f"--date-regex {date_regex!r} is no regular expression: {error}; expected one like '[0-9]{{8}}'"
            raise DateError(message, code="bad_pattern") from error
        self._by_group = date_regex is not None and self._pattern.groups > 0

    def find(self, path: str) -> date | None:
        """The first valid date in the file name, else in the whole path; None if there is none."""
        matches = (match for text in (path.rpartition("/")[2], path) for match in self._pattern.finditer(text))
        return next((day for match in matches if (day := self._date(match)) is not None), None)

    def _date(self, match: re.Match[str]) -> date | None:
        groups = match.groupdict()
        if all(groups.get(name) for name in _NAMED):
            digits = "".join(groups[name].zfill(2) for name in _NAMED)
        else:
            digits = "".join(re.findall(r"[0-9]", (match[1] if self._by_group else match[0]) or ""))
        try:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if len(digits) >= 8 else None
        except ValueError:  # the digits are not a date
            return None


def day_of(path: str) -> str:
    """The day of a recording, ISO 8601: that in its path, else that of its writing in local time; empty if unknown.

    >>> day_of("calls/20260302-0901.wav"), day_of("no such recording.wav")
    ('2026-03-02', '')
    """
    day, _ = _day(encode_path(path), _DATES)
    return "" if day is None else day.isoformat()


def add_derived(rows: Iterable[ReadRow], names: Iterable[str], *, date_regex: str | None = None) -> list[str]:
    """Add columns to rows, in place.

    Args:
        rows: rows with a `path`.
        names: names of columns; those that are not derived are ignored.
        date_regex: pattern of the date, see `DatePattern`.

    Returns:
        Notes about the source of the days.

    Raises:
        DateError: the pattern is not valid.

    >>> row = {"path": "calls/2026-03-04_0901.wav"}
    >>> add_derived([row], ["week", "file"]), row["week"], row["file"]
    (['days are from the names of 1 recording'], '2026-03-02', '2026-03-04_0901.wav')
    """
    rows = list(rows)
    wanted = {name for name in names if name in DERIVED and any(name not in row for row in rows)}
    pattern = DatePattern(date_regex)
    days: dict[str, date | None] = {}
    sources: Counter[str] = Counter()
    for row in rows:
        text = row["path"]
        if wanted & _OF_DAY and text not in days:
            days[text], source = _day(text, pattern)
            sources[source] += 1
        path = PurePosixPath(text)
        derived = {"file": path.name, "folder": str(path.parent), **_of_day(days.get(text))}
        row.update({name: derived[name] for name in wanted if name not in row})
    return _notes(sources)


def _day(path: str, pattern: DatePattern) -> tuple[date | None, str]:
    """The day of a recording and its source; None and an empty text if the day is unknown."""
    if (day := pattern.find(path)) is not None:
        return day, "names"
    try:
        return date.fromtimestamp(os.stat(decode_path(path)).st_mtime), "times of writing"
    except (OSError, ValueError, OverflowError):
        return None, ""


def _of_day(day: date | None) -> dict[str, str | None]:
    if day is None:
        return dict.fromkeys(_OF_DAY)
    week = day - timedelta(days=day.weekday())
    return {"day": day.isoformat(), "week": week.isoformat(), "month": day.isoformat()[:7]}


def _notes(sources: Counter[str]) -> list[str]:
    parts = [f"from the {source} of {plural(count, 'recording')}" for source, count in sources.items() if source]
    if sources[""]:
        reason = "whose names contain no date and whose files do not exist"
        parts.append(f"unknown for {plural(sources[''], 'recording')}, {reason}")
    return [f"days are {', '.join(parts)}"] if parts else []


_DATES = DatePattern()
