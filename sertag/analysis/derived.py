"""Columns that follow from the path of a recording: `file`, `folder`, `day`, `week` and `month`.

Made only where they are asked for, and never in place of a column that the table has. A week is its Monday.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import PurePosixPath

from sertag.errors import SertagError
from sertag.tables.readers import ReadRow
from sertag.text import decode_path, plural

DERIVED: Mapping[str, str] = {name: "text" for name in ("file", "folder", "day", "week", "month")}
DATE = r"(?<!\d)(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)"

_NAMED = ("year", "month", "day")
_OF_DAY = frozenset(("day", "week", "month"))


class DateError(SertagError):
    """A pattern for dates cannot be used."""


def add_derived(rows: Iterable[ReadRow], names: Iterable[str], *, date_regex: str | None = None) -> list[str]:
    """Add columns to rows, in place.

    Args:
        rows: with a `path`.
        names: of columns; those that are not derived are left out.
        date_regex: finds the day in a file name, else in its path: by the groups `year`, `month` and `day`, or what it
            matches (its first group, if it has one) holds year, month and day in that order. None for dates as in
            `2026-03-02` and `20260302`.

    Returns:
        What to say of it: where the days are from.

    Raises:
        DateError: the pattern is not valid.

    >>> row = {"path": "calls/2026-03-04_0901.wav"}
    >>> add_derived([row], ["week", "file"]), row["week"], row["file"]
    (['days are from the names of 1 recording'], '2026-03-02', '2026-03-04_0901.wav')
    """
    rows = list(rows)
    wanted = {name for name in names if name in DERIVED and any(name not in row for row in rows)}
    pattern = _compiled(date_regex)
    days: dict[str, date | None] = {}
    sources: Counter[str] = Counter()
    for row in rows:
        text = row["path"]
        if wanted & _OF_DAY and text not in days:
            days[text], source = _day(text, pattern)
            sources[source] += 1
        path = PurePosixPath(text)
        own = {"file": path.name, "folder": str(path.parent), **_of_day(days.get(text))}
        row.update({name: own[name] for name in wanted if name not in row})
    return _said(sources)


def _compiled(text: str | None) -> tuple[re.Pattern[str], bool]:
    """A pattern, and whether its groups have a meaning."""
    try:
        return re.compile(text or DATE), text is not None
    except re.error as error:
        message = f"--date-regex {text!r} is no regular expression: {error}; expected one like '[0-9]{{8}}'"
        raise DateError(message, code="bad_pattern") from error


def _day(text: str, pattern: tuple[re.Pattern[str], bool]) -> tuple[date | None, str]:
    for place in (text.rpartition("/")[2], text):
        for match in pattern[0].finditer(place):
            if (day := _matched(match, own=pattern[1])) is not None:
                return day, "names"
    try:
        return date.fromtimestamp(os.stat(decode_path(text)).st_mtime), "times of writing"
    except (OSError, ValueError, OverflowError):
        return None, ""


def _matched(match: re.Match[str], *, own: bool) -> date | None:
    groups = match.groupdict()
    if all(groups.get(name) for name in _NAMED):
        digits = "".join(groups[name].zfill(2) for name in _NAMED)
    else:
        digits = "".join(re.findall(r"[0-9]", (match[1] if own and match.re.groups else match[0]) or ""))
    try:
        return datetime.strptime(digits[:8], "%Y%m%d").date() if len(digits) >= 8 else None
    except ValueError:  # digits that are no date
        return None


def _of_day(day: date | None) -> dict[str, str | None]:
    if day is None:
        return dict.fromkeys(_OF_DAY)
    week = day - timedelta(days=day.weekday())
    return {"day": day.isoformat(), "week": week.isoformat(), "month": day.isoformat()[:7]}


def _said(sources: Counter[str]) -> list[str]:
    parts = [f"from the {source} of {plural(count, 'recording')}" for source, count in sources.items() if source]
    if sources[""]:
        reason = "whose names hold no date and whose files are not there"
        parts.append(f"unknown for {plural(sources[''], 'recording')}, {reason}")
    return [f"days are {', '.join(parts)}"] if parts else []
