"""The pictures of the page in README and docs, made anew from the example calls.

python -m tests.report.pictures
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.report.browser import Browser, browser, why_not

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
LARGEST_BYTES = 150_000
_CALL = "#call=examples%2Fcalls%2F2026-03-02_0901_billing_complaint.wav"
_COLOURS = 128  # of a picture: it has few, and so it is a third as large


@dataclass(frozen=True, slots=True)
class Picture:
    """One view of the page."""

    name: str
    width: int
    height: int
    dark: bool = False
    hash: str = ""


PICTURES = (
    Picture("report.png", 1200, 860),
    Picture("report-call.png", 1200, 860, dark=True, hash=_CALL),
    Picture("report-narrow.png", 400, 860, hash=_CALL),
)


def main() -> int:
    """Make all of them; the exit code says whether that was possible."""
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = example_page(Path(folder))
        with browser(Path(folder)) as started:
            for picture in PICTURES:
                (FOLDER / picture.name).write_bytes(taken(started, page, picture))
    return 0


def example_page(folder: Path) -> Path:
    """The page of the example calls, as docs/report.md makes it.

    Args:
        folder: for tables and page.
    """
    table = str(folder / "results.jsonl")
    _sertag(["examples/calls", "--roles", "agent,customer", "--out", table, "--quiet"], ROOT, code=1)
    dates = ["--root", str(ROOT), "--date-regex", "[0-9]{4}-[0-9]{2}-[0-9]{2}"]
    pieces = ["--waveforms", "worst:50", "--embed-audio", "worst:50"]
    _sertag(["report", "results.jsonl", *dates, *pieces, "-o", "report.html"], folder, code=0)
    return folder / "report.html"


def taken(started: Browser, page: Path, picture: Picture) -> bytes:
    """One picture, PNG."""
    started.look(width=picture.width, height=picture.height, dark=picture.dark)
    started.open(page, picture.hash)
    if picture.hash:
        started.js("document.getElementById('all').scrollIntoView()")
    started.until("document.querySelector('#call[hidden], audio[hidden]') || audio.readyState && !audio.seeking")
    image = (
        Image.open(io.BytesIO(started.picture()))
        .convert("RGB")
        .quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _sertag(arguments: list[str], folder: Path, *, code: int) -> None:
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = os.environ | {"PYTHONPATH": paths, "SOURCE_DATE_EPOCH": "1772524800"}
    done = subprocess.run(
        [sys.executable, "-m", "sertag", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode != code:
        raise RuntimeError(f"sertag {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
