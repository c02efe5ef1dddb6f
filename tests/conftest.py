"""Fixtures shared by all tests: tiny models, synthesised calls and, where they are, real recordings."""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertag.features.mfcc import FrameStream, coefficients
from sertag.spec import FeatureSpec
from tests.onnx_models import CALL_FEATURES, PAPER_FEATURES, SpeechOutput, tiny_spec, write_model

RATE_HZ = 8000
LOUD, SOFT = 0.2, 0.04  # levels of what `telling_model` takes for music, and for speech

# With this variable each of the hundreds of processes that tests start would compile sertag anew, in 0.13 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave tests and imported libraries out of garbage collection, which would go through millions of objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for calls: frames once a channel, normalised by the channel's speech."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny.onnx", tiny_spec())


@pytest.fixture(scope="session")
def paper_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as tutorials make it: mean MFCC of a clip of 3 s from 0.5 s."""
    spec = tiny_spec(PAPER_FEATURES, offset_s=0.5, name="paper")
    return write_model(tmp_path_factory.mktemp("models") / "paper.onnx", spec)


@pytest.fixture(scope="session")
def telling_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes sounds of the level `LOUD` for music, and what is mostly loud too."""
    return write_telling_model(tmp_path_factory.mktemp("telling") / "telling.onnx")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings, named by SERTAG_DATA."""
    folder = Path(os.environ.get("SERTAG_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "calls").is_dir():
        pytest.skip(f"no real recordings: set SERTAG_DATA to the folder that holds them (looked in {folder.name})")
    return folder


def speech_like(seconds: float, *, seed: int = 0, rate_hz: int = RATE_HZ, level: float = 0.2) -> np.ndarray:
    """Float32 (n,) that has what speech has: a gliding pitch, moving formants, syllables and pauses."""
    return _speech_like(seconds, seed, rate_hz, level).copy()


@functools.lru_cache(maxsize=64)
def _speech_like(seconds: float, seed: int, rate_hz: int, level: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    time_s = np.arange(n) / rate_hz
    pitch_hz = 120 + 30 * np.sin(2 * np.pi * 0.7 * time_s + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    turns_s = np.arange(0, seconds + 0.4, 0.2)
    formants_hz = np.interp(time_s, turns_s, rng.uniform(400, 2500, len(turns_s)))
    voice = sum(
        np.exp(-(((k * pitch_hz - formants_hz) / 500) ** 2)) * np.sin(k * phase) for k in range(2, 1 + int(3400 / 150))
    )
    syllables = np.clip(np.sin(2 * np.pi * 3.7 * time_s + rng.uniform(0, 6)) + 0.4, 0, 1)
    phrases = np.sin(2 * np.pi * 0.23 * time_s + rng.uniform(0, 6)) > -0.6
    breath = rng.standard_normal(n) * 1e-3
    return (level * (voice * syllables * phrases / 2 + breath)).astype(np.float32)


def write_telling_model(path: Path, **changes: object) -> Path:
    """A model with an output that tells speech from what is loud."""
    spec = tiny_spec(dataclasses.replace(CALL_FEATURES, normalisation="none"), name="telling", **changes)
    levels = [_first_coefficient(speech_like(12, seed=1, level=level), spec.features) for level in (SOFT, LOUD)]
    return write_model(path, spec, speech=SpeechOutput(loudest=0.3 * levels[0] + 0.7 * levels[1]))


def _first_coefficient(samples: np.ndarray, spec: FeatureSpec) -> float:
    stream = FrameStream(spec=spec, channels=1)
    frames = np.concatenate([stream.push(samples[None]), stream.flush()], axis=1)[0]
    return float(coefficients(frames, spec=spec)[:, 0].mean())


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """A stereo mu-law call of 20 s in which both channels speak."""
    path = tmp_path / "call.wav"
    samples = np.stack([speech_like(20, seed=1), speech_like(20, seed=2)], axis=1)
    soundfile.write(path, samples, RATE_HZ, subtype="ULAW")
    return path
