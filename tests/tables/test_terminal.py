"""The table for eyes: names unharmed and harmless, in pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sertag.storage.atomic_output import Output
from sertag.tables import terminal
from sertag.tables.terminal import open_screen_table, too_narrow
from tests.results import ok, unreadable


def test_table_for_eyes_shows_names_unharmed_and_harmless(tmp_path: Path) -> None:
    target = tmp_path / "table.txt"
    names = ["[bold]markup[/bold].wav", "\x1b[31mred.wav", "new\nline.wav", "caf\udce9.wav", r"caf\xe9.wav"]
    with Output(str(target)) as output, open_screen_table(output) as table:
        table.add(ok(channels=2))
        for name in names:
            table.add(unreadable(name))
    text = target.read_text(encoding="utf-8", errors="strict")
    assert r" caf\xe9.wav" in text
    assert r" caf\x5cxe9.wav" in text
    assert "\x1b" not in text
    assert "[bold]markup[/bold].wav" in text
    assert r"\x1b[31mred.wav" in text
    assert r"new\nline.wav" in text
    assert text.count("angry") == 2
    assert "61%" in text


def test_table_for_eyes_is_set_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_PAGE_ROWS", 2)
    target = tmp_path / "table.txt"
    with Output(str(target)) as output, open_screen_table(output) as table:
        for index in range(5):
            table.add(ok(f"{index}.wav"))
    text = target.read_text(encoding="utf-8")
    assert text.count("confidence") == 3
    assert [f"{index}.wav" in text for index in range(5)] == [True] * 5


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 130])
def test_names_and_emotions_are_whole_in_every_terminal(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    target = tmp_path / "table.txt"
    with Output(str(target)) as output, open_screen_table(output) as table:
        output.terminal = True
        table.add(ok("calls/one.wav", channels=2))
        table.add(unreadable("calls/two.wav"))
    text = re.sub(r"\x1b\[[0-9;]*m", "", target.read_text(encoding="utf-8"))
    for word in ("calls/one.wav", "calls/two.wav", "emotion", "angry", "unreadable", "confidence"):
        assert word in text
    assert max(map(len, text.splitlines())) <= columns
    assert ("sentiment" in text) is (columns != 80), "40 and 60: one below the other; 100 and 130: wide enough"


@pytest.mark.parametrize(("columns", "narrow"), [("40", True), ("60", False)])
def test_a_terminal_may_be_too_narrow_for_columns(columns: str, narrow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    names = ["path", "emotion", "confidence"]
    assert too_narrow(names, [["a very long path of a call.wav", "neutral", "0.9"]]) is narrow
