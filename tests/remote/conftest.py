"""Servers, and an environment in which they are the only ones that can be reached."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from sertag.errors import Exit
from sertag.remote.filesystems import file_system
from sertag.run.batch import run
from sertag.run.settings import Request
from tests.conftest import speech_like
from tests.in_process import without_workers
from tests.remote.servers import BUCKET, Proxy, WebServer, s3_server

pytest.importorskip("moto", reason="needs pip install 's3fs[boto3]' 'moto[server,s3]'")
pytest.importorskip("s3fs", reason="needs pip install 's3fs[boto3]' 'moto[server,s3]'")

ROOT = f"s3://{BUCKET}"
Put = Callable[..., None]
SECRET = "wJalrXUtnFEMIK7MDENG"  # noqa: S105 - of nobody


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(autouse=True)
def environment(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials, the address and the place of journals; nothing of the user's own."""
    values = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_url,
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    file_system.cache_clear()
    yield
    file_system.cache_clear()


@pytest.fixture(scope="session")
def client(s3_url: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests"}
    return boto3.client("s3", endpoint_url=s3_url, region_name="us-east-1", **keys)


@pytest.fixture
def s3(client: Any) -> Iterator[Any]:
    """A client of an empty bucket."""
    client.create_bucket(Bucket=BUCKET)
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):  # not several at once, which takes XML, which knows no odd keys
            client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def put(s3: Any) -> Callable[..., None]:
    """Puts an object into the bucket."""

    def put(key: str, content: bytes = b"") -> None:
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    return put


@pytest.fixture
def proxy(s3_url: str) -> Iterator[Proxy]:
    """A proxy before the S3 server."""
    running = Proxy(s3_url)
    yield running
    running.close()


@pytest.fixture
def web() -> Iterator[WebServer]:
    running = WebServer()
    yield running
    running.close()


def through(proxy: Proxy, **more: Any) -> str:
    """Settings for a proxy, with short timeouts."""
    config = {"read_timeout": 0.5, "connect_timeout": 1, "retries": {"total_max_attempts": 1}}
    return json.dumps({"endpoint_url": proxy.url, "config_kwargs": config, **more})


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
