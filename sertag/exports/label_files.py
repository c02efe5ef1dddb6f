"""Timelines as text files of other programs: Audacity labels, Praat's TextGrid, WebVTT and RTTM. Pure functions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from sertag.exports.timelines import UNCERTAIN, Interval, Recording, Timeline
from sertag.text import display_text


def audacity(timeline: Timeline) -> str:
    r"""The label track of one channel: start, end and label, separated by tabs.

    >>> audacity(Timeline(0, "agent", (Interval(0.0, 2.5, "calm", "neutral", 0.81),), None))
    '0.000000\t2.500000\tcalm 81 %\n'
    """
    return "".join(f"{one.start_s:.6f}\t{one.end_s:.6f}\t{_label(one)}\n" for one in timeline.intervals)


def textgrid(recording: Recording) -> str:
    """A TextGrid with one interval tier per channel, in Praat's long text format; gaps are intervals without text."""
    end_s = recording.duration_s
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    head += f"xmin = 0\nxmax = {_seconds(end_s)}\ntiers? <exists>\nsize = {len(recording.timelines)}\nitem []:\n"
    tiers = (_tier(number, line, end_s) for number, line in enumerate(recording.timelines, 1))
    return head + "".join(tiers)


def webvtt(recording: Recording) -> str:
    """Subtitles in order of time, with the speaker as voice."""
    cues = sorted(
        ((one, line.speaker) for line in recording.timelines for one in line.intervals),
        key=lambda cue: (cue[0].start_s, cue[0].end_s),
    )
    blocks = [f"{_clock(one.start_s)} --> {_clock(one.end_s)}\n<v {_tag(who)}>{_tag(_label(one))}" for one, who in cues]
    return "\n\n".join(["WEBVTT", *blocks]) + "\n"


def rttm(recordings: Iterable[Recording]) -> str:
    """Lines of NIST's Rich Transcription Time Marked format, one per interval with an emotion.

    The name of the speaker is the role and the emotion, as in `customer:angry`; channels count from 1.
    """
    return "".join(_rttm_line(recording, line, one) for recording, line, one in _with_emotion(recordings))


def _with_emotion(recordings: Iterable[Recording]) -> Iterable[tuple[Recording, Timeline, Interval]]:
    for recording in recordings:
        for line in recording.timelines:
            for one in line.intervals:
                if one.label != UNCERTAIN:
                    yield recording, line, one


def _rttm_line(recording: Recording, line: Timeline, one: Interval) -> str:
    name = re.sub(r"\s", "_", display_text(recording.path))
    speaker = re.sub(r"\s", "_", display_text(f"{line.speaker}:{one.label}"))
    channel = line.channel + 1 if isinstance(line.channel, int) else 1
    times = f"{one.start_s:.3f} {one.end_s - one.start_s:.3f}"
    return f"SPEAKER {name} {channel} {times} <NA> <NA> {speaker} {one.confidence:.4f} <NA>\n"


def _tier(number: int, line: Timeline, end_s: float) -> str:
    parts: list[tuple[float, float, str]] = []
    at = 0.0
    for one in line.intervals:
        if one.start_s > at:
            parts.append((at, one.start_s, ""))
        parts.append((one.start_s, one.end_s, _label(one)))
        at = one.end_s
    if end_s > at or not parts:
        parts.append((at, end_s, ""))
    text = f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{_praat(line.speaker)}"\n'
    text += f"        xmin = 0\n        xmax = {_seconds(end_s)}\n        intervals: size = {len(parts)}\n"
    for index, (start, end, label) in enumerate(parts, 1):
        text += (
            f"        intervals [{index}]:\n            xmin = {_seconds(start)}\n            xmax = {_seconds(end)}\n"
        )
        text += f'            text = "{_praat(label)}"\n'
    return text


def _label(one: Interval) -> str:
    return f"{one.label} {one.confidence:.0%}".replace("%", " %")


def _praat(text: str) -> str:
    return display_text(text).replace('"', '""')


def _tag(text: str) -> str:
    return html.escape(display_text(text), quote=False)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> _clock(3661.5)
    '01:01:01.500'
    """
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")  # not %g, which keeps only six digits
