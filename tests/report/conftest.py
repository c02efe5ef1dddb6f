"""One browser for all tests of the page, the recordings that it plays, and a page of every kind of row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from sertag.report.build import Request, build
from tests.audio_files import tones
from tests.report.browser import Browser, browser, why_not
from tests.report.tables import DURATION_S, HOSTILE, mixed, write_jsonl

A_CALL = "calls/2026-03-02_a.wav"
needs_browser = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is a browser")


def made(folder: Path, name: str, *tables: str, **changes: object) -> Path:
    """A page without warnings about what its tests leave out."""
    request = Request(tables, str(folder / name), root=str(folder), **changes)  # type: ignore[arg-type]
    build(request, warn=lambda message: None)
    return folder / name


def names(page: Browser) -> list[str]:
    return page.texts("#rows .link")


def played_from(page: Browser) -> float:
    """Where the player was sent, once it plays."""
    page.until("!audio.paused && audio.readyState > 1 && !audio.seeking && audio.currentTime > window.sought")
    return float(page.js("window.sought"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, and a page of tables of every kind of row."""
    folder = tmp_path_factory.mktemp("page # 100%")
    samples = tones(DURATION_S, channels=2)
    for path in (A_CALL, HOSTILE, "calls/unsure.wav"):
        (folder / path).parent.mkdir(exist_ok=True)
        soundfile.write(folder / path, samples, 8000, subtype="ULAW", format="WAV")
    soundfile.write(folder / "cut.wav", samples, 8000, subtype="IMA_ADPCM")
    return folder


@pytest.fixture(scope="session")
def page(folder: Path) -> Path:
    table = write_jsonl(folder / "r.jsonl", mixed())
    return made(folder, "page.html", table, embed_audio=9, waveforms=1, date_regex=r"\d{4}-\d\d-\d\d")


@pytest.fixture(scope="session")
def chromium(folder: Path) -> Iterator[Browser]:
    with browser(folder) as started:
        yield started


@pytest.fixture
def opened(chromium: Browser, page: Path) -> Iterator[Browser]:
    """The page in its first state; whatever a test does, the console stays silent and nothing is loaded from afar."""
    chromium.look(width=1200, height=900)
    chromium.open(page)
    while not chromium.js("document.getElementById('save').disabled"):  # another process may still see what was cleared
        chromium.js("localStorage.clear()")
        chromium.open(page)
    assert page.as_uri() in chromium.requests()  # so they are seen
    yield chromium
    assert chromium.log() == []
    assert [url for url in chromium.requests() if not url.startswith(("file:", "data:", "blob:"))] == []
