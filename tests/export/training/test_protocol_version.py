"""One batch of fixed clips for each kind of recipe, so that a change of what networks are shown raises a version.

Else figures of before and after would stand side by side in the results. After a change on purpose: raise
`PROTOCOL_VERSION` in export/training/experiment.py, then

    python -m tests.export.training.test_protocol_version
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.corpora.clips import Clip
from export.features.clip_windows import Job, prepare_clips
from export.features.material import find_material
from export.recipes import RECIPES
from export.recipes.base import Recipe
from export.training import fit_windows
from export.training.experiment import LINES_SEED, PROTOCOL_VERSION, Experiment
from tests.corpora import clips_of, own

GOLDEN = Path(__file__).with_name("protocol_version.json")
AGAIN = "python -m tests.export.training.test_protocol_version"
LABELS = ("angry", "happy", "neutral")
TOLERANCE = (
    0.02  # of the deviation of a column: processors and libraries differ by less, changes of the protocol by more
)


def digest(values: np.ndarray) -> dict[str, Any]:
    """Shape, mean and deviation of each column: (..., c)."""
    flat = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1])
    return {
        "shape": list(values.shape),
        "mean": [round(float(x), 4) for x in flat.mean(axis=0)],
        "std": [round(float(x), 4) for x in flat.std(axis=0)],
    }


def batches(folder: Path) -> dict[str, Any]:
    """The windows of a few clips in every version, as networks for calls and those of the field are shown them."""
    clips = clips_of(f"mine={own(folder / 'mine', labels=LABELS, speakers=('ann', 'bob'), each=2)}")
    return {name: of_clips(RECIPES[name], clips, folder / "cache") for name in ("phone", "cnn-augmented")} | {
        "phone, targets": of_a_batch(clips, folder / "cache")
    }


def of_clips(recipe: Recipe, clips: tuple[Clip, ...], cache: Path) -> dict[str, Any]:
    job = Job(recipe.bare_spec(), LINES_SEED)
    data = prepare_clips(clips, augmentations=recipe.augmentations, job=job, cache=cache, jobs=1)
    return {name: digest(windows.features) for name, windows in data.versions.items()}


def of_a_batch(clips: tuple[Clip, ...], cache: Path) -> dict[str, Any]:
    """What a network for calls learns from in its first step: mixed windows, targets and weights."""
    recipe = dataclasses.replace(RECIPES["phone"], labels=LABELS, batch=32)
    experiment = Experiment(clips, recipe=recipe, cache=cache, jobs=1)
    taken: list[Any] = []

    class Network:
        def train_on_batch(self, features: Any, targets: Any, sample_weight: Any) -> list[float]:
            weights = {f"weights of {name}": value[:, None] for name, value in sample_weight.items()}
            taken.append({"features": features, **targets, **weights})
            return [0.0]

    material = find_material(
        experiment.data,
        np.arange(len(clips)),
        truth=experiment.truth,
        labels=LABELS,
        label_smoothing=recipe.label_smoothing,
        exchanged_columns=recipe.exchanged_columns,
        soft={},
    )
    fit_windows._run_epoch(Network(), material, recipe=recipe, rng=np.random.default_rng(1), number=1)  # type: ignore[arg-type]
    return {name: digest(value) for name, value in taken[0].items()}


def test_networks_are_shown_what_this_version_of_the_protocol_shows_them(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())
    advice = f"what networks are shown has changed: raise PROTOCOL_VERSION, then run `{AGAIN}`"
    found = batches(tmp_path)
    for recipe, parts in golden["batches"].items():
        assert set(found[recipe]) == set(parts), advice
        for name, expected in parts.items():
            own = found[recipe][name]
            assert own["shape"] == expected["shape"], (recipe, name, advice)
            scale = np.maximum(np.array(expected["std"]), 0.05)
            for figure in ("mean", "std"):
                gap = np.abs(np.array(own[figure]) - np.array(expected[figure])) / scale
                assert gap.max() < TOLERANCE, (recipe, name, figure, advice)
    assert golden["protocol_version"] == PROTOCOL_VERSION, f"run `{AGAIN}`"


@pytest.mark.parametrize(("change", "seen"), [({"mixup": 0.3}, True), ({"label_smoothing": 0.0}, True), ({}, False)])
def test_another_training_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, float], seen: bool
) -> None:
    other = dataclasses.replace(RECIPES["phone"], **change)  # type: ignore[arg-type]
    monkeypatch.setattr(sys.modules[__name__], "RECIPES", {**RECIPES, "phone": other})
    golden = json.loads(GOLDEN.read_text())["batches"]["phone, targets"]
    clips = clips_of(f"mine={own(tmp_path / 'mine', labels=LABELS, speakers=('ann', 'bob'), each=2)}")
    found = of_a_batch(clips, tmp_path / "cache")
    gaps = [
        np.abs(np.array(found[name]["std"]) - np.array(golden[name]["std"])).max() / max(0.05, *golden[name]["std"])
        for name in golden
    ]
    assert bool(max(gaps) > TOLERANCE) is seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        document = {"protocol_version": PROTOCOL_VERSION, "batches": batches(Path(folder))}
    GOLDEN.write_text(json.dumps(document) + "\n")
    sys.stdout.write(f"{GOLDEN.name}: batches of version {PROTOCOL_VERSION}\n")
