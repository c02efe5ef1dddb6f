"""What a model file says of its training, in words that follow from the settings."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="the extra `export` is not installed")
pytest.importorskip("pandas", reason="the extra `export` is not installed")

from export.corpora.clips import Clip, Corpus, data_hash
from export.errors import ExportError
from export.evaluation.call_calibration import ORDINARY_SHARE
from export.recipes.phone import RECIPE
from export.training.experiment import Scores
from export.training.facts import LICENCE, describe_calls, licence_of
from export.training.splits import Settings
from export.training.train import _figures
from sertag.spec import ModelSpec, from_json, to_json

CLIPS = tuple(Clip(Path(f"{n}.wav"), "mine", f"s{n}", "angry", "", "", "", f"{n:040x}") for n in range(4))
OWN = Corpus("mine", "CC BY 4.0", CLIPS)
EXPERIMENT: Any = SimpleNamespace(
    recipe=RECIPE,
    spec=RECIPE.bare_spec(),
    clips=CLIPS,
    versions={"clean": None, "phone": None, "line": None},
    epochs=lambda members: 5 + len(members),
)


def described(*corpora: Corpus, **settings: Any) -> ModelSpec:
    folds = np.array([0, 1, 2, 2])
    return describe_calls(
        EXPERIMENT, corpora=corpora or (OWN,), settings=Settings(name="ours", version="3", **settings), folds=folds
    )


@pytest.mark.parametrize(
    ("folds_by", "protocol"),
    [
        ("corpus", "every corpus scored by a network that was trained on the 2 others; length of training fixed"),
        ("speaker", "3 folds by speaker; every clip scored by a network that was not trained on its speaker"),
    ],
)
def test_the_protocol_is_that_of_the_folds(folds_by, protocol):
    spec = described(folds_by=folds_by)
    assert spec.metrics["protocol"].startswith(protocol)
    assert spec.training["folds_by"] == folds_by


def test_what_was_asked_for_is_what_the_file_says():
    spec = described(seed=7, counts_as=(("calm", "neutral"), ("angry", "angry")))
    assert (spec.name, spec.version, spec.licence) == ("ours", "3", "mine: CC BY 4.0")
    assert spec.metrics["min_confidence"].startswith("60% of the windows called other than neutral are right")
    assert spec.training["counts_as"] == {"calm": "neutral"}
    assert (spec.training["seed"], spec.training["epochs"]) == (7, 9)
    assert described(epochs=3).training["epochs"] == 3
    assert spec.training["versions"] == ["clean", "phone", "line"]
    assert spec.training["data_sha256"] == data_hash(CLIPS)
    assert from_json(to_json(spec), source="here").training == spec.training


def test_ordinary_speech_is_named_only_where_there_was_some():
    spec = described(OWN, Corpus("ordinary", "CC0", CLIPS))
    assert f"where {ORDINARY_SHARE:.0%} of the speech is ordinary" in spec.metrics["min_confidence"]
    assert spec.training["calibrated_on"].endswith(", most of them ordinary speech")
    assert spec.training["unacted_share"] > 0
    without = described()
    assert without.metrics["min_confidence"].endswith("where each label is equally likely")
    assert without.training["calibrated_on"] == "windows of recordings that the network was not trained on"
    assert without.training["unacted_share"] == 0


def test_a_corpus_that_forbids_trade_forbids_it_for_the_weights():
    free, bound = OWN, Corpus("tess", "CC BY-NC-ND 4.0", CLIPS)
    assert licence_of([free, bound]) == LICENCE
    assert licence_of([free]) == "mine: CC BY 4.0"


def test_scores_that_are_no_numbers_are_refused():
    lost = Scores(np.full((2, 3), np.nan), np.ones(2, dtype=bool))
    with pytest.raises(ExportError, match=r"phone: .*diverged; take a smaller learning rate") as caught:
        _figures(EXPERIMENT, lost, np.arange(2))
    assert caught.value.code == "bad_result"
