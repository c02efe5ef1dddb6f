"""What `benchmarks.speed.tag` compares sertag with, each in a process of its own.

    python -m benchmarks.speed.contenders NAME CALL...

    floor       what nobody can do without: decode every call and transform the frames that the model is made for
    two_floors  the same in two processes at once: what a second core is worth on this machine
    tutorial    each 4 s clip of each channel alone: librosa at 22,050 Hz, mean of 40 MFCC, Keras `predict`
    opensmile   each 4 s clip of each channel alone: eGeMAPS functionals at 16 kHz
    profile     no contender: where sertag's own time goes, stage by stage
    network     no contender either: the model alone, in batches of 16 windows on one thread

Prints one JSON object with the processor seconds of the work alone, without imports and without the first clip.
Where a package is missing it prints `{"missing": NAME}`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import scipy.fft
import soundfile

from benchmarks.speed.stages import Stages, watched
from sertag.features.mfcc import activity_spec
from sertag.model.session import DEFAULT_MODEL, load
from sertag.records import AudioFile, Options, Statistics
from sertag.spec import FeatureSpec
from sertag.tagging.pipeline import tag_file

CLIP_S = 4.0
_BATCH, _BATCHES = 16, 200
_FRAMES_AT_ONCE, _DECODED_FRAMES = 512, 2048  # 512 KiB of 256-sample frames; the fastest of powers of two
_TUTORIAL_RATE_HZ, _OPENSMILE_RATE_HZ = 22_050, 16_000

Report = dict[str, Any]


def main() -> None:
    """Run one contender and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=("floor", "two_floors", "tutorial", "opensmile", "profile", "network"))
    parser.add_argument("calls", nargs="+")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--clips", type=int, default=60, help="of one channel, for the contenders that work on clips")
    args = parser.parse_args()
    work: dict[str, Callable[[], Report]] = {
        "floor": lambda: floor(args.calls, model=args.model),
        "two_floors": lambda: two_floors(args.calls, model=args.model),
        "tutorial": lambda: tutorial(clips(args.calls, count=args.clips)),
        "opensmile": lambda: opensmile(clips(args.calls, count=args.clips)),
        "profile": lambda: profile(args.calls, model=args.model),
        "network": lambda: network(model=args.model),
    }
    try:
        report = work[args.name]()
    except ImportError as error:
        report = {"missing": error.name}
    print(json.dumps(report))


def floor(calls: Sequence[str], *, model: str) -> Report:
    """Decode and Fourier transform, one thread, in blocks that stay in the cache."""
    spec = activity_spec(load(model).spec.features)
    _decode_and_transform(calls[0], spec=spec)  # plans of the transform
    start_s, wall_start_s = time.process_time(), time.perf_counter()
    channel_seconds = sum(_decode_and_transform(call, spec=spec) for call in calls)
    wall_s = time.perf_counter() - wall_start_s
    return {"cpu_s": time.process_time() - start_s, "wall_s": wall_s, "channel_seconds": channel_seconds}


