"""The page in Firefox, where it and its driver are: the data unpack, the policy lets its script in, everything answers.

Debian has `firefox-esr` and no `geckodriver`, which has to be brought along. Playing is not tried: Firefox gives up
where there is no sound device.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sertag.report.build import Request, build
from tests.report.browser import Browser
from tests.report.tables import HOSTILE, mixed, write_jsonl

_PROGRAMS = {"firefox": ("firefox", "firefox-esr"), "geckodriver": ("geckodriver",)}
_MISSING = [what for what, names in _PROGRAMS.items() if not any(map(shutil.which, names))]

pytestmark = pytest.mark.skipif(bool(_MISSING), reason=f"no {' and no '.join(_MISSING)} in the path")


@pytest.fixture
def firefox() -> Iterator[Browser]:
    selenium = pytest.importorskip("selenium.webdriver")
    options = selenium.FirefoxOptions()
    options.add_argument("-headless")
    options.binary_location = next(path for name in _PROGRAMS["firefox"] if (path := shutil.which(name)))
    driver = selenium.Firefox(options=options, service=selenium.FirefoxService(shutil.which("geckodriver")))
    yield Browser(driver)
    driver.quit()


def test_the_page_answers_in_firefox(firefox: Browser, tmp_path: Path) -> None:
    table, page = write_jsonl(tmp_path / "r.jsonl", mixed()), tmp_path / "p.html"
    build(Request((table,), str(page)), warn=lambda message: None)
    firefox.driver.get(page.as_uri() + "#role=customer")
    firefox.until("document.body.dataset.ready === '10'")
    assert firefox.texts("#rows .link")[0] == "2026-03-02_a.wav"
    assert HOSTILE.rpartition("/")[2] in firefox.texts("#rows .link")
    firefox.click("#worst a")
    assert firefox.js("document.querySelectorAll('#timeline .wave').length") == 2
    firefox.keys("nx")
    assert firefox.texts("#save") == ["Download 1 verdict"]
    firefox.keys("ry")
    assert firefox.texts("#question")[0].startswith("Sample 2: Is “")
    firefox.js("document.getElementById('theme').value = 'dark'")
    assert firefox.js("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
