"""What a terminal shows: how far a run is, and the result as a table for eyes. The only module that imports rich.

Used by `run`. Progress goes to stderr and is gone when the run ends; the table goes to standard output.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from types import TracebackType
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table as RichTable
from rich.text import Text

from sertag import signals
from sertag.errors import SertagError
from sertag.names import display_name
from sertag.output import Output
from sertag.records import AudioFile, ChannelResult, FileResult, Status
from sertag.summary import Tally, audio_text, plural

_PLAIN_EVERY_S = 10.0  # between lines where stderr is a file: often enough to follow, rare enough for a log
_PAGE_ROWS = 1000  # of one table on the screen; its columns are as wide as these rows need
_SPOOL_BYTES = 1 << 20

_COLOURS = {
    Status.OK: "green",
    Status.UNCERTAIN: "yellow",
    Status.NO_SPEECH: "bright_black",
    Status.TOO_SHORT: "bright_black",
    Status.UNREADABLE: "red",
    Status.FAILED: "bold red",
}


class Progress:
    """Shows a run while its `with` block lasts: a live line on a terminal, a message now and then elsewhere."""

    def __init__(self, tally: Tally, *, files: Callable[[], Iterable[AudioFile]] | None) -> None:
        """Prepare the display.

        Args:
            tally: of the run, kept by the caller.
            files: finds the inputs once more, to count them beside the work; None where that is impossible (a list
                on standard input), and then there is no time left to be told.
        """
        self._tally = tally
        self._count = _Count(files) if files is not None else None
        console = Console(stderr=True)
        self._bar = self._live(console) if console.is_terminal and not console.is_dumb_terminal else None
        self._task = self._bar.add_task("", total=None) if self._bar else None
        self._last_line = time.monotonic()

    def advance(self) -> None:
        """Show what the tally says now."""
        total = self._count.total if self._count and self._count.complete else None
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._tally.inputs, total=total)
        elif time.monotonic() - self._last_line >= _PLAIN_EVERY_S:
            self._last_line = time.monotonic()
            words = (self._files(), self._reused(), self._speed(), self._failed())
            logging.getLogger("sertag").info("%s", " · ".join(word for word in words if word))

    def __enter__(self) -> Progress:
        if self._count is not None:
            self._count.start()
        if self._bar is not None:
            try:
                with signals.blocked():
                    self._bar.start()
            except BaseException:  # one came meanwhile, and the cursor is hidden
                self._stop()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            with signals.blocked():
                self._bar.stop()
        if self._count is not None:
            self._count.stop()

    def _live(self, console: Console) -> Bar:
        columns = (
            SpinnerColumn(),
            _Words(self._files),
            BarColumn(bar_width=24),
            _Words(self._reused),
            _Words(self._speed),
            _Words(self._failed, style="red"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        )
        # Standard output is data and stays untouched; messages on stderr appear above the line.
        return Bar(*columns, console=console, transient=True, redirect_stdout=False, refresh_per_second=5)

    def _files(self) -> str:
        if self._count is None:
            return plural(self._tally.inputs, "file")
        total = max(self._count.total, self._tally.inputs)
        return f"{self._tally.inputs:,}/{total:,}{'' if self._count.complete else '+'} files"

    def _reused(self) -> str:
        return f"{self._tally.inputs - self._tally.new_files:,} reused" if self._tally.reused else ""

    def _speed(self) -> str:
        return f"{audio_text(self._tally.new_audio_s)} of audio · {self._tally.realtime_factor:,.0f} times real time"

    def _failed(self) -> str:
        failed = self._tally.rows[Status.UNREADABLE] + self._tally.rows[Status.FAILED]
        return f"{failed:,} failed" if failed else ""


class ScreenTable:
    """The result table for eyes: the columns a person asks for first, printed when the run is over.

    Rows wait in a file, so that a million of them take no memory; they are set in pages.
    """

    def __init__(self, output: Output) -> None:
        """Begin a table.

        Args:
            output: where it goes.
        """
        self._output = output
        self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES, mode="w+", encoding="ascii")

    def add(self, result: FileResult) -> None:
        """Keep the rows of one file."""
        for channel in result.channels:
            self._spool.write(json.dumps(_screen_row(result.path, channel)) + "\n")

    def close(self) -> None:
        """Print everything."""
        self._spool.seek(0)
        rows = (json.loads(line) for line in self._spool)
        while page := list(islice(rows, _PAGE_ROWS)):
            self._output.write(_rendered(page, terminal=self._output.terminal))
        self._spool.close()


@contextmanager
def open_screen_table(output: Output) -> Iterator[ScreenTable]:
    """Write a table for eyes; it is printed when the block is left without an exception.

    Args:
        output: where it goes.

    Raises:
        OutputError: the target cannot be written.
    """
    table = ScreenTable(output)
    yield table
    table.close()
    output.finish()


class _Words(ProgressColumn):
    """A column that says what a function says at the moment of drawing."""

    def __init__(self, say: Callable[[], str], *, style: str = "") -> None:
        super().__init__()
        self._say, self._style = say, style

    def render(self, task: Task) -> Text:
        return Text(self._say(), style=self._style)


class _Count:
    """Counts the inputs in a thread of its own, so that a million files do not hold up the first."""

    def __init__(self, files: Callable[[], Iterable[AudioFile]]) -> None:
        self.total = 0
        self.complete = False
        self._files = files
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sertag-count", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        with suppress(SertagError):  # the list went away; the run itself will say so
            for _ in self._files():
                self.total += 1
                if self._stopping.is_set():
                    return
            self.complete = True


def _screen_row(path: str, channel: ChannelResult) -> dict[str, Any]:
    number = "" if channel.channel is None else str(channel.channel)
    return {
        "file": display_name(path),
        "channel": f"{number} {channel.role}".strip(),
        "status": channel.status.value,
        "emotion": channel.emotion or "",
        "confidence": "" if channel.confidence is None else f"{channel.confidence:.0%}",
        "sentiment": channel.sentiment.value if channel.sentiment else "",
        "trend": channel.trend_label.value if channel.trend_label else "",
        "speech": "" if channel.speech_s is None else f"{channel.speech_s:.1f} s",
        "note": channel.problem.code if channel.problem else "",
    }


def _rendered(rows: list[dict[str, Any]], *, terminal: bool) -> bytes:
    """One page, as wide as the terminal; in a pipe or a file, UTF-8 without colours and wide enough for paths."""
    encoding = (getattr(sys.stdout, "encoding", None) if terminal else None) or "utf-8"
    file = io.StringIO()
    width = Console().width if terminal else 160
    console = Console(file=file, width=width, force_terminal=terminal)
    table = RichTable(box=box.SIMPLE_HEAD if encoding.lower().startswith("utf") else box.ASCII)
    names = [name for name in rows[0] if any(row[name] for row in rows)]  # columns without content say nothing
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name != "file")
    for row in rows:
        colours = {"status": _COLOURS[Status(row["status"])]}
        table.add_row(*(Text(row[name], style=colours.get(name, "")) for name in names))
    console.print(table)
    return file.getvalue().encode(encoding, "replace")
