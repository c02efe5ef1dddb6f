"""What tells one model file's answers from another's: nothing that is only said of it."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

import pytest

pytest.importorskip("onnx", reason="the extra `export` is not installed")

from export.behaviour import behaviour
from tests.onnx_models import tiny_spec, write_model

SPEC = tiny_spec()
TOLD = {
    "name": "other",
    "version": "9",
    "licence": "none",
    "training": MappingProxyType({"seed": 9}),
    "metrics": MappingProxyType({"protocol": "guessed"}),
    "libraries": MappingProxyType({"numpy": "9"}),
}
DECIDING = {"hop_s": 1.0, "temperature": 3.0, "min_confidence": 0.9, "min_speech_s": 0.3}


def test_a_file_with_other_figures_tags_alike(tmp_path):
    own = behaviour(str(write_model(tmp_path / "own.onnx", SPEC)))
    for name, value in TOLD.items():
        other = write_model(tmp_path / "other.onnx", dataclasses.replace(SPEC, **{name: value}))
        assert behaviour(str(other)) == own, name


def test_another_network_or_another_use_of_it_does_not(tmp_path):
    found = {behaviour(str(write_model(tmp_path / "own.onnx", SPEC)))}
    found.add(behaviour(str(write_model(tmp_path / "weights.onnx", SPEC, seed=1))))
    for name, value in DECIDING.items():
        assert getattr(SPEC, name) != value
        other = write_model(tmp_path / f"{name}.onnx", dataclasses.replace(SPEC, **{name: value}))
        found.add(behaviour(str(other)))
    assert len(found) == 2 + len(DECIDING)
