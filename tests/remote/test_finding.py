"""Recordings in a bucket are found as in a folder, whatever their keys are, and what cannot be found says why."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sertag.audio.discover import discover
from sertag.records import AudioFile, RemoteObject
from sertag.remote.filesystems import file_system
from sertag.remote.options import parse_options
from tests.remote.conftest import through
from tests.remote.servers import BUCKET, Answer, Proxy, WebServer, s3_error

ROOT = f"s3://{BUCKET}"
Put = Callable[..., None]

ODD_NAMES = ["a b.wav", "100%.wav", "%41.wav", "#1.wav", "what?.wav", "ü\U0001f4de.wav", "line\nend.wav", "a&b=+c.wav",
             "[1]*.wav", "'\"\\.wav", "-.wav", "x::y.wav", "tab\t.wav", "a..wav", " .wav"]  # fmt: skip


def found(*urls: str, **settings: Any) -> list[str]:
    return [file.path for file in discover(urls, **settings)]


def problems(*urls: str, **settings: Any) -> list[tuple[str, str]]:
    return [(file.problem.code, file.problem.message) for file in discover(urls, **settings) if file.problem]


def test_an_object_is_one_file_with_size_and_version(s3: Any, put: Put) -> None:
    put("calls/a.wav", b"12345")
    etag = s3.head_object(Bucket=BUCKET, Key="calls/a.wav")["ETag"]
    url = f"{ROOT}/calls/a.wav"
    expected = AudioFile(url, size_bytes=5, remote=RemoteObject(url, etag))
    assert list(discover([url])) == [expected]
    assert list(discover([f"{ROOT}/calls"])) == [expected]


def test_a_key_may_hold_anything(put: Put) -> None:
    for name in ODD_NAMES:
        put(f"calls/{name}", b"12345")
    urls = [f"{ROOT}/calls/{name}" for name in sorted(ODD_NAMES, key=str.encode)]
    assert found(f"{ROOT}/calls/") == urls
    files = list(discover(urls))
    assert [(file.path, file.size_bytes, file.problem) for file in files] == [(url, 5, None) for url in urls]


def test_the_order_is_that_of_a_folder(put: Put, tmp_path: Path) -> None:
    names = ["b.wav", "a/z.wav", "a-b/y.wav", "a.wav", "a/b/c.wav", "ä.wav", "Z.wav", "a/notes.txt", "a b/q.mp3"]
    for name in names:
        put(f"calls/{name}", b"1")
        (tmp_path / "calls" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "calls" / name).write_bytes(b"1")
    local = [os.path.relpath(path, tmp_path) for path in found(str(tmp_path / "calls"))]
    assert found(f"{ROOT}/calls") == [f"{ROOT}/{path}" for path in local]
    for globs in ({"include": ("a*",)}, {"exclude": ("a",)}, {"exclude": ("a/b/*",)}, {"include": ("*.txt",)}):
        local = [os.path.relpath(path, tmp_path) for path in found(str(tmp_path / "calls"), **globs)]
        assert found(f"{ROOT}/calls/", **globs) == [f"{ROOT}/{path}" for path in local]


def test_a_listing_has_pages(put: Put, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")  # of the server, which runs in this process
    for number in range(10):
        put(f"many/{number}.wav")
    storage = parse_options([through(proxy)])
    assert found(f"{ROOT}/many/", storage=storage) == [f"{ROOT}/many/{number}.wav" for number in range(10)]
    assert len(proxy.requests) == 4


def test_a_name_may_be_object_and_prefix(put: Put) -> None:
    for key in ("calls", "calls/a.wav", "calls/a.wav/b.wav"):
        put(key, b"1")
    below = [f"{ROOT}/calls/a.wav", f"{ROOT}/calls/a.wav/b.wav"]
    assert found(f"{ROOT}/calls/") == below
    assert found(f"{ROOT}/calls") == [f"{ROOT}/calls"]
    assert found(f"{ROOT}/calls/a.wav") == [f"{ROOT}/calls/a.wav"]
    assert found(ROOT) == below


def test_an_object_in_place_of_a_folder_is_no_recording(put: Put) -> None:
    for key, content in (("calls/", b""), ("calls/x.wav/", b""), ("calls/y.wav/", b"1"), ("calls/z/", b"1")):
        put(key, content)
    assert problems(f"{ROOT}/calls/") == [
        (
            "not_a_file",
            f"{ROOT}/calls/y.wav/: is an object whose name ends with `/`, which tools take for a folder; "
            "copy it to another name",
        )
    ]
    assert found(f"{ROOT}/calls/") == [f"{ROOT}/calls/y.wav/"]


def test_names_between_two_slashes_may_be_empty(put: Put) -> None:
    for key in ("calls//a.wav", "calls//b/c.wav", "calls/d.wav", "calls///e.wav"):
        put(key, b"1")
    names = ["calls///e.wav", "calls//a.wav", "calls//b/c.wav", "calls/d.wav"]
    assert found(f"{ROOT}/calls/") == [f"{ROOT}/{name}" for name in names]


def test_what_is_not_there_says_so(put: Put) -> None:
    put("calls/a.wav", b"1")
    none = "there is no such object, and nothing below it; check the URL"
    assert problems(f"{ROOT}/b.wav", f"{ROOT}/none/", f"{ROOT}/calls/a.wav/") == [
        ("not_found", f"{ROOT}/b.wav: {none}"),
        ("not_found", f"{ROOT}/none/: {none}"),
        ("not_found", f"{ROOT}/calls/a.wav/: {none}"),
    ]
    bucket = "there is no such bucket (NoSuchBucket); check its name, the endpoint and the region"
    assert problems("s3://other-bucket/a.wav", "s3://other-bucket") == [
        ("not_found", f"s3://other-bucket/a.wav: {bucket}"),
        ("not_found", f"s3://other-bucket: {bucket}"),
    ]
    assert problems("ftp://host/a.wav") == [
        (
            "unknown_scheme",
            "ftp://host/a.wav: ftp:// is not known; expected a path, or one of s3://, gs://, az://, https://",
        )
    ]


def test_an_empty_bucket_holds_nothing(s3: Any) -> None:
    assert found(ROOT) == []


@pytest.mark.parametrize(
    ("answer", "code", "part"),
    [
        (s3_error(403, "AccessDenied"), "permission_denied", "permission denied"),
        (s3_error(400, "ExpiredToken"), "expired_credentials", "the credentials have expired (ExpiredToken)"),
        (s3_error(403, "InvalidAccessKeyId"), "permission_denied", "the credentials are not accepted"),
        (s3_error(301, "PermanentRedirect"), "unreachable_folder", "the bucket is in another region"),
        (Answer(stall_s=30), "unreachable_folder", "the server did not answer in time"),
    ],
    ids=["denied", "expired", "unknown key", "region", "stalled"],
)
def test_a_prefix_that_cannot_be_listed_is_one_record(
    answer: Answer, code: str, part: str, put: Put, proxy: Proxy
) -> None:
    put("calls/a.wav", b"1")
    put("calls/inner/b.wav", b"1")
    put("calls/z.wav", b"1")
    proxy.rules.append(lambda method, path: answer if "prefix=calls/inner/" in path else None)
    storage = parse_options([through(proxy)])
    assert found(f"{ROOT}/calls/", storage=storage) == [f"{ROOT}/calls/{n}" for n in ("a.wav", "inner", "z.wav")]
    ((found_code, message),) = problems(f"{ROOT}/calls/", storage=storage)
    assert found_code == code
    assert message.startswith(f"{ROOT}/calls/inner: {part}")
    assert "no recording below it can be tagged" in message


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(403), "permission_denied"),
        (Answer(400), "permission_denied"),  # what S3 answers to HEAD with an expired token: there is no content
        (Answer(stall_s=30), "unreachable"),
    ],
    ids=["denied", "refused", "stalled"],
)
def test_an_object_that_cannot_be_looked_at_is_one_record(answer: Answer, code: str, put: Put, proxy: Proxy) -> None:
    put("a.wav", b"1")
    proxy.rules.append(lambda method, path: answer if method == "HEAD" else None)
    assert [found for found, _ in problems(f"{ROOT}/a.wav", storage=parse_options([through(proxy)]))] == [code]


def test_without_credentials_it_is_said_where_they_belong(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.wav", b"1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file_system.cache_clear()
    ((code, message),) = problems(f"{ROOT}/a.wav")
    assert code == "no_credentials"
    assert "AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws" in message


def test_a_server_that_is_not_there_is_one_record() -> None:
    settings = through(type("Nowhere", (), {"url": "http://127.0.0.1:9"})())  # type: ignore[arg-type]
    ((code, message),) = problems(f"{ROOT}/a.wav", storage=parse_options([settings]))
    assert code == "unreachable"
    assert "the server cannot be reached" in message


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2@archive/a.wav",
        "https://user:hunter2@host/a.wav",
        "https://hunter2@host/a.wav",
        "gs://hunter2@bucket/a.wav",
        "abfs://user:hunter2@account.dfs.core.windows.net/a.wav",
        "ftp://user:hunter2@host/a.wav",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    (file,) = discover([url])
    assert file.problem is not None
    assert "hunter2" not in repr(file)
    assert "***@" in file.path


def test_web_addresses_are_files_and_cannot_be_listed(web: WebServer) -> None:
    web.files["/a b.wav"] = b"12345"
    one, moved = f"{web.url}/a%20b.wav", f"{web.url}/moved/a%20b.wav"
    files = list(discover([one, moved, f"{web.url}/none.wav", f"{web.url}/calls/", web.url, "https://[x/a.wav"]))
    assert [file.path for file in files][:2] == [one, moved]
    assert [file.size_bytes for file in files][:2] == [5, 5]
    assert [file.problem.code for file in files if file.problem] == [
        "not_found",
        "not_a_file",
        "not_a_file",
        "not_found",
    ]
    assert "a web server cannot be asked what it holds; give the addresses of recordings" in str(files[3].problem)


def test_a_signature_is_in_no_record_but_used(web: WebServer) -> None:
    web.files["/a.wav"] = b"12345"
    web.signature, web.heads = "X-Amz-Signature=5ec7e7&X-Amz-Expires=60", False  # which signs GET alone
    url = f"{web.url}/a.wav"
    (file,) = discover([f"{url}?{web.signature}"])
    assert (file.path, file.size_bytes, file.problem) == (url, 5, None)
    assert "5ec7e7" not in repr(file)
    (expired,) = discover([f"{url}?X-Amz-Signature=01d516"])
    assert expired.problem is not None
    assert expired.problem.code == "permission_denied"
    assert (
        expired.problem.message
        == f"{url}: permission denied (403); if the URL is signed, its time may be over; sign it anew"
    )


def test_addresses_that_differ_in_their_query_are_two_recordings(web: WebServer) -> None:
    web.files["/get"] = b"12345"
    first, second = found(f"{web.url}/get?id=1", f"{web.url}/get?id=2", f"{web.url}/get?id=1&Expires=9&Signature=x")
    assert found(f"{web.url}/get?id=1&Signature=y&Expires=10") == [first] != [second]
    assert "id=" not in first
