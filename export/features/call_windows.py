"""Windows for training, as the tagger would meet them.

Station of the line: dataset -> **batches** -> fit_phone. A training window is either a file (the clip at its start,
digital silence behind) or a piece of a call (the clip anywhere, cut off at an end of the window or followed by another
clip of the same call and emotion, line noise around it). The channel's statistics come from the clip alone or from
several clips of its call. Features are coefficients, float32 (w, t, c).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from export.arrays import Inputs, Ints
from export.features.call_frames import Dataset, Version
from export.features.channel_statistics import LEAST_SPEECH_FRAMES, Statistics
from export.features.file_windows import all_coefficients, lay
from sertag.features import silence_frame
from sertag.pitch import VOICING
from sertag.records import FloatArray

_Item = TypeVar("_Item")

_HISS_DB = 3.0  # how unsteady the noise of a line is, standard deviation; nobody speaks in it
_HISS_WINDOWS = 16


@dataclass(frozen=True, slots=True)
class Mixture:
    """What training windows are made of; shares are probabilities.

    Attributes:
        clean: windows that went over no telephone line.
        noisy: windows out of a noisy place, or out of an archive that codes them.
        file: windows laid out as a file, the others as a piece of a call.
        alone: windows with the statistics of their own clip alone.
        follow: pieces of a call in which another clip follows.
        sampling: what is drawn first, and so weighs the same whatever its number of clips: a corpus or a speaker.
        time_masks, time_mask_frames: SpecAugment (Park et al. 2019), most frames of one mask. Masked features take the
            channel's mean, which the graph turns into 0, without voice.
    """

    clean: float = 0.5
    noisy: float = 0.3
    file: float = 0.4
    alone: float = 0.5
    follow: float = 0.7
    sampling: Literal["corpus", "speaker"] = "corpus"
    time_masks: int = 2
    time_mask_frames: int = 25


class Sampler:
    """Draws balanced batches of training windows: every corpus or speaker the same, inside it every label, any clip."""

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
        self._silence = silence_frame(spec=dataset.features)
        # Drawn once: a third of the time of a batch went into as many normal numbers for each window.
        hiss = self._rng.standard_normal((_HISS_WINDOWS * frames, dataset.features.n_mels), dtype=np.float32)
        self._hiss = np.float32(_HISS_DB) * hiss
        heard = [int(index) for index in members if sums[0].count[index] >= LEAST_SPEECH_FRAMES]
        self._versions = {index: self._versions_of(index) for index in heard}
        self._by_label: dict[str, dict[str, list[int]]] = {}
        self._calls: dict[int, list[int]] = {}
        for index in heard:
            clip = dataset.clips[index]
            group = clip.corpus if mixture.sampling == "corpus" else clip.person
            self._by_label.setdefault(group, {}).setdefault(clip.label, []).append(int(index))
            self._calls.setdefault(int(dataset.calls[index]), []).append(int(index))

    def batch(self, size: int) -> tuple[Inputs, FloatArray]:
        """Draw one batch.

        Args:
            size: windows, w.

        Returns:
            The graph's inputs and the labels as one-hot rows, float32 (w, k).
        """
        frames = np.empty((size, self._frames, self._features.frame_columns), dtype=np.float32)
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
        features = all_coefficients(frames, self._features)
        masks = inputs["channel_mean"].copy()
        if self._features.pitch_columns:
            masks[:, VOICING] = 0
        for window, mask in zip(features, masks, strict=True):
            self._mask(window, mask)
        return {"features": features, **inputs}, targets

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
        """Lay the frames of the clip into an empty window (t, m)."""
        clip, speech = version.clip(index)
        if self._rng.random() < self._mixture.file:
            length = min(len(row), len(clip))
            row[:length], row[length:] = clip[:length], self._silence
            return
        row[:] = self._line_noise(version.quiet[index], len(row))
        first = self._draw_start(speech, len(row))
        lay(row, clip, first)
        end = first + len(clip) + int(self._rng.integers(0, 60))
        if end < len(row) and self._rng.random() < self._mixture.follow:
            own = self._dataset.clips[index].label
            call = self._calls[int(self._dataset.calls[index])]
            again = self._pick([other for other in call if self._dataset.clips[other].label == own])
            lay(row, version.clip(again)[0], end)

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
            return np.tile(self._silence, (frames, 1))
        first = int(self._rng.integers(len(self._hiss) - frames + 1))
        noise, bands = np.tile(quiet, (frames, 1)), slice(self._features.n_mels)
        noise[:, bands] += self._hiss[first : first + frames]
        return np.maximum(noise, self._silence)

    def _mask(self, row: FloatArray, mask: FloatArray) -> None:
        for _ in range(self._mixture.time_masks):
            width = int(self._rng.integers(self._mixture.time_mask_frames + 1))
            start = int(self._rng.integers(len(row) - width + 1))
            row[start : start + width] = mask
