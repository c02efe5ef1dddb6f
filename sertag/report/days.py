"""The day of a call, from its file name by a pattern or from the modification time, and periods of days."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from sertag.analysis.derived import DatePattern

_MOST_PERIODS = 31  # rows of a table of days; a longer one is by weeks, then by months, then by years


def day_in_name(path: str, pattern: DatePattern) -> str:
    """The day in the file name or path of a recording, ISO 8601; empty if there is none.

    >>> day_in_name("calls/2026-03-02_0901.wav", DatePattern("[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    '2026-03-02'
    """
    day = pattern.find(path)
    return "" if day is None else day.isoformat()


def day_of_writing(mtime_s: float | None) -> str:
    """The day of the modification of a file, in local time; empty if it is not known."""
    try:
        return "" if mtime_s is None else date.fromtimestamp(mtime_s).isoformat()
    except (ValueError, OverflowError, OSError):  # out of the range of dates
        return ""


def grouping(days: Iterable[str]) -> tuple[str, Callable[[str], str]]:
    """The period by which days are grouped, so that the table stays short.

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
