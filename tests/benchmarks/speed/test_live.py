"""`python -m benchmarks.speed.live` on a few seconds: every figure is there; no timing is judged."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.live_pages import SPEED, listen_speed
from benchmarks.speed.live import main


def test_the_measurement_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "listen.json"
    assert main(["--seconds", "8", "--pipe-seconds", "4", "--models", "phone", "--out", str(out)]) == 0
    (run,) = json.loads(out.read_text())["runs"]
    assert run["windows"] >= 4
    assert 0 < run["lag_ms"]["median"] <= run["lag_ms"]["largest"]
    assert run["core_share"] > 0
    assert run["pipe"]["lag_ms"]["largest"] > 0
    assert "| `phone` |" in listen_speed(out)


def test_windows_come_within_a_second_at_under_a_tenth_of_a_core() -> None:
    for run in json.loads(SPEED.read_text())["runs"]:
        assert run["lag_ms"]["largest"] < 1000
        assert run["core_share"] < 0.1
