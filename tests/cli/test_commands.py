"""The command line as a user runs it: real processes where streams, exit codes and signals matter."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from sertag import __version__
from sertag.cli.commands import cli
from sertag.model.model_file import DEFAULT_MODEL
from sertag.records import AudioFile, FileResult
from sertag.text import decode_path
from tests.conftest import LOUD, SOFT, speech_like
from tests.onnx_models import tiny_spec, write_model
from tests.results import no_speech, ok, unreadable

Run = Callable[..., subprocess.CompletedProcess[bytes]]

ROOT = Path(__file__).parents[2]
SILENCE = np.zeros(16000, np.float32)


@pytest.fixture
def env(tiny_model: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user without settings of their own, and with a model."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SERTAG_", "COV"))}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": paths, "XDG_CONFIG_HOME": str(tmp_path / "no-config"), "SERTAG_MODEL": str(tiny_model)}
    return clean | own


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path) -> Run:
    """Run `sertag` in the test's folder."""

    def run(*arguments: str | bytes, **more: Any) -> subprocess.CompletedProcess[bytes]:
        settings: dict[str, Any] = {"cwd": tmp_path, "env": env, "capture_output": True, "timeout": 60} | more
        return subprocess.run([sys.executable, "-m", "sertag", *arguments], **settings)

    return run


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A folder with a call, a mono recording, silence and a file that is no audio."""
    folder = tmp_path / "calls"
    folder.mkdir()
    stereo = np.stack([speech_like(12, seed=1), speech_like(12, seed=2)], axis=1)
    soundfile.write(folder / "a.wav", stereo, 8000, subtype="ULAW")
    soundfile.write(folder / "b.wav", speech_like(9, seed=3), 8000)
    soundfile.write(folder / "silence.wav", SILENCE, 8000)
    (folder / "text.wav").write_text("this is no audio at all")
    return folder


def rows(data: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    text = data.decode("utf-8", "strict")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".sertag")]


# What comes out


def test_main_job(run: Run, calls: Path, tmp_path: Path) -> None:
    arguments = "calls --out r.csv --segments s.csv --summary run.json --roles agent,customer -j 2".split()
    done = run(*arguments)
    assert done.returncode == 1  # one file is no audio
    assert done.stdout == b""
    table = rows((tmp_path / "r.csv").read_bytes())
    assert [(row["path"], row["channel"], row["role"], row["status"]) for row in table] == [
        ("calls/a.wav", "0", "agent", "ok"),
        ("calls/a.wav", "1", "customer", "ok"),
        ("calls/b.wav", "0", "agent", "ok"),
        ("calls/silence.wav", "0", "agent", "no_speech"),
        ("calls/text.wav", "", "", "unreadable"),
    ]
    windows = rows((tmp_path / "s.csv").read_bytes())
    assert [len([w for w in windows if w["path"] == r["path"] and w["channel"] == r["channel"]]) for r in table] == [
        int(row["segments"] or 0) for row in table
    ]
    assert b"warning: calls/text.wav" in done.stderr
    assert b"silence.wav" not in done.stderr
    assert b"4 files, 5 rows (3 ok, 1 no_speech, 1 unreadable)" in done.stderr
    assert leftovers(tmp_path) == []


def test_music_on_hold(run: Run, tmp_path: Path, telling_model: Path) -> None:
    """The same bytes for every number of jobs and after a resume, and rows that say what was heard."""
    folder = tmp_path / "hold"
    folder.mkdir()
    music, speech = speech_like(12, seed=1, level=LOUD), speech_like(12, seed=2, level=SOFT)
    soundfile.write(folder / "a.wav", np.concatenate([music, speech]), 8000)
    soundfile.write(folder / "b.wav", np.stack([music, speech], axis=1), 8000)
    soundfile.write(folder / "c.wav", music, 8000)
    for name, more in {"one": ("-j", "1"), "two": ("-j", "2"), "again": ("-j", "2")}.items():
        out = name.replace("again", "two")
        arguments = ("hold", "-m", telling_model, "-o", f"{out}.csv", "--segments", f"{name}-s.csv", *more)
        assert run(*map(str, arguments)).returncode == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    segments = [(tmp_path / f"{name}-s.csv").read_bytes() for name in ("one", "two", "again")]
    assert segments[0] == segments[1] == segments[2]
    table = rows((tmp_path / "one.csv").read_bytes())
    assert [(row["path"], row["channel"], row["status"], row["schema"]) for row in table] == [
        ("hold/a.wav", "0", "ok", "2"),
        ("hold/b.wav", "0", "no_speech", "2"),
        ("hold/b.wav", "1", "ok", "2"),
        ("hold/c.wav", "0", "no_speech", "2"),
    ]
    assert [row["interruptions"] for row in table] == ["", "0", "0", ""]
    assert {row["status"] for row in rows(segments[0])} == {"ok", "no_speech"}
    assert run("hold", "-m", str(telling_model), "--strict").returncode == 1


def test_summary(run: Run, calls: Path, tmp_path: Path, tiny_model: Path) -> None:
    run("calls", "-o", "r.csv", "--summary", "run.json", "--hop", "4", "-j", "1")
    summary = json.loads((tmp_path / "run.json").read_text())
    assert " ".join(summary) == (
        "run_id version started finished inputs rows reused counts_by_status audio_hours files_per_s realtime_factor "
        "jobs backend model model_sha256 params exit_code"
    )
    assert summary["inputs"] == 4
    assert summary["rows"] == 5
    assert summary["reused"] == 0
    assert summary["counts_by_status"] == {
        "ok": 3,
        "no_speech": 1,
        "too_short": 0,
        "uncertain": 0,
        "unreadable": 1,
        "failed": 0,
    }
    assert summary["audio_hours"] == pytest.approx(23 / 3600, abs=1e-6)
    assert (summary["jobs"], summary["backend"], summary["model"]) == (1, "local", "tiny")
    assert summary["params"]["hop_s"] == 4
    assert summary["exit_code"] == 1
    assert summary["version"] == __version__
    assert summary["started"] <= summary["finished"]


def test_stdout_is_csv_in_a_pipe_and_nothing_else_is_there(run: Run, calls: Path) -> None:
    done = run("calls")
    assert [row["status"] for row in rows(done.stdout)] == ["ok", "ok", "ok", "no_speech", "unreadable"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl"])
def test_format_follows_the_suffix(run: Run, calls: Path, tmp_path: Path, suffix: str) -> None:
    assert run("calls/b.wav", "-o", f"r.{suffix}").returncode == 0
    data = (tmp_path / f"r.{suffix}").read_bytes()
    paths = {
        "csv": lambda: rows(data)[0]["path"],
        "tsv": lambda: rows(data, "\t")[0]["path"],
        "json": lambda: json.loads(data)[0]["path"],
        "jsonl": lambda: json.loads(data)["path"],
    }
    assert paths[suffix]() == "calls/b.wav"


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


def test_name_that_is_no_utf8_survives(run: Run, calls: Path) -> None:
    name = b"calls/\xff\x1b[31m.wav"
    try:
        shutil.copy(calls / "b.wav", os.path.join(os.fsencode(calls.parent), name))
    except OSError as error:
        pytest.skip(f"this file system takes only UTF-8: {error}")
    done = run(name, "-v")
    assert os.fsencode(decode_path(rows(done.stdout)[0]["path"])) == name
    assert b"\x1b" not in done.stderr


LATIN_1 = b"calls/Anruf Gru\xdfe.wav"


@pytest.fixture
def latin_1(calls: Path) -> bytes:
    """A recording whose name is Latin-1, one whose name reads like its escape, and one that is no audio."""
    try:
        shutil.copy(calls / "b.wav", os.path.join(os.fsencode(calls.parent), LATIN_1))
    except OSError as error:
        pytest.skip(f"this file system takes only UTF-8: {error}")
    shutil.copy(calls / "b.wav", calls / r"Anruf Gru\xdfe.wav")
    (calls / os.fsdecode(b"b\xf6se.wav")).write_text("this is no audio either")
    return LATIN_1


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet", "txt"])
def test_every_output_of_a_name_that_is_no_utf8_is_valid_and_names_it(
    run: Run, latin_1: bytes, tmp_path: Path, suffix: str
) -> None:
    table = ["--format", "table"] if suffix == "txt" else []
    windows = "csv" if suffix == "txt" else suffix
    log = ["--log-file", "log", "--log-format", "json"]
    arguments = ["calls", "-o", f"r.{suffix}", "--segments", f"s.{windows}", "--summary", "run.json", *log, *table]
    first, second = run(*arguments), run(*arguments)
    assert (first.returncode, second.returncode) == (1, 1)
    assert b" reused" in second.stderr
    for name in (f"r.{suffix}", f"s.{windows}"):
        data = (tmp_path / name).read_bytes()
        if name.endswith(".parquet"):
            parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")
            data = "\n".join(parquet.read_table(tmp_path / name)["path"].to_pylist()).encode()
        text = data.decode("utf-8", "strict")
        text = text.replace("\\\\", "\\") if "json" in name else text
        for shown in (r"calls/Anruf Gru\xdfe.wav", r"calls/Anruf Gru\x5cxdfe.wav"):
            assert shown in text, name
        assert (r"calls/b\xf6se.wav" in text) == name.startswith("r."), name
    log_lines = (tmp_path / "log").read_bytes().decode("utf-8", "strict").splitlines()
    entries = [entry for entry in map(json.loads, log_lines) if "path" in entry]
    assert [entry["message"].startswith(entry["path"]) for entry in entries] == [True] * len(entries)
    assert os.fsdecode(b"calls/b\xf6se.wav") in {decode_path(entry["path"]) for entry in entries}
    for name in (f"r.{suffix}.journal", "run.json"):
        text = (tmp_path / name).read_bytes().decode("utf-8", "strict")
        assert not re.search(r"\\ud[c-f]", text), "half of a pair, which strict readers of JSON refuse"
    assert "\ufffd" not in first.stderr.decode("utf-8", "strict")


def test_dry_run_gives_names_as_they_are_to_the_next_program(run: Run, latin_1: bytes) -> None:
    listed = run("calls", "--dry-run", "-0").stdout
    assert latin_1 in listed.split(b"\0")
    done = run("--files-from", "-", "-0", "-f", "jsonl", input=listed)
    paths = [json.loads(line)["path"] for line in done.stdout.splitlines()]
    assert [os.fsencode(decode_path(path)) for path in paths] == listed.split(b"\0")[:-1]


def test_a_locale_without_utf8_changes_no_table(run: Run, latin_1: bytes, env: dict[str, str]) -> None:
    plain, other = run("calls"), run("calls", env=env | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert other.stdout == plain.stdout


def test_a_role_that_is_no_utf8_is_refused(run: Run, calls: Path) -> None:
    done = run("calls", "--roles", b"agent,k\xe4ufer")
    assert done.returncode == 2
    assert rb"k\xe4ufer is not valid UTF-8" in done.stderr


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


def test_a_table_in_the_folder_of_its_recordings_is_no_recording(run: Run, calls: Path) -> None:
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
            run("calls", "--include", "*", capture_output=False, stdout=table, stderr=messages)
        assert {row["path"] for row in rows((calls / "r.csv").read_bytes())} == {
            f"calls/{name}.wav" for name in ("a", "b", "silence")
        }


def test_paths_that_look_like_something_else(run: Run, calls: Path, tmp_path: Path) -> None:
    for name in ("models", "-odd.wav"):
        shutil.copy(calls / "b.wav", tmp_path / name)
    assert [row["path"] for row in rows(run("./models").stdout)] == ["./models"]
    assert [row["path"] for row in rows(run("-q", "--", "-odd.wav").stdout)] == ["'-odd.wav"]


def test_rows_do_not_depend_on_jobs(run: Run, calls: Path, tmp_path: Path) -> None:
    for jobs in ("1", "2"):
        run("calls", "-o", f"{jobs}.csv", "-j", jobs)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_only_one_role_is_scored(run: Run, calls: Path) -> None:
    done = run("calls/a.wav", "--roles", "agent,customer", "--only-role", "customer")
    assert [(row["channel"], row["role"]) for row in rows(done.stdout)] == [("1", "customer")]


def test_too_few_roles_are_said_once(run: Run, calls: Path, tmp_path: Path) -> None:
    shutil.copy(calls / "a.wav", calls / "aa.wav")
    done = run("calls/a.wav", "calls/aa.wav", "--roles", "agent")
    assert [row["role"] for row in rows(done.stdout)] == ["agent", "", "agent", ""]
    assert done.stderr.count(b"more channels than --roles") == 1


# Exit codes


def test_all_well_is_0(run: Run, calls: Path) -> None:
    assert run("calls/a.wav", "calls/silence.wav").returncode == 0


def test_strict_makes_silence_a_failure(run: Run, calls: Path) -> None:
    done = run("calls/a.wav", "calls/silence.wav", "--strict")
    assert done.returncode == 1
    assert b"warning: calls/silence.wav" in done.stderr


def test_every_input_failed_is_3_and_has_its_rows(run: Run, calls: Path) -> None:
    done = run("calls/text.wav", "missing.wav")
    assert done.returncode == 3
    assert [row["error_code"] for row in rows(done.stdout)] == ["not_audio", "not_found"]


def test_nothing_found_is_3_and_leaves_the_old_table(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "r.csv").write_text("old")
    done = run("empty", "-o", "r.csv")
    assert done.returncode == 3
    assert b"no audio found in empty" in done.stderr
    assert (tmp_path / "r.csv").read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-such-option"], b"No such option"),
        (["calls", "-o", "r.xlsx"], b".csv, .tsv, .json, .jsonl, .parquet"),
        (["calls", "--hop", "0"], b"not a number over 0"),
        (["calls", "--hop", "nan"], b"not a number over 0"),
        (["calls", "--min-confidence", "1.5"], b"not a number from 0 to 1"),
        (["calls", "--jobs", "0"], b"--jobs"),
        (["calls", "--timeout", "0"], b"not a number over 0"),
        (["calls", "--max-duration", "-1"], b"not a number over 0"),
        (["calls", "--channels", "left"], b"not split, mix or the number"),
        (["calls", "--channels", "-1"], b"not split, mix or the number"),
        (["calls", "--roles", "a,,b"], b"empty name"),
        (["calls", "--roles", "a,b", "--only-role", "c"], b"which is a, b"),
        (["-", "--files-from", "-"], b"standard input cannot be both"),
        (["--files-from", "nowhere.txt"], b"No such file"),
        (["calls", "-o", "x.csv", "--segments", "x.csv"], b"the same file"),
        (["calls/a.wav", "-o", "calls/a.wav", "-f", "csv"], b"would overwrite"),
        (["calls", "--config", "nowhere.toml"], b"nowhere.toml"),
        (["-q"], b"nothing to tag"),
    ],
)
def test_usage_errors_are_2(run: Run, calls: Path, arguments: list[str], message: bytes) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == b""


def test_without_arguments_help_goes_to_stderr_and_is_2(run: Run) -> None:
    for arguments in ([], ["models"]):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"Usage: sertag" in done.stderr


@pytest.mark.parametrize("command", [["calls"], ["models", "info"], ["models", "check"]])
def test_unusable_model_is_4(run: Run, calls: Path, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "bad.onnx").write_text("no model")
    done = run(*command, *(["-m", "bad.onnx"] if command == ["calls"] else ["bad.onnx"]))
    assert done.returncode == 4
    assert b"bad.onnx" in done.stderr
    assert b"Traceback" not in done.stderr


def test_unwritable_output_is_5(run: Run, calls: Path) -> None:
    for option in ("--out", "--segments", "--log-file"):
        done = run("calls/b.wav", option, "no/such/folder.csv")
        assert done.returncode == 5
        assert b"cannot write" in done.stderr
        assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_standard_output_is_5(run: Run, calls: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = run("calls/b.wav", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 5
    assert b"No space left" in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_closed_standard_output_is_5(run: Run, calls: Path) -> None:
    done = run("calls/b.wav", preexec_fn=lambda: os.close(1))
    assert done.returncode == 5
    assert b"Traceback" not in done.stderr


# Streams


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_reader_that_leaves_ends_it_quietly(env: dict[str, str], calls: Path, tmp_path: Path, jobs: str) -> None:
    for index in range(150):  # enough for workers to be started and for the pipe to be full
        (calls / f"copy{index}.wav").symlink_to("b.wav")
    command = [sys.executable, "-m", "sertag", "calls", "-f", "jsonl", "-j", jobs]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["path"] == "calls/a.wav"
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(30) == 141  # 128 + SIGPIPE, as a shell reports `cat`
    assert said == b""


def test_on_a_terminal_a_table_is_shown_and_names_do_nothing(env: dict[str, str], calls: Path, tmp_path: Path) -> None:
    shutil.copy(calls / "b.wav", calls / "\x1b[31mred.wav")
    code, screen = on_terminal(["calls"], env | {"TERM": "xterm"}, tmp_path)
    assert code == 1
    assert "confidence" in screen
    assert r"\x1b[31mred.wav" in screen
    assert "\x1b[31mred.wav" not in screen
    assert "times real time" in screen


def test_no_color_is_honoured(env: dict[str, str], calls: Path, tmp_path: Path) -> None:
    _, screen = on_terminal(["calls", "--no-progress"], env | {"TERM": "xterm", "NO_COLOR": "1"}, tmp_path)
    assert "\x1b[3" not in screen


def test_csv_on_a_terminal_is_escaped_too(env: dict[str, str], calls: Path, tmp_path: Path) -> None:
    shutil.copy(calls / "b.wav", calls / "\x1b[31mred.wav")
    _, screen = on_terminal(["calls", "-f", "csv"], env | {"TERM": "xterm"}, tmp_path)
    assert "\x1b" not in screen
    assert r"calls/\x1b[31mred.wav,0,,ok" in screen


def on_terminal(arguments: list[str], env: dict[str, str], folder: Path) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sertag", *arguments]
    process = subprocess.Popen(command, cwd=folder, env=env | {"COLUMNS": "120"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        screen += piece
    os.close(ours)
    return process.wait(30), screen.decode()


# Signals


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_signal_ends_the_run_in_order(
    env: dict[str, str], tmp_path: Path, jobs: str, signum: signal.Signals, code: int
) -> None:
    many = tmp_path / "many"
    many.mkdir()
    soundfile.write(tmp_path / "call.wav", speech_like(240, seed=1), 8000)
    for index in range(2000):
        (many / f"{index:04d}.wav").symlink_to("../call.wav")
    (tmp_path / "r.csv").write_text("old")
    command = [sys.executable, "-m", "sertag", "many", "-o", "r.csv", "-j", jobs, "--log-file", "log"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    until(lambda: (size_of(tmp_path, ".sertag") or 0) > 20_000, "rows are being written")
    process.send_signal(signum)
    started = time.monotonic()
    said = process.communicate(timeout=30)[1]
    assert process.returncode == code
    assert time.monotonic() - started < 5  # 2 s by contract; more for a machine that is busy with other tests
    assert b"Traceback" not in said
    assert b"stopped by" in said
    assert (tmp_path / "r.csv").read_text() == "old"
    assert leftovers(tmp_path) == []
    until(lambda: not session_members(process.pid), "no worker is left")


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"not reached: {what}"
        time.sleep(0.05)


def size_of(folder: Path, prefix: str) -> int | None:
    return next((path.stat().st_size for path in folder.glob(f"{prefix}*")), None)


def session_members(session: int) -> list[str]:
    """Commands of the live processes of a session."""
    listed = subprocess.run(["ps", "-e", "-o", "sess=,stat=,args="], capture_output=True, text=True, check=True)
    lines = (line.split(None, 2) for line in listed.stdout.splitlines())
    return [line[-1] for line in lines if line[0] == str(session) and not line[1].startswith("Z")]


# Messages


def test_log_file_gets_everything_and_the_screen_the_first(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    for index in range(30):
        (tmp_path / "bad" / f"{index:02d}.wav").write_text("no audio")
    done = run("bad", "-o", "r.csv", "--log-file", "log")
    assert done.stderr.count(b"warning: bad/") == 20
    assert done.stderr.count(b"more files have problems") == 1
    assert (tmp_path / "log").read_text().count("WARNING bad/") == 30


def test_messages_as_json(run: Run, calls: Path, tmp_path: Path) -> None:
    done = run("calls", "-o", "r.csv", "--log-format", "json", "--log-file", "log")
    messages = [json.loads(line) for line in done.stderr.splitlines()]
    assert messages[0]["level"] == "warning"
    assert messages[0]["path"] == "calls/text.wav"
    assert messages[0]["code"] == "not_audio"
    assert messages[-1]["message"].startswith("4 files, 5 rows")
    logged = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [message["message"] for message in messages] == [m["message"] for m in logged if m["level"] != "debug"]


def test_quiet_says_nothing(run: Run, calls: Path) -> None:
    assert run("calls", "-q", "-o", "r.csv").stderr == b""


def test_progress_in_a_pipe_only_when_asked(run: Run, calls: Path) -> None:
    assert b"\x1b" not in run("calls", "-o", "r.csv").stderr
    assert b"\x1b" not in run("calls", "-o", "r.csv", "--progress").stderr


# Settings


def test_precedence_is_flag_environment_config_user_file(
    run: Run, env: dict[str, str], calls: Path, tmp_path: Path
) -> None:
    user = tmp_path / "xdg" / "sertag"
    user.mkdir(parents=True)
    (user / "config.toml").write_text('hop = 1.0\nmin-confidence = 0.1\nchannels = "mix"\njobs = 1\n')
    (tmp_path / "own.toml").write_text("hop = 2.5\nmin-confidence = 0.2\nchannels = 0\n")
    flags = ["--config", "own.toml", "--hop", "4", "--summary", "run.json", "-o", "r.csv"]
    own = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "SERTAG_HOP": "3", "SERTAG_MIN_CONFIDENCE": "0.3"}
    done = run("calls/a.wav", *flags, env=env | own)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run.json").read_text())
    assert summary["params"]["hop_s"] == 4  # flag
    assert summary["params"]["min_confidence"] == 0.3  # environment
    assert summary["params"]["channels"] == 0  # --config
    assert summary["jobs"] == 1  # the user's own file


def test_shared_settings_hold_for_other_commands_that_score_audio(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    user = tmp_path / "xdg" / "sertag"
    user.mkdir(parents=True)
    (user / "config.toml").write_text(
        'hop = 1.5\njobs = 1\nformat = "csv"\nmax-duration = 1\n'
    )  # two are `tag`'s alone
    own = env | {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    start = json.loads(run("listen", "--raw", "s16le", env=own).stdout.splitlines()[0])
    assert start["hop_s"] == 1.5
    (tmp_path / "own.toml").write_text("hop = 2.5\n")
    start = json.loads(run("listen", "--raw", "s16le", "--config", "own.toml", env=own).stdout.splitlines()[0])
    assert start["hop_s"] == 2.5
    (tmp_path / "own.toml").write_text("hops = 2.5\n")
    done = run("show", "a.wav", "--config", "own.toml", env=own)
    assert (done.returncode, b"unknown key 'hops'; did you mean 'hop'?" in done.stderr) == (2, True)


def test_every_kind_of_option_can_be_set_in_a_file(run: Run, calls: Path, tmp_path: Path) -> None:
    lines = [
        'roles = ["agent", "customer"]',
        'only-role = "customer"',
        'exclude = ["b*", "s*", "t*"]',
        'out = "r.jsonl"',
        "quiet = true",
        "timeout = 100",
        "max-duration = 7200.5",
        "resume = false",
    ]
    (tmp_path / "own.toml").write_text("\n".join(lines))
    done = run("calls", "--config", "own.toml")
    assert (done.returncode, done.stderr) == (0, b"")
    file = json.loads((tmp_path / "r.jsonl").read_text())
    assert [channel["role"] for channel in file["channels"]] == ["customer"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("job = 4", b"own.toml: unknown key 'job'; did you mean 'jobs'?"),
        ("jobs = 0", b"own.toml: key 'jobs': 0 is not in the range x>=1"),
        ('jobs = "2"', b"own.toml: key 'jobs' is '2' (a string), expected an integer"),
        ('format = "xml"', b"own.toml: key 'format': 'xml' is not one of"),
        ("hop = -1", b"own.toml: key 'hop': -1 is not a number over 0"),
    ],
)
def test_mistakes_in_a_file_are_usage_errors(run: Run, calls: Path, tmp_path: Path, text: str, message: bytes) -> None:
    (tmp_path / "own.toml").write_text(text)
    done = run("calls", "--config", "own.toml")
    assert done.returncode == 2
    assert message in done.stderr


def test_lists_in_the_environment(run: Run, env: dict[str, str], calls: Path) -> None:
    own = {"SERTAG_ROLES": "agent,customer", "SERTAG_EXCLUDE": "s* t* b*", "SERTAG_QUIET": "1"}
    done = run("calls", env=env | own)
    assert [(row["path"], row["role"]) for row in rows(done.stdout)] == [
        ("calls/a.wav", "agent"),
        ("calls/a.wav", "customer"),
    ]


# Other commands and help


def test_dry_run_lists_and_does_nothing(run: Run, calls: Path, tmp_path: Path) -> None:
    done = run("calls", "missing.wav", "--dry-run", "-o", "r.csv", "-m", "no-such-model")
    assert done.returncode == 0
    names = [b"calls/a.wav", b"calls/b.wav", b"calls/silence.wav", b"calls/text.wav", b"missing.wav"]
    assert done.stdout.splitlines() == names
    assert b"5 files would be tagged" in done.stderr
    assert not (tmp_path / "r.csv").exists()
    assert run("calls", "missing.wav", "--dry-run", "-0").stdout == b"".join(name + b"\0" for name in names)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="sertag")


@pytest.mark.parametrize("command", ["tag", "show", "listen"])
def test_help_names_the_default_model(command: str) -> None:
    said = " ".join(invoke(command, "--help").output.split())
    assert f"Bundled model, or path of an .onnx file. [default: {DEFAULT_MODEL}]" in said


def test_help_begins_with_examples_and_has_every_option() -> None:
    said = invoke("--help").output
    assert said.startswith("Examples:\n  sertag ./calls --out results.csv\n")
    assert invoke("./calls", "--help").output.startswith("Examples:\n")
    tag = cli.commands["tag"]
    options = [name for option in tag.params if isinstance(option, click.Option) for name in option.opts]
    assert [name for name in options if name not in said] == []
    assert [name for name in cli.commands if name not in said] == []


def test_version() -> None:
    assert invoke("--version").output == f"sertag {__version__}\n"


def test_models_list_names_the_default() -> None:
    listed = invoke("models", "list").output
    assert "phone-deep (default)" in listed
    assert "phone: version" in listed
    assert "non-commercial use only" in listed


def test_runs_say_that_a_model_is_not_calibrated(run: Run, calls: Path, tmp_path: Path) -> None:
    spec = tiny_spec(training=MappingProxyType({"calibrated": False}))
    model = write_model(tmp_path / "theirs.onnx", spec)
    done = run("calls", "--model", str(model), "--out", "r.csv", "--summary", "run.json")
    assert b"theirs.onnx is not calibrated" in done.stderr
    assert json.loads((tmp_path / "run.json").read_text())["params"]["calibrated"] is False


def test_models_info_is_json(tiny_model: Path) -> None:
    document = json.loads(invoke("models", "info", str(tiny_model)).output)
    assert document["labels"] == ["angry", "happy", "neutral"]
    assert len(document["sha256"]) == 64


def test_models_info_is_a_card_on_a_terminal(env: dict[str, str], tiny_model: Path, tmp_path: Path) -> None:
    code, screen = on_terminal(["models", "info", str(tiny_model)], env, tmp_path)
    assert code == 0
    assert "emotions        angry (negative), happy (positive), neutral (neutral)" in screen
    code, screen = on_terminal(["models", "info", str(tiny_model), "--json"], env, tmp_path)
    assert json.loads(screen)["labels"] == ["angry", "happy", "neutral"]


def test_models_check() -> None:
    assert invoke("models", "check", "phone").output == "phone: sound\n"


def test_models_check_of_a_model_without_probe_is_4(tiny_model: Path) -> None:
    result = invoke("models", "check", str(tiny_model))
    assert result.exit_code == 4
    assert "no probe" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    assert "_SERTAG_COMPLETE" in invoke("completion", shell).output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sertag mod", "models"),
        ("sertag --min", "--min-confidence"),
        ("sertag calls --form", "--format"),
        ("sertag -m ph", "phone"),
    ],
)
def test_completion_answers(run: Run, env: dict[str, str], words: str, expected: str) -> None:
    count = str(len(words.split()) - 1)
    asked = {"_SERTAG_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    assert f"plain,{expected}" in run(env=env | asked).stdout.decode().splitlines()


# Faults nobody foresaw, with a line of our own


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path) -> Callable[[Any], Result]:
    """Run the command line on two files with results of the test's own making."""

    def run(results: Callable[..., Any], *arguments: str) -> Result:
        monkeypatch.setattr("sertag.parallel.engine.tag_all", results)
        monkeypatch.setattr("sertag.parallel.engine.prestart", lambda first, *, jobs, prestarted: None)
        files = [str(tmp_path / name) for name in ("a.wav", "b.wav")]
        for file in files:
            Path(file).write_text("")
        settings = {"SERTAG_MODEL": str(tiny_model), "XDG_CONFIG_HOME": str(tmp_path)}
        return CliRunner().invoke(cli, [*files, *arguments], env=settings, prog_name="sertag")

    return run


