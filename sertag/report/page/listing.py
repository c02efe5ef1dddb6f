"""The headings and filters of the table of all channels, whose rows the script makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sertag.report.calls import Calls, Channel
from sertag.report.page.markup import exactly, text

# Column, heading, CSS classes (n: a number; far: not on narrow screens), width in pixels; the first takes what is left.
_COLUMNS = (
    ("name", "Recording", "", 0),
    ("who", "Channel", "", 92),
    ("day", "Day", "far", 102),
    ("result", "Result", "", 118),
    ("confidence", "Conf.", "n far", 58),
    ("attention", "Attention", "n", 104),
    ("peak_start_s", "Worst at", "n far", 76),
    ("trend", "Trend", "far", 92),
    ("talk_pct", "Talks", "n far", 58),
    ("overtalk_s", "Overtalk", "n far", 78),
    ("duration_s", "Length", "n far", 66),
    ("verdict", "Verdict", "far", 68),
)
_DIMENSION_WIDTH = 116
_NAME_WIDTH = 200  # at least
_ALWAYS = ("name", "who", "result", "verdict")
_FILTERS = ("status", "role", "emotion", "sentiment", "day")


@dataclass(frozen=True, slots=True)
class Listing:
    """HTML of the head of the table.

    Attributes:
        heads: cells.
        filters: labels with their fields.
        width: least width of the table, pixels.
    """

    heads: str
    filters: str
    width: int


def listing(calls: Calls, days: Mapping[str, str]) -> Listing:
    """The head of the table; columns and filters in which there is nothing to see are left out.

    Args:
        calls: all of them.
        days: path to day, ISO 8601.
    """
    known = set(days.values())
    dimensions = [(one.column, one.name, "n far", _DIMENSION_WIDTH) for one in calls.dimensions]
    columns = [*_COLUMNS[:6], *dimensions, *_COLUMNS[6:]]
    columns = [one for one in columns if one[0] in _ALWAYS or _is_filled(one[0], calls.channels, known)]
    values = {name: {channel.text(name) for channel in calls.channels} if name != "day" else known for name in _FILTERS}
    filters = "\n".join(_filter(name, values[name]) for name in _FILTERS)
    return Listing("".join(_head(*one) for one in columns), filters, _NAME_WIDTH + sum(one[3] for one in columns))


def _head(column: str, heading: str, kind: str, width: int) -> str:
    size = f' width="{width}"' if width else ""
    return f'<th scope="col" data-key="{text(column)}" class="{kind}"{size}><button>{text(heading)}</button></th>'


def _is_filled(column: str, channels: Iterable[Channel], days: set[str]) -> bool:
    if column == "day":
        return len(days) > 1
    if column == "attention":
        return any(channel.urgency is not None for channel in channels)
    return any(channel.values[column] is not None for channel in channels)


def _filter(name: str, values: set[str]) -> str:
    """A field to choose one of the values; the script reads it even where there is nothing to choose."""
    options = "".join(f'<option value="{exactly(value)}">{text(value)}' for value in sorted(values) if value)
    hidden = " hidden" if len(values - {""}) < 2 and name != "status" else ""
    return f'<label{hidden}>{name.capitalize()} <select name="{name}"><option value="">all{options}</select></label>'
