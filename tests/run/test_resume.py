"""The same command again is the resume: what is known is not done again, and nobody can tell from the result."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertag import signals
from sertag.cli.commands import cli
from sertag.errors import OutputError
from sertag.parallel import engine
from sertag.records import AudioFile, ChannelResult, FileResult, Options, Status
from sertag.run import resume
from sertag.storage import journal as journal_module
from sertag.storage import lock
from sertag.storage.journal import Journal
from tests.limits import largest_file
from tests.onnx_models import tiny_spec, write_model
from tests.results import ok, unreadable

LONG_AGO_NS = 1_772_442_061_123_456_789


@dataclass
class Runs:
    """Runs of the command line in which tagging is a function of the content of the file, and is counted."""

    folder: Path
    model: Path
    tagged: list[str] = field(default_factory=list)
    before: Callable[[AudioFile], None] = lambda file: None  # called before each file is tagged
    after: Callable[[AudioFile], None] = lambda file: None  # and after it
    result: Callable[[AudioFile, Options], FileResult] = lambda file, options: made_up(file, options)

    def __call__(self, *arguments: str, code: int = 0, input: bytes | None = None) -> Result:
        self.tagged.clear()
        settings = {"SERTAG_MODEL": str(self.model), "XDG_CONFIG_HOME": str(self.folder / "none"), "SERTAG_JOBS": "1"}
        result = CliRunner().invoke(cli, arguments, env=settings, prog_name="sertag", input=input)
        assert result.exit_code == code, result.output
        return result

    def stopped(self, *arguments: str) -> None:
        """A run that is ended by a signal while it tags."""
        with pytest.raises(signals.Stopped):
            self(*arguments)

    def tag_all(
        self, files: Iterable[AudioFile], *, options: Options, done: Callable[[FileResult], None], **_: Any
    ) -> Iterator[FileResult]:
        for file in files:
            self.before(file)
            self.tagged.append(os.path.basename(file.path))
            result = self.result(file, options)
            self.after(file)
            done(result)
            yield result

    def write(self, name: str, content: str = "", *, mtime_ns: int = LONG_AGO_NS) -> Path:
        path = self.folder / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or name)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        return path

    def table(self, name: str = "r.csv") -> bytes:
        return (self.folder / name).read_bytes()

    def lines(self) -> int:
        """Results in the journal."""
        journal = self.folder / "r.csv.journal"
        return journal.read_bytes().count(b"]]]\n") if journal.exists() else 0


def made_up(file: AudioFile, options: Options) -> FileResult:
    """A result that tells the content of the file; one that cannot be read for a file of the word `bad`."""
    if file.problem is not None:
        failed = ChannelResult(channel=None, status=Status.UNREADABLE, problem=file.problem)
        return FileResult(file.path, (failed,))
    content = "-" if file.path == "-" else Path(file.path).read_text()
    if content == "bad":
        return unreadable(file.path)
    result = ok(file.path, channels=2)
    number = int(hashlib.sha256(content.encode()).hexdigest()[:8], 16) / 2**32
    roles = (*options.roles, "", "")
    channels = (replace(c, margin=number, role=roles[i]) for i, c in enumerate(result.channels))
    return replace(result, channels=tuple(channels))


@pytest.fixture
def runs(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """In a folder with three calls in `calls`."""
    monkeypatch.chdir(tmp_path)
    runs = Runs(tmp_path, tiny_model)
    monkeypatch.setattr(engine, "tag_all", runs.tag_all)
    monkeypatch.setattr(engine, "prestart", lambda first, *, jobs, prestarted: None)
    for name in ("a.wav", "b.wav", "c.wav"):
        runs.write(name)
    return runs


def paths(table: bytes) -> list[str]:
    rows = csv.DictReader(io.StringIO(table.decode(), newline=""))
    return list(dict.fromkeys(os.path.basename(row["path"]) for row in rows))


# What is done again


def test_second_run_does_nothing_and_gives_the_same_bytes(runs: Runs) -> None:
    first = runs("calls", "-o", "r.csv", "--segments", "s.csv")
    assert runs.tagged == ["a.wav", "b.wav", "c.wav"]
    tables = runs.table(), runs.table("s.csv")
    second = runs("calls", "-o", "r.csv", "--segments", "s.csv", "--summary", "run.json")
    assert runs.tagged == []
    assert (runs.table(), runs.table("s.csv")) == tables
    assert "3 files, 6 rows (6 ok); 37 s of audio" in first.output
    assert "3 files, 6 rows (6 ok), 6 reused; nothing new; table in r.csv" in second.output
    summary = json.loads(runs.table("run.json"))
    assert (summary["inputs"], summary["rows"], summary["reused"]) == (3, 6, 6)
    assert (summary["files_per_s"], summary["realtime_factor"]) == (0, 0)  # of work, and there was none
    assert summary["audio_hours"] == pytest.approx(3 * 12.3456 / 3600, abs=1e-6)


def test_only_what_is_new_or_changed_is_done(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs.write("b.wav", "b changed")  # other size, same mtime
    runs.write("c.wav", "C.WAV", mtime_ns=LONG_AGO_NS + 1)  # same size, other mtime
    runs.write("b2.wav")
    runs("calls", "-o", "r.csv")
    assert runs.tagged == ["b.wav", "b2.wav", "c.wav"]
    resumed = runs.table()
    assert paths(resumed) == ["a.wav", "b.wav", "b2.wav", "c.wav"]
    runs("calls", "-o", "fresh.csv")
    assert runs.table("fresh.csv") == resumed


def test_vanished_files_leave_the_table(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    (runs.folder / "calls" / "b.wav").unlink()
    runs("calls", "-o", "r.csv")
    assert runs.tagged == []
    assert paths(runs.table()) == ["a.wav", "c.wav"]


def test_failures_are_tried_again(runs: Runs) -> None:
    runs.write("b.wav", "bad")
    runs("calls", "missing.wav", "-o", "r.csv", code=1)
    assert runs.lines() == 2
    runs("calls", "missing.wav", "-o", "r.csv", code=1)
    assert runs.tagged == ["b.wav", "missing.wav"]
    runs.write("b.wav", "now good")
    runs("calls", "-o", "r.csv")
    runs("calls", "-o", "r.csv")
    assert runs.tagged == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--channels", "mix"],
        ["--channels", "0"],
        ["--roles", "agent"],
        ["--roles", "agent,customer", "--only-role", "customer"],
        ["--hop", "1.5"],
        ["--min-confidence", "0.25"],
        ["--max-duration", "100"],
        ["--model", "other.onnx"],
        ["--no-resume"],
    ],
)
def test_what_changes_rows_has_them_made_again(runs: Runs, arguments: list[str]) -> None:
    write_model(runs.folder / "other.onnx", tiny_spec(), seed=1)
    runs("calls", "-o", "r.csv")
    runs("calls", "-o", "r.csv", *arguments)
    assert len(runs.tagged) == 3
    runs("calls", "-o", "r.csv", *arguments)
    assert len(runs.tagged) == (3 if "--no-resume" in arguments else 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--jobs", "2"],
        ["--timeout", "7"],
        ["--strict"],
        ["--bom"],
        ["--format", "json"],
        ["--segments", "s.jsonl"],
        ["--summary", "run.json"],
        ["--log-file", "log", "-v"],
        ["--include", "*.wav"],
        ["--hop", "2"],  # what the model says anyway
        ["--min-confidence", "0"],
        ["--max-duration", "86400"],
    ],
)
def test_what_changes_no_row_has_none_made_again(runs: Runs, arguments: list[str]) -> None:
    runs("calls", "-o", "r.csv")
    runs("calls", "-o", "r.csv", *arguments)
    assert runs.tagged == []


def test_new_version_of_the_line_makes_all_rows_again(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs("calls", "-o", "r.csv")
    monkeypatch.setattr(resume, "PIPELINE_VERSION", resume.PIPELINE_VERSION + 1)
    runs("calls", "-o", "r.csv")
    assert len(runs.tagged) == 3


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_every_format_is_the_same_after_a_resume(runs: Runs, suffix: str) -> None:
    """The windows are in the journal too, whether or not the run before wrote them."""
    runs("calls", "-o", f"fresh.{suffix}", "--segments", f"fresh-s.{suffix}")
    runs("calls/b.wav", "-o", f"r.{suffix}")
    runs("calls", "-o", f"r.{suffix}", "--segments", f"s.{suffix}")
    assert runs.tagged == ["a.wav", "c.wav"]
    assert runs.table(f"r.{suffix}") == runs.table(f"fresh.{suffix}")
    assert runs.table(f"s.{suffix}") == runs.table(f"fresh-s.{suffix}")


def test_no_resume_renews_the_journal(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs("calls/a.wav", "-o", "r.csv", "--no-resume")
    assert runs.lines() == 1
    runs("calls", "-o", "r.csv")
    assert runs.tagged == ["b.wav", "c.wav"]


def test_journal_stays_small_when_files_leave(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs("calls/a.wav", "-o", "r.csv")
    assert runs.lines() == 1


def test_other_rows_of_a_run_that_did_not_end_are_kept(runs: Runs) -> None:
    """Half of the journal may be of no use while a run lasts: only one that was done to its end can tell."""
    runs("calls", "-o", "r.csv")
    runs.before = stop_at("b.wav")
    runs.stopped("calls", "-o", "r.csv", "--hop", "1")
    runs("calls", "-o", "r.csv")
    assert runs.tagged == []


# What cannot be looked at


def rows(runs: Runs, name: str = "r.csv") -> list[tuple[str, str]]:
    """Path and error code of each row."""
    table = csv.DictReader(io.StringIO(runs.table(name).decode(), newline=""))
    return [(row["path"], row["error_code"]) for row in table if row["channel"] in ("", "0")]


def move(runs: Runs, name: str) -> None:
    """What is at a path goes out of sight, or comes back."""
    here, there = runs.folder / name, runs.folder / "out of sight"
    here, there = (there, here) if there.exists() else (here, there)
    here.rename(there)


PLACES = {
    "folder": ("calls/2", ["calls/1", "calls/2"], "not_found"),
    "folder with a slash": ("calls/2", ["calls/1", "calls/2/"], "not_found"),
    "file": ("calls/2/b.wav", ["calls/1", "calls/2/b.wav"], "not_found"),
    "list": ("calls/2/b.wav", ["calls/1", "--files-from", "list"], "not_found"),
    "everything": ("calls/2", ["calls/2"], "not_found"),
    "link to a folder": ("volume", ["calls/1", "linked"], "dangling_link"),
    "link in a folder": ("volume", ["calls"], "unreachable_folder"),
}


@pytest.mark.parametrize("nights", [1, 3])
@pytest.mark.parametrize(("away", "arguments", "code"), PLACES.values(), ids=PLACES)
def test_what_cannot_be_looked_at_for_some_nights_keeps_its_rows(
    runs: Runs, away: str, arguments: list[str], code: str, nights: int
) -> None:
    for name in ("1/a.wav", "2/a.wav", "2/b.wav", "2/b/c.wav"):
        runs.write(name)
    (runs.folder / "volume").mkdir()
    runs.write("../volume/v.wav")
    os.symlink("../volume", "calls/site3")
    os.symlink("volume", "linked")
    (runs.folder / "list").write_text("calls/2/b.wav\n")
    command = (*arguments, "-o", "r.csv", "--segments", "s.csv")
    runs(*command)
    tables, before = (runs.table(), runs.table("s.csv")), rows(runs)
    move(runs, away)
    for _ in range(nights):
        said = runs(*command, code=1)
        assert len(runs.tagged) == 1, "what is tagged is what cannot be looked at"
        assert [path for path, error in rows(runs) if not error] == [path for path, _ in before]
        ((place, found),) = [row for row in rows(runs) if row[1]]
        assert found == code
        below = [number for number, (path, _) in enumerate(rows(runs)) if path.startswith(place)]
        assert below == list(range(below[0], below[-1] + 1)), "they stand together, the reason first"
        assert rows(runs)[below[0]] == (place, code)
        assert f"the table keeps {len(below) - 1} recording" in said.output
        assert runs.table("s.csv") == tables[1]
    move(runs, away)
    runs(*command)
    assert runs.tagged == []
    assert (runs.table(), runs.table("s.csv")) == tables


def test_rows_of_a_place_that_cannot_be_looked_at_come_in_the_order_of_a_walk(runs: Runs) -> None:
    for name in ("n/b.wav", "n/b/2.wav", "n/b-1.wav", "n/b/1.wav", "n/ü.wav", "n/Z.wav"):
        runs.write(name)
    runs("calls/n", "-o", "r.csv")
    before = [path for path, _ in rows(runs)]
    move(runs, "calls/n")
    runs("calls/n", "-o", "r.csv", code=1)
    assert [path for path, _ in rows(runs)] == ["calls/n", *before]


def test_a_recording_that_has_left_the_table_does_not_come_back_with_its_folder_gone(runs: Runs) -> None:
    for number in range(5):
        runs.write(f"n/{number}.wav")
    runs("calls/n", "-o", "r.csv")
    (runs.folder / "calls/n/1.wav").unlink()
    (runs.folder / "calls/n/2.wav").rename(runs.folder / "2.wav")
    runs.write("n/3.wav", "changed")
    runs("calls/n", "-o", "r.csv")
    expected = [f"calls/n/{number}.wav" for number in (0, 3, 4)]
    move(runs, "calls/n")
    for _ in range(2):
        runs("calls/n", "-o", "r.csv", code=1)
        assert [path for path, _ in rows(runs)] == ["calls/n", *expected]
    move(runs, "calls/n")
    (runs.folder / "2.wav").rename(runs.folder / "calls/n/2.wav")
    runs("calls/n", "-o", "r.csv")
    assert runs.tagged == [], "its result was known all the time"
    move(runs, "calls/n")
    runs("calls/n", "-o", "r.csv", code=1)
    assert [path for path, _ in rows(runs)] == ["calls/n", *sorted([*expected, "calls/n/2.wav"])]


def test_rows_that_stay_survive_the_tidying_of_the_journal(runs: Runs) -> None:
    for number in range(20):
        runs.write(f"{'left' if number % 5 else 'away'}/{number:02}.wav")
    runs("calls/left", "calls/away", "-o", "r.csv")
    for path in (runs.folder / "calls/left").iterdir():
        path.unlink()
    runs.write("left/new.wav")
    move(runs, "calls/away")
    size = os.path.getsize("r.csv.journal")
    runs("calls/left", "calls/away", "-o", "r.csv", code=1)
    assert os.path.getsize("r.csv.journal") < size / 2
    move(runs, "calls/away")
    runs("calls/left", "calls/away", "-o", "r.csv")
    assert runs.tagged == []


@pytest.mark.parametrize("arguments", [["--hop", "1.5"], ["--roles", "agent"], ["--no-resume"]])
def test_rows_of_other_settings_do_not_stay(runs: Runs, arguments: list[str]) -> None:
    runs.write("n/a.wav")
    runs("calls/a.wav", "calls/n", "-o", "r.csv")
    move(runs, "calls/n")
    runs("calls/a.wav", "calls/n", "-o", "r.csv", *arguments, code=1)
    assert rows(runs) == [("calls/a.wav", ""), ("calls/n", "not_found")]


def test_rows_of_other_places_do_not_stay(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words in another working folder, and names that only begin alike."""
    for name in ("n/a.wav", "nn/a.wav", "n.wav"):
        runs.write(name)
    runs("calls/n", "calls/nn", "calls/n.wav", "-o", "r.csv")
    (runs.folder / "sub").mkdir()
    monkeypatch.chdir(runs.folder / "sub")
    runs("calls/n", "../calls/nn", "-o", "../r.csv", code=1)
    assert rows(runs) == [("calls/n", "not_found"), ("../calls/nn/a.wav", "")]


