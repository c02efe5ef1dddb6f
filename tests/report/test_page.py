"""The page in a real browser: opened, filtered, sorted, played, judged and printed, and nothing leaves it."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from sertag.report.build import Request, build
from tests.audio_files import tones
from tests.report.browser import Browser, browser, why_not
from tests.report.tables import DURATION_S, HOSTILE, call, mixed, write_csv, write_jsonl

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is a browser")

A_CALL = "calls/2026-03-02_a.wav"
MANY = 10_000  # calls of two rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, and a page of tables of every kind of row."""
    folder = tmp_path_factory.mktemp("page # 100%")
    samples = tones(DURATION_S, channels=2)
    for path in (A_CALL, HOSTILE, "calls/unsure.wav"):
        (folder / path).parent.mkdir(exist_ok=True)
        soundfile.write(folder / path, samples, 8000, subtype="ULAW", format="WAV")
    soundfile.write(folder / "cut.wav", samples, 8000, subtype="IMA_ADPCM")
    return folder


def made(folder: Path, name: str, *tables: str, **changes: object) -> Path:
    """A page without warnings about what its tests leave out."""
    request = Request(tables, str(folder / name), root=str(folder), **changes)  # type: ignore[arg-type]
    build(request, warn=lambda message: None)
    return folder / name


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    table = write_jsonl(folder / "r.jsonl", mixed())
    return made(folder, "page.html", table, embed_audio=9, waveforms=1, date_regex=r"\d{4}-\d\d-\d\d")


@pytest.fixture(scope="module")
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


def names(page: Browser) -> list[str]:
    return page.texts("#rows .link")


