"""What the recordings of a corpus are like: length, rate, level, DC offset, and which cannot be read.

Station of the line: corpora -> **survey** -> explore. Each clip is decoded once, at its own rate, as the tagger decodes
it, mixed down to one channel. Levels are dBFS of the mean square, offsets shares of full scale.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from export.audio.telephone import level_dbfs
from export.corpora.clips import Clip, Corpus
from export.progress import Report
from sertag.audio.decode import open_audio
from sertag.errors import DecodeError

QUIET_DBFS = -50.0  # an eighth of RAVDESS is under it, no clip of TESS or EmoDB
OFFSET = 0.01  # of full scale: a constant as strong as speech at -40 dBFS


@dataclass(frozen=True, slots=True)
class Sound:
    """One clip that could be read.

    Attributes:
        clip: which.
        duration_s: of what could be read.
        rate_hz, channels: of the file.
        offset: mean of the samples, -1 to 1.
        level_dbfs: at least -90.
        truncated: what is missing, empty where nothing is.
    """

    clip: Clip
    duration_s: float
    rate_hz: int
    channels: int
    offset: float
    level_dbfs: float
    truncated: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One clip that could not be read, with the decoder's code and message."""

    clip: Clip
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Survey:
    """A corpus and what its recordings are like; every clip is either a sound or unreadable."""

    corpus: Corpus
    sounds: tuple[Sound, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def labels(self) -> Counter[str]:
        """Clips of each label, readable or not, in the order of the alphabet."""
        return Counter(sorted(clip.label for clip in self.corpus.clips))

    @property
    def speakers(self) -> dict[str, Counter[str]]:
        """Clips of each speaker by label; both in the order of the alphabet."""
        found: dict[str, Counter[str]] = {}
        for clip in sorted(self.corpus.clips, key=lambda clip: (clip.speaker, clip.label)):
            found.setdefault(clip.speaker, Counter())[clip.label] += 1
        return found

    @property
    def rates_hz(self) -> Counter[int]:
        """Readable clips of each sample rate, ascending."""
        return Counter(sorted(sound.rate_hz for sound in self.sounds))

    @property
    def durations_s(self) -> list[float]:
        """Of the readable clips."""
        return [sound.duration_s for sound in self.sounds]

    @property
    def quiet(self) -> int:
        """Clips under `QUIET_DBFS`."""
        return sum(sound.level_dbfs < QUIET_DBFS for sound in self.sounds)

    @property
    def offset(self) -> int:
        """Clips with a DC offset over `OFFSET`."""
        return sum(abs(sound.offset) > OFFSET for sound in self.sounds)

    @property
    def truncated(self) -> tuple[Sound, ...]:
        """Clips of which a part is missing."""
        return tuple(sound for sound in self.sounds if sound.truncated)


def survey(corpus: Corpus, *, report: Report) -> Survey:
    """Listen to every clip of a corpus.

    Args:
        corpus: with at least one clip.
        report: called with the corpus' name and the share that is done.
    """
    sounds: list[Sound] = []
    unreadable: list[Unreadable] = []
    for number, clip in enumerate(corpus.clips, start=1):
        try:
            sounds.append(_listen(clip))
        except DecodeError as error:
            unreadable.append(Unreadable(clip, error.code, str(error)))
        report(corpus.name, number / len(corpus.clips))
    return Survey(corpus, tuple(sounds), tuple(unreadable))


def _listen(clip: Clip) -> Sound:
    with open_audio(str(clip.path)) as audio:
        samples = np.concatenate([block.mean(axis=0) for block in audio.blocks(rate_hz=audio.rate_hz)])
        return Sound(
            clip=clip,
            duration_s=audio.duration_s,
            rate_hz=audio.rate_hz,
            channels=audio.channels,
            offset=float(samples.mean(dtype=np.float64)),
            level_dbfs=level_dbfs(samples),
            truncated=audio.problem.message if audio.problem else "",
        )
