"""The static part of the page: what there is to see and to print without any script.

Pure: calls in, HTML out. Means are over channels, each counted once, however long it is; they say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sertag.records import FAILURES, Sentiment, Status
from sertag.report.calls import Calls, Channel, mean, role_name
from sertag.report.page.marks import STATUS_STYLES, STATUS_WORDS, Mark
from sertag.report.page.markup import bar, number, percent, section, swatch, table, text
from sertag.report.page.sections.estimates import estimates
from sertag.report.page.sections.listen_first import listen_first
from sertag.report.page.sections.trends import trends
from sertag.report.page.sections.unanswered import unanswered
from sertag.text import audio_text, plural

_SENTIMENT_STYLES = {Sentiment.NEGATIVE: "neg0", Sentiment.NEUTRAL: "neu0", Sentiment.POSITIVE: "pos0"}


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
        return self.calls.channels

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
            listen_first(overview.calls, overview.marks),
            '<div class="pair">',
            _outcomes(overview),
            _emotions(overview),
            estimates(overview.calls, overview.roles),
            _talk(overview),
            trends(overview.calls, overview.days, overview.days_from),
            "</div>",
            unanswered(overview.calls),
        )
    )


def _in_short(overview: Overview) -> str:
    calls, channels, answered = overview.calls, overview.channels, _answered(overview)
    failed = sum(channel.text("status") in FAILURES for channel in channels)
    abstained = len(channels) - len(answered) - failed
    share = percent(len(answered), len(channels)) + " of the channels"
    if calls.without_labels:
        first = calls.dimensions[0]
        found = [("Scored", f"{len(answered):,}", share)]
        found.append((text(first.name.capitalize()), number(mean(answered, first.column)), "on average"))
    else:
        negative = sum(channel.text("sentiment") == Sentiment.NEGATIVE for channel in answered)
        of_those = f"{percent(negative, len(answered))} of those" if answered else ""
        found = [("With an emotion", f"{len(answered):,}", share), ("Negative", f"{negative:,}", of_those)]
    tiles = (
        ("Recordings", f"{len(calls.calls):,}", plural(len(channels), "channel")),
        ("Audio", audio_text(sum(call.duration_s for call in calls.calls)), ""),
        *found,
        ("No answer", f"{abstained:,}", "too little speech" if calls.without_labels else "uncertain, or no speech"),
        ("Failed", f"{failed:,}", "could not be read" if failed else "all could be read"),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>" for name, value, more in tiles)
    return f'<dl class="tiles">{cells}</dl>'


def _outcomes(overview: Overview) -> str:
    counts = Counter(channel.text("status") for channel in overview.channels)
    known = [status.value for status in Status]
    order = [*(status for status in known if counts[status]), *sorted(counts.keys() - set(known))]
    whole = sum(counts.values())
    words = STATUS_WORDS | ({Status.OK: "was scored"} if overview.calls.without_labels else {})
    styles = {status: STATUS_STYLES[Status(status)] if status in known else "failed" for status in order}
    rows = [
        (
            f"{swatch(styles[status])} {text(status)}",
            f"{counts[status]:,}",
            percent(counts[status], whole),
            words[Status(status)] if status in known else "not a status of this version",
        )
        for status in order
    ]
    shares = bar(((counts[status] / whole, styles[status]) for status in order), height=16)
    listed = table(("Outcome", "#Channels", "#Share", "Meaning"), rows, caption="Outcomes")
    return section("outcomes", "Outcomes", shares + listed)


def _emotions(overview: Overview) -> str:
    answered = _answered(overview)
    if overview.calls.without_labels:
        return ""
    if not answered:
        return section("emotions", "Emotions", "<p>No channel has one.</p>")
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
    """The channels that have an emotion, or estimates of models that name none."""
    scored = [one for one in overview.channels if one.text("status") == Status.OK]
    return scored if overview.calls.without_labels else [one for one in scored if one.text("emotion")]


def _sentiments(overview: Overview, answered: Sequence[Channel]) -> str:
    rows = []
    for role in overview.roles:
        of_role = [channel.text("sentiment") for channel in answered if channel.text("role") == role]
        if of_role:
            shares = [
                (of_role.count(sentiment) / len(of_role), style) for sentiment, style in _SENTIMENT_STYLES.items()
            ]
            figures = [f"{of_role.count(sentiment):,}" for sentiment in _SENTIMENT_STYLES]
            rows.append((text(role_name(role, overview.roles)), bar(shares), *figures))
    head = ("Sentiment of", "", *(f"#{sentiment.value}" for sentiment in _SENTIMENT_STYLES))
    return table(head, rows, caption="Sentiment by role", kind="bars")


def _talk(overview: Overview) -> str:
    rows = []
    for role in overview.roles:
        of_role = [channel for channel in overview.channels if channel.text("role") == role]
        talk = mean(of_role, "talk_pct")
        if talk is not None:
            times = (f"{number(mean(of_role, name), 1)}" for name in ("overtalk_s", "silence_s", "longest_silence_s"))
            more = (number(mean(of_role, "interruptions"), 1), number(mean(of_role, "loudness_dbfs"), 0))
            rows.append((text(role_name(role, overview.roles)), f"{talk:.0f} %", *times, *more))
    if not rows:
        return section("talk", "Who talks", "<p>No recording says who talks when.</p>")
    head = ("Channel", "#Talks", "#Overtalk s", "#Silence s", "#Longest s", "#Interrupts", "#dBFS")
    note = "Means over the recordings. Overtalk: others speak at the same time. Silence: nobody speaks."
    return section("talk", "Who talks", table(head, rows, caption="Talk, overtalk and silence"), note)
