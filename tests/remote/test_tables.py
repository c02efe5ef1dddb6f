"""Commands on tables in a bucket: read and written where they are, with the settings of the storage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sertag.cli.commands import cli
from sertag.errors import Exit
from sertag.shards import Shard
from sertag.tables.readers import TableError, open_results
from tests.remote.conftest import ROOT, Put, content, rows


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_tables_are_read_where_they_are(stored: Path, put: Put, tag: Callable[..., Exit], tmp_path: Path) -> None:
    for suffix in ("csv", "tsv", "json", "jsonl", "parquet"):
        local = tmp_path / f"r.{suffix}"
        tag(str(stored / "a.wav"), out=str(local), resume=False)
        put(f"tables/r.{suffix}", local.read_bytes())
        with open_results(str(local)) as ours, open_results(f"{ROOT}/tables/r.{suffix}") as theirs:
            assert list(ours.rows) == list(theirs.rows)
    for name in ("none.csv", "none.parquet"):
        with (
            pytest.raises(TableError, match=rf"^{ROOT}/{name}: there is no such object"),
            open_results(f"{ROOT}/{name}"),
        ):
            pass


def test_tables_of_shards_are_merged_where_they_are(
    stored: Path, s3: Any, tag: Callable[..., Exit], tmp_path: Path
) -> None:
    tag(f"{ROOT}/calls/", out=str(tmp_path / "all.csv"))
    parts = [f"{ROOT}/tables/{number}.csv" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        tag(f"{ROOT}/calls/", out=part, shard=Shard(number, 2))
    done = CliRunner().invoke(cli, ["merge", *parts, "--out", f"{ROOT}/tables/all.csv"])
    assert done.exit_code == Exit.OK, done.output
    assert content(s3, "tables/all.csv") == (tmp_path / "all.csv").read_bytes()
    assert CliRunner().invoke(cli, ["worst", parts[0], "--out", f"{ROOT}/tables/w.csv"]).exit_code == Exit.OK
    assert rows(content(s3, "tables/w.csv"))
    refused = CliRunner().invoke(cli, ["report", parts[0], "--out", f"{ROOT}/page.html"])
    assert refused.exit_code == Exit.OUTPUT
    assert f"cannot write {ROOT}/page.html: expected a file on this machine" in refused.output


def test_a_table_replaced_while_it_is_read_is_no_short_table(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    from sertag.remote import blocks

    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 50_000)
    row = "a.wav,0,ok\n" * 120_000
    put("r.csv", f"path,channel,status\n{row}".encode())
    with open_results(f"{ROOT}/r.csv") as table:
        assert next(table.rows)["path"] == "a.wav"
        put("r.csv", b"path,channel,status\n")
        with pytest.raises(TableError, match=r"r\.csv: cannot be read: .*was replaced after it was found"):
            list(table.rows)


@pytest.fixture
def elsewhere(
    stored: Path, tag: Callable[..., Exit], s3_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> list[str]:
    """The settings that lead to the bucket, which holds tables; nothing else leads there."""
    monkeypatch.chdir(tmp_path)
    tag(f"{ROOT}/calls/", out=f"{ROOT}/r.jsonl")
    tag(f"{ROOT}/calls/", out=f"{ROOT}/r.csv", segments=f"{ROOT}/s.csv")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    return ["--storage-options", f"endpoint_url={s3_url}"]


TABLE, WINDOWS = f"{ROOT}/r.jsonl", f"{ROOT}/s.csv"


def test_every_command_takes_the_settings_of_the_storage(elsewhere: list[str], s3: Any, put: Put) -> None:
    put("queues.csv", b"name,queue\na,sales\n100%,sales\n")
    put("verdicts.csv", f"path,channel,start_s,label\n{ROOT}/calls/a.wav,0,,happy\n".encode())
    put("list.txt", f"{ROOT}/calls".encode())
    join = ["--join", f"{ROOT}/queues.csv", "--key", "([^/]+)[.]wav"]
    commands = {
        "w.csv": ["worst", TABLE, *join, "-o", f"{ROOT}/w.csv"],
        "b.jsonl": ["by", "queue", TABLE, *join, "--least", "1", "-o", f"{ROOT}/b.jsonl"],
        "d.csv": ["diff", TABLE, f"{ROOT}/r.csv", "-o", f"{ROOT}/d.csv"],
        "m.csv": ["merge", f"{ROOT}/r.csv", "--files-from", f"{ROOT}/list.txt", "-o", f"{ROOT}/m.csv"],
        "c.tsv": ["convert", TABLE, "--to", "tsv", "-o", f"{ROOT}/c.tsv"],
        "c.xlsx": ["convert", TABLE, "--to", "xlsx", "-o", f"{ROOT}/c.xlsx"],
        "c.rttm": ["convert", f"{ROOT}/r.csv", WINDOWS, "--to", "rttm", "-o", f"{ROOT}/c.rttm"],
        "labels/a.0.txt": ["convert", TABLE, "--to", "audacity", "-o", f"{ROOT}/labels"],
    }
    for key, words in commands.items():
        done = invoke(*words, *elsewhere)
        assert done.exit_code == Exit.OK, (words, done.output)
        assert content(s3, key), key
    assert content(s3, "m.csv") == content(s3, "r.csv")
    assert [row["queue"] for row in rows(content(s3, "w.csv"))].count("sales") == 2
    agreed = invoke("agree", TABLE, "--verdicts", f"{ROOT}/verdicts.csv", "--json", *elsewhere)
    assert json.loads(agreed.stdout)["verdicts"] == 1, agreed.output
    page = invoke("report", f"{ROOT}/r.csv", "--segments", WINDOWS, "-o", "page.html", *elsewhere)
    assert page.exit_code == Exit.OK, page.output
    assert not Path("s3:").exists()


def test_a_folder_by_day_is_a_table_where_it_is(
    stored: Path, tag: Callable[..., Exit], put: Put, tmp_path: Path
) -> None:
    tag(str(stored), out=str(tmp_path / "days"), partition_by="day")
    for part in (tmp_path / "days").rglob("*.parquet"):
        put(f"tables/{part.relative_to(tmp_path)}", part.read_bytes())
    put("tables/days/_SUCCESS")
    local, remote = invoke("worst", str(tmp_path / "days")), invoke("worst", f"{ROOT}/tables/days/")
    assert remote.exit_code == Exit.OK, remote.output
    assert remote.stdout == local.stdout
    assert "the URL of a folder of --partition-by ends with /" in invoke("worst", f"{ROOT}/tables/days").output
    assert "is a folder without day=" in invoke("worst", f"{ROOT}/calls/").output
    assert "there is no such" in invoke("worst", f"{ROOT}/nothing/").output


def test_settings_come_from_the_environment_as_for_tag(
    elsewhere: list[str], monkeypatch: pytest.MonkeyPatch, s3_url: str
) -> None:
    for value in (elsewhere[1], json.dumps({"endpoint_url": s3_url, "config_kwargs": {"read_timeout": 5}})):
        monkeypatch.setenv("SERTAG_STORAGE_OPTIONS", value)
        done = invoke("worst", TABLE)
        assert done.exit_code == Exit.OK, done.output


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("secret=hunter2", "'--storage-options': secret may be a key or a password"),
        ('{"client_kwargs": {"aws_secret_access_key": "hunter2"}}', "aws_secret_access_key may"),
        ("endpoint_url=http://me:hunter2@host", "endpoint_url may be a key or a password"),
        ('https.headers={"Authorization": "Basic hunter2"}', "Authorization may be"),
        ('{"endpoint_url": hunter2', "the JSON object is not valid at character"),
        ("hunter2", "expected KEY=VALUE or a JSON object"),
    ],
)
def test_settings_that_hold_secrets_are_refused_and_not_shown(setting: str, part: str) -> None:
    commands = (["tag", "a.wav"], ["worst", "r.csv"], ["merge", "r.csv", "-o", "m.csv"], ["report", "r.csv", "-o", "p"])
    for command in commands:
        done = invoke(*command, "--storage-options", setting)
        assert done.exit_code == Exit.USAGE
        assert part in done.output
        assert "hunter2" not in done.output


def test_one_recording_is_shown_and_cut_where_it_is(
    stored: Path, elsewhere: list[str], tiny_model: Path, tmp_path: Path
) -> None:
    show = ["show", "-m", str(tiny_model)]
    local = invoke(*show, str(stored / "a.wav"))
    remote = invoke(*show, f"{ROOT}/calls/a.wav", *elsewhere)
    assert remote.exit_code == Exit.OK, remote.output
    assert remote.stdout.replace(ROOT, str(stored.parent)) == local.stdout
    for name, path in (("l.wav", str(stored / "a.wav")), ("r.wav", f"{ROOT}/calls/a.wav")):
        cut = invoke("show", path, "--clip", "1-3", "-o", name, *elsewhere)
        assert cut.exit_code == Exit.OK, cut.output
    assert Path("l.wav").read_bytes() == Path("r.wav").read_bytes()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"{ROOT}/calls/none.wav", "there is no such object"),
        (f"{ROOT}/calls/", "s3://archive/calls/: is a prefix, expected one recording"),
        ("s3://me:hunter2@archive/a.wav", "s3://***@archive/a.wav: holds a password or key"),
        ("x3://archive/a.wav", "x3:// is not known"),
    ],
)
def test_what_cannot_be_shown_says_why(elsewhere: list[str], url: str, message: str) -> None:
    for more in ([], ["--clip", "1-2", "-o", "c.wav"], ["--play"]):
        done = invoke("show", url, *more, *elsewhere)
        assert done.exit_code == Exit.NOTHING_TAGGED
        assert message in done.output
        assert "hunter2" not in done.output
