"""What networks for calls learn from: windows, what they are to be taken for, and how much each counts.

People count, not clips: the clips of a label in a corpus together weigh the square root of the number of their
speakers, and so do those of a source of ordinary speech, which nobody acted and which has a fixed share of the whole.
Recordings without speech teach the output `speech` alone.

Voices, lines and recordings differ more than moods do, and corpora of moods have few of them. Where a recipe says so,
windows are shown from where the neutral speech of other speakers lies, hundreds of callers among them: as every mood is
then a change from everybody's neutral speech, a network cannot take one of them for the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.arrays import Ints, Probs
from export.corpora.clips import Clip
from export.corpora.own_data import ORDINARY
from export.errors import ExportError
from export.features.clip_windows import CLEAN, Windows
from sertag.records import BoolArray, FloatArray

NEUTRAL = "neutral"
UNKNOWN = -1  # of a clip that has no emotion because nobody speaks
UNACTED_SHARE = 0.3  # of the weight of all emotions
_LEAST_SHARE = 0.01  # of a label; one that nobody has is not to be made likely

SoftTargets = Mapping[str, Probs]  # version -> (n, k), for each clip; zeros where the teacher says nothing
Batch = tuple[FloatArray, dict[str, FloatArray], dict[str, FloatArray]]


@dataclass(frozen=True, slots=True)
class NeutralSpeech:
    """Where the neutral speech of p speakers lies."""

    means: FloatArray  # float32 (p, d), mean of the first d columns of each speaker's neutral windows
    speaker_of: Ints  # int64 (n,), the row of each clip's speaker, -1 for clips of others

    def exchanged(self, features: FloatArray, clip_of: Ints, *, rng: np.random.Generator) -> FloatArray:
        """Windows of clips, (w, t, c) and int64 (w,), moved to where a speaker drawn for each speaks neutrally.

        Windows of speakers without neutral speech stay as they are.
        """
        own = self.speaker_of[clip_of]
        other = rng.integers(max(1, len(self.means)), size=len(own))
        shift = np.zeros((len(own), features.shape[2]), dtype=np.float32)
        known = own >= 0
        shift[known, : self.means.shape[1]] = self.means[other[known]] - self.means[own[known]]
        return features + shift[:, None, :]


@dataclass(frozen=True, slots=True)
class Material:
    """What an epoch is drawn from."""

    versions: Mapping[str, Windows]  # windows of all clips by the name of the version
    members: Ints  # int64 (m,), clips to learn from
    targets: Probs  # (n, k) for each clip of the data, zeros where it has no emotion
    weights: Probs  # (n,) of the emotion of each clip, mean 1 over those that have one
    is_speech: Probs  # (n,) 1 or 0
    speech_weights: Probs  # (n,) of it
    soft: SoftTargets
    neutral: Mapping[str, NeutralSpeech]  # by version; empty where speakers are not exchanged


def find_material(
    clips: Sequence[Clip],
    versions: Mapping[str, Windows],
    members: Ints,
    *,
    truth: Ints,
    labels: Sequence[str],
    label_smoothing: float,
    exchanged_columns: int,
    soft: SoftTargets,
) -> Material:
    """What is to be learnt of some of n clips; an ExportError where there is nothing.

    Args:
        clips: all of them.
        versions: their windows by the name of the version.
        members: int64 (m,), those to learn from.
        truth: int64 (n,), index of each clip's label, `UNKNOWN` where nobody speaks.
        labels: k of them.
        label_smoothing: share of a target that goes to all labels alike.
        exchanged_columns: first columns that are moved to where other speakers' neutral speech lies; 0 for none.
        soft: what a teacher says.
    """
    heard = np.max([windows.counts for windows in versions.values()], axis=0) > 0
    members = members[heard[members]]
    known = truth[members] != UNKNOWN
    if not known.any():
        message = "no clip with speech to learn from; give more data, or longer and louder clips"
        raise ExportError(message, code="no_data")
    has_label, k = truth != UNKNOWN, len(labels)
    hard = np.where(has_label[:, None], np.eye(k)[np.maximum(truth, 0)], 0.0)
    neutral = np.zeros(len(clips), dtype=np.bool_)
    neutral[members[truth[members] == (labels.index(NEUTRAL) if NEUTRAL in labels else k)]] = True
    exchanged = versions if exchanged_columns and neutral.any() else {}
    return Material(
        versions=versions,
        members=members,
        targets=hard * (1 - label_smoothing) + label_smoothing / k,
        weights=clip_weights(clips, truth, members),
        is_speech=has_label.astype(np.float64),
        speech_weights=np.where(has_label, 1 / known.sum(), 1 / max(1, (~known).sum())) * len(members) / 2,
        soft=soft,
        neutral={
            name: find_neutral_speech(clips, windows, neutral=neutral, columns=exchanged_columns)
            for name, windows in exchanged.items()
        },
    )


def clip_weights(clips: Sequence[Clip], truth: Ints, members: Ints) -> Probs:
    """Weight of each clip of `members` in learning its emotion, float64 (n,), 0 for all others and where there is none.

    `truth` is int64 (n,), as of `find_material`, `members` int64 (m,).
    """
    weights = np.zeros(len(clips))
    groups: dict[tuple[str, str, int], list[int]] = {}
    for index in members[truth[members] != UNKNOWN]:
        groups.setdefault((clips[index].corpus, clips[index].source, int(truth[index])), []).append(int(index))
    for own in groups.values():
        weights[own] = np.sqrt(len({clips[index].speaker for index in own})) / len(own)
    unacted = np.array([clip.corpus == ORDINARY for clip in clips])
    if weights[unacted].any() and weights[~unacted].any():
        wanted = UNACTED_SHARE / (1 - UNACTED_SHARE) * weights[~unacted].sum()
        weights[unacted] *= wanted / weights[unacted].sum()
    return np.asarray(weights * (np.count_nonzero(weights) / max(1e-9, weights.sum())))


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


def label_shares(material: Material) -> Probs:
    """What share of all that is learnt each label is, float64 (k,)."""
    shares = np.zeros(material.targets.shape[1])
    for name, windows in material.versions.items():
        heard = material.weights * (windows.counts > 0)
        shares += heard @ _targets(material, name, np.arange(len(heard)))
    return np.asarray(np.maximum(shares / shares.sum(), _LEAST_SHARE))


def drawn(material: Material, versions: Ints) -> tuple[Ints, Ints, Ints]:
    """Row, version and clip of each window of clips in the versions that were drawn for them."""
    starts = np.stack([windows.starts for windows in material.versions.values()])  # (versions, n + 1)
    first, end = starts[versions, material.members], starts[versions, material.members + 1]
    rows = np.concatenate([np.arange(*window) for window in zip(first, end, strict=True)])
    return rows, np.repeat(versions, end - first), np.repeat(material.members, end - first)


def window_batch(material: Material, rows: Ints, version_of: Ints, clip_of: Ints, *, rng: np.random.Generator) -> Batch:
    """Features, targets and weights of windows; the windows of a clip share its weight."""
    features = np.empty((len(rows), *material.versions[CLEAN].features.shape[1:]), dtype=np.float32)
    targets = np.empty((len(rows), material.targets.shape[1]))
    share = np.empty(len(rows))
    for number, (name, windows) in enumerate(material.versions.items()):
        own = version_of == number
        features[own] = windows.features[rows[own]]
        if name in material.neutral:
            features[own] = material.neutral[name].exchanged(features[own], clip_of[own], rng=rng)
        share[own] = 1 / windows.counts[clip_of[own]]
        targets[own] = _targets(material, name, clip_of[own])
    weights = {
        "probabilities": (material.weights[clip_of] * share).astype(np.float32),
        "speech": (material.speech_weights[clip_of] * share).astype(np.float32),
    }
    spoken = material.is_speech[clip_of][:, None]
    return features, {"probabilities": targets.astype(np.float32), "speech": spoken.astype(np.float32)}, weights


def mixed(batch: Batch, *, alpha: float, rng: np.random.Generator) -> Batch:
    """Each window with a little of another one (Zhang et al. 2018, arXiv 1710.09412)."""
    features, targets, weights = batch
    share = rng.beta(alpha, alpha, size=len(features)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(features))

    def mix(values: FloatArray) -> FloatArray:
        own = share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(own * values + (1 - own) * values[other], dtype=np.float32)

    mixed_targets = {name: mix(value) for name, value in targets.items()}
    return mix(features), mixed_targets, {name: mix(value) for name, value in weights.items()}


def _targets(material: Material, name: str, clips: Ints) -> Probs:
    """What is learnt of some clips in a version, float64 (n, k): half of it the teacher's where that says something."""
    targets = material.targets[clips]
    if name not in material.soft:
        return targets
    said = material.soft[name][clips]
    return np.asarray(np.where(said.any(axis=1, keepdims=True), 0.5 * (targets + said), targets))