def two_floors(calls: Sequence[str], *, model: str) -> Report:
    """Wall seconds in which two processes do the floor's whole work each."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        reports = pool.map(partial(floor, model=model), [calls, calls], chunksize=1)
    return {"wall_s": max(report["wall_s"] for report in reports)}


def clips(calls: Sequence[str], *, count: int) -> list[tuple[str, float]]:
    """Path and begin of `count // 2` clips of both channels, one from each call in turn, and one more to warm up."""
    lasts_s = [soundfile.info(call).duration - CLIP_S for call in calls]
    starts_s = np.arange(0, max(lasts_s) + CLIP_S, CLIP_S)
    pairs = list(zip(calls, lasts_s, strict=True))
    found = [(call, float(at_s)) for at_s in starts_s for call, last_s in pairs if at_s <= last_s]
    return found[: count // 2 + 1]


def tutorial(clips: Sequence[tuple[str, float]]) -> Report:
    """The loop that tutorials of this field teach, with an untrained model of the usual shape."""
    import keras
    import librosa

    layers = keras.layers
    dense = [layer for size in (128, 64) for layer in (layers.Dense(size, activation="relu"), layers.Dropout(0.2))]
    lstm = [keras.Input((40, 1)), layers.LSTM(256), layers.Dropout(0.2), *dense, layers.Dense(7, activation="softmax")]
    model = keras.Sequential(lstm)

    def one(clip: tuple[str, float]) -> float:
        path, at_s = clip
        samples, rate_hz = librosa.load(path, sr=_TUTORIAL_RATE_HZ, mono=False, offset=at_s, duration=CLIP_S)
        for channel in np.atleast_2d(samples):
            mean = np.mean(librosa.feature.mfcc(y=channel, sr=rate_hz, n_mfcc=40).T, axis=0)  # (40,)
            model.predict(mean[None, :, None], verbose=0)
        return samples.size / rate_hz

    return {**_timed(one, clips), "libraries": _versions("librosa", "keras", "tensorflow-cpu", "tensorflow")}


def opensmile(clips: Sequence[tuple[str, float]]) -> Report:
    """The functionals of eGeMAPS alone: what a classifier behind them would cost is left out."""
    import librosa
    import opensmile

    features, level = opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals
    smile = opensmile.Smile(feature_set=features, feature_level=level)

    def one(clip: tuple[str, float]) -> float:
        path, at_s = clip
        samples, rate_hz = librosa.load(path, sr=_OPENSMILE_RATE_HZ, mono=False, offset=at_s, duration=CLIP_S)
        for channel in np.atleast_2d(samples):
            smile.process_signal(channel, rate_hz)
        return samples.size / rate_hz

    return {**_timed(one, clips), "libraries": _versions("opensmile")}


def profile(calls: Sequence[str], *, model: str) -> Report:
    """Thread seconds by stage over all calls, after one call to warm up."""
    loaded = load(model)
    tag_file(AudioFile(calls[0]), model=loaded, options=Options())
    stages = Stages()
    with watched(stages):
        for call in calls:
            tag_file(AudioFile(call), model=loaded, options=Options())
    heard_s = sum(info.duration * info.channels for info in map(soundfile.info, calls))
    return {"thread_s": stages.seconds(), "channel_seconds": heard_s}


def network(*, model: str) -> Report:
    """Processor milliseconds of one window that is scored in a batch, the median of many batches."""
    loaded = load(model)
    features, frames = loaded.spec.features, round(loaded.spec.window_s * loaded.spec.features.frame_rate_hz)
    windows = np.random.default_rng(1).standard_normal((_BATCH, frames, features.n_coefficients), dtype=np.float32)
    ones = np.ones(features.n_coefficients, dtype=np.float32)
    took_s = []
    for _ in range(_BATCHES):
        start_s = time.process_time()
        loaded.run(windows, statistics=Statistics(mean=0 * ones, std=ones, speech_frames=1000.0))
        took_s.append(time.process_time() - start_s)
    return {"batch": _BATCH, "ms_per_window": 1000 * float(np.median(took_s)) / _BATCH}


def _decode_and_transform(call: str, *, spec: FeatureSpec) -> float:
    """Channel-seconds of one call; whole frames only, which leaves out one or two at its end."""
    overlap = spec.n_fft - spec.hop_length
    with soundfile.SoundFile(call) as file:
        size = _DECODED_FRAMES * spec.hop_length + overlap
        for block in file.blocks(size, overlap, dtype="float32", always_2d=True):
            for channel in np.ascontiguousarray(block.T):
                if len(channel) >= spec.n_fft:
                    frames = np.lib.stride_tricks.sliding_window_view(channel, spec.n_fft)[:: spec.hop_length]
                    for start in range(0, len(frames), _FRAMES_AT_ONCE):
                        scipy.fft.rfft(frames[start : start + _FRAMES_AT_ONCE])
        return float(file.channels * file.frames / file.samplerate)


def _timed(one: Callable[[tuple[str, float]], float], clips: Sequence[tuple[str, float]]) -> Report:
    one(clips[0])  # compiles and loads
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    channel_seconds = sum(map(one, clips[1:] or clips))
    cpu_s, wall_s = time.process_time() - start_cpu_s, time.perf_counter() - start_s
    return {"cpu_s": cpu_s, "wall_s": wall_s, "channel_seconds": channel_seconds}


def _versions(*names: str) -> dict[str, str]:
    return dict(_installed(names))


def _installed(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except ImportError:  # one of several names that a package goes by
            continue


if __name__ == "__main__":
    main()