def test_a_dry_run_tells_what_stays(runs: Runs) -> None:
    for name in ("n/a.wav", "n/b.wav"):
        runs.write(name)
    runs("calls/a.wav", "calls/n", "-o", "r.csv")
    move(runs, "calls/n")
    before = runs.table("r.csv.journal")
    said = runs("calls/a.wav", "calls/n", "-o", "r.csv", "--dry-run").output
    assert "warning: calls/n: no such file or directory; check the path; the table keeps 2 recordings of the" in said
    assert "1 file would be tagged, 3 reused" in said
    assert runs.table("r.csv.journal") == before


def test_an_argument_that_is_empty_all_at_once_keeps_its_rows(runs: Runs) -> None:
    """A volume that is not mounted leaves an empty folder."""
    for name in ("1/a.wav", "2/b.wav", "2/c.wav"):
        runs.write(name)
    runs("calls/1", "calls/2", "-o", "r.csv")
    table = runs.table()
    move(runs, "calls/2")
    (runs.folder / "calls/2").mkdir()
    assert "1 file would be tagged, 3 reused" in runs("calls/1", "calls/2", "-o", "r.csv", "--dry-run").output
    said = runs("calls/1", "calls/2", "-o", "r.csv", code=1).output
    assert "calls/2: is an empty folder; is its volume mounted?; the table keeps 2 recordings of the last run" in said
    assert rows(runs) == [
        ("calls/1/a.wav", ""),
        ("calls/2", "empty_folder"),
        ("calls/2/b.wav", ""),
        ("calls/2/c.wav", ""),
    ]
    (runs.folder / "calls/2").rmdir()
    move(runs, "calls/2")
    runs("calls/1", "calls/2", "-o", "r.csv")
    assert runs.tagged == []
    assert runs.table() == table


