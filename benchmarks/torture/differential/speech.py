"""Speech of real people, as long as a case needs it: what the recordings of `benchmarks.torture.differential` hold.

Clips of the data folder, those of calls first, else the example calls. Samples are float32 in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Samples = npt.NDArray[np.float32]

SHORTEST_S, LONGEST_S = 5.0, 40.0
_PEAK = 0.5  # of full scale, so that no encoder clips
_FOLDERS = ("calls", "ordinary", "ravdess", "crema_d", "tess", "emodb", "emovo", "nemo")
_PER_FOLDER = 60  # enough to sound different
_SUFFIXES = (".wav", ".flac", ".opus", ".mp3")  # that libsndfile reads
_EXAMPLES = Path(__file__).parents[3] / "examples" / "calls"


@dataclass(frozen=True, slots=True)
class Sound:
    """What a recording is made of.

    Attributes:
        tracks: of each track the samples, float32 (channels, samples).
        starts_s: of each track when it begins, seconds.
        rate_hz: of all tracks.
    """

    tracks: tuple[Samples, ...]
    starts_s: tuple[float, ...]
    rate_hz: int

    @property
    def seconds(self) -> float:
        """When the last track ends."""
        ends = [
            start_s + track.shape[1] / self.rate_hz for start_s, track in zip(self.starts_s, self.tracks, strict=True)
        ]
        return max(ends)


def clips(data: Path) -> tuple[Path, ...]:
    """Recordings with speech, always in the same order."""
    found: list[Path] = []
    for name in _FOLDERS:
        paths = sorted(path for path in (data / name).rglob("*") if path.suffix in _SUFFIXES)
        found += paths[:: max(1, len(paths) // _PER_FOLDER)]
    return tuple(found or sorted(_EXAMPLES.glob("*order*.wav")))


def sound(among: tuple[Path, ...], rng: np.random.Generator, *, rate_hz: int, channels: int, tracks: int) -> Sound:
    """Speech for one recording; with several tracks each has its own start and length.

    Args:
        among: the clips.
        rng: chooses clips, lengths and starts.
        rate_hz: wanted.
        channels: of each track; every one is another person.
        tracks: how many.
    """
    made, starts_s = [], []
    for number in range(tracks):
        seconds = float(np.exp(rng.uniform(np.log(SHORTEST_S), np.log(LONGEST_S))))
        made.append(np.stack([_speech(among, rng, seconds=seconds, rate_hz=rate_hz) for _ in range(channels)]))
        starts_s.append(float(rng.choice((0.0, 0.0, 0.7, 2.5))) if number else 0.0)
    return Sound(tuple(made), tuple(starts_s), rate_hz)


def _speech(among: tuple[Path, ...], rng: np.random.Generator, *, seconds: float, rate_hz: int) -> Samples:
    """Clips one behind the other, float32 (samples,)."""
    wanted = round(seconds * rate_hz)
    parts: list[Samples] = []
    while sum(map(len, parts)) < wanted:
        samples, own_hz = _clip(among[int(rng.integers(len(among)))])
        start = int(rng.integers(max(1, len(samples) - round(LONGEST_S * own_hz))))  # of whole calls a stretch
        part = soxr.resample(samples[start : start + round(LONGEST_S * own_hz)], own_hz, rate_hz)
        parts.append(part * (_PEAK / max(1e-3, float(np.abs(part).max(initial=0)))))
    return np.concatenate(parts)[:wanted]


@lru_cache(maxsize=64)
def _clip(path: Path) -> tuple[Samples, int]:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(samples[:, 0]), rate_hz
