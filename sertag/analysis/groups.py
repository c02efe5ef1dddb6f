"""Groups of calls: number of calls, rows with an emotion, and means with intervals.

Small groups are not shown: the mean of a few calls is mostly chance, and could describe one person. Groups by person,
for example by agent, use only the channels of the customers: Article 5(1)(f) of Regulation (EU) 2024/1689 prohibits
inferring emotions of people at work from their voices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sertag.analysis import intervals
from sertag.analysis.derived import DERIVED, add_derived
from sertag.analysis.filters.tokens import nearest
from sertag.analysis.loading import Loaded, is_number
from sertag.errors import SertagError
from sertag.records import Status
from sertag.tables.readers import ReadRow
from sertag.text import plural

LEAST = 20  # least number of calls in a group that is shown
CUSTOMER = "customer"
LAW = (
    "Inferring emotions of employees from their voices is prohibited in the European Union (Regulation (EU) 2024/1689, "
    "Article 5(1)(f)); how customers sound is no measure of whom they speak to; see Lawful use in the README"
)

_PERSON = re.compile(
    r"(?<![a-z])(agent|operator|employee|advis[eo]r|representative|rep|staff|supervisor|colleague|clerk|worker|user|"
    r"mitarbeiter(in)?|bearbeiter(in)?|sachbearbeiter(in)?)(?![a-z])"
)


class GroupError(SertagError):
    """The rows cannot be grouped as requested."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of calls.

    Attributes:
        columns: kind of each column of `rows`, by name.
        rows: one per group, sorted by the values of the group.
        remarks: remarks for the user, for example about what was left out.
    """

    columns: Mapping[str, str]
    rows: list[ReadRow]
    remarks: list[str] = field(default_factory=list)


def by(
    loaded: Loaded,
    columns: Sequence[str],
    *,
    means: Sequence[str] = ("attention",),
    least: int = LEAST,
    customer: str = CUSTOMER,
    date_regex: str | None = None,
) -> Groups:
    """Group the rows of tables.

    Args:
        loaded: the tables.
        columns: columns whose values define the groups; derived columns are allowed.
        means: numeric columns.
        least: smaller groups, in calls, are not shown.
        customer: the role whose channels are used for groups by person.
        date_regex: as for `add_derived`.

    Raises:
        GroupError: a column is missing or not numeric, or groups are by person and no row has the role of a customer.
        DateError: the pattern is not valid.
    """
    known = {**DERIVED, **loaded.columns}
    _check(columns, means, known, loaded)
    rows: Sequence[ReadRow] = loaded.rows
    remarks = add_derived(rows, columns, date_regex=date_regex)
    persons = [column for column in (*columns, *sorted(loaded.chosen_by)) if is_person(column)]
    if persons:
        rows = _of_customers(rows, persons, customer)
        least = max(least, LEAST)
        remarks.append(f"groups of persons at work: the channels of the customers alone are counted. {LAW}")
    groups: dict[tuple[str, ...], list[ReadRow]] = {}
    for row in rows:
        groups.setdefault(tuple(_text(row.get(column)) for column in columns), []).append(row)
    shown = {name: own for name, own in sorted(groups.items()) if _calls(own) >= least}
    if hidden := [own for name, own in groups.items() if name not in shown]:
        calls = sum(_calls(own) for own in hidden)
        remarks.append(f"{plural(len(hidden), 'group')} of fewer than {least} calls not shown: {plural(calls, 'call')}")
    found = [dict(zip(columns, name, strict=True)) | _figures(own, means) for name, own in shown.items()]
    kinds = {column: "text" for column in columns} | {"calls": "count", "rows": "count", "answered": "count"}
    for mean in means:
        kinds |= {f"{mean}{end}": known[mean] for end in ("", "_low", "_high")}
    return Groups(kinds, found, remarks)


def is_person(column: str) -> bool:
    """Whether a column seems to name people at work.

    >>> is_person("agent_id"), is_person("AgentName"), is_person("queue"), is_person("agenda")
    (True, True, False, False)
    """
    return _PERSON.search(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", column).lower()) is not None


def _check(columns: Sequence[str], means: Sequence[str], known: Mapping[str, str], loaded: Loaded) -> None:
    for column in (*columns, *means):
        if column not in known:
            raise GroupError(f"{loaded.name}: no column {column!r}; {nearest(column, known)}", code="no_column")
    for column in means:
        if not is_number(known[column]):
            raise GroupError(f"{loaded.name}: --mean {column} is no column of numbers", code="no_column")
    if repeated := sorted({column for column in columns if list(columns).count(column) > 1}):
        raise GroupError(f"{', '.join(repeated)} stands twice", code="no_column")


def _of_customers(rows: Sequence[ReadRow], persons: Sequence[str], customer: str) -> list[ReadRow]:
    own = [row for row in rows if row["role"] == customer]
    if rows and not own:
        roles = ", ".join(sorted({row["role"] for row in rows if row["role"]})) or "none"
        message = (
            f"groups of {', '.join(persons)} are made of customers' channels alone, and no row has the role "
            f"{customer!r} (found: {roles}); tag with --roles agent,{customer}, or give --customer-role NAME"
        )
        raise GroupError(message, code="no_customers")
    return own


def _calls(rows: Sequence[ReadRow]) -> int:
    return len({row["path"] for row in rows})


def _figures(rows: Sequence[ReadRow], means: Sequence[str]) -> ReadRow:
    found: dict[str, Any] = {"calls": _calls(rows), "rows": len(rows)}
    found["answered"] = sum(row["status"] == Status.OK.value for row in rows)
    for column in means:
        own = [row for row in rows if row.get(column) is not None]
        estimate = None
        if own:
            estimate = intervals.mean([row[column] for row in own], [row["path"] for row in own])
        found[column] = estimate and estimate.value
        found[f"{column}_low"] = estimate and estimate.low
        found[f"{column}_high"] = estimate and estimate.high
    return found


def _text(value: Any) -> str:
    return "" if value is None else str(value)
