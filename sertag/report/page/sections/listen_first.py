"""The section of the calls to listen to first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sertag.report.calls import QUARTERS, Call, Calls, Channel
from sertag.report.page.marks import Mark
from sertag.report.page.markup import bar, clock, quarters, recording_link, section, swatch, table, text
from sertag.text import plural

WORST = 50  # calls that the section names
_AT_ONCE = 10  # of them that are shown at first, see report.css


def worst_calls(calls: Iterable[Call], most: int = WORST) -> list[Call]:
    """Calls to listen to first, the most urgent one in front."""
    rated = [(call.worst.urgency or 0.0, index, call) for index, call in enumerate(calls) if call.worst is not None]
    return [call for _, _, call in sorted(rated, key=lambda item: (-item[0], item[1]))[:most]]


def listen_first(calls: Calls, marks: Sequence[Mark]) -> str:
    """The section, HTML."""
    chosen = worst_calls(calls.calls)
    if not chosen:
        alone = "The model names no emotions, so no call comes first. The table of all channels sorts by its estimates."
        why = alone if calls.without_labels else "No channel could be judged."
        return section("worst", "Listen first", f"<p>{why}</p>")
    letters = {mark.label: mark for mark in marks}
    rows = [_row(place, call, call.worst, letters) for place, call in enumerate(chosen, 1) if call.worst]
    head = ("#", "Recording", "Channel", "#Attention", "", "#Worst at", "Emotion", "By quarter", "#Length")
    listed = table(head, rows, caption="The calls to listen to first", kind="worst")
    note = (
        "Attention, 0 to 1, says how much more negative than ordinary speech the most negative half minute is. "
        "Quarters show the mean negative probability in each quarter of the call."
    )
    count = plural(len(chosen), "call")
    more = '<label><input type="checkbox" id="more"> Show all</label>' if len(rows) > _AT_ONCE else ""
    return section("worst", f"Listen first <small>{count}, worst on top</small>", listed + more, note)


def _row(place: int, call: Call, channel: Channel, marks: Mapping[str, Mark]) -> tuple[str, ...]:
    emotion = channel.text("emotion")
    mark = marks.get(emotion)
    shown = f"{swatch(mark.style, mark.letter)} {text(emotion)}" if mark else text(channel.text("status"))
    urgency = channel.urgency or 0.0
    return (
        str(place),
        recording_link(call.path),
        text(channel.who),
        f"{urgency:.2f}",
        bar([(urgency, "neg0")]),
        clock(channel.number("peak_start_s")),
        shown,
        quarters([channel.number(name) for name in QUARTERS]),
        clock(call.duration_s),
    )
