"""Whole runs on recordings and tables in a bucket: the same bytes, nothing twice, and nothing that must not be seen."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import soundfile

from sertag.errors import Exit
from sertag.remote.filesystems import file_system
from sertag.run.batch import run
from sertag.run.settings import Request, RequestError
from sertag.shards import Shard
from sertag.tables.readers import TableError, open_results
from sertag.tagger import Tagger
from tests.cli.tables.runner import invoke
from tests.conftest import speech_like
from tests.in_process import without_workers
from tests.remote.conftest import SECRET, through
from tests.remote.servers import BUCKET, Answer, Proxy, WebServer, s3_error, wait_until

ROOT = f"s3://{BUCKET}"
Put = Callable[..., None]


@pytest.fixture(scope="session")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good and bad recordings with odd names."""
    folder = tmp_path_factory.mktemp("archive") / "calls"
    (folder / "2026 03").mkdir(parents=True)
    for number, name in enumerate(["a.wav", "2026 03/ü #1?.wav", "2026 03/100%.wav"]):
        soundfile.write(folder / name, speech_like(6, seed=number), 8000, subtype="ULAW")
    (folder / "b.wav").write_bytes(b"no sound at all, but text in a file of this name")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"for nobody")
    return folder


@pytest.fixture
def stored(calls: Path, put: Put) -> Path:
    """The folder, and the same in the bucket."""
    for path in calls.rglob("*.*"):
        put(str(path.relative_to(calls.parent)), path.read_bytes())
    return calls


@pytest.fixture
def tag(tiny_model: Path) -> Callable[..., Exit]:
    """Runs a request in this process: a worker loads libraries of the storage for a second, so most have none."""

    def tag(*paths: str, workers: int = 0, **settings: Any) -> Exit:
        given = {"model": str(tiny_model), "jobs": workers or 1, "progress": False, **settings}
        with pytest.MonkeyPatch.context() as patch:
            if not workers:
                without_workers(patch)
            return run(Request(paths=paths, **given))

    return tag


def content(client: Any, key: str) -> bytes:
    answer: bytes = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return answer


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_is_that_of_the_same_files_here_but_for_the_paths(
    suffix: str, stored: Path, s3: Any, tag: Callable[..., Exit], tmp_path: Path
) -> None:
    local, remote = tmp_path / f"l.{suffix}", f"{ROOT}/tables/r.{suffix}"
    assert tag(str(stored), out=str(local)) == Exit.SOME_FAILED
    assert tag(f"{ROOT}/calls", out=remote, workers=2 * (suffix == "csv")) == Exit.SOME_FAILED
    data = content(s3, f"tables/r.{suffix}")
    if suffix == "parquet":
        ours, theirs = (
            pyarrow.parquet.read_table(io.BytesIO(table)).to_pylist() for table in (local.read_bytes(), data)
        )
        text = [json.dumps(row) for row in ours]
        assert [line.replace(str(stored.parent), ROOT) for line in text] == [json.dumps(row) for row in theirs]
    else:
        assert local.read_text().replace(str(stored.parent), ROOT) == data.decode()


def test_the_same_command_again_reads_only_what_is_new(
    stored: Path, s3: Any, put: Put, proxy: Proxy, tag: Callable[..., Exit], tmp_path: Path
) -> None:
    settings = {
        "out": str(tmp_path / "r.csv"),
        "storage_options": (through(proxy),),
        "summary": str(tmp_path / "s.json"),
    }
    tag(f"{ROOT}/calls/", **settings)
    first = (tmp_path / "r.csv").read_bytes()
    proxy.requests.clear()
    put("calls/a.wav", (stored / "a.wav").read_bytes())  # at another time, but the same
    tag(f"{ROOT}/calls/", **settings)
    assert (tmp_path / "r.csv").read_bytes() == first
    read = {path for method, path, _ in proxy.requests if method == "GET" and "list-type" not in path}
    assert read == {f"/{BUCKET}/calls/b.wav"}  # which failed, so it is tried again
    assert json.loads((tmp_path / "s.json").read_text())["reused"] == 3

    put("calls/a.wav", (stored / "2026 03" / "100%.wav").read_bytes())  # of the same size
    tag(f"{ROOT}/calls/", **settings)
    assert json.loads((tmp_path / "s.json").read_text())["reused"] == 2
    table = {row["path"]: row for row in rows((tmp_path / "r.csv").read_bytes())}
    assert table[f"{ROOT}/calls/a.wav"]["emotion"] == table[f"{ROOT}/calls/2026 03/100%.wav"]["emotion"]
    assert (tmp_path / "r.csv").read_bytes() != first


