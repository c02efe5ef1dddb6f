"""Where each speaker's neutral speech lies, and windows moved from there to where another speaker's lies.

Voices, lines and recordings differ more than moods do, and corpora of moods have few of them. A network that is shown
every mood as a change from everybody's neutral speech, hundreds of callers among them, cannot take one of them for the
other. It needs nobody's neutral speech when it tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.arrays import Ints
from export.corpora.clips import Clip
from export.features.clip_windows import Windows
from sertag.records import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class NeutralSpeech:
    """Of p speakers who have some."""

    means: FloatArray  # float32 (p, d), mean of the first d columns of each speaker's neutral windows
    speaker_of: Ints  # int64 (n,), the row of each clip's speaker, -1 for clips of others

    def exchanged(self, features: FloatArray, clip_of: Ints, *, rng: np.random.Generator) -> FloatArray:
        """Windows, float32 (w, t, c), each moved to where a speaker drawn for it speaks neutrally.

        `clip_of` is int64 (w,), the clip of each. Windows of speakers without neutral speech stay as they are.
        """
        own = self.speaker_of[clip_of]
        other = rng.integers(max(1, len(self.means)), size=len(own))
        shift = np.zeros((len(own), features.shape[2]), dtype=np.float32)
        known = own >= 0
        shift[known, : self.means.shape[1]] = self.means[other[known]] - self.means[own[known]]
        return features + shift[:, None, :]


def find_neutral_speech(clips: Sequence[Clip], windows: Windows, *, neutral: BoolArray, columns: int) -> NeutralSpeech:
    """Mean of the first columns of the frames of all who have neutral clips; `neutral` is bool (n,)."""
    people = np.array([clip.person for clip in clips])
    clip_of = windows.clip_of
    rows = np.flatnonzero(neutral[clip_of])
    names, speaker = np.unique(people[clip_of[rows]], return_inverse=True)
    means = np.zeros((len(names), min(columns, windows.features.shape[2])), dtype=np.float32)
    for number in range(len(names)):
        means[number] = windows.features[rows[speaker == number], :, :columns].mean(axis=(0, 1), dtype=np.float64)
    place = {name: number for number, name in enumerate(names)}
    return NeutralSpeech(means, np.array([place.get(name, -1) for name in people], dtype=np.int64))
