"""Objects are read as files are, each byte once; what goes wrong meanwhile is a row that says so, never a short one."""

from __future__ import annotations

import dataclasses
import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sertag.audio.decode import open_recording
from sertag.audio.discover import discover
from sertag.errors import DecodeError
from sertag.model.session import load
from sertag.records import AudioFile, FileResult, Options, RemoteObject, Status
from sertag.remote import blocks
from sertag.remote.options import parse_options
from sertag.tagging.pipeline import tag_file
from tests.conftest import speech_like
from tests.remote.conftest import through
from tests.remote.servers import BUCKET, Answer, Proxy, WebServer, s3_error

ROOT = f"s3://{BUCKET}"
Put = Callable[..., None]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which a short recording has several."""
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 40_000)
    monkeypatch.setattr(blocks, "_MEMORY_BYTES", 100_000)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same call in several formats."""
    folder = tmp_path_factory.mktemp("sounds")
    samples = np.stack([speech_like(20, seed=1), speech_like(20, seed=2)], axis=1)
    soundfile.write(folder / "a.wav", samples, 8000, subtype="PCM_16")
    soundfile.write(folder / "b.flac", samples, 8000)
    soundfile.write(folder / "c.mp3", samples, 8000)
    for name, more in (("d.m4a", []), ("e.mp4", ["-movflags", "+faststart"])):
        command = ["ffmpeg", "-v", "error", "-i", str(folder / "a.wav"), "-b:a", "128k", *more, str(folder / name)]
        subprocess.run(command, check=True, timeout=60)
    return folder


def one(url: str, storage: str = "") -> AudioFile:
    (file,) = discover([url], storage=storage)
    return file


def tagged(file: AudioFile, model: Path) -> FileResult:
    return tag_file(file, model=load(str(model)), options=Options())


def failure(file: AudioFile, model: Path) -> tuple[str, str]:
    """Code and message of the only row."""
    (channel,) = tagged(file, model).channels
    assert channel.status is Status.UNREADABLE
    assert channel.problem is not None
    return channel.problem.code, channel.problem.message


@pytest.mark.parametrize("name", ["a.wav", "b.flac", "c.mp3", "d.m4a", "e.mp4"])
def test_an_object_is_read_as_a_file_and_each_byte_once(
    name: str, sounds: Path, put: Put, proxy: Proxy, tiny_model: Path
) -> None:
    content = (sounds / name).read_bytes()
    put(f"calls/{name}", content)
    file = one(f"{ROOT}/calls/{name}", parse_options([f"endpoint_url={proxy.url}"]))  # no block twice in a hurry
    result = tagged(file, tiny_model)
    assert result.status is Status.OK
    assert result.channels == tagged(AudioFile(str(sounds / name)), tiny_model).channels
    assert len(content) > 2 * blocks._BLOCK_BYTES
    assert proxy.fetched(name) == len(content)


def test_what_is_no_recording_costs_little(put: Put, proxy: Proxy, tiny_model: Path) -> None:
    put("calls/a.wav", b"PK\3\4" + bytes(5_000_000))
    code, _ = failure(one(f"{ROOT}/calls/a.wav", parse_options([through(proxy)])), tiny_model)
    assert code == "not_audio"
    assert proxy.fetched("a.wav") < 2_500_000


def test_an_object_replaced_before_it_is_read_is_noticed(sounds: Path, put: Put, tiny_model: Path) -> None:
    content = (sounds / "a.wav").read_bytes()
    put("a.wav", content)
    file = one(f"{ROOT}/a.wav")
    put("a.wav", content[:-2] + b"\1\1")  # of the same length
    assert failure(file, tiny_model) == ("changed", f"{ROOT}/a.wav: was replaced after it was found; run again")


def test_an_object_replaced_while_it_is_read_is_noticed(sounds: Path, put: Put, proxy: Proxy, tiny_model: Path) -> None:
    content = (sounds / "a.wav").read_bytes()
    put("a.wav", content)
    file = one(f"{ROOT}/a.wav", parse_options([through(proxy)]))

    def replace(method: str, path: str) -> None:
        if method == "GET" and sum(method == "GET" for method, *_ in proxy.requests) == 3:
            put("a.wav", content[::-1])

    proxy.rules.append(replace)
    code, message = failure(file, tiny_model)
    assert code == "changed"
    assert message.startswith(f"{ROOT}/a.wav: was replaced after it was found")


def test_an_object_deleted_before_it_is_read_is_noticed(s3: Any, sounds: Path, put: Put, tiny_model: Path) -> None:
    put("a.wav", (sounds / "a.wav").read_bytes())
    file = one(f"{ROOT}/a.wav")
    s3.delete_object(Bucket=BUCKET, Key="a.wav")
    assert failure(file, tiny_model)[0] == "not_found"


