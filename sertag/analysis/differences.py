"""Compares two tables: two models, or this run with an earlier one.

Rows are compared if they are of the same channel of the same recording. If the tables have no path in common, for
example because the recordings were moved, file names are compared. The columns `model`, `model_sha256`, `schema` and
`error` (the wording of messages) are ignored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sertag.analysis import intervals
from sertag.analysis.loading import Loaded
from sertag.records import Status
from sertag.tables.readers import ReadRow

COLUMNS: Mapping[str, str] = {
    "path": "text",
    "channel": "channel",
    "role": "text",
    "change": "text",
    "before": "text",
    "after": "text",
    "confidence_before": "probability",
    "confidence_after": "probability",
    "attention_before": "probability",
    "attention_after": "probability",
}
SHIFT = 0.1  # of confidence or attention: smaller shifts are counted, but not listed

_IGNORED = frozenset(("path", "channel", "model", "model_sha256", "schema", "error"))

Partners = tuple[ReadRow, ReadRow]


@dataclass(frozen=True, slots=True)
class Differences:
    """The differences between two tables.

    Attributes:
        rows: the listed differences, in the order of the first table; for the columns see `COLUMNS`.
        summary: lines of text; empty if the tables are equal.
        equal: whether there is no difference at all.
    """

    rows: list[ReadRow]
    summary: list[str] = field(default_factory=list)
    equal: bool = True


def diff(before: Loaded, after: Loaded, *, shift: float = SHIFT) -> Differences:
    """Compare two tables.

    Args:
        before: the first table.
        after: the second table.
        shift: least change of confidence or attention for which a row with the same emotion in both is listed.
    """
    partners, removed, added, name = _partners(before, after)
    ignored = _IGNORED | _one_sided(before, after)
    changed = [(old, new) for old, new in partners if _differs(old, new, ignored)]
    rows = [row for old, new in changed if (row := _listed(old, new, shift, ignored)) is not None]
    if partners:  # otherwise every row of both tables would be listed
        rows += [_row(row, {}, "removed") for row in removed] + [_row({}, row, "added") for row in added]
    if not (changed or removed or added):
        return Differences([])
    counts = f"{len(partners)} rows in both{name}, {len(changed)} of them differ"
    summary = [f"{counts}; {len(removed)} only in {before.name}, {len(added)} only in {after.name}"]
    if one_sided := sorted(ignored - _IGNORED):
        summary.append(f"not compared, because only one table has them: {', '.join(one_sided)}")
    if partners:
        summary += _of_partners(partners)
    else:
        summary += _of_tables(before.rows, after.rows)
    return Differences(rows, summary, equal=False)


def _partners(before: Loaded, after: Loaded) -> tuple[list[Partners], list[ReadRow], list[ReadRow], str]:
    """Rows in both tables, only in the first, only in the second; and a remark about how they were matched."""
    for key, said in ((_by_path, ""), (_by_name, " (matched by the names of the files; no path is in both)")):
        old, new = ({key(row): row for row in loaded.rows} for loaded in (before, after))
        unique = (len(old), len(new)) == (len(before.rows), len(after.rows))
        both = [place for place in old if place in new]
        if both and unique:
            removed = [row for place, row in old.items() if place not in new]
            added = [row for place, row in new.items() if place not in old]
            return [(old[place], new[place]) for place in both], removed, added, said
    return [], before.rows, after.rows, ""


def _by_path(row: ReadRow) -> tuple[str, str]:
    return row["path"], str(row["channel"])


def _by_name(row: ReadRow) -> tuple[str, str]:
    return row["path"].rpartition("/")[2], str(row["channel"])


def _one_sided(before: Loaded, after: Loaded) -> frozenset[str]:
    """Columns that only one table has: added by the user, or by a newer version of sertag."""
    found = frozenset(before.added) ^ frozenset(after.added)
    versions = [{row["schema"] for row in loaded.rows} for loaded in (before, after)]
    if versions[0] == versions[1]:
        return found
    old, new = (_filled(loaded.rows) for loaded in (before, after))
    return found | (old ^ new)


def _filled(rows: Sequence[ReadRow]) -> frozenset[str]:
    return frozenset(name for row in rows for name, cell in row.items() if cell is not None)


def _differs(old: ReadRow, new: ReadRow, ignored: frozenset[str]) -> bool:
    return any(old.get(name) != new.get(name) for name in (old.keys() | new.keys()) - ignored)


def _listed(old: ReadRow, new: ReadRow, shift: float, ignored: frozenset[str]) -> ReadRow | None:
    if old["status"] != new["status"]:
        return _row(old, new, "status")
    if old["emotion"] != new["emotion"]:
        return _row(old, new, "emotion")
    for name in ("confidence", "attention"):
        if name in ignored:
            continue
        moved = _moved(old, new, name)
        if (moved is not None and abs(moved) >= shift) or (old[name] is None) is not (new[name] is None):
            return _row(old, new, name)
    return None


def _row(old: ReadRow, new: ReadRow, change: str) -> ReadRow:
    one = old or new
    row: ReadRow = {"path": one["path"], "channel": one["channel"], "role": one["role"], "change": change}
    row |= {"before": _answer(old), "after": _answer(new)}
    for name in ("confidence", "attention"):
        row |= {f"{name}_before": old.get(name), f"{name}_after": new.get(name)}
    return row


def _answer(row: ReadRow) -> str | None:
    """The emotion, or why there is none."""
    return row.get("emotion") or row.get("status")


def _moved(old: ReadRow, new: ReadRow, name: str) -> float | None:
    return None if old[name] is None or new[name] is None else float(new[name]) - float(old[name])


def _of_partners(partners: Sequence[Partners]) -> list[str]:
    lines = []
    statuses = [(old, new) for old, new in partners if old["status"] != new["status"]]
    if statuses:
        lines.append(f"status: {_changes(statuses, lambda row: str(row['status']))}")
    answered = [pair for pair in partners if all(row["status"] == Status.OK.value for row in pair)]
    flips = [(old, new) for old, new in answered if old["emotion"] != new["emotion"]]
    if answered:
        same = intervals.share([old["emotion"] == new["emotion"] for old, new in answered], _paths(answered))
        lines.append(f"same emotion in {_percent(same)} of {len(answered)} rows with one in both")
    if flips:
        lines.append(f"emotion: {_changes(flips, lambda row: str(row['emotion']))}")
    for name in ("confidence", "attention"):
        own = [pair for pair in partners if _moved(*pair, name) is not None]
        if own:
            moved = intervals.mean([_moved(*pair, name) or 0.0 for pair in own], _paths(own))
            lines.append(f"{name}: {_signed(moved)} on average over {len(own)} rows")
    return lines


def _of_tables(before: Sequence[ReadRow], after: Sequence[ReadRow]) -> list[str]:
    """Counts and means of two tables that have no recording in common."""
    lines = ["no recording is in both, so counts and means are compared"]
    for name in ("status", "emotion"):
        old, new = (Counter(str(row[name]) for row in rows if row[name]) for rows in (before, after))
        both = ", ".join(f"{value} {old[value]} → {new[value]}" for value in sorted(old | new))
        lines.append(f"{name}: {both or 'none'}")
    for name in ("confidence", "attention"):
        means = []
        for rows in (before, after):
            own = [row for row in rows if row[name] is not None]
            if own:
                found = intervals.mean([row[name] for row in own], [row["path"] for row in own])
                means.append(f"{found.value:.3f}{_between(found, '.3f')}")
        if len(means) == 2:
            lines.append(f"{name}: {means[0]} → {means[1]}")
    return lines


def _changes(pairs: Iterable[Partners], of: Callable[[ReadRow], str]) -> str:
    counts = Counter((of(old), of(new)) for old, new in pairs)
    return ", ".join(f"{old} → {new} {count}" for (old, new), count in counts.most_common())


def _paths(pairs: Sequence[Partners]) -> list[str]:
    return [old["path"] for old, _ in pairs]


def _percent(found: intervals.Estimate) -> str:
    return f"{found.value:.1%}{_between(found, '.1%')}"


def _signed(found: intervals.Estimate) -> str:
    return f"{found.value:+.3f}{_between(found, '+.3f')}"


def _between(found: intervals.Estimate, form: str) -> str:
    return "" if found.low is None or found.high is None else f" ({found.low:{form}} to {found.high:{form}})"