def test_it_opens_with_the_most_urgent_row_on_top_and_shows_hostile_names_as_text(opened: Browser) -> None:
    assert opened.js("document.documentElement.dataset.ready") == "10"
    assert names(opened)[0] == "2026-03-02_a.wav"
    assert HOSTILE.rpartition("/")[2] in names(opened)
    assert opened.js("document.images.length + document.querySelectorAll('[onerror]').length") == 0
    assert opened.texts("#heads [aria-sort=descending]") == ["Attention"]
    policy = opened.js("document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'none'" in policy


def test_filters_and_sorting_are_in_the_address(opened: Browser, page: Path) -> None:
    opened.js("document.querySelector('[name=role]').value = 'customer'")
    opened.js("document.querySelector('[name=role]').dispatchEvent(new Event('input', {bubbles: true}))")
    assert len(names(opened)) == 3
    opened.click("#heads [data-key=name] button")
    assert opened.texts("#heads [aria-sort=ascending]") == ["Recording"]
    assert names(opened) == sorted(names(opened))
    opened.keys("/")
    opened.keys("ANGRY 2026-03-02")
    assert names(opened) == ["2026-03-02_a.wav"]
    assert opened.js("document.getElementById('count').textContent") == "1 of 10"
    address = opened.js("location.hash")
    opened.open(page, address)
    assert names(opened) == ["2026-03-02_a.wav"]
    assert opened.js("document.querySelector('[name=role]').value") == "customer"
    opened.click("#clear")
    assert len(names(opened)) == 10
    opened.click("#heads [data-key=name] button")
    assert names(opened) == sorted(names(opened), reverse=True)


def test_failures_and_abstentions_are_rows_that_can_be_filtered(opened: Browser) -> None:
    for status, count in (("unreadable", 1), ("uncertain", 1), ("no_speech", 1)):
        opened.js("document.querySelector('[name=status]').value = arguments[0]", status)
        opened.js("document.querySelector('[name=status]').dispatchEvent(new Event('input', {bubbles: true}))")
        assert len(names(opened)) == count
        opened.keys("j")
        assert opened.js("document.getElementById('right').disabled") is True


def played_from(page: Browser) -> float:
    """Where the player was sent, once it plays."""
    page.until("!audio.paused && audio.readyState > 1 && !audio.seeking && audio.currentTime > window.sought")
    return float(page.js("window.sought"))


def test_a_click_plays_from_that_second_of_the_recording(opened: Browser) -> None:
    opened.keys("j")
    assert opened.js("document.getElementById('called').textContent") == "2026-03-02_a.wav"
    assert opened.js("audio.getAttribute('src')") == A_CALL
    box = opened.js("(({left, top, width, height}) => [left, top, width, height])(timeline.getBoundingClientRect())")
    wanted_s = 12.0
    place = {"clientX": box[0] + box[2] * wanted_s / DURATION_S, "clientY": box[1] + 0.7 * box[3], "bubbles": True}
    opened.js("timeline.dispatchEvent(new MouseEvent('click', arguments[0]))", place)
    assert played_from(opened) == pytest.approx(wanted_s, abs=0.1)
    opened.keys(" ")
    opened.until("audio.paused")
    before = opened.js("audio.currentTime")
    opened.keys("\ue012")  # arrow left
    opened.until(f"Math.abs(audio.currentTime - {before - 5}) < 0.2")


def test_space_plays_at_the_worst_second_and_n_goes_to_the_next_negative_window(opened: Browser) -> None:
    opened.keys("j")
    opened.keys("n")
    assert played_from(opened) == 6  # the row's peak is at 6 s, and there a negative window begins
    assert opened.texts("#question") == ["Is “angry” right for customer, 0:06\u20130:10?"]
    opened.keys("n")
    assert opened.texts("#said") == ["No further negative window in this call."]


def test_what_browsers_do_not_play_is_said_and_played_from_the_page(opened: Browser, page: Path, folder: Path) -> None:
    opened.open(made(folder, "bare.html", str(folder / "r.jsonl")), "#call=cut.wav")
    said = opened.texts("#sound")[0]
    assert "Browsers do not play this recording: it is a WAV file with IMA ADPCM. sertag report … --embed-audio" in said
    assert opened.js("audio.hidden") is True
    opened.open(page, "#call=cut.wav")
    assert opened.texts("#sound") == ["0:00 to 0:16 are in this page"]
    opened.keys(" ")
    assert played_from(opened) == 6  # the row's peak
    opened.js("audio.pause()")
    opened.js("timeline.dispatchEvent(new MouseEvent('click', {clientX: timeline.getBoundingClientRect().right - 2}))")
    assert opened.texts("#said") == ["That second is not in this page."]


def test_a_recording_that_is_gone_is_said_and_everything_else_works(
    chromium: Browser, folder: Path, page: Path
) -> None:
    table = write_jsonl(folder / "gone.jsonl", [call("gone.wav", attention=0.5), call(A_CALL, attention=0.4)])
    later = made(folder, "gone.html", table)
    chromium.open(later)
    chromium.keys("j")
    assert "not found when the page was made: gone.wav" in chromium.texts("#sound")[0]
    (folder / A_CALL).rename(folder / "moved.wav")
    try:
        chromium.keys("j")
        chromium.keys(" ")
        chromium.until("document.getElementById('sound').textContent.includes('moved, deleted')")
        assert chromium.js("document.querySelectorAll('#timeline .wave').length") == 2
        chromium.open(page)  # which has the worst seconds inside
        chromium.keys("j")
        chromium.keys(" ")
        chromium.until("audio.src.startsWith('data:') && audio.currentTime > 0")
        assert "moved, deleted or cut" in chromium.texts("#sound")[0]
    finally:
        (folder / "moved.wav").rename(folder / A_CALL)
    chromium.log()  # the browser itself says that a file is not there


def test_verdicts_are_kept_and_downloaded(opened: Browser, page: Path, folder: Path) -> None:
    opened.keys("j")
    opened.keys("y")
    opened.keys("n")
    opened.keys("x")
    opened.open(page, "#call=" + HOSTILE.replace("/", "%2F").replace("<", "%3C"))
    opened.keys("y")
    assert opened.texts("#save") == ["Download 3 verdicts"]
    (folder / "verdicts.csv").unlink(missing_ok=True)
    opened.js("document.getElementById('save').click()")
    file = folder / "verdicts.csv"
    until = time.monotonic() + 20
    while not (file.exists() and file.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert list(rows[0]) == ["path", "channel", "start_s", "end_s", "verdict", "label", "sample"]
    assert [tuple(row.values()) for row in rows] == [
        (A_CALL, "1", "", "", "right", "angry", ""),
        (A_CALL, "1", "6.000", "10.000", "wrong", "angry", ""),
        (HOSTILE, "1", "", "", "right", "happy", ""),
    ]
    opened.keys("s")
    assert opened.texts("#save") == ["Download 2 verdicts"]


def stored(page: Browser) -> list[dict[str, object]]:
    return list(page.js("JSON.parse(localStorage.getItem('sertag verdicts ' + location.pathname) ?? '[]')"))


def test_a_random_sample_is_drawn_from_what_is_filtered_and_goes_on_where_it_was_left(
    opened: Browser, page: Path
) -> None:
    opened.open(page, "#role=customer")
    opened.click("#random")
    assert opened.texts("#question")[0].startswith("Sample 1: Is “")
    opened.keys("yx")
    opened.keys("s")  # the third is passed over
    opened.open(page, "#role=customer")
    opened.keys("r")
    assert opened.texts("#question")[0].startswith("Sample 3: Is “")
    opened.keys("y" * 5)
    assert opened.texts("#said") == ["Nothing is left for the sample."]
    opened.keys("y")  # what was drawn stays part of the sample
    verdicts = stored(opened)
    assert [one["sample"] for one in verdicts] == [f"seed=1&role=customer&place={place + 1}" for place in range(7)]
    assert {(one["path"], one["start_s"]) for one in verdicts} == {
        *((A_CALL, start) for start in (0, 2, 6, 8)),
        *(("calls/2026-03-03_b.wav", start) for start in (0, 2)),
        (HOSTILE, 0),
    }
    opened.js("localStorage.clear()")
    opened.open(page, "#seed=2&role=customer")
    opened.keys("ryyyyyyy")
    again = stored(opened)
    assert {(one["path"], one["start_s"]) for one in again} == {(one["path"], one["start_s"]) for one in verdicts}
    assert [one["path"] for one in again] != [one["path"] for one in verdicts]


def test_verdicts_of_the_same_page_in_another_tab_are_not_lost(opened: Browser) -> None:
    key = "'sertag verdicts ' + location.pathname"
    other = '[{"path": "b.wav", "channel": 0, "start_s": null, "end_s": null, "label": "angry", "verdict": "wrong"}]'
    opened.js(f"localStorage.setItem({key}, arguments[0])", other)
    opened.keys("j")
    opened.keys("y")
    assert opened.texts("#save") == ["Download 2 verdicts"]


def test_without_storage_verdicts_stay_in_the_page(opened: Browser) -> None:
    opened.js("Object.defineProperty(Storage.prototype, 'setItem', {value() { throw new Error('no room'); }}) && 1")
    opened.keys("j")
    opened.keys("y")
    assert opened.texts("#save") == ["Download 1 verdict (not kept by this browser)"]
    opened.js("document.getElementById('save').click()")  # else leaving the page asks


def test_windows_are_a_table_for_those_who_do_not_see_the_timeline(opened: Browser) -> None:
    opened.keys("j")
    opened.js("document.getElementById('list').open = true")
    opened.until("document.querySelectorAll('#windows tbody tr').length")
    lines = opened.texts("#windows tbody tr")
    assert lines[1] == "0:00customerangry 70 %50 %-20 dBFS"
    assert len(lines) == 7
    opened.js("document.querySelectorAll('#windows button')[3].click()")
    assert played_from(opened) == 2


def test_emotions_have_a_colour_a_hatch_and_a_letter(opened: Browser) -> None:
    opened.keys("j")
    fills = opened.js("[...document.querySelectorAll('#timeline rect[fill]')].map((e) => e.getAttribute('fill'))")
    assert {"url(#h-neg0)", "url(#h-neu0)", "url(#h-unsure)"} <= set(fills)
    assert opened.js("document.querySelectorAll('#h-neg0 .hatch').length") == 1
    assert {"angry", "neutral"} <= set(opened.texts("#timeline .letter"))


def test_light_and_dark(opened: Browser) -> None:
    def brightness() -> int:
        return sum(
            int(part) for part in re.findall(r"\d+", opened.js("getComputedStyle(document.body).backgroundColor"))
        )

    assert brightness() > 700
    opened.look(width=1200, height=900, dark=True)
    assert brightness() < 100
    opened.js("document.getElementById('theme').value = 'light'")  # whatever the system prefers
    assert brightness() > 700
    opened.look(width=1200, height=900)
    opened.js("document.getElementById('theme').value = 'dark'")
    assert brightness() < 100


def test_a_narrow_page_does_not_scroll_sideways(opened: Browser) -> None:
    opened.look(width=400, height=800)
    assert names(opened)[0] == "2026-03-02_a.wav"
    for place in ("#rows .link", "#worst a"):  # the whole name is seen, on two lines if need be
        assert opened.js(
            "(([e]) => e.scrollHeight <= e.clientHeight + 1)(document.querySelectorAll(arguments[0]))", place
        )
    opened.keys("j")
    assert opened.js("document.documentElement.scrollWidth") <= 400


def test_it_prints_on_a4_without_the_parts_that_need_a_screen(opened: Browser) -> None:
    printed = opened.pdf()
    assert printed.startswith(b"%PDF")
    width, height = (float(size) for size in re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)", printed).groups())  # type: ignore[union-attr]
    assert (width, height) == pytest.approx((595, 842), abs=1)
    assert len(printed) > 10_000


def test_the_overview_stands_without_any_script(chromium: Browser, page: Path) -> None:
    chromium.without_scripts(lambda: chromium.open(page, wait=False))
    assert chromium.js("document.documentElement.dataset.ready") is None
    assert "need JavaScript" in chromium.texts("#note")[0]
    assert chromium.texts("#worst tbody td:nth-child(2)")[0] == "2026-03-02_a.wav"
    assert chromium.js("document.getElementById('all').hidden") is True


def test_keys_are_explained(opened: Browser) -> None:
    opened.keys("?")
    assert opened.js("document.getElementById('help').open") is True
    opened.keys("\ue00c")
    assert opened.js("document.getElementById('help').open") is False


@pytest.mark.parametrize("kind", ["empty", "failures"])
def test_tables_with_little_in_them(chromium: Browser, folder: Path, kind: str) -> None:
    results = [] if kind == "empty" else [one for one in mixed() if one.path in ("bad.wav", "quiet.wav")]
    chromium.open(made(folder, f"{kind}.html", write_csv(folder / f"{kind}.csv", results)))
    chromium.keys("j")
    assert chromium.js("document.querySelectorAll('#rows .link').length") == len(results)
    chromium.keys("nyxs ")
    assert chromium.log() == []


def test_twenty_thousand_rows_open_in_two_seconds_and_sixty_are_in_the_page(chromium: Browser, folder: Path) -> None:
    results = (call(f"calls/{number:05}.wav", attention=number / MANY) for number in range(MANY))
    large = made(folder, "large.html", write_csv(folder / "large.csv", results))
    chromium.open(large)
    assert chromium.seconds_of_work() < 2
    assert chromium.js("document.documentElement.dataset.ready") == str(2 * MANY)
    assert len(names(chromium)) == 60
    before = chromium.seconds_of_work()
    chromium.click("#heads [data-key=name] button")
    chromium.keys("/")
    chromium.keys("777")
    assert names(chromium)[0] == "00777.wav"
    chromium.click("#clear")
    chromium.js("document.getElementById('scroll').scrollTop = 1e6")
    chromium.until("document.querySelector('#rows tr:nth-child(30)').getAttribute('aria-rowindex') > 19900")
    assert len(names(chromium)) == 60
    assert chromium.seconds_of_work() - before < 2
    assert chromium.log() == []
