"""The section of trends: curves over the days, which need no script, and the figures as a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean

from sertag.records import FAILURES, Sentiment
from sertag.report.calls import Calls, Channel, Range, mean
from sertag.report.days import grouping
from sertag.report.page.markup import number, percent, section, table, text
from sertag.text import plural

_WIDTH, _HEIGHT = 600, 60  # of a curve; it is stretched to the width of the page


@dataclass(frozen=True, slots=True)
class _Period:
    """A day, week, month or year.

    Attributes:
        name: ISO 8601, as short as the period.
        recordings: how many.
        negative: share of the channels with an emotion; None where there are none.
        attention: mean of the channels that have one.
        estimates: mean of each dimension.
        failed: channels.
    """

    name: str
    recordings: int
    negative: float | None
    attention: float | None
    estimates: tuple[float | None, ...]
    failed: int


def trends(calls: Calls, days: Mapping[str, str], days_from: str) -> str:
    """The section, HTML.

    Args:
        calls: all of them.
        days: path to day, ISO 8601; only of calls whose day is known.
        days_from: where the days come from, in words.
    """
    note = f"Days are taken from {days_from}."
    without = sum(call.path not in days for call in calls.calls)
    if without:
        note += f" {plural(without, 'recording')} without a day {'is' if without == 1 else 'are'} left out here."
    if not days:
        return section("days", "Days", "<p>No recording has a day.</p>", note)
    unit, periods = _periods(calls, days)
    if unit == "week":
        note += " A week is named by its Monday."
    figures = _figures(periods, calls.dimensions)
    curves = "".join(_curve(one, periods) for one in figures) if len(periods) > 1 else ""
    rows = [
        (one.name, f"{one.recordings:,}", *(figure.text(place) for figure in figures), f"{one.failed:,}")
        for place, one in enumerate(periods)
    ]
    head = (unit.capitalize(), "#Recordings", *(f"#{text(figure.title)}" for figure in figures), "#Failed")
    listed = table(head, rows, caption=f"By {unit}")
    return section("days", f"By {unit}", f'{curves}<div class="tall">{listed}</div>', note)


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure over time.

    Attributes:
        title: what it is.
        values: of the periods.
        least, most: ends of the axis.
        shown: a value as text.
    """

    title: str
    values: Sequence[float | None]
    least: float
    most: float
    shown: Callable[[float | None], str]

    def text(self, place: int) -> str:
        """The value of a period; empty where it has none."""
        return self.shown(self.values[place])


def _figures(periods: Sequence[_Period], dimensions: Sequence[Range]) -> list[_Figure]:
    """The figures of which any period has a value."""
    negative, attention = [one.negative for one in periods], [one.attention for one in periods]
    found = [
        _Figure("Negative", negative, 0.0, _top(negative), _share),
        _Figure("Attention", attention, 0.0, _top(attention), number),
    ]
    for place, one in enumerate(dimensions):
        found.append(_Figure(one.name, [period.estimates[place] for period in periods], one.least, one.most, number))
    return [figure for figure in found if any(value is not None for value in figure.values)]


def _periods(calls: Calls, days: Mapping[str, str]) -> tuple[str, list[_Period]]:
    """What a period is, and all that have calls, in order of time."""
    unit, period = grouping(days.values())
    groups: defaultdict[str, list[Channel]] = defaultdict(list)
    dated = [call for call in calls.calls if call.path in days]
    recordings = Counter(period(days[call.path]) for call in dated)
    for call in dated:
        groups[period(days[call.path])] += call.channels
    columns = [one.column for one in calls.dimensions]
    return unit, [_period(name, recordings[name], groups[name], columns) for name in sorted(groups)]


def _period(name: str, recordings: int, channels: Sequence[Channel], columns: Sequence[str]) -> _Period:
    answered = [channel for channel in channels if channel.text("emotion")]
    negative = [channel.text("sentiment") == Sentiment.NEGATIVE for channel in answered]
    urgencies = [channel.urgency for channel in channels if channel.urgency is not None]
    failed = sum(channel.text("status") in FAILURES for channel in channels)
    return _Period(
        name,
        recordings,
        fmean(negative) if negative else None,
        fmean(urgencies) if urgencies else None,
        tuple(mean(channels, column) for column in columns),
        failed,
    )


def _curve(figure: _Figure, periods: Sequence[_Period]) -> str:
    """One figure over time. Lines and dots keep their width when it is stretched, and its labels are HTML beside it."""
    known = [(one.name, value) for one, value in zip(periods, figure.values, strict=True) if value is not None]
    if len(known) < 2:
        return ""
    first, last = known[0][0], known[-1][0]
    days, height = (_date(last) - _date(first)).days, figure.most - figure.least
    label, title = figure.shown, text(figure.title)
    places = [
        (_WIDTH * (_date(name) - _date(first)).days / days, _HEIGHT * (1 - (value - figure.least) / height))
        for name, value in known
    ]
    line = "L".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(
        f'<path class="dot" d="M{x:.1f},{y:.1f}h0"><title>{name}: {label(value)}</title></path>'
        for (x, y), (name, value) in zip(places, known, strict=True)
    )
    rules = "".join(f'<line x2="{_WIDTH}" y1="{y}" y2="{y}"/>' for y in (0, _HEIGHT / 2, _HEIGHT))
    said = f"{title} from {label(known[0][1])} to {label(known[-1][1])}"
    inside = f'{rules}<path class="curve" d="M{line}"/>{dots}'
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" height="{_HEIGHT}" preserveAspectRatio="none"'
    ends = f"<p><span>{first}</span><span>{last}</span></p>"
    axis = f"<span>{label(figure.most)}</span><span>{label(figure.least)}</span>"
    svg = f'<svg {box} role="img" aria-label="{said}">{inside}</svg>'
    return f'<figure class="trend"><figcaption>{title}</figcaption>{axis}{svg}{ends}</figure>'


def _top(values: Iterable[float | None]) -> float:
    """The end of an axis that holds all values: the next of 0.1, 0.2, 0.5 and 1.

    >>> _top([0.02]), _top([0.3, None]), _top([1.0])
    (0.1, 0.5, 1.0)
    """
    largest = max((value for value in values if value is not None), default=0.0)
    return next((top for top in (0.1, 0.2, 0.5) if largest <= top), 1.0)


def _date(period: str) -> date:
    """The first day of a period.

    >>> _date("2026-03"), _date("2026")
    (datetime.date(2026, 3, 1), datetime.date(2026, 1, 1))
    """
    return date.fromisoformat((period + "-01-01")[:10])


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)
