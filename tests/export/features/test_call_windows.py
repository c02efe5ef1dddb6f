"""Windows for training and scoring: balanced, seeded, and for scoring the very ones that the tagger cuts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.audio.clip_file import read_clip
from export.corpora.clips import Clip
from export.features.call_frames import Dataset, Variant, as_version, frame_clip
from export.features.call_windows import Mixture, Sampler
from export.features.channel_statistics import LEAST_SPEECH_FRAMES, statistics
from export.features.file_windows import file_windows
from sertag.features import coefficients
from sertag.model import load
from sertag.pipeline import tag_file
from sertag.records import AudioFile, Options, Statistics
from tests.conftest import RATE_HZ, speech_like
from tests.onnx_models import CALL_FEATURES

LABELS = ("angry", "happy", "neutral")
FRAMES = 400


def dataset_of(samples: list[np.ndarray], *, calls: list[int] | None = None) -> Dataset:
    """Clips of speaker 0 and 1 in turn, labels in turn, clean and as if over a telephone."""
    frames = [frame_clip(clip, spec=CALL_FEATURES) for clip in samples]
    clips = tuple(
        Clip(Path(str(index)), f"corpus{index % 2}", str(index % 2), LABELS[index % 3], "", "", "", str(index))
        for index in range(len(samples))
    )
    versions = tuple(
        as_version(frames, variant=Variant(phone, False), features=CALL_FEATURES) for phone in (False, True)
    )
    numbers = np.array(calls if calls is not None else [index % 2 for index in range(len(samples))])
    return Dataset(clips, numbers, versions, CALL_FEATURES)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return dataset_of([speech_like(2.5, seed=seed) for seed in range(12)])


def sampler_of(dataset: Dataset, *, seed: int = 1, members: list[int] | None = None) -> Sampler:
    sums = tuple(statistics(version, features=dataset.features) for version in dataset.versions)
    chosen = np.arange(len(dataset.clips)) if members is None else np.array(members)
    return Sampler(dataset, sums, members=chosen, frames=FRAMES, labels=LABELS, mixture=Mixture(), seed=seed)


def test_speakers_are_drawn_alike_where_the_mixture_asks_for_it(dataset):
    """Corpus 0 has one speaker with many clips, corpus 1 six; drawn by speaker, six of seven clips are of corpus 1."""
    clips = [
        dataclasses.replace(clip, speaker=str(index)) if index % 2 else clip for index, clip in enumerate(dataset.clips)
    ]
    people = dataclasses.replace(dataset, clips=tuple(clips))
    sums = tuple(statistics(version, features=dataset.features) for version in dataset.versions)
    shares = []
    for sampling in ("corpus", "speaker"):
        mixture = dataclasses.replace(Mixture(), sampling=sampling)
        sampler = Sampler(people, sums, members=np.arange(12), frames=FRAMES, labels=LABELS, mixture=mixture, seed=1)
        drawn = [people.clips[sampler._draw_clip()].corpus for _ in range(700)]
        shares.append(drawn.count("corpus1") / 700)
    assert shares == pytest.approx([1 / 2, 6 / 7], abs=0.05)


def test_a_batch_has_the_shapes_of_the_graph(dataset):
    inputs, targets = sampler_of(dataset).batch(8)
    columns = CALL_FEATURES.n_coefficients
    assert {name: value.shape for name, value in inputs.items()} == {
        "features": (8, FRAMES, columns),
        "channel_mean": (8, columns),
        "channel_std": (8, columns),
        "speech_frames": (8, 1),
    }
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in inputs.values())
    np.testing.assert_array_equal(targets.sum(axis=1), np.ones(8))


def test_the_same_seed_draws_the_same_batch(dataset):
    first, again, other = (sampler_of(dataset, seed=seed).batch(4)[0]["features"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_corpora_and_labels_are_drawn_alike_however_many_clips_they_have(dataset):
    # Corpus 0 has four clips, three of them angry; corpus 1 has one. Labels go by index modulo 3, corpora by parity.
    members = [0, 6, 4, 2, 3]
    _, targets = sampler_of(dataset, members=members).batch(600)
    angry, happy, neutral = targets.mean(axis=0)
    # corpus 0: angry (0, 6), happy (4), neutral (2), a third each; corpus 1: angry (3) alone
    assert angry == pytest.approx(1 / 2 + 1 / 6, abs=0.08)
    assert happy == pytest.approx(1 / 6, abs=0.06)
    assert neutral == pytest.approx(1 / 6, abs=0.06)


def test_only_members_are_drawn(dataset):
    _, targets = sampler_of(dataset, members=[0, 3]).batch(50)
    assert targets[:, 0].all()  # both are angry


def test_statistics_are_those_of_the_speech(dataset):
    version = dataset.versions[0]
    found = statistics(version, features=CALL_FEATURES).over(np.array([2, 5]))
    heard = np.concatenate(
        [
            version.frames[version.starts[index] : version.starts[index + 1]][
                version.speech[version.starts[index] : version.starts[index + 1]]
            ]
            for index in (2, 5)
        ]
    )
    expected = coefficients(heard, spec=CALL_FEATURES)
    np.testing.assert_allclose(found["channel_mean"][0], expected.mean(axis=0), atol=1e-2)
    np.testing.assert_allclose(found["channel_std"][0], expected.std(axis=0), atol=1e-2)
    assert found["speech_frames"][0, 0] == len(heard)


@pytest.mark.parametrize("seconds", [1.5, 4.0, 4.3, 7.0, 9.9])
def test_scoring_sees_the_windows_that_the_tagger_sees(tmp_path, tiny_model, seconds):
    path = tmp_path / "clip.wav"
    soundfile.write(path, speech_like(seconds, seed=4), RATE_HZ, subtype="PCM_16")
    model = load(str(tiny_model))
    tagged = tag_file(AudioFile(str(path)), model=model, options=Options(min_confidence=0.0)).channels[0]

    dataset = dataset_of([read_clip(path, rate_hz=RATE_HZ)])
    windows, seconds_of_speech = file_windows(dataset, 0, 0, frames=FRAMES, hop_frames=200)
    channel = statistics(dataset.versions[0], features=CALL_FEATURES).over(np.array([0]))
    heard = Statistics(channel["channel_mean"][0], channel["channel_std"][0], int(channel["speech_frames"][0, 0]))
    probs = model.run(windows, statistics=heard)
    assert len(windows) == len(tagged.segments)
    np.testing.assert_allclose(probs, [segment.probs for segment in tagged.segments], atol=1e-4)
    ratios = [segment.speech_ratio for segment in tagged.segments]
    np.testing.assert_allclose(seconds_of_speech / seconds_of_speech.max(), np.divide(ratios, max(ratios)), atol=0.02)


def test_a_clip_without_speech_still_gives_one_window():
    dataset = dataset_of([np.zeros(8000, np.float32)])
    windows, seconds = file_windows(dataset, 0, 0, frames=FRAMES, hop_frames=200)
    assert windows.shape == (1, FRAMES, CALL_FEATURES.n_coefficients)
    assert seconds[0] > 0


def test_every_training_window_holds_speech(dataset):
    """Without masks and noise, whatever is not digital silence came from a clip."""
    sums = tuple(statistics(version, features=dataset.features) for version in dataset.versions)
    mixture = Mixture(time_masks=0)
    sampler = Sampler(dataset, sums, members=np.arange(12), frames=FRAMES, labels=LABELS, mixture=mixture, seed=3)
    windows = sampler.batch(64)[0]["features"]
    speech_level = np.median([sums[0].total[index, 0] / sums[0].count[index] for index in range(12)])
    loud = (windows[:, :, 0] > speech_level - 60).sum(axis=1)
    assert loud.min() >= LEAST_SPEECH_FRAMES // 2


def noisy_dataset(*, buried: set[int]) -> Dataset:
    """Clean, by phone and in noise, where some clips are no longer heard; a version's frames tell which it is."""
    plain = [frame_clip(speech_like(2.5, seed=seed), spec=CALL_FEATURES) for seed in range(6)]
    silence = np.full_like(plain[0], -90.0)
    variants = (Variant(False, False), Variant(True, False), Variant(False, True, True), Variant(True, True, True))
    versions = tuple(
        as_version(
            [silence if variant.noisy and index in buried else frames for index, frames in enumerate(plain)],
            variant=variant,
            features=CALL_FEATURES,
        )
        for variant in variants
    )
    return dataclasses.replace(dataset_of([speech_like(2.5, seed=seed) for seed in range(6)]), versions=versions)