def test_the_folder_that_a_run_starts_from_does_not_matter(
    stored: Path, tag: Callable[..., Exit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"out": str(tmp_path / "r.csv"), "summary": str(tmp_path / "s.json")}
    tag(f"{ROOT}/calls/a.wav", **settings)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    tag(f"{ROOT}/calls/a.wav", **settings)
    assert json.loads((tmp_path / "s.json").read_text())["reused"] == 1


def test_what_cannot_be_listed_for_a_night_keeps_its_rows(
    stored: Path, put: Put, proxy: Proxy, tag: Callable[..., Exit], tmp_path: Path
) -> None:
    settings = {"out": str(tmp_path / "r.csv"), "storage_options": (through(proxy),)}
    put("calls2/x.wav", (stored / "a.wav").read_bytes())
    tag(f"{ROOT}/calls/", f"{ROOT}/calls2/", **settings)
    before = rows((tmp_path / "r.csv").read_bytes())
    proxy.rules.append(lambda method, path: s3_error(403, "AccessDenied") if "prefix=calls/" in path else None)
    assert tag(f"{ROOT}/calls/", f"{ROOT}/calls2/", **settings) == Exit.SOME_FAILED
    after = rows((tmp_path / "r.csv").read_bytes())
    assert after[0]["error_code"] == "permission_denied"
    assert "the table keeps 3 recordings of the last run" in after[0]["error"]
    assert after[1:] == [row for row in before if row["status"] == "ok"]
    proxy.rules.clear()
    tag(f"{ROOT}/calls/", f"{ROOT}/calls2/", **settings)
    assert rows((tmp_path / "r.csv").read_bytes()) == before


def test_a_list_may_name_objects_and_be_one(stored: Path, put: Put, tag: Callable[..., Exit], tmp_path: Path) -> None:
    names = [f"{ROOT}/calls/2026 03/ü #1?.wav", str(stored / "a.wav"), f"{ROOT}/calls/none.wav", f"{ROOT}/calls/a.wav"]
    put("list.txt", "\n".join(names).encode())
    (tmp_path / "list.txt").write_text("\n".join(names))
    for number, place in enumerate((f"{ROOT}/list.txt", str(tmp_path / "list.txt"))):
        out = tmp_path / f"{number}.csv"
        assert tag(files_from=place, out=str(out)) == Exit.SOME_FAILED
        found = [(row["path"], row["error_code"]) for row in rows(out.read_bytes())]
        assert found == [(name, "not_found" if "none" in name else "") for name in names]
    with pytest.raises(RequestError, match=r"--files-from s3://archive/none.txt: .*there is no such object"):
        tag(files_from=f"{ROOT}/none.txt")


def test_a_table_is_put_when_it_is_finished_or_not_at_all(
    stored: Path, s3: Any, put: Put, proxy: Proxy, tag: Callable[..., Exit], caplog: pytest.LogCaptureFixture
) -> None:
    put("tables/r.csv", b"the old one")
    proxy.rules.append(lambda method, path: s3_error(403, "AccessDenied") if method == "PUT" else None)
    settings = {"out": f"{ROOT}/tables/r.csv", "storage_options": (through(proxy),)}
    assert tag(f"{ROOT}/calls/", **settings) == Exit.OUTPUT
    assert content(s3, "tables/r.csv") == b"the old one"
    proxy.rules.clear()
    proxy.requests.clear()
    assert tag(f"{ROOT}/calls/", **settings) == Exit.SOME_FAILED
    assert len(rows(content(s3, "tables/r.csv"))) == 5
    assert f"/{BUCKET}/calls/a.wav" not in {path for method, path, _ in proxy.requests if method == "GET"}
    assert [path for method, path, _ in proxy.requests if method == "PUT"] == [f"/{BUCKET}/tables/r.csv"]


def test_all_outputs_may_be_objects(stored: Path, s3: Any, tag: Callable[..., Exit], tmp_path: Path) -> None:
    names = {"out": "r.jsonl", "segments": "s.parquet", "summary": "s.json"}
    tag(f"{ROOT}/calls/a.wav", **{option: f"{ROOT}/tables/{name}" for option, name in names.items()})
    assert json.loads(content(s3, "tables/r.jsonl"))["path"] == f"{ROOT}/calls/a.wav"
    assert json.loads(content(s3, "tables/s.json"))["rows"] == 1
    assert pyarrow.parquet.read_table(io.BytesIO(content(s3, "tables/s.parquet"))).num_rows
    left = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "state" / "sertag").iterdir())
    assert left == ["r.jsonl"]
    assert oct((tmp_path / "state" / "sertag").stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize(
    ("out", "part"),
    [
        ("s3://no-such-bucket/r.csv", "there is no such bucket"),
        ("https://host/r.csv", "expected the URL of an object"),
        (f"{ROOT}/tables/", "expected the URL of an object"),
        ("gs://bucket/r.csv", "needs gcsfs, which is not installed; run: pip install 'gcsfs'"),
    ],
)
def test_a_place_where_nothing_can_be_put_is_known_before_the_work(
    out: str, part: str, stored: Path, proxy: Proxy, tag: Callable[..., Exit], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"storage_options": (through(proxy),), "format": "csv"}
    assert tag(f"{ROOT}/calls/a.wav", out=out, **settings) == Exit.OUTPUT
    assert part in capsys.readouterr().err
    assert f"/{BUCKET}/calls/a.wav" not in {path for method, path, _ in proxy.requests if method == "GET"}


def test_two_runs_do_not_write_one_object(stored: Path, tag: Callable[..., Exit]) -> None:
    from sertag.remote.output import make_state_folder
    from sertag.storage import lock

    request = Request(paths=(), out=f"{ROOT}/tables/r.csv")
    make_state_folder()
    with lock.hold(str(request.lock), of=request.out):
        assert tag(f"{ROOT}/calls/a.wav", out=request.out) == Exit.LOCKED


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
    done = invoke("merge", *parts, "--out", f"{ROOT}/tables/all.csv")
    assert done.exit_code == Exit.OK, done.output
    assert content(s3, "tables/all.csv") == (tmp_path / "all.csv").read_bytes()
    assert invoke("worst", parts[0], "--out", f"{ROOT}/tables/w.csv").exit_code == Exit.OK
    assert rows(content(s3, "tables/w.csv"))
    refused = invoke("report", parts[0], "--out", f"{ROOT}/page.html")
    assert refused.exit_code == Exit.OUTPUT
    assert f"cannot write {ROOT}/page.html: expected a file on this machine" in refused.stderr


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


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"paths": ("s3://AKIA:hunter2@archive/calls",)}, "s3://***@archive/calls: holds a password or key"),
        ({"out": "s3://AKIA:hunter2@archive/r.csv"}, "holds a password or key"),
        ({"storage_options": ("secret=hunter2",)}, "--storage-options: secret may be a key or a password"),
        (
            {"storage_options": ('{"client_kwargs": {"aws_secret_access_key": "hunter2"}}',)},
            "aws_secret_access_key may",
        ),
        ({"storage_options": ("endpoint_url=http://me:hunter2@host",)}, "endpoint_url may be a key or a password"),
        ({"storage_options": ('https.headers={"Authorization": "Basic hunter2"}',)}, "Authorization may be"),
        ({"storage_options": ('{"endpoint_url": hunter2',)}, "the JSON object is not valid at character"),
        ({"storage_options": ("hunter2",)}, "expected KEY=VALUE or a JSON object"),
        ({"out": "s3://archive/r", "partition_by": "day"}, "--partition-by writes a folder on this machine"),
        ({"log_file": "s3://archive/log"}, "--log-file s3://archive/log: expected a file on this machine"),
        ({"out": "s3://archive/calls/a.wav", "format": "csv"}, "--out would overwrite s3://archive/calls/a.wav"),
    ],
)
def test_settings_that_hold_secrets_or_make_no_sense_are_refused(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(RequestError) as caught:
        run(Request(**{"paths": ("a.wav",), **settings}))
    assert part in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_options_that_a_storage_does_not_take_are_one_row(
    tag: Callable[..., Exit], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tag(f"{ROOT}/a.wav", storage_options=("max_concurrency=[]", "client_kwargs=3")) == Exit.NOTHING_TAGGED
    assert "client_kwargs" in capsys.readouterr().err


# As a user runs it


def sertag(*arguments: str, model: Path, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "sertag", *arguments, "--model", str(model)]
    return subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=timeout, check=False)


def test_signatures_and_keys_are_nowhere(
    calls: Path, web: WebServer, stored: Path, tiny_model: Path, tmp_path: Path
) -> None:
    web.files["/a.wav"] = (calls / "a.wav").read_bytes()
    web.signature = "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE&X-Amz-Signature=5ec7e7ab"
    queries = [
        f"a.wav?{web.signature}",
        f"gone.wav?{web.signature}",
        "a.wav?Signature=01d516ab",
        "a.wav?token=0ther5ecret",
    ]
    listed = "\n".join([*(f"{web.url}/{query}" for query in queries), f"{ROOT}/calls/a.wav"])
    names = {"--segments": "s.csv", "--summary": "s.json", "--log-file": "log.txt"}
    files = [word for option, name in names.items() for word in (option, str(tmp_path / name))]
    seen = []
    for table in ("r.csv", "r.jsonl", "r.parquet"):
        command = ["--files-from", "-", "-v", "--out", str(tmp_path / table), *files, "--model", str(tiny_model)]
        with pytest.MonkeyPatch.context() as patch:
            without_workers(patch)
            done = invoke(*command, input=listed)
        assert done.exit_code == Exit.SOME_FAILED
        seen += [done.stdout_bytes, done.stderr_bytes]
    again = sertag("--files-from", "-", "-v", "--out", str(tmp_path / "r.csv"), *files, model=tiny_model, stdin=listed)
    dry = invoke("--files-from", "-", "--dry-run", "-v", "--model", str(tiny_model), input=listed)
    seen += [again.stdout, again.stderr, dry.stdout_bytes, dry.stderr_bytes]
    seen += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(seen) >= 11
    for secret in ("5ec7e7ab", "01d516ab", "AKIAIOSFODNN7EXAMPLE", "0ther5ecret", SECRET):
        assert [data for data in seen if secret.encode() in data] == []
    table = rows((tmp_path / "r.csv").read_bytes())
    assert [(row["path"], row["status"]) for row in table][:2] == [
        (f"{web.url}/a.wav", "ok"),
        (f"{web.url}/gone.wav", "unreadable"),
    ]


def test_a_stalled_server_costs_one_row(stored: Path, proxy: Proxy, tiny_model: Path, tmp_path: Path) -> None:
    proxy.rules.append(lambda method, path: Answer(stall_s=60) if method == "GET" and path.endswith("a.wav") else None)
    options = json.dumps({"endpoint_url": proxy.url})  # with the usual timeouts, which are longer
    out = tmp_path / "r.csv"
    done = sertag(
        f"{ROOT}/calls/", "--out", str(out), "--timeout", "15", "--storage-options", options, model=tiny_model
    )
    assert done.returncode == Exit.SOME_FAILED
    found = {row["path"].removeprefix(f"{ROOT}/calls/"): row["error_code"] for row in rows(out.read_bytes())}
    assert found["a.wav"] == "timeout"
    assert found["2026 03/100%.wav"] == ""


def test_a_run_that_is_stopped_puts_nothing_and_continues(
    stored: Path, s3: Any, proxy: Proxy, tiny_model: Path
) -> None:
    proxy.rules.append(lambda method, path: Answer(stall_s=60) if method == "GET" and path.endswith("a.wav") else None)
    command = [sys.executable, "-m", "sertag", f"{ROOT}/calls/", "--out", f"{ROOT}/r.csv", "--jobs", "1"]
    command += ["--model", str(tiny_model), "--storage-options", f"endpoint_url={proxy.url}"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_until(
            lambda: any(path.endswith("a.wav") for method, path, _ in proxy.requests if method == "GET"), seconds=60
        )
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 143
    assert b"run the same command again to continue" in said
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="r.csv")
    proxy.rules.clear()
    proxy.requests.clear()
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == Exit.SOME_FAILED
    read = {path for method, path, _ in proxy.requests if method == "GET" and "list-type" not in path}
    assert f"/{BUCKET}/calls/2026 03/100%.wav" not in read
    assert len(rows(content(s3, "r.csv"))) == 5


def test_files_alone_load_nothing_of_it(calls: Path, tiny_model: Path) -> None:
    program = (
        "import sys; from sertag.run.batch import run; from sertag.run.settings import Request\n"
        f"run(Request(paths=({str(calls)!r},), model={str(tiny_model)!r}, format='csv', jobs=1))\n"
        "print(sorted({'fsspec', 's3fs', 'aiohttp', 'botocore'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_from_python_it_is_the_same(
    stored: Path, s3_url: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    file_system.cache_clear()
    tagger = Tagger(str(tiny_model), storage_options={"endpoint_url": s3_url})
    ours = Tagger(str(tiny_model)).tag(stored / "a.wav")
    assert tagger.tag(f"{ROOT}/calls/a.wav").channels == ours.channels
    assert tagger.tag(f"{ROOT}/calls/").channels[0].problem is not None
    found = [os.path.basename(result.path) for result in tagger.tag_many([f"{ROOT}/calls/"], jobs=2)]
    assert found == ["100%.wav", "ü #1?.wav", "a.wav", "b.wav", "empty.wav"]
    with pytest.raises(ValueError, match="secret may be a key"):
        Tagger(str(tiny_model), storage_options={"secret": "x"})
