"""Training of a recipe, from corpora to a measured and converted model file. Reads top to bottom.

Either one side of a split is learnt from and the other one tested; or every recording is scored once by a network that
was not trained on its corpus (or its speaker), priors, temperature, thresholds and the making of rows are fitted on
these scores, and the network that ships is then trained on everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from export.arrays import Ints, Probs
from export.conversion import keras_file
from export.conversion.onnx import convert
from export.corpora.clips import Corpus
from export.corpora.own_data import ORDINARY, UNACTED
from export.errors import ExportError
from export.evaluation.calibration import ANSWERS_RIGHT
from export.evaluation.call_calibration import calibrate
from export.evaluation.metrics import Figures, figures
from export.evaluation.report import write_artefacts
from export.features.clip_windows import CLEAN, CONDITIONS
from export.features.material import UNKNOWN
from export.progress import Report
from export.recipes.base import Recipe, restrict_labels
from export.training.experiment import Experiment, Scores, clip_scores, out_of_fold, pool_of
from export.training.facts import describe_calls, describe_trial, versions
from export.training.fit_windows import with_offsets
from export.training.loop import Answers, Fitted
from export.training.splits import CROSS_VALIDATED, Protocol, Settings, folds_of, refuse_unknown_speakers, splits
from sertag.model.calibration import log_probs, softmax
from sertag.records import FloatArray
from sertag.spec import ModelSpec

if TYPE_CHECKING:
    import keras

_EXAMPLES = 32  # windows on which Keras and ONNX Runtime are compared


class _Made(NamedTuple):
    """A finished training: the network that ships, how it was trained, and what is known of it."""

    network: keras.Model
    fitted: Fitted
    spec: ModelSpec
    learnt: Ints  # clips on which weights or calibration were fitted
    tested: str  # in words
    conditions: Mapping[str, Figures]
    facts: Mapping[str, object]


def train(
    recipe: Recipe,
    corpora: Sequence[Corpus],
    *,
    settings: Settings,
    out: Path,
    cache: Path,
    jobs: int,
    encoder: Path | None = None,
    teacher: Recipe | None = None,
    report: Report = lambda what, share: None,
) -> Path:
    """Train, measure, convert; returns the model file.

    Args:
        recipe: what to train.
        corpora: decodable clips with the recipe's labels; recipes for calls take `no_speech` too.
        settings: of the run.
        out: folder for `model.keras`, `model.onnx` and everything of `export.evaluation.report`.
        cache: folder for features and finished networks, from which the same command goes on.
        jobs: processes that make features.
        encoder: file of a frozen encoder, for recipes that need one.
        teacher: recipe of a network from which one that is cross-validated learns.
        report: of the progress.
    """
    out.mkdir(parents=True, exist_ok=True)
    clips = [clip for corpus in corpora for clip in corpus.clips]
    crossed = settings.protocol == CROSS_VALIDATED
    if crossed:
        refuse_unknown_speakers([clip for clip in clips if clip.corpus not in UNACTED])
    recipe = restrict_labels(recipe, {clip.label for clip in clips})
    experiment = Experiment(
        clips, recipe=recipe, cache=cache, jobs=jobs, encoder=encoder, teacher=teacher, report=report
    )
    made = (_cross_validated if crossed else _tested_on_one_side)(experiment, corpora, settings)
    spec, examples = made.spec, _examples(experiment, made.learnt)
    digests = [clips[index].digest for index in made.learnt]
    keras_file.save(made.network, out / "model.keras", spec=spec, examples=examples, digests=digests)
    front = encoder if recipe.encoder else None
    model = convert(made.network, spec=spec, examples=examples, digests=digests, out=out / "model.onnx", encoder=front)
    known = {"temperature": spec.temperature, "min_confidence": spec.min_confidence, "libraries": versions()}
    write_artefacts(
        out,
        model=model,
        title=f"{recipe.name}, {made.tested}",
        labels=recipe.labels,
        history=made.fitted.history,
        kept=made.fitted.kept,
        conditions=made.conditions,
        leaking=spec.training["leaking"],
        facts={**spec.training, **known, **made.facts},
    )
    return model


def _tested_on_one_side(experiment: Experiment, corpora: Sequence[Corpus], settings: Settings) -> _Made:
    """Train on one side of a split, score the other."""
    found = splits(experiment.clips, protocol=cast(Protocol, settings.protocol), seed=settings.seed)
    if settings.fold >= len(found):
        names = ", ".join(f"{number} ({split.name})" for number, split in enumerate(found))
        raise ExportError(f"there is no fold {settings.fold}; expected one of {names}", code="bad_fold")
    split = found[settings.fold]
    trial = experiment.run(split, seed=settings.seed, epochs=settings.epochs)
    conditions = {
        name: _figures(experiment, scores, split.test, trial.temperature) for name, scores in trial.scores.items()
    }
    return _Made(
        network=experiment.recipe.ship(trial.fitted.model),
        fitted=trial.fitted,
        spec=describe_trial(trial, experiment=experiment, split=split, corpora=corpora, settings=settings),
        learnt=np.concatenate([split.train, split.validation]),
        tested=f"{split.name} tested",
        conditions=conditions,
        facts={},
    )


def _cross_validated(experiment: Experiment, corpora: Sequence[Corpus], settings: Settings) -> _Made:
    """Score every clip by a network that was not trained on its fold, calibrate, train on everything."""
    folds = folds_of(experiment.clips, settings=settings)
    scored = out_of_fold(experiment, folds, settings=settings)
    pool = pool_of(experiment, scored)
    fit = calibrate(pool, spec=experiment.spec, answers_right=ANSWERS_RIGHT, seed=settings.seed)
    everything = np.arange(len(experiment.clips))
    fitted = experiment.fit(everything, seed=settings.seed, epochs=settings.epochs, name="everything")
    spec = fit.applied(describe_calls(experiment, corpora=corpora, settings=settings, folds=folds))
    return _Made(
        network=with_offsets(fitted.model, fit.offsets),
        fitted=fitted,
        spec=spec,
        learnt=everything,
        tested="clips that the scoring network was not trained on",
        conditions=_as_shipped(experiment, scored, fit.offsets, spec.temperature),
        facts={"offsets": [round(float(value), 3) for value in fit.offsets]},
    )


def _as_shipped(
    experiment: Experiment, scored: Mapping[str, Answers], offsets: Probs, temperature: float
) -> dict[str, Figures]:
    """What acted clips were taken for by networks that did not learn from them, decided as by the model that ships."""
    acted = [clip.corpus != ORDINARY for clip in experiment.clips]
    members = np.flatnonzero((experiment.truth != UNKNOWN) & acted)
    found = {}
    for name in CONDITIONS:
        windows = experiment.versions[name]
        probs = softmax((log_probs(scored[name].probs[windows.rows_of(members)]) + offsets) / temperature)
        found[name] = _figures(experiment, clip_scores(windows, probs, members), members)
    return found


def _figures(experiment: Experiment, scores: Scores, members: Ints, temperature: float = 1.0) -> Figures:
    """What the scores of some clips are worth. The training has diverged where they are no numbers."""
    if not np.isfinite(scores.log_probs).all():
        message = f"{experiment.recipe.name}: scores that are no numbers: the training diverged"
        raise ExportError(f"{message}; take a smaller learning rate", code="bad_result")
    probs, labels = softmax(scores.log_probs / temperature), experiment.recipe.labels
    return figures(probs, experiment.truth[members], labels=labels, answered=scores.answered)


def _examples(experiment: Experiment, members: Ints) -> FloatArray:
    """Some real windows, for the comparison of Keras and ONNX Runtime."""
    windows = experiment.versions[CLEAN]
    rows = windows.rows_of(members)
    chosen = rows[:: max(1, len(rows) // _EXAMPLES)][:_EXAMPLES]
    return np.asarray(windows.features[chosen], dtype=np.float32)
