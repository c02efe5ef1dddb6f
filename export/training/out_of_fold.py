"""Every clip scored once by a network that was not trained on its speaker, or on its corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from export.arrays import Ints
from export.corpora.clips import Clip
from export.corpora.ordinary import NAME as ORDINARY
from export.corpora.ordinary import UNACTED
from export.errors import ExportError
from export.evaluation.calls import WindowPool
from export.features.clip_windows import CONDITIONS
from export.features.material import UNKNOWN
from export.training.experiment import Experiment
from export.training.loop import Answers
from export.training.settings import Settings
from export.training.splits import assign_folds
from sertag.model.calibration import log_probs

_USUAL_FOLDS = 4


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


def folds_of(clips: Sequence[Clip], *, settings: Settings) -> Ints:
    """The fold in which each clip is scored, int64 (n,); an ExportError if nothing would be left to learn from.

    What nobody acted goes by its source, so that none is learnt from where it is scored.
    """
    acted = [clip for clip in clips if clip.corpus not in UNACTED]
    if settings.folds_by == "corpus":
        names = sorted({clip.corpus for clip in acted})
        if len(names) < 2:
            found = f"{names[0]} is the only corpus: nothing is left to learn from"
            raise ExportError(f"{found}; give another corpus, or take --folds-by speaker", code="bad_folds")
        count, fold_of = len(names), {clip.digest: names.index(clip.corpus) for clip in acted}
    else:
        count = settings.folds or max(2, min(_USUAL_FOLDS, len({clip.person for clip in acted})))
        dealt = assign_folds(acted, folds=count, seed=settings.seed)
        fold_of = {clip.digest: int(fold) for clip, fold in zip(acted, dealt, strict=True)}
    sources = sorted({(clip.corpus, clip.source) for clip in clips if clip.digest not in fold_of})
    by_source = {source: number % count for number, source in enumerate(sources)}
    return np.array([fold_of.get(c.digest, by_source.get((c.corpus, c.source), 0)) for c in clips], dtype=np.int64)


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
