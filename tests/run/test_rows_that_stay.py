"""What cannot be looked at keeps its rows, and gets one that says why; what was deleted leaves the table."""

from __future__ import annotations

import os

import pytest

from sertag.records import AudioFile
from sertag.storage import journal as journal_module
from tests.run.runs import Runs, move, rows

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
