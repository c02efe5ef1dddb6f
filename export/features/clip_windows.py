"""Clips to the windows that the tagger would score; kept on disk.

Each version of a clip (as it is, over a telephone line, each augmentation) goes through `tag_file` with a recorder in
the place of the model, so a network is trained on what it is given when it tags. Features are float32 (w, t, c), or
what a frozen encoder makes of them, float16.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from joblib import Parallel, delayed

from export.arrays import Ints, Probs
from export.audio.clip_file import WHOLE_CLIP, clip_file, read_clip
from export.audio.effects import NOISY_LINE, augment, noisy_line
from export.audio.telephone import LINE_HZ, over_a_line
from export.cache import cache_arrays
from export.corpora.clips import Clip
from export.errors import ExportError
from export.features.encoder import Encoder
from export.progress import Report
from sertag.model.session import Model, Prediction
from sertag.records import AudioFile, FloatArray, Statistics
from sertag.spec import ModelSpec
from sertag.tagging.pipeline import tag_file

CLEAN, PHONE = "clean", "phone"
CONDITIONS = (CLEAN, PHONE)

_CACHE_VERSION = 1  # raised when a version of a clip is made otherwise


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of all clips in one version."""

    features: FloatArray  # float32 (w, t, c), clip after clip
    starts: Ints  # int64 (n + 1,), where each clip's windows begin; a clip without enough speech has none
    speech_s: Probs  # float64 (w,), speech in each

    def first_of(self, members: Ints) -> tuple[FloatArray, Ints]:
        """The first window of each clip that has one, (m, t, c), and which of `members` these are."""
        heard = members[self.starts[members + 1] > self.starts[members]]
        return self.features[self.starts[heard]], heard

    @property
    def counts(self) -> Ints:
        """Windows of each clip, int64 (n,)."""
        return np.diff(self.starts)

    @property
    def clip_of(self) -> Ints:
        """Number of the clip that each window is from, int64 (w,)."""
        return np.repeat(np.arange(len(self.starts) - 1), self.counts)

    def rows_of(self, members: Ints) -> Ints:
        """Rows of the windows of some clips, clip after clip."""
        parts = [np.arange(self.starts[member], self.starts[member + 1]) for member in members]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


@dataclass(frozen=True, slots=True)
class Job:
    """What decides the windows of a clip besides its samples."""

    spec: ModelSpec  # a model's features and windows
    seed: int  # of lines and augmentations
    encoder: Path | None = None  # a frozen encoder through which windows go, None for the features themselves

    @property
    def folder(self) -> str:
        """Name of the part of the cache that holds such windows."""
        spec = self.spec
        parts: list[object] = [_CACHE_VERSION, self.seed, spec.window_s, spec.hop_s, spec.offset_s, spec.min_speech_s]
        if self.encoder is not None:
            parts.append(hashlib.sha256(self.encoder.read_bytes()).hexdigest())
        text = json.dumps([*parts, dataclasses.asdict(spec.features)])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def prepare_clips(
    clips: Sequence[Clip],
    *,
    augmentations: Sequence[str],
    job: Job,
    cache: Path,
    jobs: int,
    report: Report = lambda what, share: None,
) -> dict[str, Windows]:
    """Make or load the windows of all clips, in this order, by the name of the version.

    `augmentations` are versions beside the clip as it is and by phone, see `export.audio.effects`. The cache gets one
    small file a clip and version, named by content. An ExportError where it cannot be written, or a clip not be read.
    """
    place = cache / job.folder
    names = (*CONDITIONS, *augmentations)
    work = (delayed(_versions)(clip, names, job, place) for clip in clips)
    parts: list[list[tuple[FloatArray, Probs]]] = []
    for part in Parallel(n_jobs=jobs, return_as="generator")(work):
        parts.append(part)
        if len(parts) % 50 == 0 or len(parts) == len(clips):
            report(f"features of {job.spec.name}", len(parts) / len(clips))
    return {name: _windows([part[index] for part in parts]) for index, name in enumerate(names)}


