"""Live results on a terminal: the last minute of each channel as a moving timeline."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatchmethod
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sertag.live.events import Channel, End, Event, Gap, SpeechEnd, Start, Window
from sertag.records import Segment
from sertag.show.style import cell_style, legend
from sertag.show.timeline import SILENT, answer, axis, cells, dimension_shares
from sertag.spec import ModelSpec
from sertag.text import clock, display_name, display_text, plural

_SPAN_S = 60.0


class Display:
    """A timeline on standard output, redrawn at each event; if that is not a terminal, drawn once at the end."""

    def __init__(self, spec: ModelSpec, *, console: Console | None = None) -> None:
        """Begin.

        Args:
            spec: of the model.
            console: to draw on; standard output where None.
        """
        self._spec = spec
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=False, redirect_stdout=False)
        self._windows: dict[Channel, list[Segment]] = {}
        self._roles: dict[Channel, str] = {}
        self._title, self._note, self._now_s = "", "", 0.0

    def __enter__(self) -> Display:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.__exit__(kind, error, at)
        if not self._console.is_terminal:  # there Rich ends the last line itself
            self._console.line()

    def show(self, events: Iterable[Event]) -> None:
        """Update the timeline and redraw it."""
        for event in events:
            self._take(event)
        self._live.update(self._drawn(), refresh=True)

    @singledispatchmethod
    def _take(self, event: Event) -> None:
        raise TypeError(f"{type(event).__name__} is no event")

    @_take.register
    def _(self, event: Start) -> None:
        rate = f"{event.sample_rate} Hz, {plural(event.channels, 'channel')}"
        self._title = f"listening to {display_name(event.path)} ({rate}); Ctrl-C ends it"

    @_take.register
    def _(self, event: Window) -> None:
        found = self._windows.setdefault(event.channel, [])
        same = [index for index, segment in enumerate(found) if abs(segment.start_s - event.segment.start_s) < 1e-3]
        if same:
            found[same[-1]] = event.segment
        else:
            found.append(event.segment)
            found.sort(key=lambda segment: segment.start_s)
        self._roles[event.channel] = event.role
        self._now_s = max(self._now_s, event.segment.end_s)
        if event.provisional:
            oldest = self._now_s - 2 * _SPAN_S
            self._windows[event.channel] = [segment for segment in found if segment.end_s > oldest]
            if event.dropped_ms:
                self._note = f"{event.dropped_ms} ms were lost, this computer cannot keep up"

    @_take.register
    def _(self, event: SpeechEnd) -> None:
        self._now_s = max(self._now_s, event.end_s)

    @_take.register
    def _(self, event: Gap) -> None:
        what = "nothing comes" if event.open else f"{event.duration_s:.1f} s did not come"
        self._note = f"{clock(event.start_s)} {what} ({event.cause})"

    @_take.register
    def _(self, event: End) -> None:
        self._title = f"listened to {display_name(event.result.path)}: {event.reason.replace('_', ' ')}"
        self._note = display_text(event.error)
        self._now_s = max(self._now_s, event.result.duration_s)
        found = event.result.channels
        rows = [f"{_name(channel.channel, channel.role)}: {answer(channel, self._spec)}" for channel in found]
        self._note = "; ".join([*rows, *([self._note] if self._note else [])])

    def _drawn(self) -> Group:
        width = max(20, self._console.width - 1)
        names = {channel: _name(channel, role) for channel, role in self._roles.items()}
        margin = min(12, max((len(name) for name in names.values()), default=0) + 1)
        start_s = max(0.0, self._now_s - _SPAN_S)
        span: dict[str, Any] = {"start_s": start_s, "end_s": start_s + _SPAN_S, "width": width - margin}
        lines = [Text(self._title, style="bold")]
        for channel in sorted(self._windows, key=str):
            line = Text(names[channel][: margin - 1].ljust(margin))
            self._add_columns(line, self._windows[channel], span)
            lines.append(line)
        lines.append(Text(" " * margin + axis(**span), style="dim"))
        return Group(*lines, *legend(self._spec, width=width), Text(self._note))

    def _add_columns(self, line: Text, windows: list[Segment], span: dict[str, Any]) -> None:
        """Letters of emotions; without labels the first dimension, a digit from 0 to 9 of its scale."""
        if self._spec.labels:
            for cell in cells(windows, labels=self._spec.labels, **span):
                line.append(cell.letter, style=cell_style(cell))
            return
        shares = dimension_shares(windows, 0, spec=self._spec, **span)
        line.append("".join(SILENT if share is None else str(min(9, int(10 * share))) for share in shares))


def _name(channel: Channel | None, role: str) -> str:
    return role or ("" if channel is None else str(channel))
