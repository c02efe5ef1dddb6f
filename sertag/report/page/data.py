"""The data of the page: columns of rows and recordings as compressed JSON, in a block that browsers do not execute."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sertag.records import Status
from sertag.report.calls import NUMBERS, QUARTERS, TEXTS, Call, Calls, status_code
from sertag.report.page.marks import STATUS_STYLES, Mark
from sertag.report.playback import Source
from sertag.text import display_name

_LEVEL = 6
_WITHOUT_LABEL = {Status.OK: "speech", Status.NO_SPEECH: "no speech"}
_ADVICE = "sertag report … --embed-audio worst:50 puts the worst seconds into the page."
# Characters that can end a script element, or a line in old JavaScript; in JSON they occur only inside strings.
_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Sound:
    """A part of a call inside the page: Ogg Opus, base64."""

    start_s: float
    end_s: float
    data: str


@dataclass(frozen=True, slots=True)
class Extras:
    """Data of calls besides their rows, by path.

    Attributes:
        sources: locations of the recordings.
        days: days of the calls, ISO 8601.
        sounds: parts to play.
        peaks: outlines of waveforms, one text per channel: base64 of one byte per bin.
    """

    sources: Mapping[str, Source] = field(default_factory=dict)
    days: Mapping[str, str] = field(default_factory=dict)
    sounds: Mapping[str, Sound] = field(default_factory=dict)
    peaks: Mapping[str, Sequence[str]] = field(default_factory=dict)


def document(calls: Calls, marks: Sequence[Mark], extras: Extras) -> dict[str, Any]:
    """The data for the script: columns, in which the rows of a call follow each other."""
    own, labels = [one.column for one in calls.dimensions], {mark.label: code for code, mark in enumerate(marks)}
    rows: dict[str, list[Any]] = {
        name: [] for name in ("call", "channel", "who", "code", "probs", "quarters", "windows")
    }
    rows |= {name: [] for name in (*TEXTS, *NUMBERS, *own)}
    for index, call in enumerate(calls.calls):
        for channel in call.channels:
            rows["call"].append(index)
            rows["channel"].append(channel.channel)
            rows["probs"].append([channel.probs.get(label) for label in calls.labels] if channel.probs else None)
            rows["who"].append(channel.who)
            rows["code"].append(labels.get(channel.text("emotion"), status_code(channel.text("status"))))
            rows["quarters"].append([channel.number(column) for column in QUARTERS])
            rows["windows"].append(channel.windows)
            for name in (*TEXTS, *NUMBERS, *own):
                rows[name].append(channel.values[name])
            rows["attention"][-1] = channel.urgency
    paths = [call.path for call in calls.calls]
    sources = [extras.sources.get(path, Source(problem="missing")) for path in paths]
    return {
        "marks": _marks(marks),
        "dimensions": [asdict(one) for one in calls.dimensions],
        "rows": rows,
        "calls": {
            "path": paths,
            "name": [shown if (shown := display_name(path)) != path else None for path in paths],
            "url": [source.url for source in sources],
            "problem": [_problem(*one) for one in zip(sources, calls.calls, strict=True)],
            "day": [extras.days.get(path, "") for path in paths],
            "sound": [_place(extras.sounds.get(path)) for path in paths],
            "peaks": [extras.peaks.get(path) for path in paths],
        },
    }


def compressed(data: Mapping[str, Any]) -> str:
    """Base64 of gzip of JSON, escaped so that it cannot end a script element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return b64encode(gzip.compress(escaped(text).encode(), _LEVEL, mtime=0)).decode()


def escaped(text: str) -> str:
    r"""JSON that is safe inside HTML.

    >>> escaped('"</script>"')
    '"\\u003c/script\\u003e"'
    """
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _marks(marks: Sequence[Mark]) -> dict[int, dict[str, str]]:
    """What codes of rows and windows look like, and `what` they are in words."""
    named = {code: asdict(mark) | {"what": mark.label} for code, mark in enumerate(marks)}
    return named | {
        status_code(status.value): {"style": style, "letter": "", "what": _WITHOUT_LABEL.get(status, status.value)}
        for status, style in STATUS_STYLES.items()
    }


def _problem(source: Source, call: Call) -> str:
    """Why a recording does not play, in words; empty where it does."""
    if source.problem == "format" and not call.duration_s:
        return f"There is no sound to play: it is {source.format}."
    if source.problem == "format":
        return f"Browsers do not play this recording: it is {source.format}. {_ADVICE}"
    if source.problem == "remote":
        return f"This recording is not a file beside the page. {_ADVICE}"
    return f"The recording was not found when the page was made: {display_name(call.path)}" if source.problem else ""


def _place(sound: Sound | None) -> dict[str, float] | None:
    return None if sound is None else {"from": round(sound.start_s, 3), "to": round(sound.end_s, 3)}
