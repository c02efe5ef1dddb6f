"""Windows for training and for scoring, cut as the tagger would meet them.

Station of the line: dataset -> **batches** -> recipe. A training window is either a file (the clip at its start,
digital silence behind) or a piece of a call (the clip anywhere, cut off at an end of the window or followed by another
clip of the same call and emotion, line noise around it). The channel's statistics come from the clip alone or from
several clips of its call. Features are coefficients, float32 (w, t, c); log-mel is dB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from export.dataset import Dataset, Ints, Version
from sertag.features import coefficients
from sertag.records import FloatArray
from sertag.spec import FeatureSpec

Inputs = dict[str, FloatArray]
_Item = TypeVar("_Item")

LEAST_SPEECH_FRAMES = 40  # 0.4 s: of a clip that is trained on, and of a window cut from one


@dataclass(frozen=True, slots=True)
class Statistics:
    """Sums over the speech frames of each clip of a version.

    Attributes:
        count: float64 (n,), frames.
        total: float64 (n, c).
        squares: float64 (n, c).
    """

    count: npt.NDArray[np.float64]
    total: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]

    def over(self, members: Ints) -> Inputs:
        """Mean (1, c), standard deviation (1, c) and number (1, 1) of the speech frames of some clips."""
        count = self.count[members].sum()
        mean = self.total[members].sum(axis=0) / max(1, count)
        variance = self.squares[members].sum(axis=0) / max(1, count) - mean**2
        return {
            "channel_mean": mean[None].astype(np.float32),
            "channel_std": np.sqrt(np.maximum(variance, 0))[None].astype(np.float32),
            "speech_frames": np.full((1, 1), count, dtype=np.float32),
        }


@dataclass(frozen=True, slots=True)
class Mixture:
    """What training windows are made of; shares are probabilities.

    Attributes:
        clean: windows that went over no telephone line.
        noisy: windows out of a noisy place, or out of an archive that codes them.
        file: windows laid out as a file, the others as a piece of a call.
        alone: windows with the statistics of their own clip alone.
        follow: pieces of a call in which another clip follows.
        tempo: most by which a clip is played faster or slower at the same pitch; 0 for none.
        time_masks, time_mask_frames: SpecAugment (Park et al. 2019), most frames of one mask. Masked features take the
            channel's mean, which the graph turns into 0.
        mixup: of a window's share in itself, the parameter of a beta distribution (Zhang et al. 2018); 0 for none.
        band_masks, band_mask_bands: the same over columns; harmful to cepstra, where no column is a band.
    """

    clean: float = 0.5
    noisy: float = 0.0
    file: float = 0.4
    alone: float = 0.5
    follow: float = 0.7
    tempo: float = 0.0
    time_masks: int = 2
    time_mask_frames: int = 25
    mixup: float = 0.0
    band_masks: int = 0
    band_mask_bands: int = 5


def statistics(version: Version, *, features: FeatureSpec) -> Statistics:
    """Sum the coefficients of each clip's speech."""
    rows = [
        coefficients(version.frames[start:stop][version.speech[start:stop]], spec=features).astype(np.float64)
        for start, stop in zip(version.starts[:-1], version.starts[1:], strict=True)
    ]
    return Statistics(
        count=np.array([len(frames) for frames in rows], dtype=np.float64),
        total=np.array([frames.sum(axis=0) for frames in rows]),
        squares=np.array([np.square(frames).sum(axis=0) for frames in rows]),
    )


