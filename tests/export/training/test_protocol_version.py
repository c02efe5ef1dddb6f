"""One batch of fixed clips for each kind of recipe, so that a change of what networks are shown raises a version.

Else figures of before and after would stand side by side in the results. After a change on purpose: raise
`PROTOCOL_VERSION` in export/benches.py, then

    python -m tests.test_protocol_version
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
from export.features.call_frames import Preparation, prepare
from export.features.call_windows import Sampler
from export.features.channel_statistics import statistics
from export.features.clip_windows import Job, prepare_clips
from export.recipes import RECIPES
from export.recipes.base import Recipe
from export.training.experiment import LINES_SEED, PROTOCOL_VERSION
from sertag.spec import ModelSpec
from tests.corpora import clips_of, own

GOLDEN = Path(__file__).with_name("protocol_version.json")
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
    """A batch of windows of calls, and the windows of cut clips in every version, of the same few clips."""
    clips = clips_of(f"mine={own(folder / 'mine', labels=LABELS, speakers=('ann', 'bob'), each=2)}")
    return {"phone": of_calls(clips, folder / "cache"), "cnn-augmented": of_clips(clips, folder / "cache")}


def of_calls(clips: tuple[Clip, ...], cache: Path) -> dict[str, Any]:
    recipe = RECIPES["phone"]
    dataset = prepare(clips, preparation=Preparation(recipe.features, seed=LINES_SEED), cache=cache, jobs=1)
    sums = tuple(statistics(version, features=recipe.features) for version in dataset.versions)
    sampler = Sampler(
        dataset,
        sums,
        members=np.arange(len(clips)),
        frames=recipe.window_frames,
        labels=LABELS,
        mixture=recipe.mixture,
        seed=[1, 1],
    )
    inputs, targets = sampler.batch(16)
    return {name: digest(value) for name, value in {**inputs, "targets": targets}.items()}


def of_clips(clips: tuple[Clip, ...], cache: Path) -> dict[str, Any]:
    recipe = RECIPES["cnn-augmented"]
    job = Job(bare_spec(recipe), LINES_SEED)
    data = prepare_clips(clips, augmentations=recipe.augmentations, job=job, cache=cache, jobs=1)
    return {name: digest(windows.features) for name, windows in data.versions.items()}


def bare_spec(recipe: Recipe) -> ModelSpec:
    from export.training.experiment import MIN_SPEECH_S, _bare_spec

    return _bare_spec(recipe, hop_s=recipe.window_s, min_speech_s=MIN_SPEECH_S)


def test_networks_are_shown_what_this_version_of_the_protocol_shows_them(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())
    advice = (
        "what networks are shown has changed: raise PROTOCOL_VERSION, then run `python -m tests.test_protocol_version`"
    )
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
    assert golden["protocol_version"] == PROTOCOL_VERSION, "run `python -m tests.test_protocol_version`"


@pytest.mark.parametrize(("change", "seen"), [({"file": 0.0}, True), ({}, False)])
def test_another_mixture_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, float], seen: bool
) -> None:

    recipe = RECIPES["phone"]
    other = dataclasses.replace(recipe, mixture=dataclasses.replace(recipe.mixture, **change))
    monkeypatch.setattr(sys.modules[__name__], "RECIPES", {**RECIPES, "phone": other})
    golden = json.loads(GOLDEN.read_text())["batches"]["phone"]["features"]
    clips = clips_of(f"mine={own(tmp_path / 'mine', labels=LABELS, speakers=('ann', 'bob'), each=2)}")
    found = of_calls(clips, tmp_path / "cache")["features"]
    gap = np.abs(np.array(found["mean"]) - np.array(golden["mean"])) / np.array(golden["std"])
    assert bool(gap.max() > TOLERANCE) is seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        document = {"protocol_version": PROTOCOL_VERSION, "batches": batches(Path(folder))}
    GOLDEN.write_text(json.dumps(document) + "\n")
    sys.stdout.write(f"{GOLDEN.name}: batches of version {PROTOCOL_VERSION}\n")
