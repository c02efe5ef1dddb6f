"""Runs on Azure Blob Storage, with its emulator: `npm install azurite`, on PATH, and `pip install adlfs`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sertag.errors import Exit
from sertag.remote.filesystems import file_system
from tests.remote.conftest import rows
from tests.remote.servers import wait_until

pytestmark = pytest.mark.skipif(
    shutil.which("azurite-blob") is None or find_spec("adlfs") is None, reason="azurite-blob or adlfs is not installed"
)

# The account of the emulator, which everybody knows.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
ROOT = "az://archive"


def listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator; yields its connection string."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--location", str(tmp_path_factory.mktemp("azure")), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with subprocess.Popen(
        ["azurite-blob", *where, "--silent", "--disableTelemetry", "--skipApiVersionCheck"], stdout=subprocess.DEVNULL
    ) as running:
        try:
            wait_until(lambda: listens(port))
            yield (
                f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};"
                f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
            )
        finally:
            running.kill()


@pytest.fixture
def container(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from azure.storage.blob import BlobServiceClient

    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", emulator)
    client = BlobServiceClient.from_connection_string(emulator).create_container("archive")
    yield client
    client.delete_container()


@pytest.fixture
def there(calls: Path, container: Any) -> Path:
    """The folder of the tests, and the same in the container."""
    for path in calls.rglob("*.*"):
        container.upload_blob(str(path.relative_to(calls.parent)), path.read_bytes())
    return calls


def test_rows_are_those_of_files_and_only_what_is_new_is_read_again(
    there: Path, container: Any, tag: Callable[..., Exit], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local, remote = tmp_path / "l.csv", f"{ROOT}/tables/r.csv"
    assert tag(str(there), out=str(local)) == Exit.SOME_FAILED
    assert tag(f"{ROOT}/calls", out=remote) == Exit.SOME_FAILED
    table = container.download_blob("tables/r.csv").readall()
    assert table.decode() == local.read_text().replace(str(there.parent), ROOT)
    container.upload_blob("calls/a.wav", (there / "2026 03/100%.wav").read_bytes(), overwrite=True)
    capsys.readouterr()
    assert tag(f"{ROOT}/calls/", out=remote) == Exit.SOME_FAILED
    assert ", 2 reused;" in capsys.readouterr().err  # failures are tried again
    table = container.download_blob("tables/r.csv").readall()
    emotions = {row["path"]: row["emotion"] for row in rows(table)}
    assert emotions[f"{ROOT}/calls/a.wav"] == emotions[f"{ROOT}/calls/2026 03/100%.wav"]


@pytest.mark.parametrize(
    ("url", "code"),
    [("az://archive/none.wav", "not_found"), ("az://nothing/a.wav", "not_found"), ("abfs://archive/calls/a.wav", "")],
)
def test_what_is_not_there_is_said(there: Path, tag: Callable[..., Exit], tmp_path: Path, url: str, code: str) -> None:
    tag(url, out=str(tmp_path / "r.csv"))
    assert [row["error_code"] for row in rows((tmp_path / "r.csv").read_bytes())] == [code]


def test_without_credentials_the_message_says_where_they_come_from(
    there: Path, tag: Callable[..., Exit], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    file_system.cache_clear()
    assert tag(f"{ROOT}/calls") == Exit.NOTHING_TAGGED
    said = capsys.readouterr()
    assert "no_credentials" in said.out
    assert "give them by AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and `az login`" in said.err
