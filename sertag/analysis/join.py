"""Adds columns of another table, such as a list of calls with queue and agent, by a key in the file names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sertag.analysis.filters.tokens import nearest
from sertag.analysis.loading import Loaded
from sertag.errors import SertagError
from sertag.tables.delimited import Line, read_cells
from sertag.tables.reading.sources import name_of
from sertag.text import display_text, plural

_MOST_SHOWN = 3
_PREFIX = "call_"

Key = tuple[str, ...]


class JoinError(SertagError):
    """The table cannot be joined."""


@dataclass(frozen=True, slots=True)
class _Calls:
    """The rows of the other table, by key.

    Attributes:
        name: name of the file.
        key: columns of the key.
        columns: all other columns.
        rows: cells of the other columns, by key.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Mapping[Key, tuple[str, ...]]


def join(loaded: Loaded, path: str, *, key: str, storage: str = "") -> None:
    """Add the columns of a CSV file to all rows, in place, and remark which rows have no match.

    Args:
        loaded: the tables; `rows` get the columns, `added` their names, `remarks` the counts.
        path: path of the CSV file, which has a header; separated by comma, semicolon or tab.
        key: regular expression that finds the key of a call in its file name, or in its path if the expression has a
            `/`. A named group is the column of this name, an unnamed group the first column.
        storage: settings for URLs, from `remote.options`.

    Raises:
        TableError: the file cannot be read.
        JoinError: the file or the expression is not valid, a key occurs twice, or no row matches.
    """
    pattern = _pattern(key)
    calls = _read(path, pattern, storage)
    names = {column: _free_name(column, loaded) for column in (*calls.key, *calls.columns)}
    whole_path = "/" in key
    keys = {row["path"]: _key(row["path"], pattern, whole_path=whole_path) for row in loaded.rows}
    for row in loaded.rows:
        found = keys[row["path"]]
        cells = calls.rows.get(found) if found else None
        values = (*(found or ()), *cells) if found and cells is not None else (None,) * len(names)
        row.update(zip(names.values(), (value or None for value in values), strict=True))
    loaded.added = tuple(dict.fromkeys((*loaded.added, *names.values())))
    loaded.remarks += _counts(keys, calls, pattern.pattern)
    loaded.remarks += [
        f"column {column} of {calls.name} is {name} here, because results have a {column}"
        for column, name in names.items()
        if name != column
    ]


def _pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise JoinError(f"--key {text!r}: is not a regular expression: {error}", code="bad_key") from error
    if not pattern.groups:
        message = f"--key {text!r}: has no group; put parentheses around the key, as in '_([0-9]+)_'"
        raise JoinError(message, code="bad_key")
    if pattern.groups > 1 and len(pattern.groupindex) != pattern.groups:
        message = f"--key {text!r}: has {pattern.groups} groups; name each after its column, as in (?P<call_id>[0-9]+)"
        raise JoinError(f"{message}, or make groups that are no key (?:…)", code="bad_key")
    return pattern


def _read(path: str, pattern: re.Pattern[str], storage: str) -> _Calls:
    name = name_of(path)
    lines = read_cells(path, expected="a CSV file with a header and a line for each call", storage=storage)
    if not lines:
        raise JoinError(f"{name}: is empty; expected a header and a line for each call", code="no_calls")
    (_, header), *body = lines
    return _keyed(name, [column.strip() for column in header], body, pattern)


def _keyed(name: str, header: list[str], body: Sequence[Line], pattern: re.Pattern[str]) -> _Calls:
    key = tuple(pattern.groupindex) or (header[0],)
    for column in key:
        if column not in header:
            message = f"{name}: has no column {column!r}, which --key names; {nearest(column, tuple(header))}"
            raise JoinError(message, code="bad_key")
    if len(set(header)) != len(header) or "" in header:
        raise JoinError(f"{name}: each column needs a name of its own; found {', '.join(header)}", code="no_calls")
    rows: dict[Key, tuple[str, ...]] = {}
    lines: dict[Key, list[int]] = {}
    others = tuple(column for column in header if column not in key)
    for line, cells in body:
        if len(cells) != len(header):
            message = f"{name}: line {line} has {len(cells)} cells instead of {len(header)}; mend that line"
            raise JoinError(message, code="no_calls")
        own = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        value = tuple(own[column] for column in key)
        lines.setdefault(value, []).append(line)
        rows[value] = tuple(own[column] for column in others)
    _refuse_duplicates(name, lines)
    return _Calls(name, key, others, rows)


def _refuse_duplicates(name: str, lines: Mapping[Key, list[int]]) -> None:
    twice = [(key, found) for key, found in lines.items() if len(found) > 1]
    if not twice:
        return
    shown = [f"{_shown(key)} in lines {', '.join(map(str, found))}" for key, found in twice[:_MOST_SHOWN]]
    more = f" and {len(twice) - _MOST_SHOWN} more" if len(twice) > _MOST_SHOWN else ""
    message = f"{name}: a key must stand in one line only, found {'; '.join(shown)}{more}; remove the others"
    raise JoinError(message, code="duplicate_key")


def _key(path: str, pattern: re.Pattern[str], *, whole_path: bool) -> Key | None:
    match = pattern.search(path if whole_path else path.rpartition("/")[2])
    return None if match is None or None in match.groups() else tuple(match.groups())


def _free_name(column: str, loaded: Loaded) -> str:
    taken = loaded.columns
    while column in taken:
        column = _PREFIX + column
    return column


def _counts(keys: Mapping[str, Key | None], calls: _Calls, pattern: str) -> list[str]:
    without_key = [path for path, key in keys.items() if key is None]
    unknown = [key for key in keys.values() if key is not None and key not in calls.rows]
    used = {key for key in keys.values() if key in calls.rows}
    if keys and not used:
        seen = [key for key in keys.values() if key is not None]
        found = (
            f"keys in names are {_some(seen)}" if seen else f"--key {pattern!r} finds nothing in {_paths(without_key)}"
        )
        message = (
            f"{calls.name}: no recording has a line here; {found}, keys in {calls.key[0]} are {_some(list(calls.rows))}"
        )
        raise JoinError(f"{message}; change --key", code="no_match")
    joined = sum(key in used for key in keys.values())
    said = [f"{calls.name}: joined to {joined} of {len(keys)} recordings"]
    if unknown:
        said.append(f"{calls.name}: has no line for {plural(len(unknown), 'recording')}: {_some(unknown)}")
    if without_key:
        count = plural(len(without_key), "recording")
        said.append(f"--key finds nothing in the names of {count}: {_paths(without_key)}")
    if left := [key for key in calls.rows if key not in used]:
        has = "has" if len(left) == 1 else "have"
        said.append(f"{calls.name}: {plural(len(left), 'line')} {has} no recording: {_some(left)}")
    return said


def _some(keys: Sequence[Key]) -> str:
    shown = ", ".join(_shown(key) for key in keys[:_MOST_SHOWN])
    return shown + (", …" if len(keys) > _MOST_SHOWN else "")


def _shown(key: Key) -> str:
    return display_text("/".join(key)) or "(empty)"


def _paths(paths: Sequence[str]) -> str:
    return _some([(path,) for path in paths])
