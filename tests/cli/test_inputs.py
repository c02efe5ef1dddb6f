"""What is read: folders, lists, standard input, and never the run's own tables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.outputs import rows


def test_audio_on_standard_input(run: Run, calls: Path) -> None:
    done = run("-", "--format", "json", input=(calls / "b.wav").read_bytes())
    assert done.returncode == 0
    assert [(file["path"], file["status"]) for file in json.loads(done.stdout)] == [("-", "ok")]


def test_list_on_standard_input(run: Run, calls: Path) -> None:
    (calls / "new\nline.wav").write_bytes((calls / "b.wav").read_bytes())
    done = run("--files-from", "-", "-0", "-f", "jsonl", input=b"calls/b.wav\0calls/new\nline.wav\0")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == ["calls/b.wav", "calls/new\nline.wav"]


def test_list_in_a_file_joins_the_arguments(run: Run, calls: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("calls/silence.wav\n")
    done = run("calls/b.wav", "--files-from", "list")
    assert [row["path"] for row in rows(done.stdout)] == ["calls/b.wav", "calls/silence.wav"]


def test_list_from_a_fifo_is_read_once(run: Run, calls: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list")
    writer = subprocess.Popen(["sh", "-c", "echo calls/b.wav > list"], cwd=tmp_path)
    done = run("--files-from", "list", "--progress")
    assert writer.wait(30) == 0
    assert [row["path"] for row in rows(done.stdout)] == ["calls/b.wav"]


@pytest.mark.parametrize("null", [False, True], ids=["lines", "null"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_of_other_systems_are_read(run: Run, calls: Path, tmp_path: Path, encoding: str, null: bool) -> None:
    end = "\0" if null else "\r\n"
    data = "".join(f"calls/{name}.wav{end}" for name in ("b", "silence")).encode(encoding)
    (tmp_path / "list").write_bytes(data)
    option = ["-0"] if null else []
    for done in (run("--files-from", "list", *option), run("--files-from", "-", *option, input=data)):
        assert [row["path"] for row in rows(done.stdout)] == ["calls/b.wav", "calls/silence.wav"]
        assert done.returncode == 0


def test_a_list_that_cannot_be_read_is_refused_by_name(run: Run, calls: Path, tmp_path: Path) -> None:
    data = "calls/b.wav\r\n".encode("utf-16-le")
    (tmp_path / "list").write_bytes(data)
    from_file, from_pipe = run("--files-from", "list"), run("--files-from", "-", input=data)
    for done, name in ((from_file, "list"), (from_pipe, "-, standard input")):
        assert done.returncode == 2
        assert f"--files-from {name}: looks like UTF-16 without a byte-order mark" in done.stderr.decode()
    assert b"--files-from calls: Is a directory" in run("--files-from", "calls").stderr


def test_paths_that_look_like_something_else(run: Run, calls: Path, tmp_path: Path) -> None:
    for name in ("models", "-odd.wav"):
        shutil.copy(calls / "b.wav", tmp_path / name)
    assert [row["path"] for row in rows(run("./models").stdout)] == ["./models"]
    assert [row["path"] for row in rows(run("-q", "--", "-odd.wav").stdout)] == ["'-odd.wav"]


def test_a_folder_that_cannot_be_looked_into_is_a_row_and_1(run: Run, calls: Path) -> None:
    (calls / "text.wav").unlink()
    (calls / "site3").symlink_to("nowhere/recordings")
    (calls / "notes.txt").symlink_to("gone.txt")
    done = run("calls")
    assert done.returncode == 1
    assert [(row["path"], row["error_code"]) for row in rows(done.stdout) if row["status"] == "unreadable"] == [
        ("calls/site3", "unreachable_folder")
    ]
    assert b"warning: calls/site3: is a link to nowhere/recordings" in done.stderr


def test_a_table_in_the_folder_of_its_recordings_is_no_recording(run: Run, process: Run, calls: Path) -> None:
    """Written by --out, or by the shell."""
    (calls / "text.wav").unlink()
    for _ in range(2):
        assert run("calls", "-o", "calls/r.csv", "--include", "*").returncode == 0
    assert {row["path"] for row in rows((calls / "r.csv").read_bytes())} == {
        f"calls/{name}.wav" for name in ("a", "b", "silence")
    }
    (calls / "r.csv").unlink()
    (calls / "r.csv.journal").unlink()
    for _ in range(2):
        with (calls / "r.csv").open("wb") as table, (calls / "messages").open("wb") as messages:
            process("calls", "--include", "*", capture_output=False, stdout=table, stderr=messages)
        assert {row["path"] for row in rows((calls / "r.csv").read_bytes())} == {
            f"calls/{name}.wav" for name in ("a", "b", "silence")
        }
