"""Outputs appear whole and together, or not at all, whatever fails and whenever."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sertag.errors import OutputError
from sertag.storage.atomic_output import Output
from sertag.tables.formats import Format
from sertag.tables.writers import finish_json, open_table, results_view, segments_view
from tests.limits import largest_file
from tests.results import ORIGIN, ok, unreadable

ROOT = Path(__file__).parents[2]
RESULTS = [ok("a.wav", channels=2), unreadable("b.wav"), ok("c.wav")]

WRITE_AND_WAIT = """
import sys, time
from sertag.storage.atomic_output import Output
with Output(sys.argv[1]) as output:
    output.write(b"half")
    output.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def write_all(folder: Path, fmt: Format) -> None:
    """A table, a table of windows and a summary, as a run writes them."""
    with ExitStack() as opened:
        summary, out, segments = (
            opened.enter_context(Output(str(folder / name))) for name in ("run.json", f"r.{fmt}", f"s.{fmt}")
        )
        tables = [
            opened.enter_context(open_table(out, fmt=fmt, view=results_view(ORIGIN))),
            opened.enter_context(open_table(segments, fmt=fmt, view=segments_view(ORIGIN))),
        ]
        for result in RESULTS:
            for table in tables:
                table.add(result)
        finish_json(summary, {"inputs": 3})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("fmt", ["csv", "json", "jsonl", "parquet"])
def test_full_disk_at_any_byte_leaves_every_old_output(tmp_path: Path, fmt: Format) -> None:
    write_all(tmp_path, fmt)
    new = contents(tmp_path)
    old = {name: b"old " + name.encode() for name in new}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    largest = max(len(content) for content in new.values())
    for size in [*range(0, largest - 1, max(1, largest // 60)), largest - 1]:
        with largest_file(size), pytest.raises(OutputError, match="File too large"):
            write_all(tmp_path, fmt)
        assert contents(tmp_path) == old, size
    write_all(tmp_path, fmt)
    assert contents(tmp_path) == new


@pytest.mark.parametrize("fails", range(9))
def test_all_outputs_are_on_the_disk_before_one_is_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    """A good run brings three files to the disk, then moves one and syncs its folder, three times; one step fails."""
    for name in ("run.json", "r.csv", "s.csv"):
        (tmp_path / name).write_text("old")
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == fails + 1:
            raise OSError(28, "No space left on device")

    def fsync_and_tell(descriptor: int) -> None:
        step("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def replace_and_tell(source: str, target: str) -> None:
        step(os.path.basename(target))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync_and_tell)
    monkeypatch.setattr(os, "replace", replace_and_tell)
    good = ["sync file"] * 3 + ["s.csv", "sync folder", "r.csv", "sync folder", "run.json", "sync folder"]
    if good[fails] == "sync folder":  # which some network file systems cannot do
        write_all(tmp_path, "csv")
        assert steps == good
    else:
        with pytest.raises(OutputError, match="No space left"):
            write_all(tmp_path, "csv")
        assert steps == good[: fails + 1]
    moved = set(steps) - {good[fails]}
    assert {name for name, content in contents(tmp_path).items() if content != b"old"} == moved & set(
        contents(tmp_path)
    )
    assert not list(tmp_path.glob(".sertag-*"))


def test_folder_that_vanishes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(OutputError, match="No such file"), Output(str(tmp_path / "sub" / "r.csv")):
        shutil.rmtree(tmp_path / "sub")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that cannot be written, with an old table; the rights of a folder do not stop root."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        (folder / "r.csv").write_text("old")
        folder.chmod(0o555)
        if os.access(folder, os.W_OK):
            pytest.skip("neither a file system can be mounted here nor a folder be protected")
        yield folder
        folder.chmod(0o755)
        return
    try:
        (folder / "r.csv").write_text("old")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_folder_that_cannot_be_written(read_only: Path) -> None:
    with pytest.raises(OutputError, match=r"Read-only file system|Permission denied"), Output(str(read_only / "r.csv")):
        pass
    assert (read_only / "r.csv").read_text() == "old"


def test_what_a_killed_run_left_is_removed_by_the_next_and_what_is_written_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_AND_WAIT, str(tmp_path / "r.csv")]
    writers = [
        subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE) for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
    writers[0].send_signal(signal.SIGKILL)
    writers[0].communicate(timeout=30)
    assert len(contents(tmp_path)) == 2
    with Output(str(tmp_path / "other.csv")):
        assert sorted(contents(tmp_path).values()) == [b"", b"half"]
    assert sorted(contents(tmp_path).values()) == [b"", b"half"]
    writers[1].send_signal(signal.SIGKILL)
    writers[1].communicate(timeout=30)
    with Output(str(tmp_path / "other.csv")):
        pass
    assert contents(tmp_path) == {"other.csv": b""}


def test_finishing_twice_is_finishing_once(tmp_path: Path) -> None:
    with Output(str(tmp_path / "r.csv")) as output:
        output.write(b"all")
        output.finish()
        assert not (tmp_path / "r.csv").exists()
    assert (tmp_path / "r.csv").read_bytes() == b"all"