def test_crash_in_one_file_is_a_row_and_its_traceback_is_for_the_log(
    faked: Callable[..., Result], tmp_path: Path
) -> None:
    def results(files: Iterable[AudioFile], **settings: object) -> list[FileResult]:
        a, b = files
        return [ok(a.path), replace(unreadable(b.path), crash="Traceback: the details")]

    log = tmp_path / "log"
    result = faked(results, "--log-file", str(log), "-o", str(tmp_path / "r.csv"))
    assert result.exit_code == 1
    assert "the details" not in result.output
    assert "the details" in log.read_text()


def test_crash_of_the_run_is_one_line_and_1(faked: Callable[..., Result], tmp_path: Path) -> None:
    def results(files: Iterator[AudioFile], **settings: object) -> Any:
        yield ok(next(files).path)
        raise ZeroDivisionError("nobody foresaw this")

    target = tmp_path / "r.csv"
    result = faked(results, "-o", str(target))
    assert result.exit_code == 1
    assert "error: ZeroDivisionError: nobody foresaw this; this is a fault of sertag" in result.output
    assert "Traceback" not in result.output
    assert not target.exists()
    assert "Traceback" in faked(results, "-o", str(target), "-v").output


def test_strict_and_every_input_without_speech_is_3(faked: Callable[..., Result], tmp_path: Path) -> None:
    def results(files: Iterable[AudioFile], **settings: object) -> list[FileResult]:
        return [no_speech(file.path) for file in files]

    assert faked(results, "-o", str(tmp_path / "r.csv")).exit_code == 0
    assert faked(results, "-o", str(tmp_path / "r.csv"), "--strict").exit_code == 3


def test_list_from_a_fifo_is_read_once(run: Run, calls: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list")
    writer = subprocess.Popen(["sh", "-c", "echo calls/b.wav > list"], cwd=tmp_path)
    done = run("--files-from", "list", "--progress")
    assert writer.wait(30) == 0
    assert [row["path"] for row in rows(done.stdout)] == ["calls/b.wav"]