@pytest.mark.parametrize(
    ("answer", "code", "part", "names"),
    [
        (s3_error(403, "AccessDenied"), "permission_denied", "permission denied (AccessDenied)", "a.wav c.mp3 d.m4a"),
        (s3_error(400, "ExpiredToken"), "expired_credentials", "the credentials have expired (ExpiredToken)", "c.mp3"),
        (s3_error(403, "InvalidObjectState"), "archived", "restore it and run again", "d.m4a"),
        (s3_error(404, "NoSuchKey"), "not_found", "there is no such object", "a.wav"),
        (s3_error(500, "InternalError"), "unreachable", "InternalError", "d.m4a"),
        (Answer(stall_s=30), "unreachable", "the server did not answer in time", "a.wav"),
        (Answer(206, bytes(40_000), cut=True), "unreachable", "the connection ended too early", "a.wav c.mp3 d.m4a"),
    ],
    ids=["denied", "expired", "archived", "gone", "broken", "stalled", "cut"],
)
def test_a_request_that_fails_is_no_short_recording(
    answer: Answer, code: str, part: str, names: str, sounds: Path, put: Put, proxy: Proxy, tiny_model: Path
) -> None:
    """Of each decoder, those that come in different ways: no answer at all, and one that breaks off."""
    for name in names.split():
        put(name, (sounds / name).read_bytes())
        file = one(f"{ROOT}/{name}", parse_options([through(proxy)]))
        proxy.ranges.append((f"bytes={blocks._BLOCK_BYTES}-", answer))
        found, message = failure(file, tiny_model)
        proxy.ranges.clear()
        assert (found, message.startswith(f"{ROOT}/{name}: ")) == (code, True)
        assert part in message


def test_what_is_read_first_may_fail(sounds: Path, put: Put, proxy: Proxy, tiny_model: Path) -> None:
    put("a.wav", (sounds / "a.wav").read_bytes())
    file = one(f"{ROOT}/a.wav", parse_options([through(proxy)]))
    proxy.rules.append(lambda method, path: s3_error(403, "AccessDenied") if method == "GET" else None)
    assert failure(file, tiny_model)[0] == "permission_denied"


@pytest.mark.parametrize(
    "change", [{}, {"ranges": False}, {"heads": False}, {"etags": False}], ids=["usual", "ranges", "heads", "etags"]
)
def test_a_web_server_may_lack_things(change: dict[str, bool], sounds: Path, web: WebServer, tiny_model: Path) -> None:
    vars(web).update(change)
    content = (sounds / "a.wav").read_bytes()
    web.files["/a b.wav"] = content
    file = one(f"{web.url}/a%20b.wav")
    assert (file.remote is not None and file.remote.version is not None) == web.etags
    local = tagged(AudioFile(str(sounds / "a.wav")), tiny_model)
    web.requests.clear()
    assert tagged(file, tiny_model).channels == local.channels
    if web.ranges and web.heads:
        assert sum(size for method, _, size in web.requests if method == "GET") == len(content)


def test_a_web_server_that_only_seems_to_send_ranges(sounds: Path, web: WebServer, tiny_model: Path) -> None:
    web.ranges = False
    web.quiet = True  # nothing in its headers says so
    web.files["/a.wav"] = (sounds / "a.wav").read_bytes()
    assert tagged(one(f"{web.url}/a.wav"), tiny_model).status is Status.OK


@pytest.mark.parametrize("etags", [True, False])
def test_what_a_web_server_replaces_is_noticed(etags: bool, sounds: Path, web: WebServer, tiny_model: Path) -> None:
    web.etags = etags
    content = (sounds / "a.wav").read_bytes()
    web.files["/a.wav"] = content
    file = one(f"{web.url}/a.wav")
    asked: list[str] = []

    def replace(method: str, path: str) -> None:
        asked.append(method)
        if asked.count("GET") == 3:
            web.files["/a.wav"] = content + content[-1000:]

    web.before = replace
    assert failure(file, tiny_model)[0] == "changed"
    web.before = lambda method, path: None
    if etags:
        assert failure(file, tiny_model)[0] == "changed"  # before it is read
    else:
        assert failure(dataclasses.replace(file, size_bytes=1), tiny_model)[0] == "changed"


def test_a_signature_is_in_no_message(sounds: Path, web: WebServer, tiny_model: Path) -> None:
    web.files["/a.wav"] = (sounds / "a.wav").read_bytes()
    web.signature = "X-Amz-Signature=5ec7e7&X-Amz-Date=1"
    file = one(f"{web.url}/a.wav?{web.signature}")
    assert tagged(file, tiny_model).status is Status.OK
    web.signature = "X-Amz-Signature=01d516"
    result = tagged(file, tiny_model)
    assert result.status is Status.UNREADABLE
    assert "5ec7e7" not in repr(result)
    assert "sign it anew" in repr(result)


def test_samples_without_a_header_are_known_by_the_name_in_the_address(web: WebServer, tiny_model: Path) -> None:
    sound = io.BytesIO()
    soundfile.write(sound, speech_like(5, seed=3), 8000, format="RAW", subtype="ULAW")
    web.files["/a.ulaw"] = sound.getvalue()
    for url in (f"{web.url}/a.ulaw", f"{web.url}/a.ulaw?id=1"):
        (channel,) = tagged(one(url), tiny_model).channels
        assert (channel.status, channel.sample_rate, channel.duration_s) == (Status.OK, 8000, 5.0)


def test_what_turns_out_to_be_a_prefix_cannot_be_opened(put: Put) -> None:
    put("calls/a.wav", b"1")
    with pytest.raises(DecodeError, match="there is no such object"):
        open_recording(AudioFile("calls", remote=RemoteObject(f"{ROOT}/calls")))
