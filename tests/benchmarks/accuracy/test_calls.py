"""What is asked of models for calls: figures whose answer is known, a tiny run of everything, and its tables."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests import corpora as small_corpora

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("tensorflow", reason="the extra `export` is not installed")
pytest.importorskip("pandas", reason="the extra `export` is not installed")

from click.testing import CliRunner

from benchmarks.accuracy import calls
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.store import CALLS, add_calls, read_calls
from benchmarks.accuracy.tables import call_tables
from export.corpora.labels import LABELS
from export.errors import ExportError
from export.evaluation.calls import WindowPool
from tests.pools import synthetic_pool
from tests.training import small_phone, untraced

SPEC = small_phone().bare_spec()


def folds_of_two(pool: WindowPool) -> np.ndarray:
    """Fold of each clip: corpus and source of ordinary speech by turns."""
    return np.asarray(pool.place[np.unique(pool.clip, return_index=True)[1]] % 2)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(calls, "_CALLS", 16)
        patched.setattr("export.evaluation.call_calibration._CALLS", 8)
        pool = synthetic_pool(sharp=4.0)
        folds = calls.folds_calibrated(pool, folds_of_two(pool), spec=SPEC, answers_right=0.6, seed=1)
        return calls.measure(folds, corpora=["a", "b"], seed=1)


def test_a_good_network_has_good_figures_everywhere(found):
    assert set(found["corpora"]) == {"a", "b"}
    for own in found["corpora"].values():
        assert own["uar_low"] <= own["uar"] <= own["uar_high"]
        assert own["uar"] > 0.8
        assert min(own["anger_auc"], own["arousal_auc"], own["angry_against_happy_auc"]) > 0.8
    assert found["mean"]["uar"] == pytest.approx(np.mean([own["uar"] for own in found["corpora"].values()]), abs=1e-4)
    shares = list(found["anger_found"].values())
    assert shares == sorted(shares)  # more false alarms find more
    assert found["ordinary"]["neutral"] > 0.8
    assert found["ordinary"]["any_emotion_an_hour"] >= found["ordinary"]["angry_an_hour"]


def test_rows_of_simulated_calls_follow_the_share_of_the_stretch(found):
    named = {share: own for share, own in found["calls"].items() if share != "ece"}
    assert list(named) == ["0%", "10%", "30%", "100%"]
    assert named["0%"]["attention"] < named["100%"]["attention"]
    assert named["0%"]["right"] > 0.8
    assert named["30%"]["peak_in_stretch"] > 0.8
    assert "peak_in_stretch" not in named["0%"]
    assert "peak_in_stretch" not in named["100%"]


def test_nothing_of_a_fold_decides_how_it_is_calibrated(monkeypatch):
    monkeypatch.setattr("export.evaluation.call_calibration._CALLS", 5)
    pool = synthetic_pool(sharp=2.0)
    fold = folds_of_two(pool)
    turned = np.where((fold[pool.clip] == 0) & ~pool.ordinary, (pool.truth + 1) % len(LABELS), pool.truth)
    one, other = (
        calls.folds_calibrated(own, fold, spec=SPEC, answers_right=0.6, seed=1)
        for own in (pool, dataclasses.replace(pool, truth=turned))
    )
    assert one[0].spec == other[0].spec
    np.testing.assert_array_equal(one[0].equal.log_probs, other[0].equal.log_probs)
    assert one[1].spec != other[1].spec


def test_a_part_of_a_pool_keeps_its_columns_together():
    pool = synthetic_pool()
    own = pool.part(pool.ordinary)
    assert len(own.truth) == len(own.log_probs) == pool.ordinary.sum()
    np.testing.assert_array_equal(own.place, pool.place[pool.ordinary])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two labelled corpora, ordinary speech of two sources and noise of two."""
    for number, (name, label, speaker) in enumerate(itertools.product(("ours", "mine"), LABELS, ("ann", "bob"))):
        place = tmp_path / name / label / speaker / "a.wav"
        small_corpora.write_clip(place, seed=200 + number, seconds=5.0)  # so that lines leave some of it
    small_corpora.ordinary(tmp_path / "ordinary", count=6, seconds=6.0)
    small_corpora.no_speech(tmp_path / "no_speech", count=4, seconds=3.0)
    return tmp_path


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = MappingProxyType({"phone": small_phone()})
    for module in ("__main__", "run", "store"):
        monkeypatch.setattr(f"benchmarks.accuracy.{module}.RECIPES", known)
    for module in ("__main__", "run"):
        monkeypatch.setattr(f"benchmarks.accuracy.{module}.usable_cpus", lambda: 1)
    monkeypatch.setattr(
        "export.features.encoder.describe", lambda name: type("F", (), {"sha256": "0" * 64, "path": ""})
    )
    monkeypatch.setattr("export.features.encoder.cut_out", lambda model: b"")
    monkeypatch.setattr(calls, "_CALLS", 4)
    monkeypatch.setattr("export.evaluation.call_calibration._CALLS", 3)
    with untraced():
        yield


