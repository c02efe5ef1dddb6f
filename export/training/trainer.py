"""Networks of one recipe, trained on parts of the same clips; what each says of the clips that it was not trained on.

What was finished lies in the cache, and the same command goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.arrays import Ints, Probs
from export.cache import cache_arrays
from export.corpora.clips import Clip, data_hash
from export.corpora.ordinary import UNACTED
from export.errors import ExportError
from export.features.clip_windows import CONDITIONS
from export.features.material import SoftTargets
from export.progress import Report
from export.recipes.base import Recipe
from export.training.experiment import PROTOCOL_VERSION, Experiment, clip_scores
from export.training.fit_windows import Answers
from export.training.loop import Epoch
from export.training.settings import Settings, run_hash
from export.training.splits import Split, assign_folds
from sertag.parallel import usable_cpus

if TYPE_CHECKING:
    import keras

_NOBODY = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trains networks of one recipe on parts of the same clips, each once, with or without a teacher.

    Attributes:
        experiment: recipe and clips.
        teacher: the same clips with the recipe of the teacher, None without one.
        settings: of the run.
        cache: folder for half-way states.
        report: of the progress.
    """

    experiment: Experiment
    teacher: Experiment | None
    settings: Settings
    cache: Path
    report: Report

    @classmethod
    def of(
        cls,
        clips: Sequence[Clip],
        recipe: Recipe,
        *,
        teacher: Recipe | None,
        settings: Settings,
        cache: Path,
        encoder: Path | None,
        report: Report,
    ) -> Trainer:
        """Make or load the windows of all clips; arguments as of `train_for_calls`."""

        def prepared(recipe: Recipe) -> Experiment:
            def tell(done: int, total: int) -> None:
                report(f"windows of {recipe.name}", done / total)

            return Experiment(clips, recipe=recipe, cache=cache, jobs=usable_cpus(), encoder=encoder, report=tell)

        teaches = None if teacher is None else prepared(dataclasses.replace(teacher, labels=recipe.labels))
        return cls(prepared(recipe), teaches, settings, cache, report)

    def key(self, members: Ints) -> str:
        """What tells a training on some clips from others."""
        learnt = data_hash(self.experiment.clips[index] for index in members)
        taught = "" if self.teacher is None else run_hash(self.teacher.recipe, (), self.teacher.encoder)
        parts = (
            learnt,
            len(members),
            self.settings.seed,
            self.settings.epochs,
            taught,
            self.experiment.encoder,
            PROTOCOL_VERSION,
        )
        return run_hash(self.experiment.recipe, self.experiment.clips, *parts)

    def trained(self, members: Ints, name: str) -> tuple[keras.Model, tuple[Epoch, ...]]:
        """The network that was trained on some clips, and its history."""
        epochs = self.settings.epochs or self.experiment.recipe.epochs
        fitted = self.experiment.fit(
            Split(name, members, _NOBODY, _NOBODY, leaking=False, speaker_independent=True),
            seed=self.settings.seed,
            epochs=epochs,
            soft=self._soft_targets(members, name),
            checkpoint=self.cache / f"training-{self.key(members)}.npz",
            report=lambda epoch: self.report(f"{name}: {epoch}", epoch.epoch / epochs),
        )
        return fitted.model, fitted.history

    def _soft_targets(self, members: Ints, name: str) -> SoftTargets:
        """What the teacher says of these clips in every version, who was trained on nothing else."""
        if self.teacher is None:
            return {}
        own = dataclasses.replace(self, experiment=self.teacher, teacher=None)
        model, _ = own.trained(members, f"{name}, teacher")
        found = {}
        for version in self.teacher.data.versions:
            scores = clip_scores(*self.teacher.window_answers(model, version, members), members)
            found[version] = np.zeros((len(self.teacher.clips), scores.log_probs.shape[1]))
            found[version][members[scores.answered]] = np.exp(scores.log_probs[scores.answered])
        return found


def out_of_fold(trainer: Trainer, folds: Ints) -> dict[str, Answers]:
    """What networks say of the windows of every condition that were not trained on their fold."""
    experiment, versions = trainer.experiment, trainer.experiment.data.versions
    labels = len(experiment.recipe.labels)
    counts = {name: len(versions[name].features) for name in CONDITIONS}
    found = {name: Answers(np.zeros((count, labels)), np.zeros(count)) for name, count in counts.items()}
    for fold in np.unique(folds):
        tested, members = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        place = trainer.cache / f"fold-{trainer.key(members)}.npz"
        if not place.exists():
            model, _ = trainer.trained(members, f"fold {fold}")
            arrays: dict[str, Probs] = {}
            for name in CONDITIONS:
                _, answers, _ = experiment.window_answers(model, name, tested)
                arrays |= {f"{name} probs": answers.probs, f"{name} speech": answers.speech}
            cache_arrays(place, arrays)
        with np.load(place) as stored:
            for name in CONDITIONS:
                rows = versions[name].rows_of(tested)
                found[name].probs[rows] = stored[f"{name} probs"]
                found[name].speech[rows] = stored[f"{name} speech"]
    return found


def folds_of(clips: Sequence[Clip], *, settings: Settings) -> Ints:
    """The fold in which each clip is scored, int64 (n,).

    Ordinary speech goes by its source, recordings without speech by theirs, so that neither is learnt from where it is
    scored.

    Raises:
        ExportError: nothing would be left to learn from.
    """
    acted = [clip for clip in clips if clip.corpus not in UNACTED]
    if settings.folds_by == "corpus":
        names = sorted({clip.corpus for clip in acted})
        if len(names) < 2:
            advice = "give another corpus, or take --folds-by speaker"
            raise ExportError(
                f"{names[0]} is the only corpus: nothing is left to learn from; {advice}", code="bad_folds"
            )
        fold_of = {clip.digest: names.index(clip.corpus) for clip in acted}
        count = len(names)
    else:
        dealt = assign_folds(acted, folds=settings.folds, seed=settings.seed)
        fold_of = {clip.digest: int(fold) for clip, fold in zip(acted, dealt, strict=True)}
        count = settings.folds
    sources = sorted({(clip.corpus, clip.source) for clip in clips if clip.digest not in fold_of})
    by_source = {source: number % count for number, source in enumerate(sources)}
    return np.array([fold_of.get(c.digest, by_source.get((c.corpus, c.source), 0)) for c in clips], dtype=np.int64)
