"""Chunks to windows with enough speech, and the features of each.

Stage: speech -> **windows** -> model. Windows begin every hop of a grid that starts at the model's
offset; one more is aligned to the end of the recording if the grid leaves speech uncovered. Frames are computed once
for each channel, and overlapping windows are views of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sertag.features.frames import Chunk
from sertag.records import BoolArray, FloatArray, Windows
from sertag.spec import FeatureSpec, ModelSpec

Ints = npt.NDArray[np.int64]

QUIETEST_POWER = 1e-10  # -100 dBFS stands for digital silence


def cut_windows(
    chunk: Chunk,
    active: BoolArray,
    *,
    channel: int,
    spec: ModelSpec,
    frame_hz: float,
    hop_s: float,
    duration_s: float | None,
) -> Windows:
    """Windows of one channel that begin in a chunk and contain at least `spec.min_speech_s` of speech.

    Args:
        chunk: frames of all channels.
        active: bool (t,), the speech of this channel, lookahead included.
        channel: index of the channel.
        spec: the model's specification.
        frame_hz: frames per second of the chunk.
        hop_s: step between windows, seconds.
        duration_s: length of the recording, known (and needed) for its last chunk only.

    Returns:
        The windows in order of time.
    """
    clip = spec.features.framing == "clip"
    unit_hz = spec.features.rate_hz if clip else frame_hz
    length = round(spec.window_s * unit_hz) if clip else spec.window_frames
    starts = _grid(chunk, spec=spec, unit_hz=unit_hz, frame_hz=frame_hz, hop_s=hop_s, length=length)
    first_s = chunk.first_frame / frame_hz
    step = round(unit_hz / frame_hz)  # units of one frame
    begin = (starts + step // 2) // step  # (w,) the nearest frames inside the chunk
    stop = np.minimum(begin + round(spec.window_s * frame_hz), len(active))
    speech_before = np.concatenate([[0], np.cumsum(active)])
    power = np.concatenate([[0.0], np.cumsum(chunk.frames.power[channel] * active, dtype=np.float64)])
    speech_frames = speech_before[stop] - speech_before[begin]
    kept = speech_frames >= max(1, round(spec.min_speech_s * frame_hz))
    begin, stop, speech_frames = begin[kept], stop[kept], speech_frames[kept]
    end_s = first_s + starts[kept] / unit_hz + spec.window_s
    return Windows(
        starts=starts[kept],
        start_s=first_s + starts[kept] / unit_hz,
        end_s=end_s if duration_s is None else np.minimum(end_s, duration_s),
        speech_s=speech_frames / frame_hz,
        loudness_dbfs=10 * np.log10(np.maximum((power[stop] - power[begin]) / speech_frames, QUIETEST_POWER)),
        first_frame=chunk.first_frame + begin,
        end_frame=chunk.first_frame + stop,
    )


def window_batches(
    windows: Windows, source: FloatArray, *, length: int, padding: FloatArray, size: int
) -> Iterator[FloatArray]:
    """The frames of windows, a batch of windows at a time.

    Args:
        windows: windows to cut.
        source: float32 (t, c) coefficients of the chunk.
        length: frames of one window.
        padding: float32 (c,), the frame that pads a recording that is shorter than a window.
        size: windows of one batch.

    Yields:
        float32 (b, length, c), b <= size.
    """
    short = length - len(source)
    if short > 0:
        source = np.concatenate([source, np.broadcast_to(padding, (short, source.shape[1]))])
    views = np.lib.stride_tricks.sliding_window_view(source, length, axis=0).transpose(0, 2, 1)  # (starts, length, c)
    for first in range(0, len(windows.starts), size):
        yield views[windows.starts[first : first + size]]


def clips(windows: Windows, samples: FloatArray, *, length: int) -> list[FloatArray]:
    """The samples of each window, float32 (n,), n <= length: shorter only where the recording ends."""
    return [samples[start : start + length] for start in windows.starts]


def fit_frames(frames: FloatArray, *, spec: FeatureSpec, length: int) -> FloatArray:
    """Pad a clip's frames (t, c) with zeros at the end, as in papers, or cut them to `length`; pooled ones are kept."""
    if spec.pooling == "mean" or len(frames) == length:
        return frames
    return np.pad(frames[:length], ((0, max(0, length - len(frames))), (0, 0)))


def _grid(chunk: Chunk, *, spec: ModelSpec, unit_hz: float, frame_hz: float, hop_s: float, length: int) -> Ints:
    """Where windows begin inside the chunk, in units of frames or samples."""
    first = round(chunk.first_frame / frame_hz * unit_hz)
    core = round(chunk.core_frames / frame_hz * unit_hz)
    available = _available(chunk) if unit_hz != frame_hz else chunk.frames.power.shape[1]
    offset, hop = round(spec.offset_s * unit_hz), max(1, round(hop_s * unit_hz))
    if chunk.last and chunk.first_frame == 0:
        offset = min(offset, max(0, available - length)) if available <= offset else offset
    lowest = offset + max(0, -(-(first - offset) // hop)) * hop - first
    if not chunk.last:
        return np.arange(lowest, core, hop, dtype=np.int64)
    starts = np.arange(lowest, max(0, available - length) + 1, hop, dtype=np.int64)
    covered = int(starts[-1]) + length if len(starts) else max(0, lowest - hop + length)
    if available - covered >= max(1, round(spec.min_speech_s * unit_hz)) or (first == 0 and not len(starts)):
        tail = max(available - length, min(offset, available - 1) if first == 0 else 0)
        starts = np.append(starts, np.int64(tail))
    return starts


def _available(chunk: Chunk) -> int:
    return 0 if chunk.frames.samples is None else chunk.frames.samples.shape[1]
