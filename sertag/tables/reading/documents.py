"""Tables in JSON and JSON Lines, one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sertag.tables.reading.sources import TableError, lines_of, name_of, open_source, text_of

_EXPECTED = "a table that sertag has written"


@contextmanager
def open_documents(path: str, *, storage: str = "") -> Iterator[tuple[Iterator[dict[str, Any]], list[str]]]:
    """Open a table in JSON or JSON Lines.

    Args:
        path: path of the table, a URL, or `-` for standard input.
        storage: settings for URLs, from `remote.options`.

    Yields:
        Its objects as they are, one a recording or one a window, and problems of the table, complete at its end.

    Raises:
        TableError: the file cannot be opened. Reading its objects raises it if they are not those of a table.
    """
    name, warnings = name_of(path), list[str]()
    with text_of(open_source(path, expected=_EXPECTED, storage=storage)) as stream:
        documents = documents_of(name, lines_of(name, stream, expected=_EXPECTED), warnings)
        yield (_checked(name, document) for document in documents), warnings


def _checked(name: str, document: dict[str, Any]) -> dict[str, Any]:
    if "path" in document and ("channels" in document or "segment" in document):
        return document
    raise TableError(f"{name}: contains an object that is not of sertag", code="no_table")


def documents_of(name: str, lines: Iterable[str], warnings: list[str]) -> Iterator[dict[str, Any]]:
    """One object per line, as sertag writes JSON and JSON Lines."""
    last = ""
    for number, line in enumerate(lines, 1):
        text = line.strip().rstrip(",")
        if text in ("", "[", "]", "[]"):
            continue
        if last:
            raise TableError(f"{name}: line {number - 1} is not a JSON object of sertag: {last}", code="no_table")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            last = str(error)
            continue
        if not isinstance(document, dict):
            raise TableError(f"{name}: line {number} is not a JSON object", code="no_table")
        yield document
    if last:
        warnings.append(f"{name}: its last line was cut and is left out ({last})")
