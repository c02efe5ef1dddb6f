"""One recipe with its clips: train on one side of a split, score the other side, clean and by phone.

Recipes that look at one cut clip and those that are shown windows of calls differ in how they are trained (`fit_clip`,
`fit_windows`); everything before and behind is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from export.arrays import Ints, Probs
from export.corpora.clips import Clip
from export.evaluation.calibration import choose_threshold, fit_temperature, scale
from export.features.clip_windows import CONDITIONS, Job, Windows, prepare_clips
from export.features.material import UNKNOWN, SoftTargets
from export.recipes.base import Recipe
from export.training.fit_clip import Scores, fit, score
from export.training.fit_windows import Answers, fit_windows, predict_windows
from export.training.loop import Epoch, Fitted
from export.training.splits import Split

if TYPE_CHECKING:
    import keras

PROTOCOL_VERSION = 3  # raised with every change of training or scoring that changes the figures of any recipe
LINES_SEED = 1  # the telephone lines are the same in every run, so that runs differ in their training alone
ANSWERS_RIGHT = 0.6  # share of the answers to validation clips that the least confidence is to make right


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


class Experiment:
    """A recipe and its clips, with labels of the recipe, ready to be trained on.

    Attributes:
        recipe: which.
        clips: n of them; splits are made of these, in this order.
        truth: int64 (n,), index of each clip's label, `UNKNOWN` where nobody speaks.
        spec: what a model of this recipe says of features, windows and labels.
        encoder: SHA-256 of the file of the encoder that windows go through, empty for none.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        recipe: Recipe,
        cache: Path,
        jobs: int,
        encoder: Path | None = None,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Make or load the windows of all clips.

        Args:
            clips: decodable, with labels of the recipe.
            recipe: which.
            cache: folder for windows.
            jobs: processes that make them.
            encoder: of recipes that need one.
            report: called with the work done and all of it.

        Raises:
            ExportError: a clip cannot be read, or the cache cannot be written.
        """
        self.recipe = recipe
        self.spec = recipe.bare_spec()
        self.clips = tuple(clips)
        labels = recipe.labels
        self.truth = np.array([labels.index(c.label) if c.label in labels else UNKNOWN for c in clips], dtype=np.int64)
        front = encoder if recipe.encoder else None
        self.encoder = "" if front is None else hashlib.sha256(front.read_bytes()).hexdigest()
        job = Job(self.spec, LINES_SEED, front)
        self.data = prepare_clips(
            clips, augmentations=recipe.augmentations, job=job, cache=cache, jobs=jobs, report=report
        )

    def fit(
        self,
        split: Split,
        *,
        seed: int,
        epochs: int | None = None,
        soft: SoftTargets = MappingProxyType({}),
        checkpoint: Path | None = None,
        report: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Fitted:
        """Train on one side of a split.

        Args:
            split: of the clips.
            seed: of the training.
            epochs: most of them; the recipe's if None.
            soft: see `fit_windows`.
            checkpoint: see `export.training.fit_clip.fit`.
            report: likewise.

        Raises:
            ExportError: nothing to learn from, or a disk that is full.
        """
        epochs = epochs or self.recipe.epochs
        if self.recipe.features.framing == "clip":
            return fit(
                self.data,
                split,
                truth=self.truth,
                recipe=self.recipe,
                seed=seed,
                epochs=epochs,
                checkpoint=checkpoint,
                report=report,
            )
        return fit_windows(
            self.data,
            split.train,
            truth=self.truth,
            recipe=self.recipe,
            seed=seed,
            epochs=epochs,
            soft=soft,
            checkpoint=checkpoint,
            report=report,
        )

    def score(self, model: keras.Model, members: Ints) -> dict[str, Scores]:
        """What a trained network says of some clips, by condition."""
        if self.recipe.features.framing == "clip":
            return {name: score(model, self.data.versions[name], members) for name in CONDITIONS}
        return {name: clip_scores(*self.window_answers(model, name, members), members) for name in CONDITIONS}

    def window_answers(self, model: keras.Model, version: str, members: Ints) -> tuple[Windows, Answers, Ints]:
        """The windows of a version, what a network says of those of some clips, and which rows these are."""
        windows = self.data.versions[version]
        rows = windows.rows_of(members)
        return windows, predict_windows(model, windows.features[rows]), rows

    def run(
        self,
        split: Split,
        *,
        seed: int,
        epochs: int | None = None,
        checkpoint: Path | None = None,
        report: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Trial:
        """Train, score and calibrate; arguments and errors as of `fit`."""
        fitted = self.fit(split, seed=seed, epochs=epochs, checkpoint=checkpoint, report=report)
        validation, test = (self.score(fitted.model, members) for members in (split.validation, split.test))
        return _trial(fitted, validation=validation, truth=self.truth[split.validation], test=test)


def clip_scores(windows: Windows, answers: Answers, rows: Ints, members: Ints) -> Scores:
    """Mean over the windows of each clip, weighted by speech, as a row of the tagger is made."""
    clip_of = windows.clip_of[rows]
    place = np.full(len(windows.starts), -1)
    place[members] = np.arange(len(members))
    total = np.zeros((len(members), answers.probs.shape[1]))
    np.add.at(total, place[clip_of], answers.probs * windows.speech_s[rows, None])
    weight = total.sum(axis=1)
    probs: Probs = total / np.maximum(weight, 1e-9)[:, None]
    return Scores(np.where(weight[:, None] > 0, np.log(np.maximum(probs, 1e-12)), 0.0), weight > 0)


def _trial(fitted: Fitted, *, validation: dict[str, Scores], truth: Ints, test: dict[str, Scores]) -> Trial:
    """Calibrate on the validation clips, both conditions together."""
    heard = np.concatenate([scores.answered & (truth != UNKNOWN) for scores in validation.values()])
    log_probs = np.concatenate([scores.log_probs for scores in validation.values()])[heard]
    truth = np.tile(truth, len(validation))[heard]
    weights = np.ones(len(truth))
    temperature = fit_temperature(log_probs, truth, weights=weights)
    probs = scale(log_probs, temperature=temperature)
    right = probs.argmax(axis=1) == truth
    floor = choose_threshold(probs.max(axis=1), right, accuracy=ANSWERS_RIGHT, weights=weights)
    return Trial(fitted.model, len(fitted.history), fitted.kept, fitted.history, temperature, floor, test)
