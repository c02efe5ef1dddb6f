"""Shards and partitions: parts of an archive in tables of their own, and one table again with the bytes of one run."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pyarrow.parquet
import pytest

from sertag.errors import OutputError
from sertag.shards import Shard
from sertag.tables import partitions
from tests.run.runs import LONG_AGO_NS, Runs

FORMATS = ("csv", "tsv", "json", "jsonl", "parquet")


@pytest.fixture
def archive(runs: Runs) -> Runs:
    """Folders whose order by their bytes is not that of their names as text, and some recordings that fail."""
    for number in range(200):
        folder = ("a/", "a/b/", "a-c/", "é/", "")[number % 5]
        runs.write(f"{folder}call {number}.wav", "bad" if number % 7 == 0 else f"{number}")
    runs.write("=1+1.wav")
    return runs


def shards(runs: Runs, fmt: str, *arguments: str, total: int = 3, code: int = 1) -> list[str]:
    names = [f"{number}.{fmt}" for number in range(1, total + 1)]
    for number, name in enumerate(names, 1):
        runs(*arguments or ("calls",), "-o", name, "--shard", f"{number}/{total}", "--segments", f"s{name}", code=code)
    return names


# Shards


@pytest.mark.parametrize("fmt", FORMATS)
def test_merged_shards_are_one_run(archive: Runs, fmt: str) -> None:
    archive("calls", "-o", f"all.{fmt}", "--segments", f"s.{fmt}", code=1)
    names = shards(archive, fmt)
    merged = archive("merge", *reversed(names), "-o", f"merged.{fmt}")
    assert merged.output == "204 recordings from 3 tables\n"
    archive("merge", *(f"s{name}" for name in names), "-o", f"segments.{fmt}")
    assert archive.table(f"merged.{fmt}") == archive.table(f"all.{fmt}")
    assert archive.table(f"segments.{fmt}") == archive.table(f"s.{fmt}")


def test_a_recording_stays_in_its_shard_when_the_archive_grows(archive: Runs) -> None:
    shards(archive, "csv")
    for number in range(40):
        archive.write(f"a/new {number}.wav")
    tagged = []
    for number in (1, 2, 3):
        archive("calls", "-o", f"{number}.csv", "--shard", f"{number}/3", code=1)
        tagged += [name for name in archive.tagged if name.startswith("new")]
        again = [name for name in archive.tagged if not name.startswith("new")]
        assert all(int(re.findall(r"\d+", name)[0]) % 7 == 0 for name in again), "failures are tried again"
    assert len(tagged) == 40


def test_shards_are_of_about_the_same_size() -> None:
    paths = [f"calls/2026/03/{number:06}.wav" for number in range(8000)]
    sizes = [sum(Shard(number, 8).has(path) for path in paths) for number in range(1, 9)]
    assert sum(sizes) == len(paths)
    assert min(sizes) > 850


def test_a_shard_without_recordings_is_an_empty_table_and_no_failure(runs: Runs) -> None:
    codes = [runs("calls/a.wav", "-o", f"{number}.csv", "--shard", f"{number}/3").output for number in (1, 2, 3)]
    assert sum("0 files, 0 rows; nothing new" in output for output in codes) == 2
    runs("calls/a.wav", "-o", "all.csv")
    runs("merge", "1.csv", "2.csv", "3.csv", "-o", "merged.csv")
    assert runs.table("merged.csv") == runs.table("all.csv")
    shutil.rmtree("calls")
    os.mkdir("calls")
    runs("calls", "-o", "new.csv", "--shard", "1/3", code=3)


def test_a_folder_that_is_gone_for_a_night_keeps_its_rows_in_every_shard(archive: Runs) -> None:
    names = shards(archive, "csv")
    archive("merge", *names, "-o", "before.csv")
    archive("calls", "-o", "all.csv", code=1)
    os.rename("calls/a", "gone")
    os.symlink("nowhere", "calls/a")
    archive("calls", "-o", "all.csv", code=1)
    shards(archive, "csv")
    output = archive("merge", *names, "-o", "merged.csv").output
    assert "1 of them in several tables" in output

    def tagged(table: str) -> list[str]:
        return [line for line in archive.table(table).decode().splitlines() if ",ok," in line]

    assert tagged("merged.csv") == tagged("all.csv") == tagged("before.csv")


def test_dry_run_and_summary_say_the_shard(archive: Runs) -> None:
    listed = [archive("calls", "--shard", f"{number}/2", "--dry-run").output for number in (1, 2)]
    assert sum(line.endswith(".wav") for output in listed for line in output.splitlines()) == 204
    archive("calls", "-o", "1.csv", "--shard", "1/2", "--summary", "s.json", code=1)
    assert json.loads(archive.table("s.json"))["params"]["shard"] == "1/2"


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5"])
def test_what_is_no_shard_is_a_usage_error(runs: Runs, shard: str) -> None:
    assert "part K of N" in runs("calls", "-o", "r.csv", "--shard", shard, code=2).output


# What merging refuses, and what it says is missing


def test_a_missing_shard_is_said(archive: Runs) -> None:
    shards(archive, "csv", total=4)
    output = archive("merge", "1.csv", "4.csv", "-o", "merged.csv", code=1).output
    assert output.startswith("warning: missing: shards 2/4, 3/4\n")
    assert "missing: shard 2/4\n" in archive("merge", "1.csv", "4.csv", "3.csv", "-o", "m.csv", code=1).output
    archive("merge", *(f"{number}.csv" for number in range(1, 5)), "-o", "merged.csv")


def test_tables_of_a_list_are_merged_in_its_order(archive: Runs) -> None:
    (archive.folder / "list").write_text("calls/é\ncalls/c.wav\ncalls/a.wav\ncalls/a\n")
    archive("--files-from", "list", "-o", "all.csv", code=1)
    names = shards(archive, "csv", "--files-from", "list")
    output = archive("merge", *names, "-o", "merged.csv", code=2).output
    assert "which is not the order of a walk of one folder" in output
    assert not (archive.folder / "merged.csv").exists()
    archive("merge", *names, "-o", "merged.csv", "--files-from", "list")
    assert archive.table("merged.csv") == archive.table("all.csv")
    (archive.folder / "list").write_text("calls/é\ncalls/c.wav\ncalls/a.wav\ncalls/a\nnew.wav\n")
    output = archive("merge", *names, "-o", "merged.csv", "--files-from", "list", code=1).output
    assert "1 path of the list: no rows, as of new.wav" in output
    (archive.folder / "list").write_text("calls/é\n")
    assert "is not in the list" in archive("merge", *names, "-o", "merged.csv", "--files-from", "list", code=2).output


def test_the_same_rows_twice_are_merged_and_different_ones_refused(archive: Runs) -> None:
    archive("calls/a", "-o", "1.csv", code=1)
    archive("calls/a/b", "-o", "2.csv", code=1)
    assert "40 of them in several tables" in archive("merge", "1.csv", "2.csv", "-o", "m.csv").output
    assert archive.table("m.csv") == archive.table("1.csv")
    archive.write("a/b/call 1.wav", "other", mtime_ns=LONG_AGO_NS + 5)
    archive("calls/a/b", "-o", "2.csv", code=1)
    output = archive("merge", "1.csv", "2.csv", "-o", "m.csv", code=2).output
    assert "calls/a/b/call 1.wav has different rows in 1.csv and 2.csv" in output


def test_a_failure_gives_way_to_rows_of_another_table(runs: Runs) -> None:
    runs.write("a.wav", "bad")
    runs("calls", "-o", "1.csv", code=1)
    runs.write("a.wav", "good", mtime_ns=LONG_AGO_NS + 5)
    runs("calls", "-o", "2.csv")
    runs("merge", "1.csv", "2.csv", "-o", "m.csv")
    assert runs.table("m.csv") == runs.table("2.csv")


@pytest.mark.parametrize("fmt", ["csv", "jsonl"])
def test_other_models_are_refused(runs: Runs, fmt: str) -> None:
    runs("calls", "-o", f"1.{fmt}")
    table = runs.table(f"1.{fmt}").decode()
    sha256 = re.findall(r"[0-9a-f]{64}", table)[0]
    (runs.folder / f"2.{fmt}").write_text(table.replace(sha256, "ab" * 32))
    output = runs("merge", f"1.{fmt}", f"2.{fmt}", "-o", f"m.{fmt}", code=2).output
    assert f"1.{fmt} and 2.{fmt} were not made alike: model_sha256 is {sha256} and abab" in output


def test_other_settings_are_said(archive: Runs) -> None:
    archive("calls", "-o", "1.csv", "--shard", "1/2", code=1)
    archive("calls", "-o", "2.csv", "--shard", "2/2", "--hop", "0.5", code=1)
    assert (
        "1.csv and 2.csv may have been made with different settings"
        in archive("merge", "1.csv", "2.csv", "-o", "m.csv").output
    )


def test_a_table_that_was_cut_is_said(runs: Runs) -> None:
    runs("calls", "-o", "1.jsonl")
    (runs.folder / "1.jsonl").write_bytes(runs.table("1.jsonl")[:-40])
    assert "missing: 1.jsonl: its last line was cut" in runs("merge", "1.jsonl", "-o", "m.jsonl", code=1).output
    (runs.folder / "other.jsonl").write_text('{"path": "a.wav"}\n')
    output = runs("merge", "other.jsonl", "-o", "m.jsonl", code=2).output
    assert "other.jsonl: contains an object that is not of sertag" in output


# Partitions


def by_day(runs: Runs, name: str = "out") -> dict[str, list[str]]:
    """Paths of recordings by part."""
    found = {}
    for part in sorted((runs.folder / name).rglob("*")):
        if part.is_file():
            rows = pyarrow.parquet.read_table(part).to_pylist()
            found[str(part.relative_to(runs.folder / name))] = list(dict.fromkeys(row["path"] for row in rows))
    return found


@pytest.fixture
def days(runs: Runs) -> Runs:
    runs.write("2026-03-02_b.wav")
    runs.write("20260301/x.wav")
    runs.write("2026-03-02_a.wav")
    return runs


def test_rows_lie_in_the_folder_of_their_day(days: Runs) -> None:
    days("calls", "calls/gone.wav", "-o", "out", "--partition-by", "day", code=1)
    assert by_day(days) == {
        "day=2026-03-01/part-0.parquet": ["calls/20260301/x.wav"],
        "day=2026-03-02/part-0.parquet": [
            *("calls/2026-03-02_a.wav", "calls/2026-03-02_b.wav"),  # of their names, the others of their times
            *(f"calls/{name}.wav" for name in "abc"),
        ],
        "day=__HIVE_DEFAULT_PARTITION__/part-0.parquet": ["calls/gone.wav"],
    }
    table = pyarrow.dataset.dataset("out", partitioning="hive").to_table(columns=["path", "day"])
    assert {str(day) for day in table["day"].to_pylist()} == {"2026-03-01", "2026-03-02", "None"}
    days("calls", "calls/gone.wav", "-o", "r.parquet", code=1)
    assert pyarrow.parquet.read_table("r.parquet").num_rows == table.num_rows


def test_the_folder_is_resumed_and_replaced_as_a_whole(days: Runs) -> None:
    days("calls", "-o", "out", "--partition-by", "day")
    before = by_day(days)
    days("calls", "-o", "out/", "--partition-by", "day")
    assert days.tagged == []
    assert by_day(days) == before
    (days.folder / "calls/20260301/x.wav").unlink()
    days("calls", "-o", "out", "--partition-by", "day")
    assert list(by_day(days)) == ["day=2026-03-02/part-0.parquet"]
    assert {"out", "out.journal"} <= set(os.listdir())
    assert not [name for name in os.listdir() if name.startswith(".sertag-")]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_failure_at_any_step_leaves_the_old_folder(
    days: Runs, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    days("calls", "-o", "out", "--partition-by", "day")
    before = by_day(days)
    if not exchange:
        monkeypatch.setattr(partitions, "_exchange", lambda one, other: False)
    days.write("20260301/y.wav")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(partitions, "_put", fail)
        assert "cannot write out: No space left" in days("calls", "-o", "out", "--partition-by", "day", code=5).output
    assert by_day(days) == before
    days("calls", "-o", "out", "--partition-by", "day")
    assert by_day(days)["day=2026-03-01/part-0.parquet"] == ["calls/20260301/x.wav", "calls/20260301/y.wav"]
    assert not [name for name in os.listdir() if name.startswith(".sertag-")]


def test_what_a_killed_run_has_left_is_put_right(days: Runs) -> None:
    """Killed between the two steps where folders cannot change places in one."""
    days("calls", "-o", "out", "--partition-by", "day")
    os.rename("out", ".sertag-out-parts.tmp.old")
    os.mkdir(".sertag-out-parts.tmp")
    with partitions.FolderOutput("out"):
        assert by_day(days)
    days("calls", "-o", "out", "--partition-by", "day")
    assert len(by_day(days)) == 2
    assert not [name for name in os.listdir() if name.startswith(".sertag-")]


def test_many_days_in_turns_take_bounded_memory_and_lose_no_row(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "_OPEN_DAYS", 2)
    monkeypatch.setattr(partitions, "_WAITING_ROWS", 3)
    for number in range(30):
        runs.write(f"{number:02} 2026-03-{1 + number % 4:02}.wav")
    runs("calls", "-o", "out", "--partition-by", "day")
    found = by_day(runs)
    assert len([path for paths in found.values() for path in paths]) == 33
    assert "day=2026-03-01/part-7.parquet" in found


@pytest.mark.parametrize("name", ["notes.txt", "day=2026-03-01/notes.txt", "day=2026-03-01/part-0.parquet/deep"])
def test_a_folder_with_other_files_is_not_replaced(days: Runs, name: str) -> None:
    (days.folder / "out" / name).parent.mkdir(parents=True)
    (days.folder / "out" / name).write_text("mine")
    output = days("calls", "-o", "out", "--partition-by", "day", code=5).output
    assert "which would be lost" in output
    assert (days.folder / "out" / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "-"), "name it with --out"),
        (("-o", "out", "-f", "csv"), "writes Parquet"),
        (("-o", "out.csv"), "writes Parquet"),
        (("-o", "out", "--segments", "out/s.csv"), "would be inside --out"),
    ],
)
def test_partitions_are_parquet_in_a_folder(days: Runs, arguments: tuple[str, ...], message: str) -> None:
    assert message in days("calls", *arguments, "--partition-by", "day", code=2).output


def test_commands_on_tables_read_the_folder(days: Runs) -> None:
    days("calls", "-o", "out", "--partition-by", "day")
    days("calls", "-o", "r.csv")
    assert days("by", "role", "out", "-o", "-").output == days("by", "role", "r.csv", "-o", "-").output
    os.mkdir("empty")
    assert "without day=" in days("by", "role", "empty", code=2).output


def test_a_file_in_the_place_of_the_folder_is_not_overwritten(days: Runs) -> None:
    Path("out").write_text("mine")
    with pytest.raises(OutputError, match="it is a file"):
        partitions.FolderOutput("out")


# Folders of shards


@pytest.fixture
def nights(archive: Runs) -> Runs:
    """Recordings of three nights that take turns, and some that fail; one has no day."""
    for number in range(60):
        archive.write(f"f{number % 4}/{number:02} 2026-03-{1 + number % 3:02}.wav", "bad" if number % 9 == 0 else "")
    os.symlink("nowhere", "calls/gone.wav")
    return archive


def folders(runs: Runs, *arguments: str, total: int = 3) -> list[str]:
    names = [f"part-{number}" for number in range(1, total + 1)]
    for number, name in enumerate(names, 1):
        runs(*arguments, "-o", name, "--shard", f"{number}/{total}", "--partition-by", "day", code=1)
    return names


def content(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*.parquet")}


@pytest.mark.parametrize("open_days", [128, 1])
def test_merged_folders_are_the_folder_of_one_run(
    nights: Runs, monkeypatch: pytest.MonkeyPatch, open_days: int
) -> None:
    monkeypatch.setattr(partitions, "_OPEN_DAYS", open_days)
    monkeypatch.setattr(partitions, "_WAITING_ROWS", 20)
    nights("calls", "-o", "all", "--partition-by", "day", code=1)
    names = folders(nights, "calls")
    said = nights("merge", *reversed(names), "-o", "merged", "--partition-by", "day").output
    assert said == "265 recordings from 3 tables\n"
    assert content("merged") == content("all")
    assert max(int(re.findall(r"part-(\d+)", name)[0]) for name in content("all")) >= (10 if open_days == 1 else 0)
    nights("merge", *names, "-o", "merged/", "--partition-by", "day")  # in place of the old one
    assert content("merged") == content("all")
    missing = nights("merge", *names[:2], "-o", "merged", "--partition-by", "day", code=1).output
    assert "missing: shard 3/3" in missing


def test_folders_of_a_list_are_merged_in_its_order(nights: Runs) -> None:
    (nights.folder / "list").write_text("calls/f2\ncalls/é\ncalls/f1\ncalls/a\n")
    nights("--files-from", "list", "-o", "all", "--partition-by", "day", code=1)
    names = folders(nights, "--files-from", "list")
    assert "give the list" in nights("merge", *names, "-o", "m", "--partition-by", "day", code=2).output
    nights("merge", *names, "-o", "merged", "--partition-by", "day", "--files-from", "list")
    assert content("merged") == content("all")


@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_folders_become_the_table_of_one_run(nights: Runs, fmt: str) -> None:
    nights("calls", "-o", f"all.{fmt}", code=1)
    nights("merge", *folders(nights, "calls"), "-o", f"merged.{fmt}")
    assert nights.table(f"merged.{fmt}") == nights.table(f"all.{fmt}")


def test_shards_without_recordings_are_empty_folders(runs: Runs) -> None:
    shutil.rmtree("calls")
    runs.write("2026-03-02.wav")
    for number in (1, 2, 3):
        runs("calls", "-o", f"part-{number}", "--shard", f"{number}/3", "--partition-by", "day")
    runs("calls", "-o", "all", "--partition-by", "day")
    runs("merge", "part-1", "part-2", "part-3", "-o", "merged", "--partition-by", "day")
    assert content("merged") == content("all")
    assert sum(not any(by_day(runs, f"part-{number}").values()) for number in (1, 2, 3)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("r.csv", "out", "-o", "m", "--partition-by", "day"), "r.csv: is not a folder of --partition-by, so its rows"),
        (("out", "-o", "m"), "or --partition-by day for a folder"),
        (("out", "-o", "m.csv", "--partition-by", "day"), "writes Parquet"),
        (("out", "-o", "-", "--partition-by", "day"), "name it with --out"),
        (("out", "-o", "m.jsonl"), "out: is a folder of Parquet files, and jsonl is merged from JSON"),
        (("out", "-o", "out", "--partition-by", "day"), "out would be overwritten while it is read"),
        (("out", "-o", "mine", "--partition-by", "day"), "cannot write mine: it holds notes.txt, which would be lost"),
    ],
)
def test_what_is_no_folder_of_days_is_said(days: Runs, arguments: tuple[str, ...], message: str) -> None:
    days("calls", "-o", "out", "--partition-by", "day")
    days("calls", "-o", "r.csv")
    os.mkdir("mine")
    Path("mine/notes.txt").write_text("mine")
    code = 5 if "mine" in arguments else 2
    assert message in days("merge", *arguments, code=code).output


def test_every_command_reads_a_folder_as_the_table(nights: Runs) -> None:
    nights("calls", "-o", "out", "--partition-by", "day", code=1)
    nights("calls", "-o", "r.parquet", code=1)
    for words in (["worst", "{}", "-n", "300"], ["by", "status", "{}", "--least", "1"]):
        assert nights(*[word.format("out") for word in words]).output == (
            nights(*[word.format("r.parquet") for word in words]).output
        )
    assert nights("diff", "out", "r.parquet").exit_code == 0
    for name in ("out", "r.parquet"):
        nights("convert", name, "--to", "csv", "-o", f"{name}.csv")
        nights("report", name, "-o", f"{name}.html")
    assert nights.table("out.csv") == nights.table("r.parquet.csv")
