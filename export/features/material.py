"""What networks for calls learn from: windows, what they are to be taken for, and how much each counts.

People count, not clips: the clips of a label in a corpus together weigh the square root of the number of their
speakers, and so do those of a source of ordinary speech, which nobody acted and which has a fixed share of the whole.
Recordings without speech teach the output `speech` alone. Where a recipe says so, windows are shown from where the
neutral speech of other speakers lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.arrays import Ints, Probs
from export.corpora.clips import Clip
from export.corpora.ordinary import NAME as ORDINARY
from export.errors import ExportError
from export.features.clip_windows import ClipData
from export.features.neutral_speech import NeutralSpeech, find_neutral_speech
from sertag.records import FloatArray

NEUTRAL = "neutral"
UNKNOWN = -1  # of a clip that has no emotion because nobody speaks
UNACTED_SHARE = 0.3  # of the weight of all emotions
_LEAST_SHARE = 0.01  # of a label; one that nobody has is not to be made likely

SoftTargets = Mapping[str, Probs]  # version -> (n, k), for each clip; zeros where the teacher says nothing
Batch = tuple[FloatArray, dict[str, FloatArray], dict[str, FloatArray]]


@dataclass(frozen=True, slots=True)
class Material:
    """What an epoch is drawn from.

    Attributes:
        members: clips to learn from.
        targets: (n, k) for each clip of the data, zeros where it has no emotion.
        weights: (n,) of the emotion of each clip, mean 1 over those that have one.
        is_speech: (n,) 1 or 0; speech_weights: (n,) of it.
        neutral: version -> where speakers' neutral speech lies; empty where speakers are not exchanged.
    """

    data: ClipData
    names: tuple[str, ...]
    members: Ints
    targets: Probs
    weights: Probs
    is_speech: Probs
    speech_weights: Probs
    soft: SoftTargets
    neutral: Mapping[str, NeutralSpeech]


def clip_weights(clips: Sequence[Clip], truth: Ints, members: Ints) -> Probs:
    """Weight of each clip of `members` in learning its emotion, float64 (n,), 0 for all others and where there is none.

    Args:
        clips: n of them.
        truth: int64 (n,), see `find_material`.
        members: int64 (m,).
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


def find_material(
    data: ClipData,
    members: Ints,
    *,
    truth: Ints,
    labels: Sequence[str],
    label_smoothing: float,
    exchanged_columns: int,
    soft: SoftTargets,
) -> Material:
    """What is to be learnt of some clips.

    Args:
        data: all clips, n of them.
        members: int64 (m,), those to learn from.
        truth: int64 (n,), index of each clip's label, `UNKNOWN` where nobody speaks.
        labels: k of them.
        label_smoothing: share of a target that goes to all labels alike.
        exchanged_columns: first columns that are moved to where other speakers' neutral speech lies; 0 for none.
        soft: what a teacher says.

    Raises:
        ExportError: nothing to learn from.
    """
    names = tuple(data.versions)
    heard = np.max([counts(data, name) for name in names], axis=0) > 0
    members = members[heard[members]]
    known = truth[members] != UNKNOWN
    if not known.any():
        raise ExportError(
            "no clip with speech to learn from; give more data, or longer and louder clips", code="no_data"
        )
    speech = (truth != UNKNOWN).astype(np.float64)
    neutral = labels.index(NEUTRAL) if NEUTRAL in labels else len(labels)
    shares = np.array([1 / known.sum(), 1 / max(1, (~known).sum())])
    return Material(
        data=data,
        names=names,
        members=members,
        targets=_smoothed(truth, labels=len(labels), smoothing=label_smoothing),
        weights=clip_weights(data.clips, truth, members),
        is_speech=speech,
        speech_weights=np.where(speech > 0, shares[0], shares[1]) * len(members) / 2,
        soft=soft,
        neutral=_neutral_speech(data, members[truth[members] == neutral], columns=exchanged_columns),
    )


