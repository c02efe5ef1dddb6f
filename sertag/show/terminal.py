"""A recording on a terminal: a few lines for each channel, as wide as it is, readable without colours.

For each channel: what it is, the emotions, how sure they are, the level, who talks; under all of them the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from sertag.records import ChannelResult, FileResult, Segment, Sentiment, Status
from sertag.show.sound import Sound
from sertag.show.style import cell_style, legend
from sertag.show.timeline import SILENT, answer, axis, cells, dimension_shares
from sertag.spec import ModelSpec
from sertag.text import clock, display_name, display_text

MARGIN = 8  # of names of lines
LEAST_WIDTH = 24

_BARS = {True: " ▁▂▃▄▅▆▇█", False: " .:-=+*#@"}
_TALK = {True: "·─█", False: ".-#"}
_LOUDEST_DBFS, _FAINTEST_DBFS = -10.0, -60.0
_MOST_MOMENTS = 12


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch in which a channel has one emotion that is not neutral; `confidence` is that of its surest window."""

    start_s: float
    end_s: float
    who: str
    emotion: str
    confidence: float
    sentiment: Sentiment | None


def timeline_width(width: int) -> int:
    """Columns of a timeline on a terminal of that width."""
    return max(LEAST_WIDTH, width) - MARGIN


def drawn(result: FileResult, sound: Sound | None, *, spec: ModelSpec, width: int, unicode: bool) -> list[Text]:
    """The lines of a recording.

    Args:
        result: its rows.
        sound: in `timeline_width(width)` columns; None where it cannot be decoded.
        spec: of the model.
        width: of the terminal.
        unicode: whether it shows more than ASCII.
    """
    width = max(LEAST_WIDTH, width)
    lines = [Text(_shortened(display_name(result.path), width), style="bold")]
    said = ""
    for channel in result.channels:
        lines += _wrapped(_heading(channel, spec), width, style="bold")
        remark = _remark(channel, result.path)
        if remark not in ("", said):  # most are about the file, and stand in each of its rows
            lines += _wrapped(remark, width, style="yellow")
            said = remark
        if sound is not None:
            lines += _timeline(channel, sound, spec=spec, unicode=unicode)
    if sound is not None:
        span = {"start_s": 0.0, "end_s": sound.duration_s, "width": sound.columns}
        lines.append(Text(" " * MARGIN + axis(**span), style="dim"))  # type: ignore[arg-type]
        lines += legend(spec, width=width)
        lines += _moment_lines(result, width)
    return lines


def moments(result: FileResult) -> list[Moment]:
    """Stretches of all channels with an emotion that is not neutral, in order of time."""
    found = [moment for channel in result.channels for moment in _of_channel(channel)]
    return sorted(found, key=lambda moment: (moment.start_s, moment.who))


def cursor(position_s: float, sound: Sound, *, unicode: bool) -> Text:
    """A line that marks a position under a timeline."""
    place = min(sound.columns - 1, int(position_s / sound.duration_s * sound.columns))
    return Text(clock(position_s).rjust(MARGIN - 1) + " " + " " * place + ("▲" if unicode else "^"), style="bold")


def who(channel: ChannelResult) -> str:
    """A channel's name: its role, or its number."""
    return channel.role or ("file" if channel.channel is None else f"channel {channel.channel}")


def _heading(channel: ChannelResult, spec: ModelSpec) -> str:
    number = "" if channel.channel is None or not channel.role else f"{channel.channel} "
    parts = [f"{number}{who(channel)}: {answer(channel, spec)}"]
    if channel.speech_s is not None:
        parts.append(f"{channel.speech_s:.1f} s of speech")
    if channel.attention is not None:
        parts.append(f"attention {channel.attention:.2f}")
    if channel.peak_start_s is not None:
        parts.append(f"worst from {clock(channel.peak_start_s)}")
    return display_text(", ".join(parts))


