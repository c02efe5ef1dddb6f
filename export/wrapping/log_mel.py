"""The log-mel frames of Whisper (Radford et al., 2022): as nodes of a graph, and as numpy to compare with.

The definition is that of transformers' `WhisperFeatureExtractor`: samples are filled up with zeros, mirrored at the
ends, cut into frames, weighted with a Hann window and transformed; mel bands of the power, base-10 logarithm; what is
more than 8 under the largest of the clip is raised to that, and the result is brought near -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sertag.features.spectral.filterbank import mel_bands
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

_FLOOR = 1e-10  # of power, before the logarithm
_RANGE = 8.0  # decades under the largest

_FILL = [
    "first_column = Gather <axis = 1> (flat, one_column)",
    "zero_column = Mul(first_column, nothing)",
    "zeros = Expand(zero_column, fill_to)",
    "filled = Concat <axis = 1> (flat, zeros)",
]
_DECADES = [
    "mirror_before = Gather <axis = 1> (filled, before)",
    "mirror_behind = Gather <axis = 1> (filled, behind)",
    "mirrored = Concat <axis = 1> (mirror_before, filled, mirror_behind)",
    "places = Add(starts, offsets)",
    "cut = Gather <axis = 1> (mirrored, places)",
    "exact = Cast <to = 11> (cut)",
    "parts = MatMul(exact, waves)",
    "squared = Mul(parts, parts)",
    "in_bands = MatMul(squared, bands)",
    "raised_bands = Max(in_bands, floor)",
    "natural = Log(raised_bands)",
    "decades = Mul(natural, per_decade)",
    "all_of_clip = Reshape(decades, row_of_all)",
]
_NEAR_ONE = [
    "least = Sub(largest, range)",
    "limited = Max(all_of_clip, least)",
    "shifted = Add(limited, four)",
    "scaled = Div(shifted, four)",
    "single = Cast <to = 1> (scaled)",
    "by_frame = Reshape(single, as_frames)",
    "log_mel = Transpose <perm = [0, 2, 1]> (by_frame)",
]


@dataclass(frozen=True, slots=True)
class LogMel:
    """How frames are made.

    Attributes:
        n_mels: bands.
        clip_s: length that clips are filled up to, seconds.
        rate_hz, n_fft, hop_length: of samples and frames.
    """

    n_mels: int = 80
    clip_s: float = 30.0
    rate_hz: int = 16_000
    n_fft: int = 400
    hop_length: int = 160

    @property
    def clip_samples(self) -> int:
        """Samples of a clip that is filled up."""
        return round(self.clip_s * self.rate_hz)

    @property
    def frames(self) -> int:
        """Frames of a clip; the last one, centred at its end, is left out."""
        return self.clip_samples // self.hop_length


def log_mel_frames(samples: FloatArray, *, spec: LogMel) -> FloatArray:
    """Frames by numpy's Fourier transform, float32 (w, m, t).

    Args:
        samples: float32 (w, n).
        spec: how.
    """
    filled = np.pad(np.asarray(samples, dtype=np.float64), ((0, 0), (0, spec.clip_samples - samples.shape[1])))
    half = spec.n_fft // 2
    mirrored = np.pad(filled, ((0, 0), (half, half)), mode="reflect")
    cut = np.lib.stride_tricks.sliding_window_view(mirrored, spec.n_fft, axis=1)[:, :: spec.hop_length][
        :, : spec.frames
    ]
    power = np.abs(np.fft.rfft(cut * _hann(spec.n_fft))) ** 2  # (w, t, bins)
    log = np.log10(np.maximum(power @ _bands(spec), _FLOOR)).transpose(0, 2, 1)  # (w, m, t)
    log = np.maximum(log, log.max(axis=(1, 2), keepdims=True) - _RANGE)
    return np.asarray((log + 4) / 4, dtype=np.float32)


def log_mel_nodes(spec: LogMel, *, samples: int, largest: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The same as nodes from `flat`, float32 (w, n), to `log_mel`, float32 (w, m, t).

    The transform is a product with cosines and sines in double precision, as transformers' own by numpy is: so faint
    bands are right beside loud ones, and networks of 8 bits are given the same numbers.

    Args:
        spec: how.
        samples: n.
        largest: the nodes from `all_of_clip`, (w, t * m), to the maximum `largest`, which depend on the opset.

    Returns:
        Nodes in ONNX' textual form, of operators that all opsets from 11 on have in this form, and their constants.
    """
    filled = _FILL if spec.clip_samples > samples else ["filled = Identity(flat)"]
    return [*filled, *_DECADES, *largest, *_NEAR_ONE], {**_places(spec, samples), **_numbers(spec)}


def _places(spec: LogMel, samples: int) -> dict[str, Any]:
    """What is gathered, filled and reshaped."""
    half, clip = spec.n_fft // 2, spec.clip_samples
    return {
        "one_column": np.array([0]),
        "fill_to": np.array([1, clip - samples], np.int64),
        "nothing": np.zeros((1, 1), np.float32),
        "before": np.arange(half, 0, -1),
        "behind": np.arange(clip - 2, clip - 2 - half, -1),
        "starts": np.arange(spec.frames)[:, None] * spec.hop_length,
        "offsets": np.arange(spec.n_fft)[None],
        "row_of_all": np.array([-1, spec.n_mels * spec.frames], np.int64),
        "as_frames": np.array([-1, spec.frames, spec.n_mels], np.int64),
    }


def _numbers(spec: LogMel) -> dict[str, Any]:
    """What is computed with."""
    angles = 2 * np.pi * np.outer(np.arange(spec.n_fft), np.arange(spec.n_fft // 2 + 1)) / spec.n_fft  # (n_fft, bins)
    waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * _hann(spec.n_fft)[:, None]
    scalars = {"floor": _FLOOR, "per_decade": 1 / np.log(10), "range": _RANGE, "four": 4.0}
    bands = np.concatenate([_bands(spec)] * 2)
    return {"waves": waves, "bands": bands, **{name: np.array(value) for name, value in scalars.items()}}


def _hann(count: int) -> FloatArray:
    """A periodic Hann window, float64."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(count) / count))


def _bands(spec: LogMel) -> FloatArray:
    """Slaney's mel bands to half of the rate, float64 (bins, m)."""
    features = FeatureSpec(
        kind="log_mel",
        rate_hz=spec.rate_hz,
        n_fft=spec.n_fft,
        win_length=spec.n_fft,
        hop_length=spec.hop_length,
        n_mels=spec.n_mels,
        fmax_hz=spec.rate_hz / 2,
    )
    return mel_bands(spec=features).astype(np.float64)
