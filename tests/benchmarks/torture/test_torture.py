"""`benchmarks.torture`, shortened: the parts do their work, count what they must, and go on where they stopped."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.torture import __main__ as torture
from benchmarks.torture import mutant_runs
from benchmarks.torture.decode_folder import decode
from benchmarks.torture.mutants import Source, mutant, sources

MUTANTS, CHUNK = 16, 8


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    """The command that is tormented starts and scores quickly."""
    monkeypatch.setenv("SERTAG_MODEL", str(tiny_model))


@pytest.fixture(scope="module")
def among() -> list[Source]:
    return sources()


def part(name: str, out: Path, *arguments: str) -> dict[str, Any]:
    assert torture.main([name, "--out", str(out), *arguments]) == 0
    report: dict[str, Any] = json.loads(out.read_text())[name]
    return report


def test_there_is_a_sound_recording_of_every_format(among: list[Source], tmp_path: Path) -> None:
    assert len({source.name for source in among}) > 30
    assert sources() == among  # without any chance, or mutants could not be made again
    for number, source in enumerate(among):
        path = tmp_path / str(number)
        path.write_bytes(source.content)
        assert decode(str(path)) == "", source.name


def test_mutants_are_broken_in_many_ways_and_always_the_same(among: list[Source]) -> None:
    found = [mutant(number, seed=1, among=among).content for number in range(50)]
    assert found == [mutant(number, seed=1, among=among).content for number in range(50)]
    assert len(set(found)) == 50
    assert found != [mutant(number, seed=2, among=among).content for number in range(50)]


def test_mutants_have_one_row_each_and_break_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--chunk", str(CHUNK), "--jobs", "2"]
    first = part("mutants", tmp_path / "r.json", "--count", str(CHUNK), *arguments)
    assert first["figures"]["files"] == CHUNK
    figures = part("mutants", tmp_path / "r.json", "--count", str(MUTANTS), *arguments)["figures"]
    assert figures["files"] == MUTANTS
    assert sum(figures["decoder"]["outcomes"].values()) == MUTANTS
    assert sum(figures["command"]["statuses"].values()) == MUTANTS
    assert figures["command"]["lost"] == 0
    assert max(figures[stage]["largest_mb"] for stage in ("decoder", "command")) < 500
    again = part("mutants", tmp_path / "r.json", "--count", str(MUTANTS), *arguments)
    assert again["figures"] == figures
    assert "outcomes" in capsys.readouterr().out
    anew = part("mutants", tmp_path / "r.json", "--count", str(CHUNK), *arguments, "--seed", "2")
    assert anew["figures"]["files"] == CHUNK  # another seed begins anew


def test_memory_is_the_decoders_own_and_not_that_of_who_started_it(tmp_path: Path, among: list[Source]) -> None:
    ballast = b"x" * 700_000_000
    (tmp_path / "a.wav").write_bytes(among[0].content)
    assert 10 < mutant_runs.decoded(tmp_path)["largest_mb"] < len(ballast) / 1e6 - 200


def test_killed_runs_end_in_the_undisturbed_table(tmp_path: Path) -> None:
    figures = part("kills", tmp_path / "r.json", "--rounds", "2", "--files", "20")["figures"]
    assert figures["rounds"] == figures["identical"] == 2
    assert figures["kills"] >= 2
    assert figures["by"] == {f"{fmt}, 1 worker(s)": 1 for fmt in ("csv", "jsonl")}


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_the_fuzzer_runs_and_its_time_adds_up(tmp_path: Path) -> None:
    arguments = ["--corpus", str(tmp_path / "corpus")]
    figures = part("fuzz", tmp_path / "r.json", "--minutes", "0.02", *arguments)["figures"]
    assert figures["executions"] > 0
    minutes = str(figures["seconds"] / 60 + 0.05)  # its start counts too
    more = part("fuzz", tmp_path / "r.json", "--minutes", minutes, *arguments)["figures"]
    assert more["runs"] == 2
    assert more["executions"] > figures["executions"]


FAILING = """
import tests.faults
from benchmarks.torture import decode_folder
decode_folder.open_audio = tests.faults.open_audio
decode_folder.main()
"""


def test_a_decoder_that_crashes_or_hangs_is_counted_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutant_runs, "_DECODER", (sys.executable, "-c", FAILING))
    monkeypatch.setattr(mutant_runs, "HANG_S", 5.0)
    for name in ("crashes.wav", "hangs.wav", "ok_1.wav", "ok_2.wav", "raises.wav", "z.wav"):
        (tmp_path / name).write_text("no audio")
    figures = mutant_runs.decoded(tmp_path)
    assert (figures["crashes"], figures["hangs"]) == (2, 1)
    assert figures["offenders"] == ["crashes.wav", "hangs.wav", "raises.wav"]
    assert figures["outcomes"] == {"not_audio": 3}


def test_faults_are_in_the_exit_code() -> None:
    sound = {"figures": {"files": 3, "command": {"crashes": 0, "hangs": 0}}}
    assert torture.faults(sound) == {}
    assert torture.faults({"figures": {"command": {"crashes": 2, "hangs": 0}}}) == {"crashes": 2}
