"""Where a call is made and how it is kept: voices or traffic beside the speaker, and the codec of the archive.

Comes before `export.audio.telephone`. Samples are float32 (n,) in [-1, 1] at 8 kHz.
All clips of a call are in the same place, because statistics of a channel mean something only if that stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from export.audio.codecs import CODECS, LINE_HZ
from export.audio.noise import BABBLE_VOICES, talk_at_once, traffic, with_noise
from sertag.records import FloatArray

_SNR_DB = (8.0, 25.0)
_VOICES = (0.8, 1.25)  # how much faster the others speak, which makes other people of them


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One place and one archive.

    Attributes:
        babble: whether others talk; else it is a street.
        snr_db: speech over noise.
        stored_as: a name out of `export.audio.codecs.CODECS`, None for none.
    """

    babble: bool
    snr_db: float
    stored_as: str | None


def draw_surroundings(rng: np.random.Generator) -> Surroundings:
    """Draw at random."""
    return Surroundings(
        babble=bool(rng.random() < 0.5),
        snr_db=float(rng.uniform(*_SNR_DB)),
        stored_as=str(rng.choice(list(CODECS))) if rng.random() < 0.7 else None,
    )


def surround(
    clips: Sequence[FloatArray], *, place: Surroundings, speech_dbfs: float, rng: np.random.Generator
) -> list[FloatArray]:
    """Put the clips of a call into its surroundings; nothing is stored yet.

    Args:
        clips: float32 (n,) each, n >= 1. The others who talk are made of them, so that no other speaker gets into the
            call; of fewer clips than voices no babble can be made, and the call comes from a street.
        place: where it is.
        speech_dbfs: level of the call; loud and soft clips of it keep their distance to the noise.
        rng: of the noise.

    Returns:
        One a clip, as long.
    """
    total = sum(len(clip) for clip in clips)
    among_others = place.babble and len(clips) >= BABBLE_VOICES
    noise = _others(clips, total, rng) if among_others else traffic(total, rate_hz=LINE_HZ, rng=rng)
    noise_rms = 10 ** ((speech_dbfs - place.snr_db) / 20)
    call = with_noise(np.concatenate(clips), noise, noise_rms=noise_rms)
    return np.split(call, np.cumsum([len(clip) for clip in clips])[:-1])


def _others(clips: Sequence[FloatArray], count: int, rng: np.random.Generator) -> FloatArray:
    """Babble, float32 (count,), of the clips in another order, each voice at a speed of its own."""
    order = rng.permutation(len(clips))
    voices = [
        soxr.resample(
            np.concatenate([clips[index] for index in order[first::BABBLE_VOICES]]),
            LINE_HZ * float(rng.uniform(*_VOICES)),
            LINE_HZ,
        )
        for first in range(BABBLE_VOICES)
    ]
    babble = talk_at_once([np.resize(voice, max(1, count)) for voice in voices])
    return np.roll(babble, int(rng.integers(len(babble))))
