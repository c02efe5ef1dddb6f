"""Labels before and after a distortion: what counts as the same window, and what as a lost label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import numpy_helper

from export import survival
from export.codecs import LINE_HZ
from export.distortions import NAMES
from export.errors import ExportError
from export.noise import talk_at_once
from export.survival import Survival, _same, read_channels, survivals
from sertag.model import Model, load
from sertag.pipeline import tag_file
from sertag.records import AudioFile, Options
from tests.conftest import RATE_HZ, speech_like

BABBLE = talk_at_once([speech_like(3.0, seed=seed) for seed in range(20, 24)])


@pytest.fixture(scope="module")
def certain(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model that has one answer to everything."""
    proto = onnx.load(str(tiny_model))
    for tensor in proto.graph.initializer:
        if tensor.name == "weights":
            tensor.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(tensor)), "weights"))
    place = tmp_path_factory.mktemp("models") / "certain.onnx"
    onnx.save(proto, str(place))
    return load(str(place))


def write(place: Path, *channels: np.ndarray) -> Path:
    soundfile.write(place, np.stack(channels, axis=1), RATE_HZ, subtype="PCM_16")
    return place


def labels(path: Path, model: Model) -> list[list[int]]:
    """The best label of each scored window, channel by channel."""
    result = tag_file(AudioFile(str(path)), model=model, options=Options(min_confidence=0.0))
    return [[int(np.argmax(segment.probs)) for segment in channel.segments] for channel in result.channels]


@pytest.fixture
def instead(monkeypatch):
    """Other distortions in place of those that there are: by name, samples (channels, n) to samples at their rate."""

    def put(**changes):
        monkeypatch.setattr(survival, "NAMES", tuple(changes))
        monkeypatch.setattr(
            survival, "distort", lambda samples, *, name, rate_hz, babble, rng: (changes[name](samples), rate_hz)
        )

    return put


def test_a_model_with_one_answer_keeps_every_label_through_everything(tmp_path, certain):
    call = write(tmp_path / "call.wav", *(speech_like(20, seed=seed, level=0.04) for seed in (1, 2)))
    windows = sum(len(own) for own in labels(call, certain))
    assert windows > 10
    found = survivals([call], model=certain, babble=BABBLE, seed=1)
    assert tuple(found) == NAMES
    assert found == dict.fromkeys(NAMES, Survival(windows, windows))


def test_windows_are_counted_over_all_recordings_and_channels(call, certain, tmp_path, instead):
    clip = write(tmp_path / "clip.wav", speech_like(5.0, seed=3))
    instead(nothing=lambda samples: samples)
    told: list[tuple[int, int]] = []
    found = survivals([call, clip], model=certain, babble=BABBLE, seed=1, report=lambda *counts: told.append(counts))
    expected = sum(len(own) for path in (call, clip) for own in labels(path, certain))
    assert found == {"nothing": Survival(expected, expected)}
    assert told == [(1, 2), (2, 2)]


def test_who_hears_another_voice_loses_labels(tmp_path, tiny_model, instead):
    model = load(str(tiny_model))
    voices = [speech_like(20.0, seed=seed) for seed in range(6)]
    places = [write(tmp_path / f"{number}.wav", voice) for number, voice in enumerate(voices)]
    answers = [labels(place, model)[0] for place in places]
    pairs = [(one, two) for one in range(6) for two in range(6) if len(answers[one]) == len(answers[two])]
    one, two = next(pair for pair in pairs if answers[pair[0]] != answers[pair[1]])
    instead(nothing=lambda samples: samples, another=lambda samples: voices[two][None])
    found = survivals([places[one]], model=model, babble=BABBLE, seed=1)
    same = sum(own == other for own, other in zip(answers[one], answers[two], strict=True))
    assert found["nothing"] == Survival(len(answers[one]), len(answers[one]))
    assert found["another"] == Survival(len(answers[one]), same)
    assert same < len(answers[one])


def test_channels_are_compared_each_with_itself(tmp_path, certain, instead):
    short = np.pad(speech_like(8, seed=2), (0, 12 * RATE_HZ))
    place = write(tmp_path / "call.wav", speech_like(20, seed=1), short)
    instead(swapped=lambda samples: samples[::-1])
    one, two = labels(place, certain)
    assert len(one) > len(two) > 0
    assert survivals([place], model=certain, babble=BABBLE, seed=1) == {
        "swapped": Survival(len(one) + len(two), 2 * len(two))
    }


