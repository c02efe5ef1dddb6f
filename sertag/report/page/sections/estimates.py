"""The section of dimensions: numbers that a model estimates beside its labels or instead of them, as arousal."""

from __future__ import annotations

from collections.abc import Sequence

from sertag.report.calls import Calls, Channel, Range, mean, role_name
from sertag.report.page.markup import bar, number, section, table, text
from sertag.spec.dimension import dimension_columns


def estimates(calls: Calls, roles: Sequence[str]) -> str:
    """The section, HTML; empty where the models estimate none.

    Args:
        calls: all of them.
        roles: in order of appearance.
    """
    if not calls.dimensions:
        return ""
    by_role = {role: [one for one in calls.channels if one.text("role") == role] for role in roles}
    rows = [
        _row(dimension, role_name(role, roles), channels)
        for dimension in calls.dimensions
        for role, channels in by_role.items()
        if mean(channels, dimension.column) is not None
    ]
    head = ("Estimate", "Channel", "#Mean", "", "#Lowest", "#Highest", "#By quarter")
    note = (
        "Means of the channels, on the model's own scale. Bars and curves go from the lowest to the highest value in "
        "these tables."
    )
    listed = table(head, rows, caption="Estimates by role", kind="bars") if rows else "<p>No channel has any.</p>"
    return section("estimates", "Estimates", listed, note)


def _row(dimension: Range, who: str, channels: Sequence[Channel]) -> tuple[str, ...]:
    own = [value for one in channels if (value := one.number(dimension.column)) is not None]
    average = sum(own) / len(own)
    quarters = [mean(channels, column) for column in dimension_columns(dimension.name)[1:]]
    return (
        text(dimension.name),
        text(who),
        number(average),
        bar([(dimension.share(average), "neu1")]),
        number(min(own)),
        number(max(own)),
        " ".join("-" if value is None else number(value) for value in quarters),
    )
