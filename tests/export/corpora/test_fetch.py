"""Fetching corpora, with a kagglehub that is not the real one: what lands where, and what is said when it fails."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest

from export.corpora import fetch as module
from export.corpora.fetch import SOURCES, fetch
from export.corpora.layouts import LAYOUTS
from export.errors import ExportError
from tests.corpora import make_files
from tests.export_command import run_export

TESS = ("OAF_angry/OAF_back_angry.wav", "OAF_Fear/OAF_back_fear.wav", "YAF_sad/YAF_dog_sad.wav")
Handles = list[str]


def quiet(what: str, share: float) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def small_tess(monkeypatch: pytest.MonkeyPatch) -> None:
    """TESS has three recordings here."""
    small = SOURCES["tess"]._replace(recordings=len(TESS))
    monkeypatch.setattr(module, "SOURCES", MappingProxyType({"tess": small}))


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | Exception], Handles]:
    """Puts a kagglehub in place that returns a folder or fails; returns what it was asked for."""

    def install(answer: Path | Exception) -> Handles:
        asked: Handles = []

        def dataset_download(handle: str) -> str:
            asked.append(handle)
            print("Downloading ...")  # as the real one does
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=dataset_download))
        monkeypatch.setitem(sys.modules, "requests", SimpleNamespace(head=lambda url, timeout: None))
        return asked

    return install


def copy_twice(root: Path, names: tuple[str, ...]) -> Path:
    """Kaggle's copy: the recordings, and all of them once more in a folder inside."""
    make_files(root, *names)
    shutil.copytree(root, root / "inner" / "inner")
    (root / "readme.txt").write_text("about")
    return root


@pytest.mark.usefixtures("small_tess")
def test_each_recording_lands_once_in_the_official_layout(tmp_path, kaggle, capsys):
    asked = kaggle(copy_twice(tmp_path / "cache", TESS))
    shares: list[float] = []
    folder, corpus = fetch("tess", out=tmp_path / "data", report=lambda what, share: shares.append(share))
    place = tmp_path / "data" / "tess"
    assert asked == ["ejlok1/toronto-emotional-speech-set-tess"]
    assert sorted(str(path.relative_to(place)) for path in place.rglob("*.wav")) == sorted(TESS)
    assert (folder, len(corpus.clips)) == (place, 3)
    assert list((tmp_path / "data").iterdir()) == [place]
    assert shares[-1] == 1
    assert capsys.readouterr().out == ""  # what kagglehub prints is no data


def test_the_whole_of_ravdess_is_counted(tmp_path, kaggle):
    names = tuple(
        f"Actor_{actor:02d}/03-01-{label:02d}-{level:02d}-{sentence:02d}-{take:02d}-{actor:02d}.wav"
        for actor in range(1, 25)
        for label in range(1, 9)
        for level in ((1,) if label == 1 else (1, 2))
        for sentence in (1, 2)
        for take in (1, 2)
    )
    kaggle(copy_twice(tmp_path / "cache", names))
    done = run_export("fetch", "ravdess", "-o", tmp_path)
    assert done.stdout == f"{tmp_path / 'ravdess'}: all 1440 recordings, 1439 usable; licence: CC BY-NC-SA 4.0\n"


@pytest.mark.usefixtures("small_tess")
def test_nothing_is_downloaded_twice(tmp_path, kaggle):
    asked = kaggle(copy_twice(tmp_path / "cache", TESS))
    first, second = (fetch("tess", out=tmp_path, report=quiet) for _ in range(2))
    assert len(asked) == 1
    assert first == second


@pytest.mark.usefixtures("small_tess")
def test_recordings_are_linked_and_copied_where_links_cannot_be(tmp_path, kaggle, monkeypatch):
    cache = copy_twice(tmp_path / "cache", TESS)
    kaggle(cache)
    fetch("tess", out=tmp_path / "linked", report=quiet)
    assert os.path.samefile(cache / TESS[0], tmp_path / "linked" / "tess" / TESS[0])
    monkeypatch.setattr(os, "link", _failing(OSError(errno.EXDEV, "Invalid cross-device link")))
    fetch("tess", out=tmp_path / "copied", report=quiet)
    copied = tmp_path / "copied" / "tess" / TESS[0]
    assert not os.path.samefile(cache / TESS[0], copied)
    assert copied.read_bytes() == (cache / TESS[0]).read_bytes()


