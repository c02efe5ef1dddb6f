"""`python -m benchmarks.speed.archive` on some files: every figure is there; no timing is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import soundfile

from benchmarks.speed.archive import write_tree

ROOT = Path(__file__).parents[3]


def test_a_first_run_and_one_that_finds_nothing_new(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "archive.json"
    options = [
        "--files",
        "60",
        "--first",
        "40",
        "--rounds",
        "1",
        "--folder",
        tmp_path,
        "--model",
        tiny_model,
        "--out",
        out,
    ]
    subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.archive", *options, "--out", out], check=True, cwd=ROOT, timeout=120
    )
    found = json.loads(out.read_text())
    assert (found["first_run"]["files"], found["nothing_new"]["files"]) == (40, 60)
    assert found["first_run"]["main_process_mb"]["highest"] > 10
    for name in ("find", "sertag"):
        assert found["nothing_new"][name]["cpu_s"] > 0
    assert list(tmp_path.glob("*")) == [out], "the tree is removed"


def test_the_tree_is_of_recordings_in_folders(tmp_path: Path) -> None:
    write_tree(tmp_path / "archive", files=1500)
    files = sorted((tmp_path / "archive").rglob("*.wav"))
    assert len(files) == 1500
    assert len({file.parent for file in files}) == 2
    assert soundfile.info(files[0]).duration == 0.1
