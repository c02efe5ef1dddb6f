"""Two tables: what flipped, what changed its status, what shifted; equal tables have nothing to say."""

from __future__ import annotations

from pathlib import Path

from sertag.analysis.differences import diff
from sertag.records import Problem, Status
from tests.analysis.tables import CALM, call, loaded, night


def test_equal_tables_have_no_differences(tmp_path: Path) -> None:
    found = diff(loaded(tmp_path, night(), "a.csv"), loaded(tmp_path, night(), "b.jsonl"))
    assert found.equal
    assert (found.rows, found.summary) == ([], [])


def test_what_made_a_row_is_no_difference(tmp_path: Path) -> None:
    old, new = loaded(tmp_path, night(), "a.csv"), loaded(tmp_path, night(), "b.csv")
    for row in new.rows:
        row |= {"model": "other", "model_sha256": "00", "error": None}
    assert diff(old, new).equal


def test_each_kind_of_difference(tmp_path: Path) -> None:
    failed = {"status": Status.FAILED, "emotion": None, "problem": Problem("timeout", "too slow"), "confidence": None}
    old = [call("flip.wav"), call("fails.wav"), call("shift.wav"), call("little.wav"), call("gone.wav")]
    new = [
        call("flip.wav", CALM),
        call("fails.wav", failed),
        call("shift.wav", {"attention": 0.3}),
        call("little.wav", {"attention": 0.8}),
        call("new.wav"),
    ]
    found = diff(loaded(tmp_path, old, "a.csv"), loaded(tmp_path, new, "b.csv"))
    assert [(row["path"], row["change"], row["before"], row["after"]) for row in found.rows] == [
        ("flip.wav", "emotion", "angry", "neutral"),
        ("fails.wav", "status", "angry", "failed"),
        ("shift.wav", "attention", "angry", "angry"),
        ("gone.wav", "removed", "neutral", None),
        ("gone.wav", "removed", "angry", None),
        ("new.wav", "added", None, "neutral"),
        ("new.wav", "added", None, "angry"),
    ]
    assert (found.rows[2]["attention_before"], found.rows[2]["attention_after"]) == (0.8123, 0.3)
    counts, status, same, emotion, confidence, attention = found.summary
    assert counts.startswith("8 rows in both, 4 of them differ; 2 only in ")
    assert status == "status: ok → failed 1"
    assert same.startswith("same emotion in 85.7% (")
    assert emotion == "emotion: angry → neutral 1"
    assert confidence.startswith("confidence: +0.041 (")
    assert attention.startswith("attention: -0.155 (")
    assert not found.equal


def test_the_shift_that_is_listed_can_be_chosen(tmp_path: Path) -> None:
    tables = [loaded(tmp_path, [call("a.wav", {"attention": value})], f"{value}.csv") for value in (0.5, 0.52)]
    assert diff(*tables).rows == []
    assert not diff(*tables).equal
    assert [row["change"] for row in diff(*tables, shift=0.01).rows] == ["attention"]


def test_moved_recordings_are_matched_by_name(tmp_path: Path) -> None:
    tables = [
        loaded(tmp_path, [call(f"{folder}/a.wav", {"attention": value})], f"{folder}.csv")
        for folder, value in (("old", 0.1), ("new", 0.9))
    ]
    found = diff(*tables)
    assert [row["change"] for row in found.rows] == ["attention"]
    assert "matched by the names of the files" in found.summary[0]


def test_nights_without_a_recording_in_common_are_compared_as_a_whole(tmp_path: Path) -> None:
    old = loaded(tmp_path, [call("a.wav"), call("b.wav")], "a.csv")
    new = loaded(tmp_path, [call("c.wav", CALM), call("d.wav", CALM)], "b.csv")
    found = diff(old, new)
    assert found.rows == []
    assert not found.equal
    assert "emotion: angry 2 → 0, neutral 2 → 4" in found.summary
    assert any(line.startswith("attention: 0.456 (") and "→ 0.100 (0.100 to 0.100)" in line for line in found.summary)


def test_columns_of_newer_versions_are_not_compared_with_nothing(tmp_path: Path) -> None:
    old, new = loaded(tmp_path, night(), "a.csv"), loaded(tmp_path, night(), "b.csv")
    for row in old.rows:
        row |= {"attention": None, "interruptions": None, "schema": 1}
    new.rows[0]["confidence"] = 0.5
    found = diff(old, new)
    assert [row["change"] for row in found.rows] == ["confidence"]
    assert "not compared, because only one table has them: attention, interruptions" in found.summary
    new.rows[0]["confidence"] = old.rows[0]["confidence"]
    assert diff(old, new).equal
    for row in old.rows:
        row["schema"] = 2
    assert not diff(old, new).equal


def test_columns_that_somebody_added_are_not_compared_with_nothing(tmp_path: Path) -> None:
    old, new = loaded(tmp_path, night(), "a.csv"), loaded(tmp_path, night(), "b.csv")
    for row in old.rows:
        row["queue"] = "sales"
    old.added = ("queue",)
    assert diff(old, new).equal
