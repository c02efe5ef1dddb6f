"""Clips to frames, clean, over telephone lines and in noise, made as the tagger makes them and kept on disk.

Station of the line: surroundings, telephone -> **dataset** -> batches. Clips of one speaker are grouped into simulated
calls, which share place, line and speed in every version. Frames are float32 (t, m), mel bands in dB and behind
them voice and pitch, those of all clips of a version one after another.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from joblib import Parallel, delayed

from export.arrays import Ints
from export.audio.clip_file import read_clip
from export.audio.codecs import recode
from export.audio.scenes import draw_surroundings, surround
from export.audio.telephone import draw_line, level_dbfs, transmit
from export.cache import cache_arrays, make_cache
from export.corpora.clips import Clip
from sertag.features import FrameStream
from sertag.records import BoolArray, FloatArray
from sertag.spec import FeatureSpec
from sertag.speech import detect

CALL_CLIPS = 24  # about a minute of speech, a short call
SPEEDS = (0.88, 1.14)
_CACHE_VERSION = 6  # raised when frames or the telephone change, so that no older frames are taken for new ones


@dataclass(frozen=True, slots=True)
class Variant:
    """What a version does to the clips.

    Attributes:
        phone: sends each call over a line of its own.
        speed: plays each call faster or slower, by a factor between `SPEEDS`, which gives its speaker another pitch and
            vocal tract (Ko et al. 2015).
        noisy: puts each call into surroundings and an archive of its own.
    """

    phone: bool
    speed: bool
    noisy: bool = False


# The first two and the last are also what is scored: recordings as they are, over a line, and out of a noisy place.
VARIANTS = (
    Variant(phone=False, speed=False),
    Variant(phone=True, speed=False),
    Variant(phone=True, speed=True),
    Variant(phone=True, speed=True),
    Variant(phone=False, speed=True),
    Variant(phone=False, speed=True, noisy=True),
    Variant(phone=True, speed=False, noisy=True),
)


@dataclass(frozen=True, slots=True)
class Version:
    """All clips in one variant.

    Attributes:
        frames: float32 (t, m), as `sertag.features` makes them, clip after clip.
        variant: which.
        starts: int64 (clips + 1,), where each clip begins and where the last one ends.
        speech: bool (t,).
        quiet: float32 (clips, m), dB, the faintest level of each clip in each band: what is heard when nobody speaks;
            without voice.
    """

    frames: FloatArray
    variant: Variant
    starts: Ints
    speech: BoolArray
    quiet: FloatArray

    def clip(self, index: int) -> tuple[FloatArray, BoolArray]:
        """Frames (t, m) of one clip, and which of them are speech (t,)."""
        start, stop = self.starts[index], self.starts[index + 1]
        return self.frames[start:stop], self.speech[start:stop]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Clips with their frames.

    Attributes:
        clips: n of them.
        calls: int64 (n,), the simulated call each belongs to; all of one call are of one speaker.
        versions: one a variant, in the order of `VARIANTS`.
        features: the recipe of the frames.
    """

    clips: tuple[Clip, ...]
    calls: Ints
    versions: tuple[Version, ...]
    features: FeatureSpec


@dataclass(frozen=True, slots=True)
class Preparation:
    """Settings of `prepare`: the recipe of the frames, and the seed of calls, lines and speeds."""

    features: FeatureSpec
    seed: int


def prepare(
    clips: Sequence[Clip],
    *,
    preparation: Preparation,
    cache: Path,
    jobs: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Dataset:
    """Make or load the frames of all clips.

    Args:
        clips: of any number of corpora.
        preparation: what to make.
        cache: folder for the frames, one file a call, named by content.
        jobs: processes.
        report: called with calls done and calls in all.

    Returns:
        The clips, call after call.

    Raises:
        ExportError: a clip cannot be decoded, or the cache cannot be written.
    """
    make_cache(cache)
    calls = group_calls(clips, seed=preparation.seed)
    work = (delayed(_cached_call)(call, preparation, cache) for call in calls)
    parts: list[list[list[FloatArray]]] = []  # call, version, clip
    for part in Parallel(n_jobs=jobs, return_as="generator")(work):
        parts.append(part)
        report(len(parts), len(calls))
    versions = (
        as_version([frames for part in parts for frames in part[index]], variant=variant, features=preparation.features)
        for index, variant in enumerate(VARIANTS)
    )
    numbers = np.repeat(np.arange(len(calls)), [len(call) for call in calls])
    return Dataset(
        clips=tuple(clip for call in calls for clip in call),
        calls=numbers,
        versions=tuple(versions),
        features=preparation.features,
    )


def group_calls(clips: Sequence[Clip], *, seed: int) -> list[list[Clip]]:
    """Shuffle each speaker's clips and deal them into calls of about `CALL_CLIPS`, emotions mixed.

    >>> group_calls([], seed=1)
    []
    """
    by_person: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda clip: (clip.person, clip.digest)):
        by_person.setdefault(clip.person, []).append(clip)
    calls: list[list[Clip]] = []
    for person, own in by_person.items():
        digest = hashlib.sha256(f"{seed} {person}".encode()).digest()
        order = np.random.default_rng(int.from_bytes(digest[:8], "big")).permutation(len(own))
        pieces = np.array_split(order, max(1, round(len(own) / CALL_CLIPS)))
        calls.extend([own[index] for index in piece] for piece in pieces)
    return calls