def command(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.usefixtures("tiny")
def test_the_command_writes_an_entry_and_the_tables(root, tmp_path, monkeypatch):
    out = tmp_path / "results"
    data = [f"--data={name}={root / name}" for name in ("ours", "mine", "ordinary", "no_speech")]
    options = [*data, "-o", out, "--cache", tmp_path / "cache"]
    done = command("calls", "phone", *options, "--seed", 2)
    assert done.exit_code == 0, done.output
    (first,) = json.loads((out / CALLS).read_text())["runs"]
    assert (first["recipe"], first["seed"]) == ("phone", 2)
    assert list(first["conditions"]) == ["clean", "phone"]
    assert set(first["conditions"]["phone"]["corpora"]) == {"ours", "mine"}
    assert first["model"]["corpora"] == [
        {"name": name, "clips": count}
        for name, count in (("ordinary", 6), ("no_speech", 4), ("mine", 14), ("ours", 14))
    ]
    page = (out / "README.md").read_text()
    assert "## Simulated calls with an angry stretch" in page
    assert page.count("| `phone` | phone | ") == 1 + 2 + 1 + 5  # ordinary; corpora and mean; shares and ECE
    monkeypatch.setattr("export.training.fit_windows._run_epoch", lambda *_, **__: pytest.fail("trained again"))
    assert command("calls", "phone", *options, "--seed", 2).exit_code == 0
    again = read_calls(out / CALLS)
    assert [run["conditions"] for run in again] == [first["conditions"]]


@pytest.mark.usefixtures("tiny")
def test_without_ordinary_speech_there_is_nothing_to_say_of_calls(root, tmp_path):
    data = [f"--data={name}={root / name}" for name in ("ours", "mine")]
    done = command("calls", "phone", *data, "-o", tmp_path / "results", "--cache", tmp_path / "cache")
    assert done.exit_code == 1
    assert "no ordinary speech" in done.output


def test_no_entry_no_table(tmp_path):
    assert call_tables(tmp_path) == []
    assert read_calls(tmp_path / CALLS) == []


def test_entries_stand_in_the_order_of_recipes_and_seeds(tmp_path):
    for recipe, seed in (("phone-deep", 2), ("phone", 1), ("phone-deep", 1), ("phone-deep", 2)):
        add_calls(tmp_path, {"recipe": recipe, "seed": seed})
    assert [(run["recipe"], run["seed"]) for run in read_calls(tmp_path / CALLS)] == [
        ("phone", 1),
        ("phone-deep", 1),
        ("phone-deep", 2),
    ]
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot keep what was measured"):
        add_calls(tmp_path / "file" / "x", {"recipe": "phone", "seed": 1})


def test_what_an_older_protocol_measured_is_marked(tmp_path):
    mean = dict.fromkeys(("uar", "uar_low", "uar_high", "uar_as_shipped", "anger_auc", "arousal_auc"), 0.5)
    condition = {
        "corpora": {"tess": mean},
        "mean": mean,
        "ordinary": {"neutral": 0.9, "angry_an_hour": 3.0},
        "taken_for_speech": {"speech": 0.99, "no_speech": None},
        "anger_found": {"5": 0.25},
        "calls": {"10%": {"answered": 1.0}, "ece": 0.04},
    }
    for seed in (1, 2):
        entry = {"recipe": "phone", "seed": seed, "protocol_version": 0, "conditions": {"phone": condition}}
        add_calls(tmp_path, entry)
    corpora, ordinary, simulated = call_tables(tmp_path)
    assert corpora["table"].splitlines()[2] == (
        "| `phone` † | phone | tess | 50.0 ± 0.0 | 50.0 to 50.0 | 50.0 ± 0.0 | 0.500 ± 0.000 | 0.500 ± 0.000 |  |"
    )
    assert "| 90.0 ± 0.0 |  | 3.0 ± 0.0 |" in ordinary["table"]
    assert "| 25.0 ± 0.0 | 99.0 ± 0.0 |  |" in ordinary["table"]
    assert "| `phone` † | phone | all calls |  |  |  |  |  | 0.040 ± 0.000 |" in simulated["table"]