@pytest.mark.parametrize("left", [0, 1, 400])
def test_where_nothing_is_left_to_score_every_label_is_lost(call, certain, instead, left):
    instead(silence=lambda samples: 0 * samples, cut=lambda samples: samples[:, : max(1, left)])
    windows = sum(len(own) for own in labels(call, certain))
    found = survivals([call], model=certain, babble=BABBLE, seed=1)
    assert found == dict.fromkeys(("silence", "cut"), Survival(windows, 0))


def test_a_window_at_the_end_may_move_with_the_end(tmp_path, certain):
    clip = write(tmp_path / "clip.wav", speech_like(5.0, seed=3))
    result = tag_file(AudioFile(str(clip)), model=certain, options=Options(min_confidence=0.0))
    starts_s = [segment.start_s for segment in result.channels[0].segments]
    assert starts_s[-1] == pytest.approx(1.0, abs=0.02)  # off the grid of two seconds
    found = survivals([clip], model=certain, babble=BABBLE, seed=1)
    assert found["0.25 s later"] == Survival(len(starts_s), len(starts_s))


@pytest.mark.parametrize(
    ("after", "same"),
    [
        ([(0.0, 1), (2.0, 2), (3.0, 0)], 3),
        ([(0.0, 1), (2.0, 2), (3.25, 0)], 3),
        ([(0.0, 1), (2.0, 2), (3.35, 0)], 2),
        ([(0.0, 1), (2.0, 0), (3.0, 0)], 2),
        ([(0.2, 1), (0.1, 2), (2.0, 2)], 1),  # the nearest counts, whatever it says
        ([(2.0, 2)], 1),
        ([], 0),
    ],
)
def test_a_window_has_its_label_kept_by_the_nearest_one(after, same):
    before = np.array([(0.0, 1), (2.0, 2), (3.0, 0)])
    assert _same(before, np.array(after).reshape(-1, 2)) == same


def test_without_windows_nothing_can_be_lost():
    assert _same(np.empty((0, 2)), np.array([(0.0, 1)])) == 0


def test_what_is_drawn_is_another_for_each_recording_and_the_same_again(call, certain, monkeypatch):
    drawn: list[float] = []

    def noted(samples, *, name, rate_hz, babble, rng):
        drawn.append(rng.random())
        return samples, rate_hz

    monkeypatch.setattr(survival, "NAMES", ("a", "b"))
    monkeypatch.setattr(survival, "distort", noted)
    for seed in (1, 1, 2):
        survivals([call, call], model=certain, babble=BABBLE, seed=seed)
    first, again, other = drawn[:4], drawn[4:8], drawn[8:]
    assert first == again != other
    assert (first[0], first[2]) == (first[1], first[3])
    assert first[0] != first[2]


def test_channels_are_read_at_the_rate_of_telephones(tmp_path):
    samples = np.stack([speech_like(2.0, seed=1), speech_like(2.0, seed=2)], axis=1)
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    np.testing.assert_array_equal(read_channels(tmp_path / "a.wav", rate_hz=LINE_HZ), samples.T)
    assert read_channels(tmp_path / "a.wav", rate_hz=16000).shape == (2, 32000)
    (tmp_path / "b.wav").write_text("no audio")
    with pytest.raises(ExportError, match=r"b\.wav"):
        read_channels(tmp_path / "b.wav", rate_hz=LINE_HZ)


def test_what_cannot_be_tagged_is_told_not_counted(tmp_path, certain, call, instead, monkeypatch):
    broken = tmp_path / "broken.wav"
    broken.write_text("no audio")
    with pytest.raises(ExportError, match=r"broken\.wav") as caught:
        survivals([broken], model=certain, babble=BABBLE, seed=1)
    assert caught.value.code == "not_audio"

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    instead(nothing=lambda samples: samples)
    monkeypatch.setattr(type(certain), "run", fail)
    with pytest.raises(ExportError, match="takes more memory than there is"):
        survivals([call], model=certain, babble=BABBLE, seed=1)