def test_a_link_to_a_volume_that_is_not_mounted_keeps_its_rows(runs: Runs) -> None:
    (runs.folder / "volume").mkdir()
    runs.write("../volume/v.wav")
    os.symlink("../volume", "calls/site3")
    runs("calls", "-o", "r.csv")
    table = runs.table()
    move(runs, "volume")
    (runs.folder / "volume").mkdir()
    runs("calls", "-o", "r.csv", code=1)
    assert rows(runs)[-2:] == [("calls/site3", "empty_folder"), ("calls/site3/v.wav", "")]
    (runs.folder / "volume").rmdir()
    move(runs, "volume")
    runs("calls", "-o", "r.csv")
    assert (runs.tagged, runs.table()) == ([], table)


def test_an_empty_folder_that_never_had_rows_is_nothing(runs: Runs) -> None:
    (runs.folder / "empty").mkdir()
    runs("empty", "calls", "-o", "r.csv")
    runs("empty", "calls", "-o", "r.csv")
    assert len(rows(runs)) == 3
    table = runs.table()
    assert "no audio found in empty" in runs("empty", "-o", "r.csv", code=3).output
    assert "no audio found in empty" in runs("empty", "-o", "r.csv", "--dry-run", code=3).output
    assert runs.table() == table, "output files are left as they were"


