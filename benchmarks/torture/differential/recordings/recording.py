"""A file with what is known of it, and what a fault makes of it.

`held_s` and `truth` come from how the file was made, because ffmpeg believes wrong headers too; `held_s` is None as
soon as something of the sound was damaged, so that only a decoder can say how much is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr

from benchmarks.torture.differential.outlines import RATE_HZ, Outline, outline
from benchmarks.torture.differential.recordings.formats import Format
from benchmarks.torture.differential.recordings.speech import Sound, sound


@dataclass(frozen=True, slots=True)
class Workshop:
    """What faults may use: a folder to work in, clips for further recordings, and who decides."""

    folder: Path
    clips: tuple[Path, ...]
    rng: np.random.Generator


@dataclass(frozen=True, slots=True)
class Recording:
    """A file and what is known of it.

    Attributes:
        format: what it was made as.
        content: its bytes.
        rate_hz, channels: of its first track.
        held_s: seconds that it holds; None where only a decoder can say.
        spoken_s: seconds of speech that were put into it.
        most_s: seconds that it cannot exceed, where all its bytes are taken for sound.
        truth: outline of the speech in it from the start on, as far as that is known, (channels, n) as of `ffmpeg`.
        faults: what was done.
        kinds: names of the faults.
    """

    format: Format
    content: bytes
    rate_hz: int
    channels: int
    held_s: float | None
    spoken_s: float
    most_s: float
    truth: Outline | None = None
    faults: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


Fault = Callable[[Recording, Workshop], Recording | None]  # None where it means nothing for such a file


def recorded(format: Format, shop: Workshop, *, piped: bool = False, **fixed: int) -> Recording:
    """A sound recording of a format; `fixed` are `rate_hz` or `channels` that it must have."""
    rng = shop.rng
    rate_hz = fixed.get("rate_hz") or int(rng.choice(format.rates_hz))
    channels = fixed.get("channels") or int(rng.choice(format.channels))
    speech = sound(shop.clips, rng, rate_hz=rate_hz, channels=channels, tracks=format.tracks)
    content = format.make(speech, shop.folder, piped)
    truth = _outline(speech) if format.speaks else None
    held_s = None if format.container == "avi" and format.tracks > 1 else speech.seconds  # AVI keeps no starts
    faults = ("piped",) if piped else ()
    return Recording(format, content, rate_hz, channels, held_s, speech.seconds, speech.seconds, truth, faults)


def same(recording: Recording, content: bytes, what: str) -> Recording:
    """The sound is all there; where no size is known, what was added may be taken for more of it."""
    most_s = recording.most_s * max(1.0, len(content) / len(recording.content))
    return replace(recording, content=content, most_s=most_s, faults=(*recording.faults, what))


def damaged(recording: Recording, content: bytes, what: str) -> Recording:
    """Something of the sound is lost, or is another."""
    return replace(recording, content=content, held_s=None, faults=(*recording.faults, what))


def longer(recording: Recording, other: Recording, content: bytes, what: str) -> Recording:
    """Both recordings in one file; of several tracks each may go on where it ended or where the longest did."""
    spoken_s = recording.spoken_s + other.spoken_s
    held_s = None if recording.held_s is None or recording.format.tracks > 1 else spoken_s
    most_s = recording.most_s + other.most_s
    truth = recording.truth if recording.format.tracks == 1 else None
    if truth is not None and other.truth is not None and len(truth) == len(other.truth):
        truth = np.concatenate((truth, other.truth), axis=1)
    faults = (*recording.faults, what)
    return replace(
        recording, content=content, held_s=held_s, spoken_s=spoken_s, most_s=most_s, truth=truth, faults=faults
    )


def _outline(speech: Sound) -> Outline:
    """Of all channels of all tracks, each begun at its start and padded to the longest."""
    made = np.zeros((sum(map(len, speech.tracks)), round(speech.seconds * RATE_HZ) + 1), np.float32)
    row = 0
    for track, start_s in zip(speech.tracks, speech.starts_s, strict=True):
        samples = soxr.resample(track.T, speech.rate_hz, RATE_HZ).T  # (c, n)
        start = round(start_s * RATE_HZ)
        made[row : row + len(track), start : start + samples.shape[1]] = samples[:, : made.shape[1] - start]
        row += len(track)
    return outline(made)