def tagged_windows(path: Path, *, spec: ModelSpec) -> tuple[FloatArray, Probs]:
    """The windows that the tagger would score of a recording, mixed down, for the model to be.

    Features, float32 (w, t, c), and seconds of speech, float64 (w,); both empty where there is too little speech. An
    ExportError where the recording cannot be decoded.
    """
    recorder = _Recorder(spec)
    result = tag_file(AudioFile(str(path)), model=cast(Model, recorder), options=WHOLE_CLIP)
    channel = result.channels[0]
    if channel.channel is None and channel.problem is not None:
        raise ExportError(result.crash or channel.problem.message, code=channel.problem.code)
    shape = (spec.features.n_coefficients, 1) if spec.features.pooling == "mean" else (0, 0)
    windows = np.concatenate(recorder.windows) if recorder.windows else np.zeros((0, *shape), dtype=np.float32)
    speech_s = [segment.speech_ratio * (segment.end_s - segment.start_s) for segment in channel.segments]
    return windows, np.array(speech_s, dtype=np.float64)


class _Recorder:
    """Stands where the model stands and keeps what it is given."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.windows: list[FloatArray] = []

    def predict(self, features: FloatArray, *, statistics: Statistics | None = None) -> Prediction:
        self.windows.append(np.asarray(features, dtype=np.float32))
        count, labels = len(features), len(self.spec.labels)
        return Prediction(np.full((count, labels), 1 / max(1, labels)), np.zeros((count, len(self.spec.outputs))))


def _versions(clip: Clip, names: tuple[str, ...], job: Job, folder: Path) -> list[tuple[FloatArray, Probs]]:
    """Features and seconds of speech of each version, out of the cache where they are there."""
    found = []
    for name in names:
        place = folder / f"{clip.digest}-{name}.npz"
        if not place.exists():
            features, speech_s = _make(clip, name, job)
            if job.encoder is not None:
                features = Encoder.load(job.encoder).run(features)
            if job.spec.features.framing == "channel":
                features = features.astype(np.float16)  # all versions of all clips are in memory when networks train
            cache_arrays(place, {"features": features, "speech_s": speech_s})
        with np.load(place) as stored:
            found.append((stored["features"], stored["speech_s"]))
    return found


def _make(clip: Clip, name: str, job: Job) -> tuple[FloatArray, Probs]:
    if name == CLEAN:
        return tagged_windows(clip.path, spec=job.spec)
    samples, rate_hz = _version(clip, name, job)
    with clip_file(samples, rate_hz=rate_hz, subtype="PCM_16" if rate_hz == LINE_HZ else "FLOAT") as place:
        return tagged_windows(place, spec=job.spec)


def _version(clip: Clip, name: str, job: Job) -> tuple[FloatArray, int]:
    """Samples of a version, float32 (n,), and their rate."""
    if name == PHONE:
        return over_a_line(read_clip(clip.path, rate_hz=LINE_HZ), digest=clip.digest, seed=job.seed), LINE_HZ
    if name == NOISY_LINE:
        rng = np.random.default_rng([job.seed, int(clip.digest[:15], 16), 0])
        return noisy_line(read_clip(clip.path, rate_hz=LINE_HZ), rng), LINE_HZ
    rate_hz = job.spec.features.rate_hz
    rng = np.random.default_rng([job.seed, int(clip.digest[:15], 16), len(name)])
    return augment(read_clip(clip.path, rate_hz=rate_hz), kind=name, rate_hz=rate_hz, rng=rng), rate_hz


def _windows(parts: list[tuple[FloatArray, Probs]]) -> Windows:
    filled = [features for features, _ in parts if len(features)]
    return Windows(
        features=np.concatenate(filled) if filled else np.zeros((0, 0, 0), dtype=np.float32),
        starts=np.concatenate([[0], np.cumsum([len(features) for features, _ in parts])]).astype(np.int64),
        speech_s=np.concatenate([speech_s for _, speech_s in parts]),
    )
