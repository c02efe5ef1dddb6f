"""Days come from names, else from the files, and it is said from which."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sertag.analysis.derived import DateError, add_derived


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("calls/2026-03-02_0901_billing.wav", "2026-03-02"),
        ("20260302T0901.wav", "2026-03-02"),
        ("call_2026.03.02.wav", "2026-03-02"),
        ("x-2026_12_31-7.wav", "2026-12-31"),
        ("2026/2026-03-05/0.wav", "2026-03-05"),  # the folder, where the name has none
        ("02_2026-02-30.wav", None),
        ("120260302123.wav", None),
        ("20261399.wav", None),
    ],
)
def test_days_of_names(path: str, day: str | None) -> None:
    row: dict[str, Any] = {"path": path}
    add_derived([row], ["day"])
    assert row["day"] == day


@pytest.mark.parametrize("regex", [r"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{4})", None])
def test_other_orders_need_a_pattern(regex: str | None) -> None:
    row: dict[str, Any] = {"path": "02.03.2026 7.wav"}
    add_derived([row], ["week", "month"], date_regex=regex)
    assert (row["week"], row["month"]) == (("2026-03-02", "2026-03") if regex else (None, None))


def test_the_first_group_of_a_pattern_is_the_date() -> None:
    row: dict[str, Any] = {"path": "id20990101-20260302.wav"}
    add_derived([row], ["day"], date_regex=r"-(\d{8})")
    assert row["day"] == "2026-03-02"


def test_files_without_a_date_have_the_day_of_writing(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    os.utime(tmp_path / "a.wav", (1_770_000_000, 1_770_000_000))
    rows: list[dict[str, Any]] = [{"path": "2026-03-02.wav"}, {"path": str(tmp_path / "a.wav")}, {"path": "gone.wav"}]
    said = add_derived(rows, ["day", "file"])
    assert [row["day"] for row in rows] == ["2026-03-02", "2026-02-02", None]
    assert [row["file"] for row in rows] == ["2026-03-02.wav", "a.wav", "gone.wav"]
    assert said == [
        "days are from the names of 1 recording, from the times of writing of 1 recording, unknown for 1 recording, "
        "whose names contain no date and whose files do not exist"
    ]


def test_columns_of_the_table_stay_and_nothing_is_said_of_what_was_not_asked() -> None:
    row: dict[str, Any] = {"path": "2026-03-02.wav", "day": "Monday"}
    assert add_derived([row], ["day", "emotion"]) == []
    assert row == {"path": "2026-03-02.wav", "day": "Monday"}


def test_a_bad_pattern_is_explained() -> None:
    with pytest.raises(DateError, match=r"--date-regex '\(' is no regular expression"):
        add_derived([], ["day"], date_regex="(")
