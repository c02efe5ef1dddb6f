"""Windows that overlap become intervals that do not, and hold every second of speech once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sertag.exports.timelines import intervals, recordings
from tests.analysis.tables import judged, loaded, night


def window(start_s: float, label: str | None, *, length_s: float = 4.0, status: str = "ok") -> dict[str, Any]:
    status = status if label or status != "ok" else "uncertain"
    return {
        "start_s": start_s,
        "end_s": start_s + length_s,
        "status": status,
        "emotion": label,
        "sentiment": None,
        "confidence": None if status == "no_speech" else 0.5,
    }


def test_neighbours_join_and_gaps_stay() -> None:
    rows = [window(0, "sad"), window(2, "sad"), window(4, "angry"), window(20, "angry"), window(24, None)]
    assert [(one.start_s, one.end_s, one.label) for one in intervals(rows)] == [
        (0, 5, "sad"),
        (5, 8, "angry"),
        (20, 24, "angry"),
        (24, 28, "uncertain"),
    ]


def test_confidence_is_a_mean_over_time() -> None:
    rows = [window(0, "sad") | {"confidence": 0.9}, window(2, "sad") | {"confidence": 0.6}]
    (one,) = intervals(rows)
    assert round(one.confidence, 6) == 0.75


def test_what_is_no_speech_is_left_out() -> None:
    assert intervals([window(0, None, status="no_speech")]) == ()


@given(st.lists(st.tuples(st.integers(1, 8), st.sampled_from(["sad", "angry", None])), max_size=12))
def test_intervals_cover_the_windows_once(steps: list[tuple[int, str | None]]) -> None:
    rows, at = [], 0.0
    for step, label in steps:
        rows.append(window(at, label))
        at += step
    found = intervals(rows)
    assert all(one.end_s <= two.start_s for one, two in pairwise(found))
    assert all((one.label, one.end_s) != (two.label, two.start_s) for one, two in pairwise(found))
    covered = {tenth for row in rows for tenth in range(round(row["start_s"] * 10), round(row["end_s"] * 10))}
    assert round(sum(one.end_s - one.start_s for one in found), 6) == len(covered) / 10


def test_recordings_come_with_and_without_a_table_of_results(tmp_path: Path) -> None:
    table = loaded(tmp_path, [judged("a.wav", (0.9, "angry"), (0.8, "neutral")), *night(1)])
    first, second, quiet = recordings(table)
    assert (first.path, first.duration_s, [line.speaker for line in first.timelines]) == ("a.wav", 12.346, ["customer"])
    assert [line.speaker for line in second.timelines] == ["agent", "customer"]
    assert (quiet.path, quiet.timelines[0].intervals, quiet.timelines[0].speaker) == ("r/quiet.wav", (), "channel 0")
    table.rows.clear()
    assert [(one.path, one.duration_s) for one in recordings(table)] == [("a.wav", 6.0), (second.path, 6.0)]
