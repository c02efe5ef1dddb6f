"""On which day a call was: from its file name where a pattern says how, else from when the file was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta

from sertag.errors import SertagError

_MOST_PERIODS = 31  # that a table of days has before it becomes one of weeks, then of months, then of years
_NAMED = ("year", "month", "day")


class PatternError(SertagError):
    """A pattern for dates cannot be used."""


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern for dates in file names.

    Raises:
        PatternError: it is no regular expression.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        message = (
            f"--date-regex {pattern!r} is no regular expression: {error}; expected one like '\\d{{4}}-\\d\\d-\\d\\d'"
        )
        raise PatternError(message, code="bad_pattern") from error


def day_in_name(path: str, pattern: re.Pattern[str]) -> str:
    r"""The day that a name says, ISO 8601; empty where it says none.

    Args:
        path: of which the file name is looked at first, then all of it.
        pattern: with the groups `year`, `month` and `day`; or what it matches (its first group, if it has one) holds
            year, month and day in that order.

    >>> day_in_name("calls/2026-03-02_0901.wav", re.compile(r"\d{4}-\d\d-\d\d"))
    '2026-03-02'
    >>> day_in_name("02.03.2026/7.wav", re.compile(r"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{4})"))
    '2026-03-02'
    """
    found = pattern.search(path.rpartition("/")[2]) or pattern.search(path)
    if found is None:
        return ""
    groups = found.groupdict()
    if all(groups.get(name) for name in _NAMED):
        digits = "".join(groups[name].zfill(2) for name in _NAMED)
    else:
        digits = "".join(re.findall(r"[0-9]", (found.group(1) if pattern.groups else found.group()) or ""))
    try:
        return datetime.strptime(digits[:8], "%Y%m%d").date().isoformat() if len(digits) >= 8 else ""
    except ValueError:
        return ""


def day_of_writing(mtime_s: float | None) -> str:
    """The day, here, on which a file was written; empty where that is not known."""
    try:
        return "" if mtime_s is None else date.fromtimestamp(mtime_s).isoformat()
    except (ValueError, OverflowError, OSError):  # a time that no calendar has
        return ""


def grouping(days: Iterable[str]) -> tuple[str, Callable[[str], str]]:
    """How to cut a time so that its table stays short.

    Args:
        days: ISO 8601.

    Returns:
        `day`, `week`, `month` or `year`, and the period of a day as text that sorts.

    >>> name, period = grouping(f"2026-{month:02}-15" for month in range(1, 13))
    >>> name, period("2026-03-05")
    ('day', '2026-03-05')
    >>> name, period = grouping(str(date(2026, 1, 1) + timedelta(days=day)) for day in range(90))
    >>> name, period("2026-03-05")
    ('week', '2026-03-02')
    """
    known = set(days)
    ways: dict[str, Callable[[str], str]] = {"day": str, "week": _monday, "month": lambda day: day[:7]}
    for name, period in ways.items():
        if len({period(day) for day in known}) <= _MOST_PERIODS:
            return name, period
    return "year", lambda day: day[:4]


def _monday(day: str) -> str:
    when = date.fromisoformat(day)
    return (when - timedelta(days=when.weekday())).isoformat()
