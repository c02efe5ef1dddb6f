"""What the differential run damages: a recording and the place where it was made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.torture.differential.formats import Format


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
        most_s: seconds that it cannot exceed.
        faults: what was done.
        kinds: names of the faults.
    """

    format: Format
    content: bytes
    rate_hz: int
    channels: int
    held_s: float | None
    most_s: float
    faults: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def same_content(recording: Recording, content: bytes, what: str) -> Recording:
    """The sound is all there; where no size is known, what was added may be taken for more of it."""
    most_s = recording.most_s * max(1.0, len(content) / len(recording.content))
    return replace(recording, content=content, most_s=most_s, faults=(*recording.faults, what))


def damaged_content(recording: Recording, content: bytes, what: str) -> Recording:
    """The recording with other bytes, of which nobody knows how much sound they hold."""
    return replace(recording, content=content, held_s=None, faults=(*recording.faults, what))
