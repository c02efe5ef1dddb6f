"""Samples to features: log-mel frames and cepstral coefficients, one definition for training and tagging.

Stage: decode -> **features** -> speech. Takes float32 samples in [-1, 1] at the rate of the spec and
returns float32 frames, bands in dB, voice and pitch behind them, or coefficients; time before frequency: `(t, m)`,
`(t, c)`.

The numbers are those of `librosa.feature.melspectrogram`, `power_to_db`, `mfcc` and `delta` (librosa 0.11: Slaney's mel
scale with area normalisation, periodic Hann window, centred frames, zero-padded ends, orthonormal DCT-II), computed in
blocks that fit into the processor's cache; the spectrogram of the whole recording is never in memory.

Channels are computed in single precision, which is exact to 1e-3 dB for bins up to 60 dB under the mean of their frame;
clips, where papers' recipes keep 80 dB and more of dynamic range, in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from sertag.features.frames import Frames
from sertag.features.spectral.filterbank import multiply
from sertag.features.spectral.log_mel import DB, log_mel, precision
from sertag.records import FloatArray
from sertag.spec import FeatureSpec


def clip_features(samples: FloatArray, *, spec: FeatureSpec) -> FloatArray:
    """Features of one clip by the whole recipe of a spec.

    Args:
        samples: float32 (n,), n >= 1, in [-1, 1], at `spec.rate_hz`.
        spec: the recipe.

    Returns:
        float32 (t, c): t = 1 + n // hop frames and `spec.n_coefficients` columns; (c, 1) with `pooling="mean"`;
        (n, 1) with `kind="waveform"`.

    >>> chirp = np.sin(np.linspace(0, 900, 8000) ** 1.2).astype(np.float32)
    >>> clip_features(chirp, spec=FeatureSpec(n_mfcc=13)).shape
    (101, 13)
    """
    if spec.kind == "waveform":
        return np.ascontiguousarray(samples, dtype=np.float32)[:, None]  # (n, 1)
    stream = FrameStream(spec=spec, channels=1)
    log_mel = np.concatenate([stream.push(samples[None]), stream.flush()], axis=1)[0]  # (t, m)
    if spec.dynamic_range_db is not None:
        np.maximum(log_mel, log_mel.max() - spec.dynamic_range_db, out=log_mel)
    frames = coefficients(log_mel, spec=spec)  # (t, c)
    return (frames.mean(axis=0)[:, None] if spec.pooling == "mean" else frames).astype(np.float32)


def coefficients(frames: FloatArray, *, spec: FeatureSpec) -> FloatArray:
    """Frames to the columns that the graph takes: DCT, lifter and derivatives where the spec asks for them.

    Args:
        frames: (t, m), mel bands in dB and then voice and pitch, m = `spec.frame_columns`, in the framing's precision.
        spec: the recipe.

    Returns:
        (t, c) of the same precision, c = `spec.n_coefficients`.

    >>> coefficients(np.zeros((5, 40), np.float32), spec=FeatureSpec(delta_order=2)).shape
    (5, 120)
    """
    if spec.kind != "mfcc" and not spec.delta_order:
        return frames
    size = spec.n_mfcc if spec.kind == "mfcc" else spec.n_mels
    columns = np.empty((len(frames), spec.n_coefficients), dtype=frames.dtype)
    made = columns[:, :size]
    if spec.kind == "mfcc":
        multiply(frames[:, : spec.n_mels], _dct_matrix(spec), out=made)
    else:
        made[:] = frames[:, : spec.n_mels]
    for order in range(1, spec.delta_order + 1):
        columns[:, order * size : (order + 1) * size] = _delta(made, spec.delta_width, order)
    columns[:, (spec.delta_order + 1) * size :] = frames[:, spec.n_mels :]
    return columns


def silence_coefficients(*, spec: FeatureSpec) -> FloatArray:
    """The coefficients of digital silence, float32 (c,): padding for a window that ends after the recording."""
    return np.asarray(coefficients(np.tile(silence_frame(spec=spec), (spec.delta_width, 1)), spec=spec)[0])


def silence_frame(*, spec: FeatureSpec) -> FloatArray:
    """A frame of digital silence, (m,): the floor in every band, and no voice."""
    frame = np.zeros(spec.frame_columns, dtype=precision(spec))
    frame[: spec.n_mels] = DB * math.log(spec.floor_power)
    return frame


def activity_spec(spec: FeatureSpec) -> FeatureSpec:
    """The recipe of the frames for speech detection: that of the model if it computes frames for the whole channel.

    A recipe for cut clips has no such frames; then it is 32 ms frames every 10 ms.

    >>> activity_spec(FeatureSpec(framing="clip", rate_hz=22050, fmax_hz=11025, n_fft=2048, hop_length=512)).hop_length
    220
    """
    if spec.framing == "channel":
        return spec
    n_fft = 1 << round(math.log2(0.032 * spec.rate_hz))
    return FeatureSpec(
        kind="log_mel",
        rate_hz=spec.rate_hz,
        n_fft=n_fft,
        win_length=n_fft,
        hop_length=round(0.01 * spec.rate_hz),
        n_mels=40,
        fmax_hz=min(4000.0, spec.rate_hz / 2),
    )


class FrameStream:
    """Frames of a recording that arrives in blocks, each computed once: mel bands in dB, then voice and pitch.

    >>> stream = FrameStream(spec=FeatureSpec(), channels=2)
    >>> stream.push(np.zeros((2, 8000), np.float32)).shape, stream.flush().shape
    ((2, 99, 40), (2, 2, 40))
    """

    def __init__(self, *, spec: FeatureSpec, channels: int) -> None:
        """Start a recording of `channels` channels at `spec.rate_hz`."""
        self._spec = spec
        self._tail = np.zeros((channels, spec.n_fft // 2), dtype=np.float32)  # centred frames: zeros before the start

    def push(self, block: FloatArray) -> FloatArray:
        """Add `block`, float32 (channels, n), and return the frames that it completes: (channels, t, m), dB."""
        buffer = np.concatenate([self._tail, block], axis=1)
        hop, n_fft = self._spec.hop_length, self._spec.n_fft
        count = max(0, (buffer.shape[1] - n_fft) // hop + 1)
        self._tail = buffer[:, count * hop :].copy()
        frames = np.empty((len(buffer), count, self._spec.frame_columns), dtype=precision(self._spec))
        if count:
            framed = np.lib.stride_tricks.sliding_window_view(buffer, n_fft, axis=1)[:, ::hop]  # (channels, t, n_fft)
            log_mel(framed, frames, spec=self._spec)
        return frames

    def flush(self) -> FloatArray:
        """The last frames, (channels, t, m): those that reach into the zeros after the end."""
        return self.push(np.zeros((len(self._tail), self._spec.n_fft // 2), dtype=np.float32))


def stream_frames(blocks: Iterable[FloatArray], *, spec: FeatureSpec, keep_samples: bool) -> Iterator[Frames]:
    """Frames of a recording that arrives in blocks, with the power of the hop of samples that each begins.

    Args:
        blocks: float32 (channels, n) each, at `spec.rate_hz`.
        spec: the recipe of the frames.
        keep_samples: whether the frames include their samples.

    Yields:
        Frames; 1 + n // hop over a whole recording of n samples, none for an empty one.
    """
    hop = spec.hop_length
    stream: FrameStream | None = None
    columns = power = rest = np.empty((0, 0, 0), dtype=np.float32)
    for block in blocks:
        if stream is None:
            stream = FrameStream(spec=spec, channels=len(block))
            shapes = ((spec.frame_columns,), (), ())
            columns, power, rest = (np.empty((len(block), 0, *more), np.float32) for more in shapes)
        columns = _joined(columns, stream.push(block))
        samples = _joined(rest, block)
        whole = samples.shape[1] // hop * hop
        power = _joined(power, _hop_power(samples[:, :whole], hop))
        rest = samples[:, whole:].copy()
        ready = min(columns.shape[1], power.shape[1])
        yield Frames(columns[:, :ready], power[:, :ready], block if keep_samples else None)
        columns, power = columns[:, ready:], power[:, ready:]
    if stream is not None:
        columns = _joined(columns, stream.flush())
        power = _joined(power, _hop_power(np.pad(rest, ((0, 0), (0, hop - rest.shape[1]))), hop))
        yield Frames(columns, power[:, : columns.shape[1]], None)


def _joined(left: FloatArray, right: FloatArray) -> FloatArray:
    """Both, one after the other in time; nothing is copied if the left one is empty, which is usual."""
    return np.concatenate([left, right], axis=1) if left.shape[1] else right


def _hop_power(samples: FloatArray, hop: int) -> FloatArray:
    """Mean square of each hop, (channels, t), without the constant part of the samples (DC offset)."""
    if not samples.size:
        return np.zeros((len(samples), 0), dtype=np.float32)
    hops = samples.reshape(len(samples), -1, hop)
    squares = np.einsum("cth,cth->ct", hops, hops) / np.float32(hop)
    means = np.einsum("cth->ct", hops) / np.float32(hop)
    offset = means.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    # E[(x - m)^2] = E[x^2] - m (2 E[x] - m), which spares two passes over the samples.
    return np.asarray(np.maximum(squares - offset * (2 * means - offset), 0))


@lru_cache(maxsize=8)
def _dct_matrix(spec: FeatureSpec) -> FloatArray:
    """Orthonormal DCT-II with the lifter's weights, (m, c)."""
    mel = (np.arange(spec.n_mels) + 0.5)[:, None]
    order = np.arange(spec.n_mfcc)
    matrix = np.cos(np.pi / spec.n_mels * mel * order) * math.sqrt(2 / spec.n_mels)  # (m, c)
    matrix[:, 0] /= math.sqrt(2)
    if spec.lifter:
        matrix *= 1 + spec.lifter / 2 * np.sin(np.pi * (order + 1) / spec.lifter)
    return np.asarray(matrix, dtype=precision(spec))


def _delta(frames: FloatArray, width: int, order: int) -> FloatArray:
    """Savitzky-Golay derivative of polynomial order `order`, float32 (t, c), as `librosa.feature.delta`.

    A polynomial of the same order as the derivative has a constant derivative, so both ends repeat the value of the
    first and the last whole window. Shorter inputs are continued by their last frame.
    """
    count = len(frames)
    if count < width:
        frames = np.concatenate([frames, np.repeat(frames[-1:], width - count, axis=0)])
    offsets = np.arange(width) - width // 2
    fit = np.linalg.pinv(np.vander(offsets, order + 1, increasing=True))[order] * math.factorial(order)  # (width,)
    inner = np.zeros_like(frames[width - 1 :])  # (t - width + 1, c)
    for shift, weight in enumerate(fit.astype(frames.dtype)):
        inner += weight * frames[shift : shift + len(inner)]
    return np.pad(inner, ((width // 2, width // 2), (0, 0)), mode="edge")[:count]
