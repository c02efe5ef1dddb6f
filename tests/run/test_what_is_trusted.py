"""A result is kept only for the content, the path and the moment that it was made of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sertag.records import AudioFile
from tests.run.runs import LONG_AGO_NS, Runs


def test_file_that_was_just_written_is_not_kept(runs: Runs) -> None:
    """It could be written once more within the same tick of the clock."""
    runs.write("b.wav", mtime_ns=time.time_ns() + 60 * 10**9)
    runs("calls", "-o", "r.csv")
    runs("calls", "-o", "r.csv")
    assert runs.tagged == ["b.wav"]


@pytest.mark.parametrize(
    ("age_ms", "whole_seconds", "kept"),
    [(50, False, False), (300, False, True), (300, True, False), (1900, True, False), (2100, True, True)],
)
def test_how_long_a_file_is_fresh_depends_on_the_clock_of_its_file_system(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, age_ms: int, whole_seconds: bool, kept: bool
) -> None:
    """Two seconds on FAT, one on old Unix file systems, some milliseconds where times have fractions."""
    mtime_ns = LONG_AGO_NS // 10**9 * 10**9 if whole_seconds else LONG_AGO_NS
    runs.write("a.wav", mtime_ns=mtime_ns)
    monkeypatch.setattr(time, "time_ns", lambda: mtime_ns + age_ms * 10**6)
    runs("calls/a.wav", "-o", "r.csv")
    assert runs.lines() == kept


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("rewritten"),
        lambda path: os.utime(path),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["rewritten", "touched", "gone", "a folder"],
)
def test_file_that_changes_while_it_is_read_is_not_kept(runs: Runs, change: Callable[[Path], object]) -> None:
    def change_one(file: AudioFile) -> None:
        if file.path.endswith("b.wav"):
            change(Path(file.path))

    runs.after = change_one
    runs("calls", "-o", "r.csv")
    assert runs.lines() == 2


def test_file_that_changes_before_it_is_read_is_not_kept_as_what_it_was(runs: Runs) -> None:
    """Found, then written, then tagged: the result is of the new content and must not be kept under the old key."""
    old = (runs.folder / "calls" / "b.wav").stat()

    def rewrite(file: AudioFile) -> None:
        runs.write("b.wav", "B.WAV", mtime_ns=old.st_mtime_ns + 5)

    runs.before = rewrite
    runs("calls/b.wav", "-o", "r.csv")
    assert runs.lines() == 0


def test_standard_input_is_never_kept(runs: Runs) -> None:
    (runs.folder / "-").write_text("a file that is not meant")
    os.utime("-", ns=(LONG_AGO_NS, LONG_AGO_NS))
    for _ in range(2):
        runs("-", "-o", "r.csv", input=b"audio")
        assert runs.tagged == ["-"]
    assert runs.lines() == 0


def test_file_that_is_named_like_standard_input_is_kept(runs: Runs) -> None:
    (runs.folder / "-").write_text("a file")
    os.utime("-", ns=(LONG_AGO_NS, LONG_AGO_NS))
    runs("./-", "-o", "r.csv")
    runs("./-", "-o", "r.csv")
    assert runs.tagged == []


def test_same_words_in_another_folder_mean_other_files(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    other = runs.folder / "other" / "calls"
    other.mkdir(parents=True)
    (other / "a.wav").write_text("A.WAV")
    os.utime(other / "a.wav", ns=(LONG_AGO_NS, LONG_AGO_NS))
    out = str(runs.folder / "r.csv")
    runs("calls/a.wav", "-o", out)
    monkeypatch.chdir(runs.folder / "other")
    runs("calls/a.wav", "-o", out)
    assert runs.tagged == ["a.wav"]


def test_tree_that_moves_with_its_table_is_known(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.folder)
    (runs.folder / "tree").mkdir()
    (runs.folder / "calls").rename(runs.folder / "tree" / "calls")
    monkeypatch.chdir(runs.folder / "tree")
    runs("calls", "-o", "r.csv")
    (runs.folder / "tree").rename(runs.folder / "moved")
    monkeypatch.chdir(runs.folder / "moved")
    runs("calls", "-o", "r.csv")
    assert runs.tagged == []


def test_absolute_paths_are_known_from_everywhere(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    out, calls = str(runs.folder / "r.csv"), str(runs.folder / "calls")
    runs(calls, "-o", out)
    monkeypatch.chdir("/")
    runs(calls, "-o", out)
    assert runs.tagged == []
