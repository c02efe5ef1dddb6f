"""Failures and abstentions by reason, in the static part of the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sertag.records import Status
from sertag.report.calls import Call, Calls, Channel
from sertag.report.page.marks import STATUS_STYLES, STATUS_WORDS
from sertag.report.page.markup import recording_link, section, swatch, table, text

_EXAMPLES = 3  # recordings named per reason


def unanswered(calls: Calls) -> str:
    """Failures and abstentions by reason, then problems of rows that have an emotion."""
    found: defaultdict[tuple[str, str], list[tuple[Call, Channel]]] = defaultdict(list)
    for call in calls.calls:
        for channel in call.channels:
            if channel.text("status") != Status.OK or channel.text("error_code"):
                found[channel.text("status"), channel.text("error_code")].append((call, channel))
    if not found:
        has = "was scored" if calls.without_labels else "has an emotion"
        return section("unanswered", "Without an answer", f"<p>Every channel {has}, and none has a remark.</p>")
    order = [status.value for status in reversed(Status)]
    keys = sorted(found, key=lambda key: (order.index(key[0]) if key[0] in order else -1, -len(found[key]), key[1]))
    rows = [(_reason(key), f"{len(found[key]):,}", _why(found[key]), _examples(found[key])) for key in keys]
    head = ("Reason", "#Channels", "What was found in the first one", "Recordings")
    listed = table(head, rows, caption="Channels without an emotion, and remarks", kind="reasons")
    return section("unanswered", "Without an answer, or with a remark", listed)


def _reason(key: tuple[str, str]) -> str:
    status, code = key
    style = STATUS_STYLES[Status(status)] if status in {known.value for known in Status} else "failed"
    more = f" <code>{text(code)}</code>" if code and code != status else ""
    return f"{swatch(style)} {text(status)}{more}"


def _why(found: Sequence[tuple[Call, Channel]]) -> str:
    call, channel = found[0]
    message = channel.text("error").removeprefix(f"{call.path}: ")
    known = {status.value: words for status, words in STATUS_WORDS.items()}
    return text(message or known.get(channel.text("status"), ""))


def _examples(found: Sequence[tuple[Call, Channel]]) -> str:
    calls = {call.path: call for call, _ in found}
    links = ", ".join(recording_link(call.path) for call in list(calls.values())[:_EXAMPLES])
    more = len(calls) - _EXAMPLES
    return f"{links} and {more:,} more" if more > 0 else links
