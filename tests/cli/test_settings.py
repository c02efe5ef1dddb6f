"""Messages and where they go; settings from flags, the environment and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.outputs import rows


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


def test_shared_settings_hold_for_other_commands_that_score_audio(
    process: Run, env: dict[str, str], tmp_path: Path
) -> None:
    user = tmp_path / "xdg" / "sertag"
    user.mkdir(parents=True)
    two_of_tag_alone = 'format = "csv"\nmax-duration = 1\n'
    (user / "config.toml").write_text("hop = 1.5\njobs = 1\n" + two_of_tag_alone)
    own = env | {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    listen = ["listen", "--raw", "s16le"]
    assert json.loads(process(*listen, env=own, input=b"").stdout.splitlines()[0])["hop_s"] == 1.5
    (tmp_path / "own.toml").write_text("hop = 2.5\n")
    start = process(*listen, "--config", "own.toml", env=own, input=b"").stdout.splitlines()[0]
    assert json.loads(start)["hop_s"] == 2.5
    (tmp_path / "own.toml").write_text("hops = 2.5\n")
    done = process("show", "a.wav", "--config", "own.toml", env=own)
    assert (done.returncode, b"unknown key 'hops'; did you mean 'hop'?" in done.stderr) == (2, True)