def test_recordings_that_are_deleted_from_a_folder_that_is_there_leave_the_table(runs: Runs) -> None:
    for name in ("n/a.wav", "n/b.wav", "n/sub/c.wav"):
        runs.write(name)
    runs("calls", "-o", "r.csv")
    for path in ("n/a.wav", "n/b.wav", "n/sub/c.wav"):
        (runs.folder / "calls" / path).unlink()
    runs("calls", "-o", "r.csv")
    assert [path for path, _ in rows(runs)] == [f"calls/{name}.wav" for name in "abc"]


def test_many_places_that_cannot_be_looked_at_take_one_look_at_the_journal(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"calls/n/{number}.wav" for number in range(50)]
    for name in names:
        runs.write(name.removeprefix("calls/"))
    (runs.folder / "list").write_text("\n".join(names))
    runs("--files-from", "list", "-o", "r.csv")
    looks: list[object] = []
    real = journal_module.PathIndex
    monkeypatch.setattr(journal_module, "PathIndex", lambda entries: looks.append(1) or real(entries))
    runs("--files-from", "list", "-o", "r.csv")
    assert looks == [], "not where everything can be looked at"
    move(runs, "calls/n")
    runs("--files-from", "list", "-o", "r.csv", code=1)
    assert len(looks) == 1
    assert rows(runs) == [row for name in names for row in ((name, "not_found"), (name, ""))]


