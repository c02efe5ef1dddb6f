"""`sertag agree` as a user runs it, and what it does to a configuration file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sertag.cli import config
from tests.analysis.tables import judged, write
from tests.cli.tables.runner import invoke

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    results = [judged(f"{index}.wav", (0.95, "angry"), (0.6, "happy")) for index in range(60)]
    write(tmp_path / "r.jsonl", results)
    lines = [f"{index}.wav,0,0.000,4.000,right,angry\n{index}.wav,0,2.000,6.000,wrong,happy\n" for index in range(60)]
    head = "path,channel,start_s,end_s,verdict,label\n"
    (tmp_path / "v.csv").write_text(head + "".join(lines))
    (tmp_path / "few.csv").write_text(head + "".join(lines[:3]))
    return invoke


def test_agree_prints_and_writes(run: Run, tmp_path: Path) -> None:
    done = run("agree", "r.jsonl", "--verdicts", "v.csv", "--write", "sertag.toml")
    assert done.exit_code == 0
    assert "agreement: 50.0%" in done.stdout
    assert done.stderr == "sertag.toml: min_confidence = 0.61, for windows and rows\n"
    assert (tmp_path / "sertag.toml").read_text() == "min_confidence = 0.61  # precision 1.00 on 60 verdicts\n"
    assert config.read("sertag.toml", kinds={"min-confidence": (float,)}) == {"min-confidence": 0.61}


def test_agree_as_json_and_of_a_part(run: Run) -> None:
    done = run("agree", "r.jsonl", "--verdicts", "v.csv", "--json", "--where", "path ~ '1.wav'")
    told = json.loads(done.stdout)
    assert told["calls"] == 6
    assert len(told["missing"]) == 108
    assert told["threshold"]["more_calls_needed"] == 4


def test_verdicts_on_windows_need_windows(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "r.csv", [judged("0.wav", (0.95, "angry"))])
    done = run("agree", "r.csv", "--verdicts", "v.csv")
    assert "note: r.csv: has no windows for the verdicts on windows; tag with --segments FILE" in done.stderr
    assert "has no windows" not in run("agree", "r.jsonl", "--verdicts", "v.csv").stderr
    assert (
        "'80' is not a number over 0 and up to 1"
        in run("agree", "r.jsonl", "--verdicts", "v.csv", "--precision", "80").stderr
    )


def test_what_was_not_found_is_not_written(run: Run, tmp_path: Path) -> None:
    done = run("agree", "r.jsonl", "--verdicts", "few.csv", "--write", "sertag.toml")
    assert done.exit_code == 1
    assert "too few verdicts to say" in done.stdout
    assert not (tmp_path / "sertag.toml").exists()
    assert run("agree", "r.jsonl", "--verdicts", "few.csv").exit_code == 0
    done = run("agree", "r.jsonl", "--verdicts", "v.csv", "--precision", "0.4", "--write", "sertag.toml")
    assert (done.exit_code, "reached without a setting" in done.stderr) == (0, True)
    assert run("agree", "r.jsonl", "--verdicts", "gone.csv").exit_code == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "min_confidence = 0.5  # why\n"),
        ('roles = ["a"]  # ours\n', 'min_confidence = 0.5  # why\nroles = ["a"]  # ours\n'),
        ("jobs = 2\r\nmin-confidence = 0.1\r\n", "jobs = 2\r\nmin_confidence = 0.5  # why\r\n"),
        ('"min_confidence"=0.1\n# end', "min_confidence = 0.5  # why\n# end"),
        ("# min_confidence = 0.1\n", "min_confidence = 0.5  # why\n# min_confidence = 0.1\n"),
        ("min_confidence = 0.1", "min_confidence = 0.5  # why\n"),
    ],
)
def test_other_settings_stay_as_they_are(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "sertag.toml"
    path.write_bytes(old.encode())
    config.write_setting(str(path), "min_confidence", "0.5", reason="why")
    assert path.read_bytes() == new.encode()


@pytest.mark.parametrize(
    "old", ["x = [", 'text = """\nmin_confidence = 0.1\n"""\n', "a = 1\n[min_confidence]\nb = 1\n"]
)
def test_files_that_cannot_be_changed_line_by_line_stay(tmp_path: Path, old: str) -> None:
    path = tmp_path / "sertag.toml"
    path.write_text(old)
    with pytest.raises(config.ConfigError, match=r"sertag\.toml: "):
        config.write_setting(str(path), "min_confidence", "0.5", reason="why")
    assert path.read_text() == old
