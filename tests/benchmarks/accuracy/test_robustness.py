"""Labels before and after a distortion: what counts as the same window, and what as a lost label."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.accuracy import robustness
from benchmarks.accuracy.robustness import ROBUSTNESS, _same, babble_of, measure, read_channels, survivals
from export.audio.clip_file import read_clip
from export.audio.noise import talk_at_once
from export.audio.telephone import LINE_HZ
from export.corpora.clips import Clip
from export.errors import ExportError
from export.progress import Report
from sertag.model.session import Model, Prediction, load
from sertag.records import AudioFile, FloatArray, Options
from sertag.tagging.pipeline import tag_file
from tests.conftest import RATE_HZ, speech_like
from tests.corpora import clips_of, emovo

BABBLE = talk_at_once([speech_like(3.0, seed=seed) for seed in range(20, 24)])
QUIET: Report = lambda what, share: None  # noqa: E731
Change = Callable[[FloatArray], FloatArray]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load(str(tiny_model))


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    return clips_of(f"emovo={emovo(tmp_path_factory.mktemp('corpora') / 'emovo')}")


def write(place: Path, *channels: FloatArray) -> Path:
    soundfile.write(place, np.stack(channels, axis=1), RATE_HZ, subtype="PCM_16")
    return place


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Other distortions in place of those that there are: by name, samples (channels, n) to samples at their rate."""

    def put(**changes: Change) -> None:
        monkeypatch.setattr(robustness, "NAMES", tuple(changes))
        monkeypatch.setattr(
            robustness, "distort", lambda samples, *, name, rate_hz, babble, rng: (changes[name](samples), rate_hz)
        )

    return put


def test_a_window_keeps_its_label_where_nothing_is_changed_and_loses_it_where_nothing_is_left(tmp_path, model, instead):
    call = write(tmp_path / "a.wav", speech_like(9.0, seed=1, level=0.04), speech_like(9.0, seed=2, level=0.04))
    scored = tag_file(AudioFile(str(call)), model=model, options=Options(min_confidence=0.0))
    windows = sum(len(channel.segments) for channel in scored.channels)
    instead(nothing=lambda samples: samples, silence=np.zeros_like)
    found = survivals([call], model=model, babble=BABBLE, seed=1, report=QUIET)
    assert found == {
        "nothing": {"windows": windows, "share": 1.0},
        "silence": {"windows": windows, "share": 0.0},
    }


def test_a_window_in_which_the_model_hears_no_speech_was_not_scored(tmp_path, model, instead, monkeypatch):
    call = write(tmp_path / "a.wav", speech_like(9.0, seed=1, level=0.04))
    true = Model.predict
    windows = [0]

    def deaf_at_first(own: Model, features: FloatArray, **options: Any) -> Prediction:
        found = true(own, features, **options)
        heard = np.arange(windows[0], windows[0] + len(features)) > 0
        windows[0] += len(features)
        return dataclasses.replace(found, speech=heard.astype(np.float64))

    scored = tag_file(AudioFile(str(call)), model=model, options=Options(min_confidence=0.0))
    monkeypatch.setattr(Model, "predict", deaf_at_first)
    instead(nothing=lambda samples: samples)
    found = survivals([call], model=model, babble=BABBLE, seed=1, report=QUIET)["nothing"]
    assert found["windows"] == len(scored.channels[0].segments) - 1
    assert found["share"] > 0.5


def test_a_loud_recording_is_made_fainter_first(tmp_path, model, instead):
    heard: list[float] = []

    def note(samples: FloatArray) -> FloatArray:
        heard.append(float(np.abs(samples).max()))
        return samples

    instead(note=note)
    survivals(
        [write(tmp_path / "a.wav", speech_like(4.0, seed=1, level=1.0))],
        model=model,
        babble=BABBLE,
        seed=1,
        report=QUIET,
    )
    assert heard == [pytest.approx(10 ** (-12 / 20), abs=0.01)]


@pytest.mark.parametrize(
    ("after", "same"),
    [([[0.0, 1], [2.0, 2]], 2), ([[0.2, 1], [2.4, 2]], 1), ([[0.0, 2], [2.0, 1]], 0), ([], 0)],
)
def test_windows_are_matched_by_time_and_compared_by_label(after, same):
    assert _same(np.array([[0.0, 1], [2.0, 2]]), np.array(after).reshape(-1, 2)) == same


def test_babble_is_of_several_people_and_the_seed_chooses(voices):
    one, again, other = (babble_of(voices, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert len(one) != len(other) or (one != other).any()
    assert len(babble_of(voices[:1], seed=1)) == len(read_clip(voices[0].path, rate_hz=LINE_HZ))


def test_what_was_found_is_written_down(tmp_path, model, voices, instead):
    instead(nothing=lambda samples: samples)
    call = write(tmp_path / "a.wav", speech_like(6.0, seed=1, level=0.04))
    (tmp_path / ROBUSTNESS).write_text('{"other": {"version": "1"}}')
    told: list[tuple[str, float]] = []
    report = lambda *counts: told.append(counts)  # noqa: E731
    place = measure([call], voices=voices, model=model, seed=1, out=tmp_path, report=report)
    assert place == tmp_path / ROBUSTNESS
    found = json.loads(place.read_text())
    assert found[model.spec.name]["survives"]["nothing"]["share"] == 1.0
    assert found["other"] == {"version": "1"}
    assert told == [("calls", 1.0)]


def test_what_cannot_be_followed_is_one_error(tmp_path, model, voices):
    with pytest.raises(ExportError, match="no recording of real calls; expected files"):
        measure([], voices=voices, model=model, seed=1, out=tmp_path, report=QUIET)
    (tmp_path / "a.wav").write_text("no audio at all")
    with pytest.raises(ExportError, match=r"a\.wav.*; take it away"):
        read_channels(tmp_path / "a.wav", rate_hz=8000)
