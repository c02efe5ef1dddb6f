"""The output of a model for a known sound, which detects any drift of the file, the code or a library.

Not part of the pipeline: the exporter stores `measure(model)` in the model file, and `sertag models check` and the
tests compare with `check(model)`. The sound is a closed formula, so no recording is needed; its features are computed
by the functions that the tagger calls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sertag.features.mfcc import FrameStream, clip_features, coefficients
from sertag.features.normalization import channel_statistics, speech_sums
from sertag.features.windows import fit_frames
from sertag.model.session import Model
from sertag.records import FloatArray, Statistics
from sertag.spec import ModelSpec, Probe

FEATURE_TOLERANCE = 1e-2  # dB; times a hundredth of the largest coefficient if that is more than 1
PROB_TOLERANCE = 1e-3

_LOWEST_HZ = 100.0
_HIGHEST_OF_RATE = 0.45  # under the Nyquist frequency and under where resamplers begin to roll off
_AMPLITUDE = 0.5


def measure(model: Model) -> Probe:
    """Features and probabilities of the chirp, as computed here.

    Args:
        model: a loaded model; its stored probe is not used.

    Returns:
        The probe to store or to compare with.
    """
    spec = model.spec
    samples = chirp(spec)
    if spec.features.framing == "clip":
        window = fit_frames(clip_features(samples, spec=spec.features), spec=spec.features, length=spec.window_frames)
        statistics = None
    else:
        window, statistics = _channel_window(samples, spec)
    probs = model.raw(window[None], statistics=statistics)[0]  # (k,)
    found = model.predict(window[None], statistics=statistics)
    frames = window.T if spec.features.pooling == "mean" else window  # (t, c)
    middle = frames[len(frames) // 2]
    return Probe(
        mean=_floats(frames.mean(axis=0, dtype=np.float64)),
        middle=_floats(middle),
        probs=_floats(probs),
        speech=None if found.speech is None else float(found.speech[0]),
        dimensions=_floats(found.dimensions[0]),
    )


def check(model: Model) -> list[str]:
    """Compare a model's stored probe with what is measured here.

    Args:
        model: a loaded model.

    Returns:
        One sentence for each difference; empty if there are none.
    """
    stored = model.spec.probe
    if stored is None:
        return ["the model file has no probe, so its features cannot be compared with those in training"]
    measured = measure(model)
    scale = max(1.0, *(abs(value) / 100 for value in (*stored.mean, *stored.middle)))
    return [
        *_differences("mean features", stored.mean, measured.mean, FEATURE_TOLERANCE * scale),
        *_differences("features of the middle frame", stored.middle, measured.middle, FEATURE_TOLERANCE * scale),
        *_differences("probabilities", stored.probs, measured.probs, PROB_TOLERANCE),
        *_differences("dimensions", stored.dimensions, measured.dimensions, PROB_TOLERANCE * _range(model.spec)),
        *_differences("probability of speech", _one(stored.speech), _one(measured.speech), PROB_TOLERANCE),
    ]


def chirp(spec: ModelSpec) -> FloatArray:
    """One window of a linear sweep from 100 Hz to 0.45 of the rate, amplitude 0.5, float32 (n,) at the spec's rate."""
    count = round(spec.window_s * spec.features.rate_hz)
    time_s = np.arange(count) / spec.features.rate_hz
    slope_hz = (_HIGHEST_OF_RATE * spec.features.rate_hz - _LOWEST_HZ) / spec.window_s
    phase = 2 * np.pi * (_LOWEST_HZ * time_s + slope_hz / 2 * time_s**2)
    return (_AMPLITUDE * np.sin(phase)).astype(np.float32)


def _channel_window(samples: FloatArray, spec: ModelSpec) -> tuple[FloatArray, Statistics]:
    """First window (t, c) of a channel that is all speech, and its statistics."""
    stream = FrameStream(spec=spec.features, channels=1)
    log_mel = np.concatenate([stream.push(samples[None]), stream.flush()], axis=1)[0]  # (t, m)
    frames = coefficients(log_mel, spec=spec.features)  # (t, c)
    statistics = channel_statistics(speech_sums(frames, spec=spec.features), spec=spec.features)
    return frames[: spec.window_frames], statistics


def _range(spec: ModelSpec) -> float:
    """The longest scale of the dimensions."""
    return max((one.most - one.least for one in spec.outputs), default=1.0)


def _differences(what: str, stored: Sequence[float], measured: Sequence[float], tolerance: float) -> list[str]:
    if len(stored) != len(measured):
        return [f"{what}: the stored probe has {len(stored)} values, {len(measured)} are measured"]
    gaps = np.abs(np.subtract(stored, measured))
    if gaps.max(initial=0) <= tolerance:
        return []
    worst = int(gaps.argmax())
    values = f"value {worst} is {measured[worst]:.6g}, the stored probe has {stored[worst]:.6g}"
    return [f"{what}: {values}; expected a difference of at most {tolerance:.2g}"]


def _one(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)


def _floats(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
