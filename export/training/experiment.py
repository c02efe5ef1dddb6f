"""One recipe with its clips: train on some of them, ask about others, clean and by phone.

`fit_clip` trains what looks at one cut clip, `fit_windows` what is shown windows of calls.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.arrays import Ints, Probs
from export.corpora.clips import Clip, data_hash
from export.corpora.own_data import ORDINARY
from export.evaluation.calibration import ANSWERS_RIGHT, choose_threshold, fit_temperature, scale
from export.evaluation.calls import WindowPool
from export.features.clip_windows import CONDITIONS, Job, Windows, prepare_clips
from export.features.material import UNKNOWN, SoftTargets
from export.progress import Report
from export.recipes.base import Recipe
from export.training import fit_clip, fit_windows
from export.training.loop import Answers, Fitted, predict, run_epochs
from export.training.splits import Settings, Split
from sertag.model.calibration import log_probs
from sertag.records import BoolArray

if TYPE_CHECKING:
    import keras

PROTOCOL_VERSION = 3  # raised with every change of training or scoring that changes the figures of any recipe
LINES_SEED = 1  # the telephone lines are the same in every run, so that runs differ in their training alone

_NOBODY = np.zeros(0, dtype=np.int64)
_WORDS = {"name", "model", "input", "claim", "build", "ship", "sentiment"}  # of a recipe, which decide no figure


@dataclass(frozen=True, slots=True)
class Scores:
    """What a network says of n clips."""

    log_probs: Probs  # float64 (n, k), 0 where there is no answer
    answered: BoolArray  # (n,), false for clips without enough speech for a window


@dataclass(frozen=True, slots=True)
class Trial:
    """A network trained on one side of a split and what it says of the other."""

    fitted: Fitted
    temperature: float  # fitted on the validation clips, both conditions together, as is the next
    min_confidence: float
    scores: dict[str, Scores]  # of the test clips by condition, before the temperature


class Experiment:
    """A recipe and its clips, ready to be trained on.

    Attributes:
        clips: n of them; splits are made of these, in this order.
        versions: their windows by the name of the version.
        truth: int64 (n,), index of each clip's label, `UNKNOWN` where nobody speaks.
        spec: what a model of this recipe says of features, windows and labels.
        encoder: SHA-256 of the file of the encoder that windows go through, empty for none.
        teacher: the same clips with the recipe of a teacher, None without one.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        recipe: Recipe,
        cache: Path,
        jobs: int,
        encoder: Path | None = None,
        teacher: Recipe | None = None,
        report: Report = lambda what, share: None,
    ) -> None:
        """Make or load the windows of all clips, which are decodable and have labels of the recipe.

        `encoder` is the file of a frozen one, `teacher` the recipe of a network from which this one learns, or None.
        """
        self.recipe = recipe
        self.clips = tuple(clips)
        self.spec = recipe.bare_spec()
        self._cache, self._report = cache, report
        labels = recipe.labels
        self.truth = np.array([labels.index(c.label) if c.label in labels else UNKNOWN for c in clips], dtype=np.int64)
        front = encoder if recipe.encoder else None
        self.encoder = "" if front is None else hashlib.sha256(front.read_bytes()).hexdigest()
        job = Job(self.spec, LINES_SEED, front)
        names = recipe.augmentations
        self.versions = prepare_clips(clips, augmentations=names, job=job, cache=cache, jobs=jobs, report=report)
        self.teacher: Experiment | None = None
        if teacher is not None:
            taught = dataclasses.replace(teacher, labels=labels)
            self.teacher = Experiment(clips, recipe=taught, cache=cache, jobs=jobs, encoder=encoder, report=report)

    def fit(
        self, train: Ints, validation: Ints = _NOBODY, *, seed: int, epochs: int | None = None, name: str = "training"
    ) -> Fitted:
        """Train on some clips, int64 (m,), for so many epochs at most, those of the recipe if None.

        The network has the weights of the epoch that was best on the validation clips, int64 (v,): most of them right,
        of equal ones the least loss. One that is shown windows of calls has those of the last epoch, and to it all
        labels are equally likely. An ExportError where there is nothing to learn from, or a disk is full.
        """
        recipe, most, offsets = self.recipe, epochs or self.epochs(train), None
        if recipe.features.framing == "clip":
            patience = recipe.patience
            model, run_epoch = fit_clip.begin(
                self.versions, train, validation, truth=self.truth, recipe=recipe, seed=seed
            )
        else:
            patience, soft = most, self._soft_targets(train, seed=seed, epochs=epochs, name=name)
            model, run_epoch, offsets = fit_windows.begin(
                self.clips, self.versions, train, truth=self.truth, recipe=recipe, seed=seed, epochs=most, soft=soft
            )
        fitted = run_epochs(
            model,
            run_epoch,
            epochs=most,
            patience=patience,
            finished=self._cache / f"trained-{self.key(train, validation, seed=seed, epochs=epochs)}.npz",
            report=lambda epoch: self._report(f"{name}: {epoch}", epoch.epoch / most),
        )
        if offsets is None:
            return fitted
        return dataclasses.replace(fitted, model=fit_windows.with_offsets(fitted.model, offsets))

    def epochs(self, train: Ints) -> int:
        """How many epochs a training on some clips, int64 (m,), has at most: in those of few windows are few steps."""
        recipe = self.recipe
        few = recipe.epochs_of_few and fit_windows.batch_size(self.versions, train, most=recipe.batch) < recipe.batch
        return recipe.epochs_of_few if few else recipe.epochs

    def key(self, train: Ints, validation: Ints = _NOBODY, *, seed: int, epochs: int | None) -> str:
        """What tells a training from others; arguments as of `fit`."""
        settings = [(item.name, getattr(self.recipe, item.name)) for item in dataclasses.fields(self.recipe)]
        parts = (
            [(name, value) for name, value in settings if name not in _WORDS],
            (self.recipe.build.__module__, self.recipe.build.__qualname__),
            [data_hash(self.clips[index] for index in members) for members in (train, validation)],
            seed,
            epochs or self.epochs(train),
            self.encoder,
            self.teacher and self.teacher.key(train, seed=seed, epochs=epochs),
            PROTOCOL_VERSION,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def answers(self, model: keras.Model, version: str, members: Ints) -> Answers:
        """What a network says of the windows of some clips in one version, clip after clip."""
        windows = self.versions[version]
        return predict(model, windows.features[windows.rows_of(members)])

    def score(self, model: keras.Model, version: str, members: Ints) -> Scores:
        """What a network says of some clips in one version."""
        geometric = self.recipe.features.framing == "clip"
        answers = self.answers(model, version, members)
        return clip_scores(self.versions[version], answers.probs, members, geometric=geometric)

    def run(self, split: Split, *, seed: int, epochs: int | None = None) -> Trial:
        """Train on one side of a split, calibrate on the validation clips, score the other side; errors as of `fit`."""
        fitted = self.fit(split.train, split.validation, seed=seed, epochs=epochs)
        validation, test = (
            {name: self.score(fitted.model, name, members) for name in CONDITIONS}
            for members in (split.validation, split.test)
        )
        temperature, floor = _calibrated(validation, self.truth[split.validation])
        return Trial(fitted, temperature, floor, test)

    def _soft_targets(self, members: Ints, *, seed: int, epochs: int | None, name: str) -> SoftTargets:
        """What the teacher says of these clips in every version, who was trained on nothing else."""
        if self.teacher is None:
            return {}
        model = self.teacher.fit(members, seed=seed, epochs=epochs, name=f"{name}, teacher").model
        found = {}
        for version in self.teacher.versions:
            scores = self.teacher.score(model, version, members)
            found[version] = np.zeros((len(self.clips), len(self.recipe.labels)))
            found[version][members[scores.answered]] = np.exp(scores.log_probs[scores.answered])
        return found


def out_of_fold(experiment: Experiment, folds: Ints, *, settings: Settings) -> dict[str, Answers]:
    """What networks that were not trained on their fold, int64 (n,), say of the windows of every condition."""
    labels, versions = len(experiment.recipe.labels), experiment.versions
    counts = {name: len(versions[name].features) for name in CONDITIONS}
    found = {name: Answers(np.zeros((count, labels)), np.zeros(count)) for name, count in counts.items()}
    for fold in np.unique(folds):
        tested, members = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        model = experiment.fit(members, seed=settings.seed, epochs=settings.epochs, name=f"fold {fold}").model
        for name in CONDITIONS:
            answers, rows = experiment.answers(model, name, tested), versions[name].rows_of(tested)
            found[name].probs[rows], found[name].speech[rows] = answers.probs, answers.speech
    return found


def pool_of(
    experiment: Experiment, scored: Mapping[str, Answers], *, conditions: Sequence[str] = CONDITIONS
) -> WindowPool:
    """The windows of some conditions, less those in which nobody speaks or the network hears nobody."""
    clips, parts = experiment.clips, []
    places = [f"{clip.corpus} {clip.source}" if clip.corpus == ORDINARY else clip.corpus for clip in clips]
    person, place = (np.unique(names, return_inverse=True)[1] for names in ([clip.person for clip in clips], places))
    ordinary = np.array([clip.corpus == ORDINARY for clip in clips])
    for name in conditions:
        windows, answers = experiment.versions[name], scored[name]
        heard = answers.speech >= experiment.spec.min_speech_probability
        kept = heard & (experiment.truth[windows.clip_of] != UNKNOWN)
        own = windows.clip_of[kept]
        of_clips = (column[own] for column in (experiment.truth, person, place, ordinary))
        parts.append((log_probs(answers.probs[kept]), windows.speech_s[kept], own, *of_clips))
    return WindowPool(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def clip_scores(windows: Windows, probs: Probs, members: Ints, *, geometric: bool = False) -> Scores:
    """Mean over the windows of each clip of `members`, int64 (n,), weighted by speech.

    `probs` is float64 (w, k), of the windows of `members`, clip after clip. With `geometric` the mean of logarithms, as
    recipes that look at one window a clip have always been scored.
    """
    counts, weights = windows.counts[members], windows.speech_s[windows.rows_of(members)]
    clip_of = np.repeat(np.arange(len(members)), counts)
    total = np.zeros((len(members), probs.shape[1]))
    np.add.at(total, clip_of, (log_probs(probs) if geometric else probs) * weights[:, None])
    seconds = np.bincount(clip_of, weights=weights, minlength=len(members))
    mean = total / np.maximum(seconds, 1e-9)[:, None]
    return Scores(mean if geometric else np.where(counts[:, None] > 0, log_probs(mean), 0.0), counts > 0)


def _calibrated(validation: dict[str, Scores], truth: Ints) -> tuple[float, float]:
    """Temperature and least confidence for the validation clips, both conditions together."""
    heard = np.concatenate([scores.answered & (truth != UNKNOWN) for scores in validation.values()])
    scored = np.concatenate([scores.log_probs for scores in validation.values()])[heard]
    truth = np.tile(truth, len(validation))[heard]
    weights = np.ones(len(truth))
    temperature = fit_temperature(scored, truth, weights=weights)
    probs = scale(scored, temperature=temperature)
    right = probs.argmax(axis=1) == truth
    return temperature, choose_threshold(probs.max(axis=1), right, accuracy=ANSWERS_RIGHT, weights=weights)
