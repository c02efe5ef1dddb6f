"""The result table for people: on a terminal as wide as the terminal, in a file wide enough for paths."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from types import MappingProxyType
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from sertag.records import ChannelResult, FileResult, Status
from sertag.storage.atomic_output import Output
from sertag.text import display_name

_PAGE_ROWS = 1000  # rows of one table on the screen; the width of its columns fits these rows
_SPOOL_BYTES = 1 << 20
_PATHS = frozenset(("file", "path"))  # columns that may be folded
_FOLDED = 20  # characters, at least
_LEFT_OUT = ("trend", "speech", "sentiment", "note")  # one after the other, until a narrow terminal has place

_COLOURS = {
    Status.OK: "green",
    Status.UNCERTAIN: "yellow",
    Status.NO_SPEECH: "bright_black",
    Status.TOO_SHORT: "bright_black",
    Status.UNREADABLE: "red",
    Status.FAILED: "bold red",
}


class ScreenTable:
    """The result table for people: the most important columns, printed at the end of the run.

    Rows are kept in a temporary file, so that a million of them take no memory, and printed in pages.
    """

    def __init__(self, output: Output, *, dimensions: Sequence[str] = ()) -> None:
        """Begin a table.

        Args:
            output: output to print it to.
            dimensions: names of the model's dimensions.
        """
        self._output, self._dimensions = output, dimensions
        self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES, mode="w+", encoding="ascii")

    def add(self, result: FileResult) -> None:
        """Store the rows of one file."""
        for channel in result.channels:
            self._spool.write(json.dumps(_screen_row(result.path, channel, self._dimensions)) + "\n")

    def close(self) -> None:
        """Print everything."""
        self._spool.seek(0)
        rows = (json.loads(line) for line in self._spool)
        while page := list(islice(rows, _PAGE_ROWS)):
            self._output.write(_rendered(page, terminal=self._output.terminal))
        self._spool.close()


@contextmanager
def open_screen_table(output: Output, *, dimensions: Sequence[str] = ()) -> Iterator[ScreenTable]:
    """Write a table for people; it is printed when the block is left without an exception.

    Args:
        output: output to print it to.
        dimensions: names of the model's dimensions.

    Raises:
        OutputError: the target cannot be written.
    """
    table = ScreenTable(output, dimensions=dimensions)
    yield table
    table.close()
    output.finish()


def _screen_row(path: str, channel: ChannelResult, dimensions: Sequence[str]) -> dict[str, Any]:
    number = "" if channel.channel is None else str(channel.channel)
    return {
        "file": display_name(path),
        "channel": f"{number} {channel.role}".strip(),
        "status": channel.status.value,
        "emotion": channel.emotion or "",
        "confidence": "" if channel.confidence is None else f"{channel.confidence:.0%}",
        "sentiment": channel.sentiment.value if channel.sentiment else "",
        **_means(channel, dimensions),
        "trend": channel.trend_label.value if channel.trend_label else "",
        "speech": "" if channel.speech_s is None else f"{channel.speech_s:.1f} s",
        "note": channel.problem.code if channel.problem else "",
    }


def _means(channel: ChannelResult, dimensions: Sequence[str]) -> dict[str, str]:
    means = [course[0] for course in channel.dimensions] or [None] * len(dimensions)
    return {name: "" if mean is None else f"{mean:.2f}" for name, mean in zip(dimensions, means, strict=True)}


def rendered_rows(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    terminal: bool,
    colours: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> bytes:
    """A table, as wide as the terminal; in a pipe or a file, UTF-8 without colours and wide enough for paths.

    Args:
        names: of the columns.
        rows: printable cells.
        terminal: whether the output is a terminal.
        colours: column to cell to the colour of that cell.
    """
    encoding = (getattr(sys.stdout, "encoding", None) if terminal else None) or "utf-8"
    file = io.StringIO()
    width = Console().width if terminal else 160
    console = Console(file=file, width=width, force_terminal=terminal)
    table = RichTable(box=box.SIMPLE_HEAD if encoding.lower().startswith("utf") else box.ASCII)
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name not in _PATHS)
    for row in rows:
        cells = zip(names, row, strict=True)
        table.add_row(*(Text(cell, style=colours.get(name, {}).get(cell, "")) for name, cell in cells))
    console.print(table)
    return file.getvalue().encode(encoding, "replace")


def too_narrow(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the terminal is too narrow for the columns side by side; only paths may be folded."""
    widths = [
        _FOLDED if name in _PATHS else max(map(len, (name, *(row[place] for row in rows))))
        for place, name in enumerate(names)
    ]
    return sum(widths) + 3 * len(names) > Console().width


def rendered_records(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Rows one below the other, a line for each cell that is not empty: for terminals that are too narrow for a table.

    >>> print(rendered_records(["path", "role"], [["a.wav", "agent"], ["b.wav", ""]]).decode())
    path  a.wav
    role  agent
    <BLANKLINE>
    path  b.wav
    <BLANKLINE>
    """
    head = max(map(len, names))
    records = (
        "".join(f"{name:<{head}}  {cell}\n" for name, cell in zip(names, row, strict=True) if cell) for row in rows
    )
    return "\n".join(records).encode(getattr(sys.stdout, "encoding", None) or "utf-8", "replace")


def _rendered(rows: list[dict[str, Any]], *, terminal: bool) -> bytes:
    filled = [name for name in rows[0] if any(row[name] for row in rows)]  # empty columns are left out
    colours = {"status": {status.value: colour for status, colour in _COLOURS.items()}}
    for count in range(len(_LEFT_OUT) + 1):
        names = [name for name in filled if name not in _LEFT_OUT[:count]]
        cells = [[row[name] for name in names] for row in rows]
        if not terminal or not too_narrow(names, cells):
            return rendered_rows(names, cells, terminal=terminal, colours=colours)
    return rendered_records(filled, [[row[name] for name in filled] for row in rows])
