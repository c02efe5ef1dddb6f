"""The generated parts of docs/listen.md and docs/show.md, and the picture there.

    python -m benchmarks.live_pages      # draw docs/pictures/show.png anew

`benchmarks.readme` puts the parts into the pages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.torture.page import table

ROOT = Path(__file__).parents[1]
CALL = "examples/calls/2026-03-02_0901_billing_complaint.wav"
ROLES = ("--roles", "agent,customer")
PICTURE = ROOT / "docs" / "pictures" / "show.png"
SPEED = ROOT / "benchmarks" / "results" / "listen.json"

_WIDTH = 100
_LONGEST = 3  # values of an object that is shown
_KINDS = ("start", "window", "speech_end")


def main() -> int:
    """Draw the picture."""
    _run("show", CALL, *ROLES, "--out", str(PICTURE))
    return 0


def help_listen() -> str:
    """`sertag listen --help`."""
    return _fenced(_run("listen", "--help"))


def help_show() -> str:
    """`sertag show --help`."""
    return _fenced(_run("show", "--help"))


def show_example() -> str:
    """An example call on a terminal."""
    return _fenced(_run("show", CALL, *ROLES))


def show_narrow() -> str:
    """The same on a terminal of 40 columns."""
    return _fenced(_run("show", CALL, *ROLES, width=40))


def listen_example() -> str:
    """The first events of an example call, a window that became final, and the end; objects in them cut short."""
    lines = _run("listen", "-", *ROLES, stdin=CALL).splitlines()
    events = [json.loads(line) for line in lines]
    chosen = [next(event for event in events if event["event"] == kind) for kind in _KINDS]
    chosen.append(next(event for event in events if event.get("provisional") is False))
    shown = [_short(event) for event in [*chosen, events[-1]]]
    return "```json\n" + "\n".join(json.dumps(event, ensure_ascii=False) for event in shown) + "\n```"


def listen_speed(path: Path = SPEED) -> str:
    """What `sertag listen` costs, from the committed measurement."""
    report = json.loads(path.read_text(encoding="utf-8"))
    head = ["model", "lag of a window, median", "largest", "share of a core", "the last word takes"]
    rows, piped = [], []
    for run in report["runs"]:
        lag, busy = run["lag_ms"], run["pipe"]["lag_ms"]
        share, last = f"{100 * run['core_share']:.1f} %", f"{run['last_word_s']:.1f} s"
        rows.append([f"`{run['model']}`", f"{lag['median']} ms", f"{lag['largest']} ms", share, last])
        piped.append(f"`{run['model']}` {busy['median']} ms, at most {busy['largest']} ms")
    machine = report["machine"]
    about = f"{report['seconds']:.0f} s of a stereo call in packets of 20 ms, on a core of {machine['cpu']} for itself:"
    busy_with = f"while a load of {machine['load_before']:.0f} kept its {machine['cores']} cores busy"
    return f"{about}\n\n{table(head, rows)}\n\nThrough a pipe in real time, {busy_with}: {'; '.join(piped)}."


def _short(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what would fill the page."""
    shown = dict(event)
    for key in ("model_sha256", "started", "lag_ms"):  # other ones each time
        if key in shown:
            shown[key] = "…"
    if "result" in shown:
        shown["result"] = {key: shown["result"][key] for key in ("schema", "path", "status")} | {"…": "…"}
    for key in ("probs", "labels"):
        if isinstance(shown.get(key), dict):
            shown[key] = dict(list(shown[key].items())[:_LONGEST]) | {"…": "…"}
        elif isinstance(shown.get(key), list):
            shown[key] = [*shown[key][:_LONGEST], "…"]
    return shown


def _run(*arguments: str, stdin: str | None = None, width: int = _WIDTH) -> str:
    environment = {**os.environ, "COLUMNS": str(width), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    sound = (ROOT / stdin).read_bytes() if stdin else b""
    done = subprocess.run(  # noqa: S603 - the arguments are those of this module
        [sys.executable, "-m", "sertag", *arguments],
        cwd=ROOT,
        env=environment,
        input=sound,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"sertag {' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode()


def _fenced(text: str) -> str:
    return "```text\n" + "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n```"


if __name__ == "__main__":
    sys.exit(main())
