"""Chromium from the system's packages, without a window and without a way out; tests skip where it is not."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY_S = 30
# Where a player was last sent, which does not depend on how long a test takes to look.
_SOUGHT = "addEventListener('seeking', (event) => { window.sought = event.target.currentTime; }, true)"


def why_not() -> str:
    """Why there is no browser here; empty where there is one."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        return f"no {' and no '.join(missing)}: apt-get install chromium chromium-driver"
    try:
        import selenium  # noqa: F401 - to see whether it is there
    except ImportError:
        return "no selenium: pip install 'sertag[dev]'"
    return ""


class Browser:
    """A page and what can be done with it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, hash: str = "", *, wait: bool = True) -> None:
        """Load a page anew; what it kept from before stays."""
        self.driver.get("about:blank")
        self.log()
        self.driver.get(path.as_uri() + hash)
        if wait:
            self.until("document.body.dataset.ready")

    def js(self, script: str, *arguments: object) -> Any:
        """The value of an expression in the page."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def until(self, script: str) -> Any:
        """Wait until an expression is true."""
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.driver, READY_S, 0.05).until(lambda _: self.js(script), f"never true: {script}")

    def click(self, selector: str) -> None:
        """Click as a mouse does."""
        self.driver.find_element("css selector", selector).click()

    def keys(self, keys: str) -> None:
        """Type where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(keys).perform()

    def texts(self, selector: str) -> list[str]:
        """What elements say."""
        return list(self.js("[...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector))

    def log(self) -> list[str]:
        """What the console said since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last time."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def look(self, *, width: int, height: int, dark: bool = False, printed: bool = False) -> None:
        """Size of the page in pixels, what the system prefers, and whether it looks as on paper."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        media = {"media": "print" if printed else "", "features": [scheme]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def spoken(self, *roles: str) -> list[str]:
        """The names that a screen reader says of the controls of some roles."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        chosen = [node for node in nodes if not node["ignored"] and node["role"]["value"] in roles]
        return [node.get("name", {}).get("value", "") for node in chosen]

    def picture(self) -> bytes:
        """A PNG of what is in sight."""
        return bytes(self.driver.get_screenshot_as_png())

    def pdf(self) -> bytes:
        """The page as it prints."""
        options = {"preferCSSPageSize": True, "printBackground": True}
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", options)["data"])

    def seconds_of_work(self) -> float:
        """Processor time that the page has taken since it was loaded."""
        metrics = self.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")

    def without_scripts(self, act: Callable[[], None]) -> None:
        """Do something while pages run no script."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            act()
        finally:
            self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@contextmanager
def browser(downloads: Path) -> Iterator[Browser]:
    """Start one.

    Args:
        downloads: folder for what pages save.
    """
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    switches = [
        "--headless=new",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--mute-audio",
    ]
    switches += ["--host-resolver-rules=MAP * ~NOTFOUND", "--autoplay-policy=no-user-gesture-required"]
    if os.geteuid() == 0:
        switches.append("--no-sandbox")  # Chromium's own refuses to run as root
    for switch in switches:
        options.add_argument(switch)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _SOUGHT})
        yield Browser(driver)
    finally:
        driver.quit()
