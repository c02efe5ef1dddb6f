"""The timeline on a terminal."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from sertag.live.display import Display
from sertag.live.events import Gap, SpeechEnd
from sertag.live.listen import Limits, listen
from sertag.model.session import load
from sertag.records import Options
from tests.live.scripted import SPEECH, Script


@pytest.mark.parametrize("width", [20, 40, 100])
def test_a_timeline_fits_its_terminal(tiny_model: Path, width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with Display(load(str(tiny_model)).spec, console=console) as display:
        listen(
            Script(SPEECH, Gap("stall", None, 8.0, 1.0, filled=False), SPEECH),
            display.show,
            model=load(str(tiny_model)),
            options=Options(roles=("customer",)),
            path="evil\x1b[2J.wav",
            limits=Limits(9, 99),
            stop=threading.Event(),
        )
    drawn = file.getvalue()
    assert "\x1b[2J" not in drawn
    shown = "".join(part for part in drawn.split("\x1b")[-1:])
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "customer" in drawn.replace("\n", "")


def test_a_timeline_in_a_file_ends_with_a_line_end(tiny_model: Path) -> None:
    file = io.StringIO()
    with Display(load(str(tiny_model)).spec, console=Console(file=file, width=80)) as display:
        display.show([SpeechEnd(0, "customer", 0.0, 1.0, 0)])
    assert file.getvalue().endswith("\n")
