"""`python -m benchmarks.torture.resume` on a few clips: every figure is there and finite; no timing is judged."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_figure_is_there(tmp_path: Path) -> None:
    out = tmp_path / "resume.json"
    sizes = ["--clips", "4", "--hours", "0.01", "--rounds", "1", "--known", "12"]
    env = {**os.environ, "SERTAG_DATA": str(tmp_path / "nothing")}  # the example calls are quicker to read
    command = [sys.executable, "-m", "benchmarks.torture.resume", *sizes, "--out", str(out)]
    subprocess.run(command, check=True, cwd=ROOT, env=env, timeout=120, capture_output=True)
    report = json.loads(out.read_text())
    for overhead in report["overhead"].values():
        assert overhead["with"]["cpu_s"] > 0
        assert overhead["without"]["cpu_s"] > 0
        assert math.isfinite(overhead["overhead_pct_of_cpu"])
    known = report["known_files"]
    assert known["files"] == 12
    assert known["wall_s"] > 0
    assert known["journal_mb"] > 0