class Sampler:
    """Draws balanced batches of training windows: every corpus the same, inside it every label, then any clip."""

    def __init__(
        self,
        dataset: Dataset,
        sums: tuple[Statistics, ...],
        *,
        members: Ints,
        frames: int,
        labels: tuple[str, ...],
        mixture: Mixture,
        seed: int | Sequence[int],
    ) -> None:
        """Index the clips that may be drawn.

        Args:
            dataset: all clips.
            sums: of each version.
            members: int64 (n,), indices of the training clips.
            frames: of one window, t.
            labels: in the order of the targets.
            mixture: of the windows.
            seed: of everything drawn.
        """
        self._dataset, self._sums, self._mixture = dataset, sums, mixture
        self._frames, self._features, self._labels = frames, dataset.features, labels
        self._rng = np.random.default_rng(seed)
        heard = [int(index) for index in members if sums[0].count[index] >= LEAST_SPEECH_FRAMES]
        self._versions = {index: self._versions_of(index) for index in heard}
        self._by_label: dict[str, dict[str, list[int]]] = {}
        self._calls: dict[int, list[int]] = {}
        for index in heard:
            clip = dataset.clips[index]
            self._by_label.setdefault(clip.corpus, {}).setdefault(clip.label, []).append(int(index))
            self._calls.setdefault(int(dataset.calls[index]), []).append(int(index))

    def batch(self, size: int) -> tuple[Inputs, FloatArray]:
        """Draw one batch.

        Args:
            size: windows, w.

        Returns:
            The graph's inputs and the labels as one-hot rows, float32 (w, k).
        """
        frames = np.empty((size, self._frames, self._features.n_mels), dtype=np.float32)
        targets = np.zeros((size, len(self._labels)), dtype=np.float32)
        parts: list[Inputs] = []
        for row, target in zip(frames, targets, strict=True):
            index = self._draw_clip()
            phone, noisy = self._rng.random() >= self._mixture.clean, self._rng.random() < self._mixture.noisy
            version = self._pick(self._versions[index][phone, noisy])
            self._fill(row, index, self._dataset.versions[version])
            parts.append(self._sums[version].over(self._draw_channel(index)))
            target[self._labels.index(self._dataset.clips[index].label)] = 1
        inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        features = _all_coefficients(frames, self._features)
        for window, mean in zip(features, inputs["channel_mean"], strict=True):
            self._mask(window, mean)
        return self._mix({"features": features, **inputs}, targets)

    def _versions_of(self, index: int) -> dict[tuple[bool, bool], list[int]]:
        """The versions of a clip that have enough of its speech, by whether they are by phone and noisy.

        Where noise has buried it in all of a kind, those without noise stand in, and for these the clip as it is.
        """
        found: dict[tuple[bool, bool], list[int]] = {}
        for number, version in enumerate(self._dataset.versions):
            if self._sums[number].count[index] >= LEAST_SPEECH_FRAMES:
                found.setdefault((version.variant.phone, version.variant.noisy), []).append(number)
        for phone in (False, True):
            found.setdefault((phone, False), [0])
            found.setdefault((phone, True), found[phone, False])
        return found

    def _draw_clip(self) -> int:
        by_label = self._pick(list(self._by_label.values()))
        return self._pick(self._pick(list(by_label.values())))

    def _pick(self, items: list[_Item]) -> _Item:
        return items[int(self._rng.integers(len(items)))]

    def _draw_channel(self, index: int) -> Ints:
        """The clips that the statistics are taken over: the clip alone or some of its call, itself among them."""
        call = self._calls[int(self._dataset.calls[index])]
        if self._rng.random() < self._mixture.alone:
            return np.array([index])
        others = self._rng.permutation([other for other in call if other != index])
        return np.append(others[: int(self._rng.integers(len(others) + 1))], index).astype(np.int64)

    def _fill(self, row: FloatArray, index: int, version: Version) -> None:
        """Lay the clip, log-mel, into an empty window (t, m)."""
        clip, speech = self._at_another_tempo(*_clip(version, index))
        if self._rng.random() < self._mixture.file:
            length = min(len(row), len(clip))
            row[:length], row[length:] = clip[:length], _silence_db(self._features)
            return
        row[:] = self._line_noise(version.quiet[index], len(row))
        first = self._draw_start(speech, len(row))
        _lay(row, clip, first)
        end = first + len(clip) + int(self._rng.integers(0, 60))
        if end < len(row) and self._rng.random() < self._mixture.follow:
            own = self._dataset.clips[index].label
            call = self._calls[int(self._dataset.calls[index])]
            again = self._pick([other for other in call if self._dataset.clips[other].label == own])
            _lay(row, _clip(version, again)[0], end)

    def _at_another_tempo(
        self, clip: FloatArray, speech: npt.NDArray[np.bool_]
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Frames left out or repeated, unless too little speech would be left."""
        if not self._mixture.tempo:
            return clip, speech
        faster = self._rng.uniform(1 - self._mixture.tempo, 1 + self._mixture.tempo)
        kept = np.arange(0, len(clip), faster).astype(np.int64)
        return (clip[kept], speech[kept]) if speech[kept].sum() >= LEAST_SPEECH_FRAMES else (clip, speech)

    def _draw_start(self, speech: npt.NDArray[np.bool_], frames: int) -> int:
        """Where the clip begins in the window, perhaps before it, so that enough of its speech is inside."""
        heard = np.flatnonzero(speech)
        latest = frames - 1 - int(heard[LEAST_SPEECH_FRAMES - 1])
        earliest = -int(heard[-LEAST_SPEECH_FRAMES])
        inside = max(earliest, min(0, frames - len(speech))), max(earliest, min(latest, max(0, frames - len(speech))))
        low, high = (earliest, latest) if self._rng.random() < 0.3 else inside
        return int(self._rng.integers(low, max(low, high) + 1))

    def _line_noise(self, quiet: FloatArray, frames: int) -> FloatArray:
        """What is heard when nobody speaks: the clip's faintest level in each band, unsteady, or digital silence."""
        if self._rng.random() < 0.3:
            return np.full((frames, len(quiet)), _silence_db(self._features), dtype=np.float32)
        noise = quiet + np.float32(3.0) * self._rng.standard_normal((frames, len(quiet)), dtype=np.float32)
        return np.asarray(np.maximum(noise, np.float32(_silence_db(self._features))))

    def _mask(self, row: FloatArray, mean: FloatArray) -> None:
        for _ in range(self._mixture.time_masks):
            width = int(self._rng.integers(self._mixture.time_mask_frames + 1))
            start = int(self._rng.integers(len(row) - width + 1))
            row[start : start + width] = mean
        for _ in range(self._mixture.band_masks):
            width = int(self._rng.integers(self._mixture.band_mask_bands + 1))
            start = int(self._rng.integers(row.shape[1] - width + 1))
            row[:, start : start + width] = mean[start : start + width]

    def _mix(self, inputs: Inputs, targets: FloatArray) -> tuple[Inputs, FloatArray]:
        """Give each window a share of another one, statistics and label alike."""
        if not self._mixture.mixup:
            return inputs, targets
        own = self._rng.beta(self._mixture.mixup, self._mixture.mixup, len(targets)).astype(np.float32)
        own, other = np.maximum(own, 1 - own), self._rng.permutation(len(targets))

        def mixed(values: FloatArray) -> FloatArray:
            share = own.reshape(-1, *[1] * (values.ndim - 1))
            return share * values + (1 - share) * values[other]

        return {name: mixed(values) for name, values in inputs.items()}, mixed(targets)


def file_windows(
    dataset: Dataset, version: int, index: int, *, frames: int, hop_frames: int
) -> tuple[FloatArray, FloatArray]:
    """The windows that the tagger scores of one clip given as a file.

    Args:
        dataset: all clips.
        version: clean or a line.
        index: of the clip.
        frames: of one window, t.
        hop_frames: step between windows.

    Returns:
        Features float32 (w, t, c) and seconds of speech float32 (w,). A clip with too little speech for the tagger
        still gives its first window, so that it counts, as an error or not.
    """
    features = dataset.features
    clip, speech = _clip(dataset.versions[version], index)
    starts = list(range(0, max(0, len(clip) - frames) + 1, hop_frames))
    if len(clip) - starts[-1] - frames >= LEAST_SPEECH_FRAMES:
        starts.append(len(clip) - frames)  # the last one is aligned to the end
    starts = [start for start in starts if speech[start : start + frames].sum() >= LEAST_SPEECH_FRAMES] or [0]
    windows = np.full((len(starts), frames, clip.shape[1]), _silence_db(features), dtype=np.float32)
    for row, start in zip(windows, starts, strict=True):
        _lay(row, clip[start:], 0)
    heard = [max(1, speech[start : start + frames].sum()) for start in starts]
    return _all_coefficients(windows, features), np.array(heard, dtype=np.float32) / features.frame_rate_hz


def _all_coefficients(windows: FloatArray, features: FeatureSpec) -> FloatArray:
    """(w, t, m) -> (w, t, c)."""
    return np.stack([coefficients(window, spec=features) for window in windows])


def _silence_db(features: FeatureSpec) -> float:
    return 10 * math.log10(features.floor_power)


def _clip(version: Version, index: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    start, stop = version.starts[index], version.starts[index + 1]
    return version.frames[start:stop], version.speech[start:stop]


def _lay(row: FloatArray, clip: FloatArray, first: int) -> None:
    """Copy the part of a clip that begins at `first` (perhaps negative) and lies inside the row."""
    begin, end = max(0, first), min(len(row), first + len(clip))
    if end > begin:
        row[begin:end] = clip[begin - first : end - first]
