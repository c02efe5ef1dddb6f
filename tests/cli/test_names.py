"""Names of recordings that are not UTF-8, or hold what terminals act on, in every output."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from sertag.text import decode_path
from tests.cli.conftest import Run
from tests.cli.outputs import rows


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


def test_a_locale_without_utf8_changes_no_table(process: Run, latin_1: bytes, env: dict[str, str]) -> None:
    plain, other = (
        process("calls"),
        process("calls", env=env | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    )
    assert other.stdout == plain.stdout


def test_a_role_that_is_no_utf8_is_refused(run: Run, calls: Path) -> None:
    done = run("calls", "--roles", b"agent,k\xe4ufer")
    assert done.returncode == 2
    assert rb"k\xe4ufer is not valid UTF-8" in done.stderr
