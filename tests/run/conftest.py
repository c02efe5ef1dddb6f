"""Runs in a folder with three calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from sertag.parallel import engine
from tests.run.runs import Runs


@pytest.fixture
def runs(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """In a folder with three calls in `calls`."""
    monkeypatch.chdir(tmp_path)
    runs = Runs(tmp_path, tiny_model)
    monkeypatch.setattr(engine, "tag_all", runs.tag_all)
    monkeypatch.setattr(engine, "prestart", lambda first, *, jobs, prestarted: None)
    for name in ("a.wav", "b.wav", "c.wav"):
        runs.write(name)
    return runs
