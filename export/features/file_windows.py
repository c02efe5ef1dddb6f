"""Windows of a clip given as a file, cut as the tagger cuts them; what other windows are laid out with, too.

Station of the line: dataset -> **file_windows** -> predictions. Frames are as `sertag.features` makes them, float32
(t, m); features are coefficients, float32 (w, t, c).
"""

from __future__ import annotations

import numpy as np

from export.features.call_frames import Dataset
from export.features.channel_statistics import LEAST_SPEECH_FRAMES
from sertag.features import coefficients, silence_frame
from sertag.records import FloatArray
from sertag.spec import FeatureSpec


def file_windows(
    dataset: Dataset, version: int, index: int, *, frames: int, hop_frames: int
) -> tuple[FloatArray, FloatArray]:
    """The windows that the tagger scores of one clip given as a file.

    Args:
        dataset: all clips.
        version: clean or a line.
        index: of the clip.
        frames: of one window, t.
        hop_frames: step between windows.

    Returns:
        Features float32 (w, t, c) and seconds of speech float32 (w,). A clip with too little speech for the tagger
        still gives its first window, so that it counts, as an error or not.
    """
    features = dataset.features
    clip, speech = dataset.versions[version].clip(index)
    starts = list(range(0, max(0, len(clip) - frames) + 1, hop_frames))
    if len(clip) - starts[-1] - frames >= LEAST_SPEECH_FRAMES:
        starts.append(len(clip) - frames)  # the last one is aligned to the end
    starts = [start for start in starts if speech[start : start + frames].sum() >= LEAST_SPEECH_FRAMES] or [0]
    windows = np.tile(silence_frame(spec=features), (len(starts), frames, 1))
    for row, start in zip(windows, starts, strict=True):
        lay(row, clip[start:], 0)
    heard = [max(1, speech[start : start + frames].sum()) for start in starts]
    return all_coefficients(windows, features), np.array(heard, dtype=np.float32) / features.frame_rate_hz


def all_coefficients(windows: FloatArray, features: FeatureSpec) -> FloatArray:
    """Coefficients of windows of frames: (w, t, m) -> (w, t, c)."""
    return np.stack([coefficients(window, spec=features) for window in windows])


def lay(row: FloatArray, clip: FloatArray, first: int) -> None:
    """Copy the part of a clip that begins at `first` (perhaps negative) and lies inside the row."""
    begin, end = max(0, first), min(len(row), first + len(clip))
    if end > begin:
        row[begin:end] = clip[begin - first : end - first]