def frame_clip(samples: FloatArray, *, spec: FeatureSpec) -> FloatArray:
    """Frames of one clip as the tagger frames a channel: float32 (n,) -> (t, m)."""
    stream = FrameStream(spec=spec, channels=1)
    return np.asarray(np.concatenate([stream.push(samples[None]), stream.flush()], axis=1)[0])


def as_version(clips: list[FloatArray], *, variant: Variant, features: FeatureSpec) -> Version:
    """Lay the frames of clips, each float32 (t, m), one after another and find their speech."""
    starts = np.concatenate([[0], np.cumsum([len(frames) for frames in clips])]).astype(np.int64)
    speech = np.concatenate([detect(frames, spec=features) for frames in clips])
    quiet = np.array([np.percentile(frames, 5, axis=0) for frames in clips], dtype=np.float32)
    quiet[:, features.n_mels :] = 0
    return Version(frames=np.concatenate(clips), variant=variant, starts=starts, speech=speech, quiet=quiet)


def _cached_call(call: list[Clip], preparation: Preparation, cache: Path) -> list[list[FloatArray]]:
    """Frames by version and clip, from the cache where they are there."""
    who = [[clip.digest, clip.person] for clip in call]
    spec = _of_frames(preparation.features)
    name = json.dumps([_CACHE_VERSION, preparation.seed, dataclasses.asdict(spec), who], sort_keys=True)
    place = cache / f"{hashlib.sha256(name.encode()).hexdigest()}.npz"
    count = len(call)
    if not place.exists():
        drawn = hashlib.sha256(json.dumps([preparation.seed, who]).encode()).digest()
        rng = np.random.default_rng(int.from_bytes(drawn[:8], "big"))  # the same lines whatever the frames
        made = list(_make_call(call, spec, rng))
        lengths = [len(frames) for frames in made]
        cache_arrays(place, {"frames": np.concatenate(made), "lengths": np.array(lengths)})
    with np.load(place) as stored:
        frames, lengths = stored["frames"], stored["lengths"]
    pieces = np.split(frames, np.cumsum(lengths)[:-1])
    return [pieces[index : index + count] for index in range(0, len(pieces), count)]


def _of_frames(features: FeatureSpec) -> FeatureSpec:
    """The part of a recipe that frames depend on; what is made of them is made anew each time."""
    plain = FeatureSpec(kind="log_mel")
    later = ("n_mfcc", "lifter", "delta_order", "delta_width", "normalisation")
    return dataclasses.replace(features, kind="log_mel", **{name: getattr(plain, name) for name in later})


def _make_call(call: list[Clip], spec: FeatureSpec, rng: np.random.Generator) -> Iterator[FloatArray]:
    samples = [read_clip(clip.path, rate_hz=spec.rate_hz) for clip in call]
    speech_dbfs = float(np.median([level_dbfs(clip) for clip in samples]))
    for variant in VARIANTS:
        line, speed = draw_line(rng), float(rng.uniform(*SPEEDS))
        place = draw_surroundings(rng) if variant.noisy else None
        heard = [soxr.resample(clip, spec.rate_hz * speed, spec.rate_hz) if variant.speed else clip for clip in samples]
        if place is not None:
            heard = surround(heard, place=place, speech_dbfs=speech_dbfs, rng=rng)
        if variant.phone:
            heard = [transmit(clip, line=line, speech_dbfs=speech_dbfs, rng=rng) for clip in heard]
        if place is not None and place.stored_as is not None:
            heard = [recode(clip, codec=place.stored_as) for clip in heard]
        yield from (frame_clip(clip, spec=spec) for clip in heard)
