"""`python -m benchmarks.speed.tag` on a few seconds of audio: every figure is there and finite; no timing is judged."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks import call_material
from benchmarks.processes import measure
from benchmarks.speed import tag_report
from benchmarks.speed.stages import Stages

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def report(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("benchmark") / "tag.json"
    options = ["--hours", "0.01", "--rounds", "1", "--no-peers", "--model", tiny_model, "--out", out]
    env = {**os.environ, "SERTAG_DATA": str(out.parent / "nothing")}  # the example calls are quicker to read
    subprocess.run([sys.executable, "-m", "benchmarks.speed.tag", *options], check=True, cwd=ROOT, env=env, timeout=120)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_ratios_are_finite(report: dict[str, Any]) -> None:
    names = [row["name"] for row in report["contenders"]]
    assert names[0] == "floor"
    assert {"sertag, 1 worker", "sertag, 2 workers"} < set(names)
    for row in report["contenders"]:
        figures = [row["channel_seconds"], row["per_core_second"], row["times_floor"], row["sertag_faster_by"]]
        assert all(math.isfinite(figure) and figure > 0 for figure in figures), row
    assert math.isfinite(report["speed_up_2_workers"]["whole"])


def test_the_whole_material_was_worked_on(report: dict[str, Any]) -> None:
    assert report["material"]["files"] == 2
    assert {row["channel_seconds"] for row in report["contenders"]} == {72.0}


def test_start_up_and_targets_are_measured(report: dict[str, Any]) -> None:
    assert set(report["start_up"]) == {"sertag --help", "one clip of 3 s"}
    assert len(report["targets"]) == 6
    assert 0 < report["network"]["ms_per_window"] < 1000
    assert all(isinstance(row["met"], bool) for row in report["targets"])


def test_the_readme_gets_a_row_for_each_contender(report: dict[str, Any]) -> None:
    assert all(f"| {row['name']} |" in report["readme"] for row in report["contenders"][1:])


def test_the_profile_accounts_for_the_whole_time(tiny_model: Path, call: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.speed.contenders", "profile", str(call), "--model", str(tiny_model)]
    done = subprocess.run(command, check=True, cwd=ROOT, timeout=60, capture_output=True, text=True)
    profile = json.loads(done.stdout)
    assert {"decode", "frames", "speech", "coefficients", "model", "aggregate", "rest"} <= set(profile["thread_s"])
    assert profile["channel_seconds"] == 40
    assert all(seconds >= 0 for seconds in profile["thread_s"].values())


def test_a_station_is_not_charged_for_those_it_waits_for() -> None:
    stages = Stages()

    def busy(n: int) -> int:
        return sum(range(n))

    inner = stages.generator("inner", lambda: (busy(300_000) for _ in range(20)))
    outer = stages.generator("outer", lambda: (item for item in inner()))
    assert len(list(outer())) == 20
    seconds = stages.seconds()
    assert seconds["inner"] > 10 * seconds["outer"]


def test_calls_take_turns_and_talk_about_half_of_the_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    tones = [[np.full(n, level, np.float32) for n in (8000, 24000)] for level in (0.1, 0.2, 0.3)]
    paths = call_material.write_calls(tmp_path, tones, hours=0.25, rng=rng)
    assert [soundfile.info(path).duration for path in paths] == [300, 300, 300]
    talk = np.array([(np.abs(soundfile.read(path)[0]) > 0.03).mean(axis=0) for path in paths])  # (files, 2)
    assert 0.35 < talk.mean() < 0.55
    assert talk.min() > 0.2


def test_calls_can_be_made_from_the_examples_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERTAG_DATA", str(tmp_path / "nothing"))
    source, speakers = call_material.voices(rng=np.random.default_rng(0))
    assert source == "example calls"
    assert len(speakers) >= 2
    assert all(0.05 < len(utterance) / 8000 < 20 for speaker in speakers for utterance in speaker)


def test_a_long_call_and_many_clips(call: Path, tmp_path: Path) -> None:
    call_material.write_long_call(tmp_path / "long.wav", [call], hours=0.02)
    assert soundfile.info(tmp_path / "long.wav").duration == 72
    clips = tmp_path / "clips"
    clips.mkdir()
    call_material.write_clips(clips, [call], count=30, distinct=8, clip_s=3.0)
    found = sorted(clips.iterdir())
    assert len(found) == 30
    assert {soundfile.info(path).duration for path in found} == {3.0}
    assert len({path.stat().st_ino for path in found}) == 8


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_processes_are_measured_with_their_children() -> None:
    child = "b = bytearray(60_000_000); import time; t = time.process_time()\nwhile time.process_time() < t + .3: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print('done')"
    found = measure([sys.executable, "-c", parent])
    assert found.output == "done\n"
    assert found.cpu_s > 0.3
    assert found.largest_mb is not None
    assert found.together_mb is not None
    assert found.together_mb > found.largest_mb > 60


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3: (.|\n)*no such luck"):
        measure([sys.executable, "-c", "import sys; sys.stderr.write('no such luck'); sys.exit(3)"])


def test_a_target_that_was_not_measured_is_neither_met_nor_missed() -> None:
    report = {
        "contenders": [{"name": "sertag, 1 worker", "times_floor": 3.0, "per_core_second": 5000.0}],
        "speed_up_2_workers": {"whole": 1.5},
        "start_up": {"sertag --help": {"wall_s": 0.1}, "one clip of 3 s": {"wall_s": 0.5}},
        "network": {"ms_per_window": 0.3},
        "memory": {"one 8-hour call": {"largest_mb": None}},
    }
    assert [row["met"] for row in tag_report.targets(report)] == [True, True, False, True, True, False, None]
