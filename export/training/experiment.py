"""One recipe with its clips: train on one side of a split, score the other side, clean and by phone.

`ClipExperiment` holds recipes that look at one cut clip, `CallExperiment` those that are shown windows of calls. Both
answer with the same record, so everything behind them is one flow: figures, tables, model files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from export.arrays import Ints
from export.corpora.clips import Clip
from export.evaluation.calibration import choose_threshold, fit_temperature, scale
from export.evaluation.predictions import predict
from export.features.call_frames import Preparation, prepare
from export.features.channel_statistics import LEAST_SPEECH_FRAMES, statistics
from export.features.clip_windows import CLEAN, CONDITIONS, PHONE, Job, prepare_clips
from export.recipes.base import Recipe
from export.training.fit_channel import fit_phone
from export.training.fit_clip import Scores, fit, score
from export.training.loop import Epoch, Fitted
from export.training.splits import Split
from sertag.spec import ModelSpec

if TYPE_CHECKING:
    import keras

PROTOCOL_VERSION = 1  # raised with every change of training or scoring that changes the figures of any recipe
LINES_SEED = 1  # the telephone lines are the same in every run, so that runs differ in their training alone
_PHONE_CONDITIONS = MappingProxyType({CLEAN: "clean, one clip", PHONE: "phone, one clip"})
ANSWERS_RIGHT = 0.6  # share of the answers to validation clips that the least confidence is to make right
MIN_SPEECH_S = 0.1  # authors score every clip; a tenth of a second of speech is the least to have an opinion on


@dataclass(frozen=True, slots=True)
class Trial:
    """A network trained on one side of a split and what it says of the other.

    Attributes:
        model: trained.
        epochs, kept: run, and the number of the one whose weights were kept.
        history: epoch by epoch.
        temperature, min_confidence: fitted on the validation clips, both conditions together.
        scores: of the test clips by condition, before the temperature.
    """

    model: keras.Model
    epochs: int
    kept: int
    history: tuple[Epoch, ...]
    temperature: float
    min_confidence: float
    scores: dict[str, Scores]


class Experiment(Protocol):
    """A recipe and its clips, labelled with the recipe's labels, ready to be trained on.

    Attributes:
        recipe: which.
        clips: n of them; splits are made of these, in this order.
        truth: int64 (n,), index of each clip's label.
        spec: what a model of this recipe says of features, windows and labels.
    """

    recipe: Recipe
    clips: tuple[Clip, ...]
    truth: Ints
    spec: ModelSpec

    def run(
        self,
        split: Split,
        *,
        seed: int,
        epochs: int | None = None,
        checkpoint: Path | None = None,
        report: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Trial:
        """Train and score.

        Args:
            split: of the clips.
            seed: of the training.
            epochs: most of them; the recipe's if None.
            checkpoint: see `export.training.fit_clip.fit`.
            report: likewise.

        Raises:
            ExportError: nothing to learn from, or a disk that is full.
        """
        ...


def experiment_for(
    clips: Sequence[Clip],
    *,
    recipe: Recipe,
    cache: Path,
    jobs: int,
    report: Callable[[int, int], None] = lambda done, total: None,
    conditions: Mapping[str, str] = _PHONE_CONDITIONS,
) -> Experiment:
    """The experiment of a recipe, ready to train.

    Args:
        clips: decodable, with labels of the recipe.
        recipe: which.
        cache: folder for features.
        jobs: processes that make them.
        report: called with the work done and all of it.
        conditions: name -> which of `export.evaluation.predictions` is scored; recipes that look at one cut clip know
            nothing of calls, and score it clean and by phone.

    Raises:
        ExportError: a clip cannot be read, or the cache cannot be written.
    """
    if recipe.features.framing == "clip":
        return ClipExperiment(clips, recipe=recipe, cache=cache, jobs=jobs, report=report)
    return CallExperiment(clips, recipe=recipe, cache=cache, jobs=jobs, report=report, conditions=conditions)


class ClipExperiment:
    """A recipe that looks at one cut clip; see `Experiment`."""

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        recipe: Recipe,
        cache: Path,
        jobs: int,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Make or load the windows of all clips; arguments and errors as of `experiment_for`."""
        self.recipe = recipe
        self.spec = _bare_spec(recipe, hop_s=recipe.window_s, min_speech_s=MIN_SPEECH_S)
        self.clips = tuple(clips)
        self.truth = _truth(self.clips, recipe)
        job = Job(self.spec, LINES_SEED)
        self._data = prepare_clips(
            clips, augmentations=recipe.augmentations, job=job, cache=cache, jobs=jobs, report=report
        )

    def run(
        self,
        split: Split,
        *,
        seed: int,
        epochs: int | None = None,
        checkpoint: Path | None = None,
        report: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Trial:
        """See `Experiment.run`; the epoch is kept that is best on the validation clips."""
        fitted = fit(
            self._data,
            split,
            truth=self.truth,
            recipe=self.recipe,
            seed=seed,
            epochs=epochs or self.recipe.epochs,
            checkpoint=checkpoint,
            report=report,
        )

        def scored(members: Ints) -> dict[str, Scores]:
            return {name: score(fitted.model, self._data.versions[name], members) for name in CONDITIONS}

        return _trial(
            fitted,
            validation=scored(split.validation),
            validation_truth=self.truth[split.validation],
            test=scored(split.test),
        )


class CallExperiment:
    """A recipe that is shown windows of calls; see `Experiment`. The clips are in the order of simulated calls."""

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        recipe: Recipe,
        cache: Path,
        jobs: int,
        report: Callable[[int, int], None] = lambda done, total: None,
        conditions: Mapping[str, str] = _PHONE_CONDITIONS,
    ) -> None:
        """Make or load the frames of all clips; arguments and errors as of `experiment_for`."""
        self._conditions = conditions
        self.recipe = recipe
        least_s = LEAST_SPEECH_FRAMES / recipe.features.frame_rate_hz
        self.spec = _bare_spec(recipe, hop_s=recipe.hop_s, min_speech_s=least_s)
        preparation = Preparation(recipe.features, seed=LINES_SEED)
        self._dataset = prepare(clips, preparation=preparation, cache=cache, jobs=jobs, report=report)
        self._sums = tuple(statistics(version, features=recipe.features) for version in self._dataset.versions)
        self.clips = self._dataset.clips
        self.truth = _truth(self.clips, recipe)

    def run(
        self,
        split: Split,
        *,
        seed: int,
        epochs: int | None = None,
        checkpoint: Path | None = None,
        report: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Trial:
        """See `Experiment.run`; the length is fixed beforehand, and the validation clips only calibrate."""
        fitted = fit_phone(
            self._dataset,
            self._sums,
            split.train,
            recipe=self.recipe,
            seed=seed,
            epochs=epochs or self.recipe.epochs,
            checkpoint=checkpoint,
            report=report,
        )

        def scored(members: Ints) -> dict[str, Scores]:
            found = predict(
                fitted.model,
                self._dataset,
                self._sums,
                members,
                frames=self.recipe.window_frames,
                hop_frames=self.recipe.hop_frames,
                conditions=self._conditions.values(),
            )
            heard = np.ones(len(members), dtype=bool)
            return {name: Scores(found.log_probs[own], heard) for name, own in self._conditions.items()}

        validation = scored(split.validation)
        test = validation if split.test is split.validation else scored(split.test)  # a search has no other clips
        return _trial(fitted, validation=validation, validation_truth=self.truth[split.validation], test=test)


def _trial(fitted: Fitted, *, validation: dict[str, Scores], validation_truth: Ints, test: dict[str, Scores]) -> Trial:
    """Calibrate on the validation clips, both conditions together."""
    heard = np.concatenate([scores.answered for scores in validation.values()])
    log_probs = np.concatenate([scores.log_probs for scores in validation.values()])[heard]
    truth = np.tile(validation_truth, len(validation))[heard]
    weights = np.ones(len(truth))
    temperature = fit_temperature(log_probs, truth, weights=weights)
    probs = scale(log_probs, temperature=temperature)
    right = probs.argmax(axis=1) == truth
    floor = choose_threshold(probs.max(axis=1), right, accuracy=ANSWERS_RIGHT, weights=weights)
    return Trial(fitted.model, len(fitted.history), fitted.kept, fitted.history, temperature, floor, test)


def _truth(clips: Sequence[Clip], recipe: Recipe) -> Ints:
    return np.array([recipe.labels.index(clip.label) for clip in clips], dtype=np.int64)


def _bare_spec(recipe: Recipe, *, hop_s: float, min_speech_s: float) -> ModelSpec:
    """What is known before training."""
    return ModelSpec(
        name=recipe.name,
        version="0",
        features=recipe.features,
        window_s=recipe.window_s,
        hop_s=hop_s,
        offset_s=recipe.offset_s,
        min_speech_s=min_speech_s,
        labels=recipe.labels,
        sentiment=MappingProxyType({label: recipe.sentiment[label] for label in recipe.labels}),
    )
