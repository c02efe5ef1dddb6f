"""The commands on tables as a user runs them: what goes where, and what the exit code says."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.analysis.tables import CALM, call, night, write
from tests.cli.tables.runner import invoke

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.csv", night(30))
    write(tmp_path / "s.csv", night(30), segments=True)
    write(tmp_path / "r.jsonl", night(30))
    (tmp_path / "calls.csv").write_text("id,queue\n" + "".join(f"{number:04},q{number % 2}\n" for number in range(40)))
    return invoke


def rows(done: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_worst(run: Run) -> None:
    done = run("worst", "r.csv", "-n", "3")
    assert done.exit_code == 0
    assert [row["attention"] for row in rows(done)] == ["0.9000", "0.8900", "0.8800"]
    assert done.stderr == ""
    again = run("worst", "-", input=done.stdout)
    assert again.stdout == done.stdout


def test_worst_is_an_alert(run: Run) -> None:
    found = run("worst", "r.csv", "--where", "role = customer and attention > 0.88")
    assert (found.exit_code, len(rows(found))) == (1, 2)
    nothing = run("worst", "r.csv", "--where", "role = customer and attention > 0.95")
    assert (nothing.exit_code, rows(nothing)) == (0, [])
    assert run("worst", "r.csv", "--where", "attention > 0.8", "--exit-zero").exit_code == 0


def test_worst_with_joined_columns(run: Run) -> None:
    arguments = ["worst", "r.jsonl", "--join", "calls.csv", "--key", r"_(\d{4})", "--where", "queue = q1"]
    done = run(*arguments, "--columns", "file,id,queue,attention", "-n", "1")
    assert done.stdout == "file,id,queue,attention\n2026-03-03_0001.wav,0001,q1,0.8900\n"
    assert "note: calls.csv: joined to 30 of 32 recordings\n" in done.stderr
    table = run(*arguments, "--format", "table", "-n", "1")
    assert "queue" in table.stdout
    assert "0.8900" in table.stdout


def test_worst_by_sql(run: Run) -> None:
    pytest.importorskip("duckdb")
    done = run(
        "worst", "r.csv", "s.csv", "--sql", "SELECT role, count(*) AS n FROM windows GROUP BY role ORDER BY role"
    )
    assert (done.exit_code, done.stdout) == (1, "role,n\nagent,60\ncustomer,60\n")


def test_by(run: Run) -> None:
    done = run("by", "role", "r.csv", "--mean", "attention,speech_s", "--format", "json")
    assert done.exit_code == 0
    agents, customers = json.loads(done.stdout)
    assert (agents["role"], agents["calls"], agents["attention"]) == ("agent", 30, 0.1)
    assert customers["attention_low"] < customers["attention"] < customers["attention_high"]
    assert "note: 1 group of fewer than 20 calls not shown: 2 calls" in done.stderr
    assert (
        run("by", "queue,month", "r.csv", "--join", "calls.csv", "--key", r"_(\d{4})", "--least", "15").stdout.count(
            "2026-03"
        )
        == 2
    )


def test_diff(run: Run, tmp_path: Path) -> None:
    assert (run("diff", "r.csv", "r.jsonl").exit_code, run("diff", "r.csv", "r.jsonl").output) == (0, "")
    write(tmp_path / "a.csv", [call("x.wav")])
    write(tmp_path / "b.csv", [call("x.wav", CALM)])
    done = run("diff", "a.csv", "b.csv")
    assert done.exit_code == 1
    assert [(row["path"], row["before"], row["after"]) for row in rows(done)] == [("x.wav", "angry", "neutral")]
    assert "emotion: angry → neutral 1" in done.stderr
    assert run("diff", "a.csv", "b.csv", "--where", "role = agent").output == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["worst", "r.csv", "-o", "r.csv"],
        ["by", "role", "r.csv", "--join", "calls.csv", "--key", "(.)", "-o", "./calls.csv"],
        ["diff", "r.jsonl", "r.csv", "-o", "r.csv"],
        ["convert", "r.csv", "--to", "csv", "-o", "link.csv"],
        ["convert", "r.csv", "--to", "xlsx", "-o", "call.wav"],
        ["agree", "r.csv", "--verdicts", "calls.csv", "--write", "calls.csv"],
    ],
)
def test_what_is_read_is_never_overwritten(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "link.csv").symlink_to("r.csv")
    (tmp_path / "call.wav").write_bytes(b"RIFF")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = run(*arguments)
    assert done.exit_code == 2
    assert "overwritten" in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_quiet(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [call("x.wav")])
    for arguments in (
        ["worst", "r.csv", "--columns", "day", "-n", "1"],
        ["by", "role", "r.csv"],
        ["diff", "r.csv", "a.csv"],
        ["convert", "r.csv", "s.csv", "--to", "rttm", "-o", "x.rttm", "--where", "day = 2026-03-02"],
    ):
        assert run(*arguments).stderr != ""
        assert run(*arguments, "-q").stderr == ""
    assert "did you mean" in run("worst", "r.csv", "-q", "--where", "rol = x").stderr


def test_convert(run: Run, tmp_path: Path) -> None:
    done = run("convert", "r.csv", "s.csv", "--to", "textgrid", "-o", "grids", "--where", "day = 2026-03-02")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "15 files for 15 recordings in grids" in done.stderr
    joined = run("convert", "r.csv", "--to", "csv", "-o", "j.csv", "--join", "calls.csv", "--key", r"_(\d{4})")
    assert joined.exit_code == 0
    assert run("worst", "j.csv", "--where", "queue = q0", "-n", "1").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["worst", "gone.csv"], 2, "error: gone.csv: cannot be opened: No such file"),
        (["worst", "calls.csv"], 2, "error: calls.csv: is not a table of sertag"),
        (["worst", "s.csv"], 2, "error: s.csv: holds windows only"),
        (["worst", "r.csv", "--where", "rol = x"], 2, "did you mean 'role'?"),
        (["worst", "r.csv", "--sort", "attn"], 2, "to sort by"),
        (["worst", "r.csv", "--sql", "SELECT 1", "--where", "a = 1"], 2, "--sql and --where exclude each other"),
        (["worst", "r.csv", "--join", "calls.csv"], 2, "--join and --key go together"),
        (["worst", "r.csv", "-o", "x.txt"], 2, "known suffixes are .csv, .tsv, .json, .jsonl; or give --format"),
        (["worst", "r.csv", "-o", "no/x.csv"], 5, "error: cannot write no/x.csv"),
        (["by", "queue", "r.csv"], 2, "no column 'queue'"),
        (["by", "day", "r.csv", "--date-regex", "("], 2, "--date-regex '(' is no regular expression"),
        (["convert", "r.csv", "--to", "rttm", "-o", "x"], 2, "has no windows; tag with --segments"),
        (["convert", "r.csv", "--to", "csv", "-o", "no/x.csv"], 5, "cannot write no/x.csv"),
        (["diff", "r.csv", "s.csv"], 2, "s.csv: holds windows only"),
    ],
)
def test_mistakes(run: Run, arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == code
    assert message in done.stderr
    assert done.stdout == ""