def _remark(channel: ChannelResult, path: str) -> str:
    """The problem of a channel without the name of the file, which stands above; empty if there is none."""
    return (
        "" if channel.problem is None else display_text(channel.problem.message.removeprefix(f"{display_name(path)}: "))
    )


def _timeline(channel: ChannelResult, sound: Sound, *, spec: ModelSpec, unicode: bool) -> Iterator[Text]:
    row = 0 if channel.channel == "mix" else channel.channel
    if row is None or row >= len(sound.lowest):
        return
    span: dict[str, Any] = {"start_s": 0, "end_s": max(sound.duration_s, 1e-3), "width": sound.columns}
    yield from _emotions(channel, span, spec=spec, unicode=unicode)
    for number, dimension in enumerate(spec.outputs):
        line = Text(dimension.name[: MARGIN - 1].ljust(MARGIN), style="dim")
        shares = dimension_shares(channel.segments, number, spec=spec, **span)
        line.append("".join(SILENT if share is None else _bar(share, unicode) for share in shares), style="none")
        yield line
    levels = (sound.level_dbfs[row] - _FAINTEST_DBFS) / (_LOUDEST_DBFS - _FAINTEST_DBFS)
    level = Text("level".ljust(MARGIN), style="dim")
    level.append("".join(_bar(value, unicode) for value in levels.tolist()), style="none")
    talk = Text("talk".ljust(MARGIN), style="dim")
    talk.append("".join(_TALK[unicode][1 + (share >= 0.5) if share else 0] for share in sound.speech[row].tolist()))
    yield from (level, talk)


def _emotions(channel: ChannelResult, span: dict[str, Any], *, spec: ModelSpec, unicode: bool) -> Iterator[Text]:
    """Two lines: letters of emotions, and how sure they are; none for a model without labels."""
    if not spec.labels:
        return
    emotion, sure = (Text(name.ljust(MARGIN), style="dim") for name in ("emotion", "sure"))
    for cell in cells(channel.segments, labels=spec.labels, **span):
        emotion.append(cell.letter, style=cell_style(cell))
        sure.append(_bar(cell.confidence, unicode), style=cell_style(cell))
    yield from (emotion, sure)


def _bar(share: float, unicode: bool) -> str:
    bars = _BARS[unicode]
    return bars[round(min(max(share, 0.0), 1.0) * (len(bars) - 1))]


def _of_channel(channel: ChannelResult) -> Iterator[Moment]:
    open_: list[Segment] = []
    for segment in [*channel.segments, None]:
        same = (
            segment is not None
            and open_
            and segment.emotion == open_[-1].emotion
            and segment.start_s <= open_[-1].end_s
        )
        if not same and open_:
            best = max(open_, key=lambda one: one.confidence or 0.0)
            yield Moment(
                open_[0].start_s,
                open_[-1].end_s,
                who(channel),
                best.emotion or "",
                best.confidence or 0.0,
                best.sentiment,
            )
            open_ = []
        if segment is not None and segment.status is Status.OK and segment.sentiment is not Sentiment.NEUTRAL:
            open_.append(segment)


def _moment_lines(result: FileResult, width: int) -> list[Text]:
    found = moments(result)
    chosen = sorted(found, key=lambda moment: -moment.confidence)[:_MOST_MOMENTS]
    lines = []
    for moment in (moment for moment in found if moment in chosen):
        times = f"{clock(moment.start_s)}-{clock(moment.end_s)}"
        text = f"{times}  {moment.who}  {moment.emotion} {moment.confidence:.0%}"
        lines.append(Text(_shortened(display_text(text), width)))
    if len(found) > len(chosen):
        lines.append(Text(_shortened(f"and {len(found) - len(chosen)} more", width), style="dim"))
    return lines


def _wrapped(text: str, width: int, *, style: str) -> list[Text]:
    return list(Text(text, style=style).wrap(_console(width), width))


def _console(width: int) -> Console:
    return Console(width=width)


def _shortened(text: str, width: int) -> str:
    """The end of a long name, which tells more than its beginning."""
    return text if len(text) <= width else "..." + text[len(text) - width + 3 :]
