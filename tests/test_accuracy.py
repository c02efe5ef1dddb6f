"""The bundled models know emotions in voices that they were not trained on, and leave ordinary calls alone.

The models for commercial use learned nothing of RAVDESS. The floors lie well under what is measured, see
docs/accuracy.md: a value under them shows that something broke. They do not say how good a model is.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from sertag import Tagger
from sertag.records import Status

ACTORS = ("Actor_02", "Actor_05", "Actor_08", "Actor_11", "Actor_14", "Actor_17", "Actor_20", "Actor_23")


def clips(data: Path, emotion: str) -> list[Path]:
    """RAVDESS: both sentences of some speakers with an emotion, intense where there is a choice."""
    with open(data / "manifest.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["corpus"] == "ravdess" and row["speaker"] in ACTORS]
    intensity = "normal" if emotion == "neutral" else "strong"
    wanted = [row for row in rows if (row["emotion"], row["intensity"]) == (emotion, intensity)]
    return [data / row["path"] for row in wanted if Path(row["path"]).stem[-5:-3] == "01"]  # said once


def auc(high: list[float], low: list[float]) -> float:
    """Probability that one of the high values lies above one of the low ones."""
    return float(np.mean(np.asarray(high)[:, None] > np.asarray(low)[None]))


@pytest.mark.parametrize(
    ("model", "least", "least_valence"), [("phone-deep-open", 0.9, 0.85), ("phone-open", 0.8, 0.7)]
)
def test_emotions_of_speakers_nobody_trained_on(data_dir: Path, model: str, least: float, least_valence: float) -> None:
    tagger = Tagger(model)
    emotions = ("angry", "happy", "neutral", "sad")
    found = {one: [tagger.tag(path).channels[0] for path in clips(data_dir, one)] for one in emotions}
    assert {len(channels) for channels in found.values()} == {16}
    index = tagger.spec.labels.index("angry")
    answered = {one: [channel for channel in channels if channel.probs] for one, channels in found.items()}
    angry = {one: [channel.probs[index] for channel in channels] for one, channels in answered.items()}
    excited = {one: [channel.arousal or 0.0 for channel in channels] for one, channels in answered.items()}
    assert sum(map(len, answered.values())) >= 60
    assert auc(angry["angry"], angry["neutral"] + angry["sad"]) > least
    assert auc(excited["angry"] + excited["happy"], excited["neutral"] + excited["sad"]) > least
    assert auc(angry["angry"], angry["happy"]) > least_valence


def test_ordinary_calls_are_answered_and_neutral(data_dir: Path) -> None:
    found = [channel for result in Tagger().tag_many([data_dir / "calls"]) for channel in result.channels]
    assert len(found) >= 5
    assert {(channel.status, channel.emotion) for channel in found} == {(Status.OK, "neutral")}
    for channel in found:
        assert channel.segments
        assert all(0 <= one.start_s < one.end_s <= (channel.duration_s or 0) + 1e-6 for one in channel.segments)
