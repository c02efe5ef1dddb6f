"""The page in a real browser: opened, filtered, sorted, read in the dark and on paper, and nothing leaves it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sertag.records import FileResult
from tests.report.browser import Browser
from tests.report.conftest import made, names, needs_browser
from tests.report.tables import HOSTILE, call, channel, mixed, write_csv, write_jsonl

pytestmark = needs_browser

MANY = 10_000  # calls of two rows


def test_it_opens_with_the_most_urgent_row_on_top_and_shows_hostile_names_as_text(opened: Browser) -> None:
    assert opened.js("document.body.dataset.ready") == "10"
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


def test_roles_of_any_text_are_filtered(chromium: Browser, folder: Path) -> None:
    roles = ("two  spaces ", "<b>\u202e&\n", "agent")
    results = [
        FileResult(
            "a.wav", tuple(channel(number, ("happy",), attention=0.1, role=role) for number, role in enumerate(roles))
        )
    ]
    chromium.open(made(folder, "roles.html", write_jsonl(folder / "roles.jsonl", results)))
    for number, role in enumerate(sorted(roles), 1):
        chromium.js("document.querySelector('[name=role]').selectedIndex = arguments[0]", number)
        chromium.js("document.querySelector('[name=role]').dispatchEvent(new Event('input', {bubbles: true}))")
        assert names(chromium) == ["a.wav"], role


def test_failures_and_abstentions_are_rows_that_can_be_filtered(opened: Browser) -> None:
    for status, count in (("unreadable", 1), ("uncertain", 1), ("no_speech", 1)):
        opened.js("document.querySelector('[name=status]').value = arguments[0]", status)
        opened.js("document.querySelector('[name=status]').dispatchEvent(new Event('input', {bubbles: true}))")
        assert len(names(opened)) == count
        opened.keys("j")
        assert opened.js("document.getElementById('right').disabled") is True


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
    opened.look(width=688, height=900, printed=True)  # 182 mm
    wide = "[...document.querySelectorAll('.wide')].filter((e) => e.scrollWidth > e.clientWidth + 1)"
    assert opened.js(f"{wide}.map((e) => e.parentElement.id)") == []
    printed = opened.pdf()
    assert printed.startswith(b"%PDF")
    width, height = (float(size) for size in re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)", printed).groups())  # type: ignore[union-attr]
    assert (width, height) == pytest.approx((595, 842), abs=1)
    assert len(printed) > 10_000


def test_the_overview_stands_without_any_script(chromium: Browser, page: Path) -> None:
    chromium.without_scripts(lambda: chromium.open(page, wait=False))
    assert chromium.js("document.body.dataset.ready") is None
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
    assert chromium.js("document.body.dataset.ready") == str(2 * MANY)
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
