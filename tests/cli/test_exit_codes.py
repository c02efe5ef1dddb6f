"""What the exit code says, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from sertag.records import AudioFile, FileResult
from tests.cli.conftest import Run
from tests.cli.outputs import rows
from tests.cli.tables.runner import invoke
from tests.results import no_speech, ok, unreadable


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


# Faults that nobody foresaw, played by an engine of the test's own.


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
        return invoke(*files, *arguments, env=settings, prog_name="sertag")

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
