"""The static part of the page: what there is to see and to print without any script.

Pure: calls in, HTML out. Means are over channels, each counted once, however long it is; they say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from sertag.records import FAILURES, Sentiment, Status
from sertag.report.calls import Call, Calls, Channel
from sertag.report.page.marks import STATUS_STYLES, STATUS_WORDS, Mark
from sertag.report.page.markup import (
    bar,
    clock,
    number,
    percent,
    quarters,
    recording_link,
    section,
    swatch,
    table,
    text,
)
from sertag.report.page.trends import trends
from sertag.report.page.unanswered import unanswered
from sertag.text import audio_text, plural

WORST = 50  # calls that the overview names
_AT_ONCE = 10  # of them that are shown at first, see report.css
_SENTIMENT_STYLES = {Sentiment.NEGATIVE: "neg0", Sentiment.NEUTRAL: "neu0", Sentiment.POSITIVE: "pos0"}
_QUARTERS = ("neg_q1", "neg_q2", "neg_q3", "neg_q4")


@dataclass(frozen=True, slots=True)
class Overview:
    """What the static part is made of.

    Attributes:
        calls: all of them.
        marks: how each label looks.
        days: path to day, ISO 8601; only of calls whose day is known.
        days_from: where the days come from, in words.
    """

    calls: Calls
    marks: Sequence[Mark]
    days: Mapping[str, str] = field(default_factory=dict)
    days_from: str = ""

    @property
    def channels(self) -> list[Channel]:
        """All rows."""
        return [channel for call in self.calls.calls for channel in call.channels]

    @property
    def roles(self) -> list[str]:
        """Names of roles, in order of appearance; one empty name where nobody has any."""
        return list(dict.fromkeys(channel.text("role") for channel in self.channels)) or [""]


def sections(overview: Overview) -> str:
    """All static sections, HTML."""
    if not overview.calls.calls:
        return section("empty", "No recordings", "<p>The tables have no rows: nothing was tagged.</p>")
    return "\n".join(
        (
            _in_short(overview),
            _listen_first(overview),
            '<div class="pair">',
            _outcomes(overview),
            _emotions(overview),
            _talk(overview),
            trends(overview.calls.calls, overview.days, overview.days_from),
            "</div>",
            unanswered(overview.calls),
        )
    )


def worst_calls(calls: Iterable[Call], most: int = WORST) -> list[Call]:
    """Calls to listen to first, the most urgent one in front."""
    rated = [(call.worst.urgency or 0.0, index, call) for index, call in enumerate(calls) if call.worst is not None]
    return [call for _, _, call in sorted(rated, key=lambda item: (-item[0], item[1]))[:most]]


def who(channel: Channel) -> str:
    """A channel as people call it."""
    if channel.channel is None:
        return ""
    return channel.text("role") or (f"channel {channel.channel}" if channel.channel != "mix" else "all channels mixed")


_NONE = "No channel has one."
_NONE_ALONE = "The model names none. The tables have its dimensions, in columns that begin with <code>d_</code>."


def _in_short(overview: Overview) -> str:
    channels = overview.channels
    answered = _answered(overview)
    failed = sum(channel.text("status") in {status.value for status in FAILURES} for channel in channels)
    negative = sum(channel.text("sentiment") == Sentiment.NEGATIVE for channel in answered)
    abstained = len(channels) - len(answered) - failed
    tiles = (
        ("Recordings", f"{len(overview.calls.calls):,}", plural(len(channels), "channel")),
        ("Audio", audio_text(sum(call.duration_s for call in overview.calls.calls)), ""),
        ("With an emotion", f"{len(answered):,}", percent(len(answered), len(channels)) + " of the channels"),
        ("Negative", f"{negative:,}", f"{percent(negative, len(answered))} of those" if answered else ""),
        ("No answer", f"{abstained:,}", "uncertain, or no speech"),
        ("Failed", f"{failed:,}", "could not be read" if failed else "all could be read"),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>" for name, value, more in tiles)
    return f'<dl class="tiles">{cells}</dl>'


def _outcomes(overview: Overview) -> str:
    counts = Counter(channel.text("status") for channel in overview.channels)
    known = [status.value for status in Status]
    order = [*(status for status in known if counts[status]), *sorted(counts.keys() - set(known))]
    whole = sum(counts.values())
    styles = {status: STATUS_STYLES[Status(status)] if status in known else "failed" for status in order}
    rows = [
        (
            f"{swatch(styles[status])} {text(status)}",
            f"{counts[status]:,}",
            percent(counts[status], whole),
            STATUS_WORDS[Status(status)] if status in known else "not a status of this version",
        )
        for status in order
    ]
    shares = bar(((counts[status] / whole, styles[status]) for status in order), height=16)
    listed = table(("Outcome", "#Channels", "#Share", "Meaning"), rows, caption="Outcomes")
    return section("outcomes", "Outcomes", shares + listed)


def _emotions(overview: Overview) -> str:
    answered = _answered(overview)
    if not answered:
        return section("emotions", "Emotions", f"<p>{_NONE_ALONE if _is_alone(overview) else _NONE}</p>")
    counts = Counter(channel.text("emotion") for channel in answered)
    rows = [
        (
            f"{swatch(mark.style, mark.letter)} {text(mark.label)}",
            bar([(counts[mark.label] / len(answered), mark.style)]),
            f"{counts[mark.label]:,}",
            percent(counts[mark.label], len(answered)),
        )
        for mark in overview.marks
    ]
    emotions = table(("Emotion", "", "#Channels", "#Share"), rows, caption="Emotions", kind="bars")
    return section("emotions", "Emotions", emotions + _sentiments(overview, answered))


def _answered(overview: Overview) -> list[Channel]:
    """The channels that have an emotion."""
    return [one for one in overview.channels if one.text("status") == Status.OK and one.text("emotion")]


def _is_alone(overview: Overview) -> bool:
    """Whether the model names no emotions and estimates dimensions alone: then rows without one are `ok`."""
    return any(channel.text("status") == Status.OK for channel in overview.channels)


def _sentiments(overview: Overview, answered: Sequence[Channel]) -> str:
    rows = []
    for role in overview.roles:
        of_role = [channel.text("sentiment") for channel in answered if channel.text("role") == role]
        if of_role:
            shares = [
                (of_role.count(sentiment) / len(of_role), style) for sentiment, style in _SENTIMENT_STYLES.items()
            ]
            figures = [f"{of_role.count(sentiment):,}" for sentiment in _SENTIMENT_STYLES]
            rows.append((_role(role, overview), bar(shares), *figures))
    head = ("Sentiment of", "", *(f"#{sentiment.value}" for sentiment in _SENTIMENT_STYLES))
    return table(head, rows, caption="Sentiment by role", kind="bars")


def _listen_first(overview: Overview) -> str:
    chosen = worst_calls(overview.calls.calls)
    if not chosen:
        return section("worst", "Listen first", "<p>No channel could be judged.</p>")
    letters = {mark.label: mark for mark in overview.marks}
    rows = [_worst_row(place, call, letters) for place, call in enumerate(chosen, 1)]
    head = ("#", "Recording", "Channel", "#Attention", "", "#Worst at", "Emotion", "By quarter", "#Length")
    listed = table(head, rows, caption="The calls to listen to first", kind="worst")
    note = (
        "Attention, 0 to 1, says how much more negative than ordinary speech the most negative half minute is. "
        "Quarters show the mean negative probability in each quarter of the call."
    )
    count = plural(len(chosen), "call")
    more = '<label><input type="checkbox" id="more"> Show all</label>' if len(rows) > _AT_ONCE else ""
    return section("worst", f"Listen first <small>{count}, worst on top</small>", listed + more, note)


def _worst_row(place: int, call: Call, marks: Mapping[str, Mark]) -> tuple[str, ...]:
    channel = call.worst
    if channel is None:
        raise ValueError("a call that nobody rated is in no list of the worst")
    emotion = channel.text("emotion")
    mark = marks.get(emotion)
    shown = f"{swatch(mark.style, mark.letter)} {text(emotion)}" if mark else text(channel.text("status"))
    urgency = channel.urgency or 0.0
    return (
        str(place),
        recording_link(call.path),
        text(who(channel)),
        f"{urgency:.2f}",
        bar([(urgency, "neg0")]),
        clock(channel.number("peak_start_s")),
        shown,
        quarters([channel.number(name) for name in _QUARTERS]),
        clock(call.duration_s),
    )


def _talk(overview: Overview) -> str:
    rows = []
    for role in overview.roles:
        of_role = [channel for channel in overview.channels if channel.text("role") == role]
        talk = _mean(of_role, "talk_pct")
        if talk is not None:
            times = (f"{number(_mean(of_role, name), 1)}" for name in ("overtalk_s", "silence_s", "longest_silence_s"))
            more = (number(_mean(of_role, "interruptions"), 1), number(_mean(of_role, "loudness_dbfs"), 0))
            rows.append((_role(role, overview), f"{talk:.0f} %", *times, *more))
    if not rows:
        return section("talk", "Who talks", "<p>No recording says who talks when.</p>")
    head = ("Channel", "#Talks", "#Overtalk s", "#Silence s", "#Longest s", "#Interrupts", "#dBFS")
    note = "Means over the recordings. Overtalk: others speak at the same time. Silence: nobody speaks."
    return section("talk", "Who talks", table(head, rows, caption="Talk, overtalk and silence"), note)


def _role(role: str, overview: Overview) -> str:
    return text(role) or ("no role" if len(overview.roles) > 1 else "all channels")


def _mean(channels: Sequence[Channel], column: str) -> float | None:
    values = [value for channel in channels if (value := channel.number(column)) is not None]
    return fmean(values) if values else None
