"""Servers, and an environment in which they are the only ones that can be reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sertag.remote.filesystems import file_system
from tests.remote.servers import BUCKET, Proxy, WebServer, s3_server

pytest.importorskip("moto", reason="needs pip install 's3fs[boto3]' 'moto[server,s3]'")
pytest.importorskip("s3fs", reason="needs pip install 's3fs[boto3]' 'moto[server,s3]'")

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
