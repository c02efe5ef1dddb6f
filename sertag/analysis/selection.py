"""Selection of rows by a filter, by SQL, or by the largest values of a column.

SQL is executed by DuckDB (the extra `sql`) on tables in memory; it cannot access files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sertag.analysis.derived import DERIVED, add_derived
from sertag.analysis.filters.expressions import parse
from sertag.analysis.filters.tokens import nearest
from sertag.analysis.groups import LAW, is_person
from sertag.analysis.loading import Loaded, is_number
from sertag.analysis.merging import place
from sertag.errors import SertagError
from sertag.records import Status
from sertag.tables.columns import segment_columns
from sertag.tables.readers import ReadRow


class SelectionError(SertagError):
    """The rows cannot be selected as requested."""


def where(loaded: Loaded, text: str, *, date_regex: str | None = None) -> list[ReadRow]:
    """The rows that match a filter, in order; derived columns of the filter are added to all rows.

    Args:
        loaded: the tables; gets remarks about words that no row contains, and the columns of the filter in `chosen_by`.
        text: the filter, see `filters.expressions`.
        date_regex: as for `add_derived`.

    Raises:
        ExpressionError: the filter is not valid.
        DateError: the pattern is not valid.
    """
    expression = parse(text, columns={**DERIVED, **loaded.columns}, labels=loaded.labels)
    loaded.remarks += add_derived(loaded.rows, expression.columns, date_regex=date_regex)
    loaded.chosen_by |= expression.columns
    for word in expression.words.get("role", ()):
        roles = sorted({row["role"] for row in loaded.rows if row["role"]})
        if loaded.rows and word not in roles:
            loaded.remarks.append(f"no row has the role {word!r}; there is {', '.join(roles) or 'none (see --roles)'}")
    return [row for row in loaded.rows if expression.matches(row)]


def restrict(loaded: Loaded, text: str, *, date_regex: str | None = None) -> None:
    """Keep only the rows that match a filter, and their windows; without rows, the windows that match.

    Raises:
        ExpressionError: the filter is not valid.
        DateError: the pattern is not valid.
    """
    if loaded.with_rows:
        loaded.rows = where(loaded, text, date_regex=date_regex)
        places = {place(row) for row in loaded.rows}
        loaded.windows = [window for window in loaded.windows if place(window) in places]
        return
    columns = {one.name: one.kind for one in segment_columns(loaded.labels, loaded.dimensions)}
    expression = parse(text, columns={**DERIVED, **columns}, labels=loaded.labels)
    loaded.remarks += add_derived(loaded.windows, expression.columns, date_regex=date_regex)
    loaded.windows = [window for window in loaded.windows if expression.matches(window)]


def restrict_both(before: Loaded, after: Loaded, text: str, *, date_regex: str | None = None) -> None:
    """Keep in both tables the rows that match a filter in at least one of them; raises as `where` does."""
    rows = [row for loaded in (before, after) for row in where(loaded, text, date_regex=date_regex)]
    places = {place(row) for row in rows}
    for loaded in (before, after):
        loaded.rows = [row for row in loaded.rows if place(row) in places]


def worst(loaded: Loaded, column: str, count: int) -> list[ReadRow]:
    """The rows with the largest values of a column, largest first; rows without a value come last.

    If no row has a value although rows have an answer, as in tables of older versions, or of models without labels, a
    remark says so.

    Raises:
        SelectionError: the column does not exist or is not numeric.
    """
    if not is_number(loaded.columns.get(column, "")):
        numbers = tuple(name for name, kind in loaded.columns.items() if is_number(kind))
        message = f"{loaded.name}: no column of numbers {column!r} to sort by; {nearest(column, numbers)}"
        raise SelectionError(message, code="no_column")
    answered = [row for row in loaded.rows if row["status"] == Status.OK.value]
    if answered and all(row[column] is None for row in loaded.rows):
        other = next((f"d_{name}" for name in loaded.dimensions if f"d_{name}" != column), None)
        advice = f"; sort by another one, as {other}" if other else ""
        loaded.remarks.append(f"no row has a value in {column}; the rows are in the order of the table{advice}")
    return sorted(loaded.rows, key=lambda row: (row[column] is None, -(row[column] or 0.0)))[:count]


def kinds(loaded: Loaded, names: Sequence[str] | None, *, date_regex: str | None = None) -> dict[str, str]:
    """Kinds of columns by name, of all columns if `names` is None; derived columns are added to the rows.

    Raises:
        SelectionError: a column does not exist.
        DateError: the pattern is not valid.
    """
    if names is None:
        return loaded.columns
    known = {**DERIVED, **loaded.columns}
    for name in names:
        if name not in known:
            message = f"{loaded.name}: no column {name!r}; {nearest(name, known)}"
            raise SelectionError(message, code="no_column")
    loaded.remarks += add_derived(loaded.rows, names, date_regex=date_regex)
    return {name: known[name] for name in names}


def query(loaded: Loaded, sql: str, *, date_regex: str | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The result of a SELECT statement on the tables `results` and `windows`.

    Args:
        loaded: the tables.
        sql: one statement.
        date_regex: as for `add_derived`.

    Returns:
        Names of the columns, and the rows.

    Raises:
        SelectionError: DuckDB is not installed, or the statement fails.
        DateError: the pattern is not valid.
    """
    try:
        import duckdb
    except ImportError as error:
        message = "--sql needs DuckDB, which is not installed; run: pip install 'sertag[sql]', or use --where"
        raise SelectionError(message, code="needs_sql") from error
    if any(is_person(column) and column.lower() in sql.lower() for column in loaded.added):
        loaded.remarks.append(f"columns of persons at work: choose the channels of customers alone. {LAW}")
    with duckdb.connect(":memory:") as database:
        add_derived(loaded.rows, DERIVED, date_regex=date_regex)
        windows = {one.name: str(one.kind) for one in segment_columns(loaded.labels, loaded.dimensions)}
        try:
            _create(database, "results", loaded.rows, {**loaded.columns, **DERIVED})
            _create(database, "windows", loaded.windows, windows)
            database.execute("SET enable_external_access = false")
            database.execute("SET lock_configuration = true")
            found = database.execute(sql)
            return [column[0] for column in found.description or ()], found.fetchall()
        except duckdb.Error as error:
            raise SelectionError(f"--sql: {error}; tables are results and windows", code="bad_sql") from error


def _create(database: Any, name: str, rows: Sequence[ReadRow], kinds: Mapping[str, str]) -> None:
    # As text, which DuckDB converts: an array of numbers cannot have empty cells.
    columns = {column: _texts(row.get(column) for row in rows) for column in kinds}
    types = ", ".join(f"{_quoted(column)} {_type(kind)}" for column, kind in kinds.items())
    database.execute(f"CREATE TABLE {name} ({types})")
    if rows:
        database.register("staged", columns)
        database.execute(f"INSERT INTO {name} SELECT * FROM staged")  # noqa: S608 - names of our own
        database.unregister("staged")


def _texts(cells: Iterable[Any]) -> npt.NDArray[np.object_]:
    return np.array([None if cell is None else str(cell) for cell in cells], dtype=object)


def _type(kind: str) -> str:
    return "BIGINT" if kind == "count" else "DOUBLE" if is_number(kind) else "VARCHAR"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
