"""Verdicts in a real browser: given, kept, downloaded, and those on a random sample."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

from tests.report.browser import Browser
from tests.report.conftest import A_CALL, needs_browser
from tests.report.tables import HOSTILE

pytestmark = needs_browser


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
    assert opened.texts("#said") == ["The sample is complete."]
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