def test_a_recording_that_goes_away_between_discovery_and_its_turn_keeps_its_rows(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs.write("a.wav", "changed")

    def vanish(file: AudioFile) -> None:
        (runs.folder / "calls/c.wav").unlink(missing_ok=True)

    runs.before = vanish
    runs("calls", "-o", "r.csv")
    assert runs.tagged == ["a.wav"]
    assert rows(runs)[-1] == ("calls/c.wav", "")


# Own outputs


@pytest.mark.parametrize("out", ["calls/r.csv", "linked/r.csv", "calls/latest.csv"])
def test_own_outputs_are_never_inputs(runs: Runs, out: str) -> None:
    """Whatever --include says, whichever link names them, and whatever a killed or older run has left."""
    os.symlink("calls", "linked")
    os.symlink("r.csv", "calls/latest.csv")
    for name in ("r.csv.journal.foreign-1", "r.csv.journal.foreign-12", ".sertag-0123456789abcdef.tmp"):
        (runs.folder / "calls" / name).write_text("old")
    (runs.folder / "calls" / "r.csv").write_text("an old table")
    (runs.folder / "list").write_text("calls/r.csv\ncalls/latest.csv\n")
    options = ["--segments", "calls/s.csv", "--summary", "calls/x.json", "--log-file", "calls/log", "--include", "*"]
    for night in range(3):
        (runs.folder / "calls/.sertag-fedcba9876543210.tmp").touch()
        runs("calls", "--files-from", "list", "-o", out, *options)
        assert runs.tagged == ([] if night else ["a.wav", "b.wav", "c.wav"])
        assert runs("linked", "-o", out, *options, "--dry-run").output.startswith("linked/a.wav\n")
    assert sorted(os.listdir("calls")) == sorted(
        "a.wav b.wav c.wav r.csv latest.csv s.csv x.json log r.csv.journal r.csv.journal.foreign-1 "
        "r.csv.journal.foreign-12".split()
    )


# What must not be trusted


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


# Where there is a journal, and what it says


@pytest.mark.parametrize("out", ["-", "/dev/null"])
def test_no_journal_beside_what_is_no_file(runs: Runs, out: str) -> None:
    runs("calls", "-o", out, "-f", "csv")
    assert sorted(os.listdir(runs.folder)) == ["calls"]
    assert not os.path.exists("/dev/null.journal")


def test_journal_is_where_the_table_is_by_whatever_link(runs: Runs) -> None:
    (runs.folder / "real").mkdir()
    (runs.folder / "link.csv").symlink_to("real/r.csv")
    runs("calls", "-o", "link.csv")
    assert sorted(os.listdir(runs.folder / "real")) == ["r.csv", "r.csv.journal"]
    runs("calls", "-o", "real/r.csv")
    assert runs.tagged == []


def test_foreign_journal_is_set_aside_and_said(runs: Runs) -> None:
    (runs.folder / "r.csv.journal").write_text("somebody's notes")
    result = runs("calls", "-o", "r.csv")
    assert "r.csv.journal is not a journal of this version" in result.output
    assert (runs.folder / "r.csv.journal.foreign-1").read_text() == "somebody's notes"
    assert runs.lines() == 3


def test_damaged_line_is_said_and_costs_one_file(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    table, journal = runs.table(), runs.folder / "r.csv.journal"
    journal.write_bytes(journal.read_bytes().replace(b"b.wav", b"B.wav", 1))
    result = runs("calls", "-o", "r.csv")
    assert "r.csv.journal: 1 line cannot be read" in result.output
    assert runs.tagged == ["b.wav"]
    assert runs.table() == table


def test_outputs_may_not_be_the_journal(runs: Runs) -> None:
    result = runs("calls", "-o", "r.csv", "--log-file", "r.csv.journal", code=2)
    assert "the journal of --out and --log-file are the same file" in result.output
    assert "would overwrite" in runs("r.csv.journal", "-o", "r.csv", code=2).output


def test_what_is_odd_about_a_known_row_is_said_once(runs: Runs) -> None:
    odd = unreadable("x").channels[0].problem
    runs.result = lambda file, options: changed(made_up(file, options), problem=odd)
    assert "warning: calls/a.wav" in runs("calls", "-o", "r.csv").output
    assert "warning" not in runs("calls", "-o", "r.csv").output


def test_strict_counts_known_rows_too(runs: Runs) -> None:
    runs.result = lambda file, options: changed(made_up(file, options), status=Status.UNCERTAIN)
    runs("calls/a.wav", "-o", "r.csv")
    runs.result = made_up
    runs("calls", "-o", "r.csv", "--strict", code=1)
    assert runs.tagged == ["b.wav", "c.wav"]


def changed(result: FileResult, **changes: Any) -> FileResult:
    return replace(result, channels=tuple(replace(channel, **changes) for channel in result.channels))


# Dry run


def test_dry_run_lists_what_is_new_and_counts_what_is_known(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    runs.write("b2.wav")
    before = {name: (runs.folder / name).read_bytes() for name in ("r.csv", "r.csv.journal")}
    said = runs("calls", "-o", "r.csv", "--dry-run").output.splitlines()
    assert said == ["calls/b2.wav", "1 file would be tagged, 3 reused"]
    said = runs("calls", "-o", "r.csv", "--dry-run", "-v").output.splitlines()
    assert "debug: calls/a.wav: has not changed, would be reused" in said
    assert "4 files would be tagged, 0 reused" in runs("calls", "-o", "r.csv", "--dry-run", "--no-resume").output
    assert {name: (runs.folder / name).read_bytes() for name in before} == before
    assert sorted(os.listdir(runs.folder)) == ["calls", "r.csv", "r.csv.journal"]


def test_dry_run_with_nothing_to_do_is_0(runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    assert runs("calls", "-o", "r.csv", "--dry-run").output == "0 files would be tagged, 3 reused\n"


def test_dry_run_needs_no_lock(runs: Runs) -> None:
    with lock.hold("r.csv.lock", of="r.csv"):
        runs("calls", "-o", "r.csv", "--dry-run")


# Runs that end early


def stop_at(name: str) -> Callable[[AudioFile], None]:
    def stop(file: AudioFile) -> None:
        if file.path.endswith(name):
            raise signals.Stopped(signal.SIGTERM)

    return stop


def test_stopped_run_keeps_what_is_finished_and_leaves_the_table(runs: Runs) -> None:
    (runs.folder / "r.csv").write_text("old")
    runs.before = stop_at("c.wav")
    runs.stopped("calls", "-o", "r.csv")
    assert runs.table() == b"old"
    assert runs.lines() == 2
    assert sorted(os.listdir(runs.folder)) == ["calls", "r.csv", "r.csv.journal"]
    runs.before = lambda file: None
    runs("calls", "-o", "r.csv")
    assert runs.tagged == ["c.wav"]
    runs("calls", "-o", "fresh.csv")
    assert runs.table() == runs.table("fresh.csv")


def test_held_table_is_75_and_says_who_holds_it(runs: Runs) -> None:
    (runs.folder / "r.csv").write_text("old")
    with lock.hold("r.csv.lock", of="r.csv"):
        result = runs("calls", "-o", "r.csv", code=75)
    assert f"error: r.csv is being written by process {os.getpid()} on " in result.output
    assert runs.tagged == []
    assert runs.table() == b"old"
    runs("calls", "-o", "r.csv")
    assert not os.path.exists("r.csv.lock")


def test_runs_over_the_same_recordings_with_other_tables_do_not_meet(runs: Runs) -> None:
    with lock.hold("r.csv.lock", of="r.csv"):
        runs("calls", "-o", "other.csv")
    assert len(runs.tagged) == 3
    runs("calls", "-o", "r.csv")
    assert len(runs.tagged) == 3
    assert runs.table() == runs.table("other.csv")


def test_full_disk_is_5_loses_nothing_and_the_same_command_goes_on(runs: Runs) -> None:
    for name in ("d.wav", "e.wav"):
        runs.write(name)
    runs("calls", "-o", "fresh.csv", "--segments", "fresh-s.csv")
    (runs.folder / "r.csv").write_text("old")
    arguments = ("calls", "-o", "r.csv", "--segments", "s.csv", "--summary", "run.json")
    for size in range(0, 3000, 150):
        done = runs.lines()
        with largest_file(size):
            result = runs(*arguments, code=5)
        assert "error: cannot write" in result.output
        assert "Traceback" not in result.output
        assert len(runs.tagged) <= 5 - done  # what was kept is not done again
        assert runs.lines() >= done
        assert sorted(os.listdir(runs.folder))[:3] == ["calls", "fresh-s.csv", "fresh.csv"]
        assert set(os.listdir(runs.folder)) - {"calls", "fresh-s.csv", "fresh.csv", "fresh.csv.journal"} <= {
            "r.csv",
            "r.csv.journal",
        }
        assert runs.table() == b"old"
    assert runs.lines() > 0
    runs(*arguments)
    assert runs.table() == runs.table("fresh.csv")
    assert runs.table("s.csv") == runs.table("fresh-s.csv")


def test_journal_that_cannot_be_tidied_costs_a_warning(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(journal: Journal) -> None:
        raise OutputError("cannot write r.csv.journal: No space left on device")

    monkeypatch.setattr(Journal, "compact", fail)
    assert "warning: cannot write r.csv.journal" in runs("calls", "-o", "r.csv").output


def test_journal_is_tidied_when_the_table_is_in_its_place(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take minutes, and whatever happens then costs no row."""
    runs("calls", "-o", "r.csv")
    seen = []

    def read(journal: Journal, offset: int) -> bytes:
        seen.append(runs.table())
        raise OSError(errno.EIO, "Input/output error")

    for name in ("a.wav", "b.wav"):
        (runs.folder / "calls" / name).unlink()
    runs.write("c.wav", "changed", mtime_ns=LONG_AGO_NS + 5)
    monkeypatch.setattr(Journal, "_line", read)
    output = runs("calls", "-o", "r.csv").output
    assert "r.csv.journal: Input/output error" in output
    assert seen == [runs.table()]
    assert paths(runs.table()) == ["c.wav"]
    monkeypatch.undo()


def test_notes_that_cannot_be_written_cost_a_warning(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs("calls", "-o", "r.csv")
    (runs.folder / "calls/a.wav").unlink()

    def fail(journal: Journal, line: bytes) -> None:
        raise OutputError("cannot write the journal r.csv.journal: No space left on device")

    monkeypatch.setattr(Journal, "_append", fail)
    assert "warning: cannot write the journal" in runs("calls", "-o", "r.csv").output
    assert paths(runs.table()) == ["b.wav", "c.wav"]


# The order of known and new files


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.lists(st.booleans(), max_size=40), most=st.integers(1, 5), batch=st.integers(1, 4))
def test_any_mixture_of_known_and_new_files_comes_out_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: list[bool], most: int, batch: int
) -> None:
    """However far ahead the work looks, and however many known files may wait behind new ones."""
    monkeypatch.setattr(resume, "_MOST_WAITING", most)
    files = [AudioFile(str(tmp_path / f"{number}.wav")) for number in range(len(known))]
    for file in files:
        Path(file.path).write_text(file.path)
        os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))

    def tag(new: Iterable[AudioFile], done: Callable[[FileResult], None]) -> Iterator[FileResult]:
        new = iter(new)
        while ahead := [made_up(file, Options()) for _, file in zip(range(batch), new, strict=False)]:
            for result in reversed(ahead):
                done(result)
            yield from ahead

    (tmp_path / "journal").unlink(missing_ok=True)
    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        list(resume.results((f for f, k in zip(files, known, strict=True) if k), journal=journal, tag=tag))
    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        found = list(resume.results(iter(files), journal=journal, tag=tag))
    assert [result for result, _ in found] == [made_up(file, Options()) for file in files]
    assert [reused for _, reused in found] == known


def test_files_are_found_while_the_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million known files neither wait in memory nor hold up the first row."""
    monkeypatch.setattr(resume, "_MOST_WAITING", 10)
    files = [AudioFile(str(tmp_path / f"{number}.wav")) for number in range(60)]
    for file in files:
        Path(file.path).write_text("a")
        os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    taken: list[AudioFile] = []

    def taking() -> Iterator[AudioFile]:
        for file in files:
            taken.append(file)
            yield file

    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        list(resume.results(files, journal=journal, tag=tag_in_order))
    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        results = resume.results(taking(), journal=journal, tag=tag_in_order)
        for _ in range(30):
            assert next(results)[1]
    assert len(taken) <= 40


def tag_in_order(files: Iterable[AudioFile], done: Callable[[FileResult], None]) -> Iterator[FileResult]:
    for file in files:
        done(made_up(file, Options()))
        yield made_up(file, Options())


def test_what_is_finished_is_kept_before_its_turn_comes(tmp_path: Path) -> None:
    """The first recording is a very long one, and the run is stopped before it is done."""
    files = [AudioFile(str(tmp_path / f"{number}.wav")) for number in range(4)]
    for file in files:
        Path(file.path).write_text("a")
        os.utime(file.path, ns=(LONG_AGO_NS, LONG_AGO_NS))

    def tag(new: Iterable[AudioFile], done: Callable[[FileResult], None]) -> Iterator[FileResult]:
        _, *others = new
        for file in others:
            done(made_up(file, Options()))
        raise signals.Stopped(signal.SIGTERM)
        yield  # a generator

    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        with pytest.raises(signals.Stopped):
            list(resume.results(files, journal=journal, tag=tag))
    with Journal(str(tmp_path / "journal"), fingerprint=1, folder="") as journal:
        assert [resume.is_known(file, journal) for file in files] == [False, True, True, True]


def test_nothing_new_starts_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Runs) -> None:
    runs("calls", "-o", "r.csv")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    def must_not_start(*_: object, **__: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(engine, "Worker", must_not_start)
    runs("calls", "-o", "r.csv")
