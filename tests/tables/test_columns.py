from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.records import FileResult, Status
from sertag.tables.columns import (
    DECIMALS,
    Kind,
    file_object,
    result_columns,
    result_rows,
    rounded,
    segment_columns,
    segment_rows,
)
from tests.results import LABELS, ORIGIN, no_speech, not_speech, ok, ok_channel, segment, unreadable

RESULT_COLUMNS = (
    "path channel role status error_code error duration_s sample_rate speech_s segments emotion confidence margin "
    "sentiment p_angry p_happy p_neutral frac_angry frac_happy frac_neutral neg_q1 neg_q2 neg_q3 neg_q4 trend "
    "trend_label peak_start_s peak_score talk_pct overtalk_s silence_s longest_silence_s loudness_dbfs clipped_pct "
    "model model_sha256 schema "
    "attention arousal valence arousal_q1 arousal_q2 arousal_q3 arousal_q4 valence_q1 valence_q2 valence_q3 valence_q4 "
    "interruptions"
).split()
SEGMENT_COLUMNS = (
    "path channel role segment start_s end_s status emotion confidence sentiment p_angry p_happy p_neutral "
    "speech_ratio loudness_dbfs arousal valence"
).split()


def as_dict(result: FileResult) -> dict[str, object]:
    names = [column.name for column in result_columns(LABELS)]
    return dict(zip(names, next(result_rows(result, origin=ORIGIN)), strict=True))


def test_columns_are_those_promised() -> None:
    assert [column.name for column in result_columns(LABELS)] == RESULT_COLUMNS
    assert [column.name for column in segment_columns(LABELS)] == SEGMENT_COLUMNS


def test_columns_of_schema_1_are_where_they_were() -> None:
    first = RESULT_COLUMNS[: RESULT_COLUMNS.index("schema") + 1]
    assert len(first) == 37
    assert as_dict(ok())["schema"] == 2
    assert set(RESULT_COLUMNS[len(first) :]).isdisjoint(first)
    assert SEGMENT_COLUMNS[:15][-1] == "loudness_dbfs"


def test_one_row_a_channel_and_one_a_window() -> None:
    assert len(list(result_rows(ok(channels=3), origin=ORIGIN))) == 3
    rows = list(segment_rows(ok(channels=2), origin=ORIGIN))
    assert [row[:6] for row in rows] == [
        ("a.wav", 0, "", 0, 0.0, 4.0),
        ("a.wav", 0, "", 1, 2.0, 6.0),
        ("a.wav", 1, "", 0, 0.0, 4.0),
        ("a.wav", 1, "", 1, 2.0, 6.0),
    ]


def test_numbers_are_rounded_by_kind() -> None:
    row = as_dict(ok())
    assert row["duration_s"] == 12.346
    assert row["p_angry"] == 0.6123
    assert row["talk_pct"] == 81.0
    assert row["segments"] == 2
    assert row["neg_q3"] is None
    assert (row["attention"], row["arousal"], row["valence"], row["interruptions"]) == (0.8123, 0.7, 0.0, 2)
    assert [row[f"arousal_q{number}"] for number in range(1, 5)] == [0.1, 0.2, None, 0.4]
    assert [row[f"valence_q{number}"] for number in range(1, 5)] == [-0.1, 0.2, None, 0.3333]
    assert row["loudness_dbfs"] is None  # silence has no level
    assert math.copysign(1, row["trend"]) == 1  # type: ignore[arg-type] # never -0.0


def test_failures_have_no_numbers() -> None:
    row = as_dict(unreadable("b.wav"))
    assert row["channel"] is None
    assert row["error_code"] == "not_audio"
    filled = {name for name, value in row.items() if value not in (None, "")}
    assert filled == {"path", "status", "error_code", "error", "model", "model_sha256", "schema"}


def test_json_has_the_values_of_the_row() -> None:
    document = json.loads(json.dumps(file_object(ok(channels=2), origin=ORIGIN)))
    assert document["schema"] == 2
    assert document["status"] == "ok"
    channel = document["channels"][1]
    assert channel["channel"] == 1
    assert channel["probs"] == {"angry": 0.6123, "happy": 0.2, "neutral": 0.1877}
    assert channel["fracs"] == {"angry": 1.0, "happy": 0.0, "neutral": 0.0}
    assert channel["quarters"] == [0.1, 0.2, None, 0.4]
    assert channel["arousal_quarters"] == [0.1, 0.2, None, 0.4]
    assert channel["valence_quarters"] == [-0.1, 0.2, None, 0.3333]
    assert [window["segment"] for window in channel["segments"]] == [0, 1]
    assert channel["segments"][0]["probs"]["angry"] == 0.6123
    assert (channel["segments"][0]["arousal"], channel["segments"][0]["valence"]) == (0.7123, -0.4)
    nested = {"probs", "fracs", "quarters", "arousal_quarters", "valence_quarters"}
    flat = {name for name in RESULT_COLUMNS if not re.match("p_|frac_|(neg|arousal|valence)_q", name)}
    assert set(channel) == (flat - {"path", "model", "model_sha256", "schema"}) | nested


def test_json_of_a_file_without_speech_has_null_probabilities() -> None:
    channel = file_object(no_speech(), origin=ORIGIN)["channels"][0]
    assert channel["status"] == Status.NO_SPEECH.value
    assert channel["probs"] is None
    assert channel["segments"] == []


def test_a_window_of_music_has_no_probabilities() -> None:
    result = FileResult("a.wav", (replace(ok_channel(), segments=(segment(0), not_speech(1))),))
    _, row = segment_rows(result, origin=ORIGIN)
    cells = dict(zip(SEGMENT_COLUMNS, row, strict=True))
    assert cells["status"] == "no_speech"
    empty = {name for name, cell in cells.items() if cell is None}
    assert empty == {*"emotion confidence sentiment p_angry p_happy p_neutral arousal valence".split()}
    assert file_object(result, origin=ORIGIN)["channels"][0]["segments"][1]["probs"] is None


def test_mixed_channel_is_named() -> None:
    result = FileResult("a.wav", (replace(ok_channel(), channel="mix"),))
    assert as_dict(result)["channel"] == "mix"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_none(value: float | None) -> None:
    assert rounded(value, "seconds") is None


@given(
    value=st.one_of(
        st.floats(),
        st.builds(
            lambda whole, scale: (whole + 0.5) / scale, st.integers(-(10**7), 10**7), st.sampled_from([1e1, 1e3, 1e4])
        ),
        st.floats(width=32).map(np.float32),
    ),
    kind=st.sampled_from(["seconds", "percent", "probability"]),
)
def test_numbers_are_rounded_as_python_rounds(value: float, kind: Kind) -> None:
    """To the same bits, ties and all, although by another way."""
    found = rounded(value, kind)
    if not math.isfinite(value):
        assert found is None
    else:
        expected = round(float(value), DECIMALS[kind]) + 0.0
        assert (found, math.copysign(1, found or 0.0)) == (expected, math.copysign(1, expected))
        assert type(found) is float