def test_a_clip_that_noise_has_buried_is_still_learnt_from_without_it():
    found = noisy_dataset(buried={0, 1, 2})
    inputs, targets = sampler_of(found).batch(300)
    assert (inputs["speech_frames"] >= LEAST_SPEECH_FRAMES).all()
    assert set(targets.argmax(axis=1)) == {0, 1, 2}


@pytest.mark.parametrize(("noisy", "expected"), [(0.0, 0.0), (1.0, 1.0), (0.25, 0.25)])
def test_as_many_windows_are_noisy_as_the_mixture_says(noisy, expected):
    found = noisy_dataset(buried=set())
    heard = found.versions[0].frames
    marked = tuple(
        dataclasses.replace(version, frames=heard + (100 if version.variant.noisy else 0)) for version in found.versions
    )
    sums = tuple(statistics(version, features=CALL_FEATURES) for version in marked)
    sampler = Sampler(
        dataclasses.replace(found, versions=marked),
        sums,
        members=np.arange(6),
        frames=FRAMES,
        labels=LABELS,
        mixture=Mixture(noisy=noisy),
        seed=1,
    )
    mean = sampler.batch(400)[0]["channel_mean"][:, 0]
    loud = mean > np.concatenate([own.over(np.arange(6))["channel_mean"] for own in sums])[:, 0].mean()
    assert loud.mean() == pytest.approx(expected, abs=0.07)
