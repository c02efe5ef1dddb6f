"""Rows of fixed recordings, so that a change of the pipeline is noticed and raises `PIPELINE_VERSION`.

Else rows of before and after would stand side by side in the tables of those who upgrade. After a change on purpose:
raise `PIPELINE_VERSION` in sertag/run/resume.py, then

    python -m tests.test_pipeline_version
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sertag.model.session import Model, load
from sertag.records import AudioFile, Options
from sertag.run.resume import PIPELINE_VERSION
from sertag.tables.columns import Column, ModelInfo, Row, result_columns, result_rows, segment_columns, segment_rows
from sertag.tagging.pipeline import tag_file
from tests.conftest import LOUD, SOFT, speech_like, write_telling_model
from tests.onnx_models import PAPER_FEATURES, tiny_spec, write_model

GOLDEN = Path(__file__).with_name("pipeline_version.json")
# Processors and versions of libraries differ by less, changes of the pipeline by more.
TOLERANCE = {"probability": 0.002, "seconds": 0.05, "percent": 0.3, "level": 0.1}
# What only names things, and what a tie between labels would turn over.
LEFT_OUT = re.compile(
    r"path|role|error.*|emotion|sentiment|confidence|margin|frac_.*|trend_label|peak_start_s|model.*|schema"
)
LABELS = tiny_spec().labels


def models(folder: Path) -> list[Model]:
    """A model for calls, one for clips, and one that tells speech from music and makes long calls surer."""
    paths = [
        write_model(folder / "call.onnx", tiny_spec()),
        write_model(folder / "clip.onnx", tiny_spec(PAPER_FEATURES, offset_s=0.5, name="paper")),
        write_telling_model(folder / "telling.onnx", row_gain=0.2, attention=(1.5, 0.5)),
    ]
    return [load(str(path)) for path in paths]


def rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of a call, a short clip, silence, and music before speech."""
    stereo = np.stack([speech_like(30, seed=1), speech_like(30, seed=2)], axis=1)
    hold = np.concatenate([speech_like(12, seed=1, level=LOUD), speech_like(12, seed=2, level=SOFT)])
    sounds = {"call": stereo, "clip": speech_like(3, seed=3)[:, None], "silence": np.zeros((16000, 1)), "hold": hold}
    found = []
    for model in models(folder):
        origin = ModelInfo(labels=LABELS, model="", model_sha256="")
        for name, samples in sounds.items():
            soundfile.write(folder / f"{name}.wav", samples, 8000, subtype="ULAW")
            result = tag_file(AudioFile(str(folder / f"{name}.wav")), model=model, options=Options())
            found += [named(row, result_columns(LABELS)) for row in result_rows(result, origin=origin)]
            found += [named(row, segment_columns(LABELS)) for row in segment_rows(result, origin=origin)]
    return found


def named(row: Row, columns: tuple[Column, ...]) -> dict[str, Any]:
    return {c.name: cell for c, cell in zip(columns, row, strict=True) if not LEFT_OUT.fullmatch(c.name)}


def test_rows_are_those_of_this_version_of_the_pipeline(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())
    command = "`python -m tests.test_pipeline_version`"
    advice = f"rows have changed: raise PIPELINE_VERSION in sertag/run/resume.py, then run {command}"
    tolerance = {c.name: TOLERANCE.get(c.kind, 0) for c in (*result_columns(LABELS), *segment_columns(LABELS))}
    found = rows(tmp_path)
    assert len(found) == len(golden["rows"]), advice
    for row, expected in zip(found, golden["rows"], strict=True):
        assert list(row) == list(expected), advice
        for name, wanted in expected.items():
            is_number = isinstance(wanted, float)
            assert row[name] == (pytest.approx(wanted, abs=tolerance[name]) if is_number else wanted), (name, advice)
    assert golden["pipeline_version"] == PIPELINE_VERSION, f"run {command}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        lines = ",\n".join(json.dumps(row) for row in rows(Path(folder)))
    GOLDEN.write_text(f'{{"pipeline_version": {PIPELINE_VERSION}, "rows": [\n{lines}\n]}}\n')
    sys.stdout.write(f"{GOLDEN.name}: rows of version {PIPELINE_VERSION}\n")