class HTTPError(OSError):
    """As requests has it."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"{status_code} Client Error")


class CredentialError(Exception):
    """As kagglehub has it."""


@pytest.mark.usefixtures("small_tess")
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionError("no route"), r"ConnectionError: no route\)"),
        (HTTPError(403), r"HTTPError: 403 Client Error\).*kaggle.json"),
        (CredentialError("none"), r"CredentialError: none\).*kaggle.json"),
        (HTTPError(404), r"ejlok1/toronto-emotional-speech-set-tess cannot be downloaded .*404"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left.*KAGGLEHUB_CACHE"),
        (ValueError("bad zip\nfile"), r"ValueError: bad zip\\nfile"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_failure_says_how_to_get_the_corpus_by_hand(tmp_path, kaggle, error, message):
    kaggle(error)
    with pytest.raises(ExportError, match=message) as caught:
        fetch("tess", out=tmp_path / "data", report=quiet)
    assert caught.value.code == "download_failed"
    text = str(caught.value)
    assert "https://doi.org/10.5683/SP2/E8H2MF" in text
    assert str(tmp_path / "data" / "tess") in text
    assert "CC BY-NC-ND 4.0" in text
    assert "\n" not in text
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", SOURCES)
def test_without_kagglehub_the_extra_and_the_publishers_page_are_named(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ExportError, match=r"'\.\[fetch\]'") as caught:
        fetch(name, out=tmp_path, report=quiet)
    assert caught.value.code == "needs_kagglehub"
    assert LAYOUTS[SOURCES[name].corpus].source in str(caught.value)
    assert str(tmp_path / SOURCES[name].corpus) in str(caught.value)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.usefixtures("small_tess")
def test_a_network_that_says_nothing_does_not_hang(tmp_path, kaggle, monkeypatch, silent_server):
    requests = pytest.importorskip("requests")
    asked = kaggle(tmp_path)
    monkeypatch.setitem(sys.modules, "requests", requests)
    monkeypatch.setattr(module, "_KAGGLE", silent_server)
    monkeypatch.setattr(module, "_TIMEOUT_S", (0.2, 0.2))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ExportError, match="ReadTimeout"):
        fetch("tess", out=tmp_path, report=quiet)
    assert asked == []


@pytest.mark.usefixtures("small_tess")
def test_a_part_of_a_corpus_is_refused_and_not_put_in_place(tmp_path, kaggle):
    kaggle(make_files(tmp_path / "cache", *TESS[:2], "OAF_angry/other.wav"))
    with pytest.raises(ExportError, match=r"cache holds 2 recordings named as in tess, expected 3; take it away"):
        fetch("tess", out=tmp_path / "data", report=quiet)
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("small_tess")
def test_a_folder_that_holds_a_part_is_refused_and_left_alone(tmp_path, kaggle):
    asked = kaggle(copy_twice(tmp_path / "cache", TESS))
    make_files(tmp_path / "data" / "tess", TESS[0])
    with pytest.raises(ExportError, match=r"data/tess holds 1 recordings.*expected 3") as caught:
        fetch("tess", out=tmp_path / "data", report=quiet)
    assert caught.value.code == "incomplete"
    assert asked == []
    assert (tmp_path / "data" / "tess" / TESS[0]).exists()


@pytest.mark.usefixtures("small_tess")
def test_a_disk_that_takes_no_copy_leaves_no_half_corpus(tmp_path, kaggle, monkeypatch):
    error = OSError(errno.ENOSPC, "No space left on device")
    kaggle(copy_twice(tmp_path / "cache", TESS))
    monkeypatch.setattr(os, "link", _failing(OSError(errno.EXDEV, "Invalid cross-device link")))
    monkeypatch.setattr(shutil, "copyfile", _failing(error))
    with pytest.raises(ExportError, match=error.strerror) as caught:
        fetch("tess", out=tmp_path / "data", report=quiet)
    assert caught.value.code == "cannot_write"
    assert list((tmp_path / "data").iterdir()) == []


def _failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
