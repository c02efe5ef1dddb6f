"""One recording as JSON in the format of Amazon Connect Contact Lens (post-call output).

Names, units (milliseconds) and ranges (-5 to 5) follow its published examples, so that existing dashboards can be used.
What sertag does not know is left out: words, speech rate, categories, times of interruptions. A score is the valence of
the voice, not of the words, times five. `Content` is the emotion.
"""

from __future__ import annotations

from typing import Any

from sertag.exports.timelines import UNCERTAIN, Recording, Timeline
from sertag.tables.readers import ReadRow

_SCALE = 5
_QUARTERS = 4


def contact_lens(recording: Recording) -> dict[str, Any]:
    """The document of one recording."""
    lines = {_participant(line): line for line in recording.timelines}
    rows = {name: line.row for name, line in lines.items() if line.row is not None}
    return {
        "Version": "1.1.0",
        "Channel": "VOICE",
        "ContentMetadata": {"Output": "Raw"},
        "JobStatus": "COMPLETED",
        "CustomerMetadata": {"InputUri": recording.path},
        "Participants": [{"ParticipantId": name, "ParticipantRole": name} for name in lines],
        "ConversationCharacteristics": {
            "TotalConversationDurationMillis": _millis(recording.duration_s),
            "Sentiment": _sentiment(rows, recording.duration_s),
            "TalkTime": _talk(rows),
            "NonTalkTime": {
                "TotalTimeMillis": _millis(max((row["silence_s"] or 0.0 for row in rows.values()), default=0.0))
            },
            "Interruptions": _interruptions(rows),
        },
        "Transcript": _turns(lines),
    }


def _participant(line: Timeline) -> str:
    return line.speaker.upper().replace(" ", "_")


def _sentiment(rows: dict[str, ReadRow], duration_s: float) -> dict[str, Any]:
    overall = {name: _score(row["valence"]) for name, row in rows.items() if row["valence"] is not None}
    quarters: dict[str, list[dict[str, Any]]] = {}
    for name, row in rows.items():
        for number in range(_QUARTERS):
            if (valence := row[f"valence_q{number + 1}"]) is not None:
                begin, end = (_millis(duration_s * (number + more) / _QUARTERS) for more in (0, 1))
                quarter = {"BeginOffsetMillis": begin, "EndOffsetMillis": end, "Score": _score(valence)}
                quarters.setdefault(name, []).append(quarter)
    return {"OverallSentiment": overall, "SentimentByPeriod": {"QUARTER": quarters}}


def _talk(rows: dict[str, ReadRow]) -> dict[str, Any]:
    own = {name: _millis((row["talk_pct"] or 0.0) / 100 * (row["duration_s"] or 0.0)) for name, row in rows.items()}
    details = {name: {"TotalTimeMillis": time} for name, time in own.items()}
    return {"TotalTimeMillis": sum(own.values()), "DetailsByParticipant": details}


def _interruptions(rows: dict[str, ReadRow]) -> dict[str, Any]:
    counts = {name: row["interruptions"] for name, row in rows.items() if row["interruptions"] is not None}
    return {"TotalCount": sum(counts.values()), "CountByInterrupter": counts}


def _turns(lines: dict[str, Timeline]) -> list[dict[str, Any]]:
    turns = [(one, name) for name, line in lines.items() for one in line.intervals if one.label != UNCERTAIN]
    turns.sort(key=lambda turn: (turn[0].start_s, turn[0].end_s))
    return [
        {
            "Id": str(number),
            "ParticipantId": name,
            "BeginOffsetMillis": _millis(one.start_s),
            "EndOffsetMillis": _millis(one.end_s),
            "Content": one.label,
            "Sentiment": (one.sentiment or "neutral").upper(),
            "Confidence": round(one.confidence, 4),
        }
        for number, (one, name) in enumerate(turns, 1)
    ]


def _score(valence: float) -> float:
    return round(_SCALE * valence, 2) + 0.0


def _millis(seconds: float) -> int:
    return round(1000 * seconds)