def _smoothed(truth: Ints, *, labels: int, smoothing: float) -> Probs:
    """Targets of clips, float64 (n, k)."""
    hard = np.zeros((len(truth), labels))
    hard[truth != UNKNOWN] = np.eye(labels)[truth[truth != UNKNOWN]]
    return np.asarray(hard * (1 - smoothing) + smoothing / labels)


def _neutral_speech(data: ClipData, clips: Ints, *, columns: int) -> Mapping[str, NeutralSpeech]:
    """Neutral speech of these clips in every version; nothing where no columns are exchanged or nobody is neutral."""
    if not columns or not len(clips):
        return {}
    chosen = np.zeros(len(data.clips), dtype=np.bool_)
    chosen[clips] = True
    return {
        name: find_neutral_speech(data.clips, windows, neutral=chosen, columns=columns)
        for name, windows in data.versions.items()
    }


def label_shares(material: Material) -> Probs:
    """What share of all that is learnt each label is, float64 (k,)."""
    shares = np.zeros(material.targets.shape[1])
    for name in material.names:
        heard = material.weights * (counts(material.data, name) > 0)
        shares += heard @ _targets(material, name, np.arange(len(heard)))
    return np.asarray(np.maximum(shares / shares.sum(), _LEAST_SHARE))


def _targets(material: Material, name: str, clips: Ints) -> Probs:
    """What is learnt of some clips in a version, float64 (n, k): half of it the teacher's where that says something."""
    targets = material.targets[clips]
    if name not in material.soft:
        return targets
    said = material.soft[name][clips]
    return np.asarray(np.where(said.any(axis=1, keepdims=True), 0.5 * (targets + said), targets))


def counts(data: ClipData, name: str) -> Ints:
    """Windows of each clip in a version."""
    return np.diff(data.versions[name].starts)


def drawn(material: Material, versions: Ints) -> tuple[Ints, Ints, Ints]:
    """Row, version and clip of each window of clips in the versions that were drawn for them."""
    rows, version_of, clip_of = [], [], []
    for index, version in zip(material.members, versions, strict=True):
        starts = material.data.versions[material.names[version]].starts
        own = np.arange(starts[index], starts[index + 1])
        rows.append(own)
        version_of.append(np.full(len(own), version))
        clip_of.append(np.full(len(own), index))
    return np.concatenate(rows), np.concatenate(version_of), np.concatenate(clip_of)


def window_batch(material: Material, rows: Ints, version_of: Ints, clip_of: Ints, *, rng: np.random.Generator) -> Batch:
    """Features, targets and weights of windows; the windows of a clip share its weight."""
    shape = material.data.versions[material.names[0]].features.shape[1:]
    features = np.empty((len(rows), *shape), dtype=np.float32)
    targets = np.empty((len(rows), material.targets.shape[1]))
    share = np.empty(len(rows))
    for number, name in enumerate(material.names):
        own = version_of == number
        features[own] = material.data.versions[name].features[rows[own]]
        if name in material.neutral:
            features[own] = material.neutral[name].exchanged(features[own], clip_of[own], rng=rng)
        share[own] = 1 / counts(material.data, name)[clip_of[own]]
        targets[own] = _targets(material, name, clip_of[own])
    weights = {
        "probabilities": (material.weights[clip_of] * share).astype(np.float32),
        "speech": (material.speech_weights[clip_of] * share).astype(np.float32),
    }
    spoken = material.is_speech[clip_of][:, None]
    return features, {"probabilities": targets.astype(np.float32), "speech": spoken.astype(np.float32)}, weights


def mixed(
    features: FloatArray,
    targets: dict[str, FloatArray],
    weights: dict[str, FloatArray],
    *,
    alpha: float,
    rng: np.random.Generator,
) -> Batch:
    """Each window with a little of another one (Zhang et al. 2018, arXiv 1710.09412)."""
    share = rng.beta(alpha, alpha, size=len(features)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(features))

    def mix(values: FloatArray) -> FloatArray:
        own = share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(own * values + (1 - own) * values[other], dtype=np.float32)

    mixed_targets = {name: mix(value) for name, value in targets.items()}
    return mix(features), mixed_targets, {name: mix(value) for name, value in weights.items()}
