"""Progress of a run on stderr. On a terminal the display is removed when the run ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from sertag import signals
from sertag.errors import SertagError
from sertag.records import AudioFile, Status
from sertag.run.summary import Tally
from sertag.text import audio_text, plural

_PLAIN_EVERY_S = 10.0  # between lines where stderr is a file: often enough to follow, rare enough for a log


class Progress:
    """Shows a run while its `with` block lasts: a live line on a terminal, a message now and then elsewhere."""

    def __init__(self, tally: Tally, *, files: Callable[[], Iterable[AudioFile]] | None) -> None:
        """Prepare the display.

        Args:
            tally: counts of the run, updated by the caller.
            files: finds the inputs once more, to count them in a thread; None if that is impossible (a list on
                standard input), and then no remaining time is shown.
        """
        self._tally = tally
        self._count = _Count(files) if files is not None else None
        console = Console(stderr=True)
        self._bar = self._live(console) if console.is_terminal and not console.is_dumb_terminal else None
        self._task = self._bar.add_task("", total=None) if self._bar else None
        self._last_line = time.monotonic()

    def advance(self) -> None:
        """Show the current counts."""
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
            except BaseException:  # a signal arrived meanwhile, and the cursor is hidden
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
        # Standard output contains data, so it is not redirected; messages on stderr appear above the progress line.
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


class _Words(ProgressColumn):
    """A column whose text is the result of a function, called at each redraw."""

    def __init__(self, content: Callable[[], str], *, style: str = "") -> None:
        super().__init__()
        self._content, self._style = content, style

    def render(self, task: Task) -> Text:
        return Text(self._content(), style=self._style)


class _Count:
    """Counts the inputs in a separate thread, so that counting a million files does not delay the first."""

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
        with suppress(SertagError):  # the list was removed; the run itself reports that
            for _ in self._files():
                self.total += 1
                if self._stopping.is_set():
                    return
            self.complete = True
