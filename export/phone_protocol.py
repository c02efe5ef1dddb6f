"""How the default model is tested: on strangers, on other corpora, over telephones.

Fixed before anything was tuned. Everything that a training chooses (temperature, least confidence) it chooses on inner
speakers of the training side. Each test, fold and seed is a piece, measured once for the same code, settings and clips;
`phone_summary` makes figures of them.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed

from export import (
    batches,
    benches,
    calibration,
    channel_statistics,
    codecs,
    convert,
    corpora,
    dataset,
    distortions,
    epochs,
    file_windows,
    fit,
    fit_phone,
    folds,
    metrics,
    noise,
    predictions,
    protocols,
    surety,
    surroundings,
    survival,
    telephone,
)
from export.benches import PhoneBench, Trial
from export.calibration import scale
from export.candidates import AS_IT_IS, CHANGES, network_of, settings_of
from export.clips import Clip, Corpus
from export.corpora import relabel
from export.dataset import Ints
from export.describe import data_hash
from export.metrics import Probs, area_under_curve, false_alarms, figures, sentiment_uar
from export.phone_questions import CONDITIONS, FIVE, FOUND, SEEDS, Question, refuse_missing, splits_of
from export.phone_survival import survival_of_clips
from export.pieces import Piece, code_of_modules, do_all, fingerprint, is_there, keep, origin, slug
from export.protocols import Split
from export.recipe import Recipe, code_of
from export.recipes.phone import RECIPE
from export.report import Report
from sertag import channel, features, mel, pitch, product, speech

ANGRY, CALM = "angry", ("neutral", "calm")
_RULES = 1  # raised when a piece is measured otherwise
_DECIDING = (
    *(batches, benches, calibration, dataset, distortions, epochs, fit, fit_phone, metrics, predictions, protocols),
    *(codecs, channel_statistics, file_windows, noise, surety, surroundings, survival, telephone),
    *(convert, corpora, folds, channel, features, mel, pitch, product, speech),
)


def measure(
    tests: Sequence[Question],
    corpora: Mapping[str, Corpus],
    *,
    place: Path,
    cache: Path,
    jobs: int,
    seeds: Sequence[int] = SEEDS,
    chosen: Mapping[str, str] | None = None,
    report: Report = lambda what, share: None,
) -> None:
    """Measure the pieces that are not there yet.

    Args:
        tests: which, in this order; those of which a corpus is missing are refused.
        corpora: by name, decodable clips with their own labels.
        place: folder of the pieces.
        cache: folder for features.
        jobs: trainings at a time, each on one thread.
        seeds: of splits and trainings.
        chosen: candidate by tested corpus, see `export.choice.choose`; measured is what is not the recipe as it is,
            which has a folder of its own. None measures the recipe everywhere.
        report: of the progress.

    Raises:
        ExportError: a corpus is missing, clips that cannot be split, or features that cannot be kept.
        OutputError: a piece cannot be written.
    """
    refuse_missing(tests, corpora)
    tested: dict[str, Sequence[str]] = {AS_IT_IS: FIVE}
    if chosen is not None:
        others = set(chosen.values()) - {AS_IT_IS}
        tested = {name: [corpus for corpus in chosen if chosen[corpus] == name] for name in sorted(others)}
    work = [
        delayed(measure_round)(
            test,
            seed,
            [corpora[name] for name in test.corpora],
            place=place,
            cache=cache,
            candidate=candidate,
            tested=own,
        )
        for seed in seeds
        for test in tests
        for candidate, own in tested.items()
    ]
    do_all(work, jobs=jobs, report=report, what="protocol" if chosen is None else "chosen")


def measure_round(
    test: Question,
    seed: int,
    corpora: Sequence[Corpus],
    *,
    place: Path,
    cache: Path,
    candidate: str = AS_IT_IS,
    tested: Collection[str] = FIVE,
) -> list[str]:
    """Measure a candidate in the folds of a test and seed that are not there yet; returns what to tell of each.

    `tested` are the corpora of which it is asked.
    """
    settings = settings_of(candidate)
    recipe = dataclasses.replace(recipe_of(test), features=settings.features)
    clips = [clip for corpus in relabel(corpora, onto=test.labels) for clip in corpus.clips]
    rules = rules_of(test, recipe, clips)
    if candidate != AS_IT_IS:
        rules = fingerprint([rules, candidate, dict(CHANGES.get(candidate, {}))])

    def missing(split: Split) -> bool:
        return test.tested(split.name) in tested and not is_there(place / piece_name(test, split, seed), rules)

    if not any(missing(split) for split in splits_of(test, clips, seed=seed)):
        return []
    bench = PhoneBench(clips, recipe=recipe, cache=cache, jobs=1, conditions=CONDITIONS, settings=settings)
    told: list[str] = []
    code, found = code_of_training(), splits_of(test, bench.clips, seed=seed)
    for split in filter(missing, found):
        where = place / piece_name(test, split, seed)
        began = time.monotonic()
        with network_of(candidate):
            trial = bench.run(split, seed=seed)
        said = {"folds": len(found), "rules": rules, "code": code, "candidate": candidate}
        piece = _piece(test, seed, split, trial, bench) | said
        if test.distorted and candidate == AS_IT_IS:
            piece["survival"] = survival_of_clips(split, trial, bench, seed=seed)
        took_s = time.monotonic() - began
        keep(where, piece | {"took_s": round(took_s, 1), **origin()})
        told.append(f"{where.stem}: {_short(piece)}, in {took_s:.0f} s")
    return told


def recipe_of(test: Question) -> Recipe:
    """The default model's recipe with the labels of a test."""
    return dataclasses.replace(RECIPE, labels=test.labels)


def rules_of(test: Question, recipe: Recipe, clips: Sequence[Clip]) -> str:
    """What a piece depends on: code, settings, clips and the question itself."""
    asked = repr(dataclasses.replace(test, title=""))
    return fingerprint([_RULES, asked, code_of(recipe), code_of_modules(_DECIDING), data_hash(clips)])


def code_of_training() -> str:
    """What the figures of any test come from, whatever the clips: the recipe, its settings and the code around it."""
    return fingerprint([_RULES, code_of(RECIPE), code_of_modules(_DECIDING)])


def piece_name(test: Question, split: Split, seed: int) -> str:
    """Where a piece lies in the folder of the pieces."""
    return f"{test.name}-{slug(split.name)}-{seed}.json"


def _piece(test: Question, seed: int, split: Split, trial: Trial, bench: PhoneBench) -> Piece:
    people = {bench.clips[index].person for index in split.learn}
    return {
        "test": test.name,
        "fold": split.name,
        "seed": seed,
        "labels": list(test.labels),
        "learnt": {"clips": len(split.learn), "speakers": len(people), "inner_clips": len(split.inner)},
        "temperature": round(trial.temperature, 4),
        "min_confidence": round(trial.min_confidence, 4),
        "conditions": {
            name: _condition(
                scale(scores.log_probs, temperature=trial.temperature),
                bench.truth[split.test],
                recipe=bench.recipe,
                seconds=bench.seconds[split.test],
            )
            for name, scores in trial.scores.items()
        },
    }


def _condition(probs: Probs, truth: Ints, *, recipe: Recipe, seconds: Probs) -> dict[str, Any]:
    found = figures(probs, truth, labels=recipe.labels)
    sentiments = [recipe.sentiment[label] for label in recipe.labels]
    answered = np.ones(len(truth), dtype=bool)
    return {
        "clips": found.clips,
        "uar": round(found.uar, 4),
        "accuracy": round(found.accuracy, 4),
        "ece": round(found.ece, 4),
        "sentiment_uar": round(sentiment_uar(probs, truth, answered, sentiments=sentiments), 4),
        "confusion": found.confusion,
        "surety": surety.to_plain(surety.surety(probs, truth)),
        "anger": _anger(probs, truth, recipe.labels, seconds),
    }


def _anger(probs: Probs, truth: Ints, labels: tuple[str, ...], seconds: Probs) -> dict[str, Any] | None:
    """How well anger is told from the rest, and what it costs in calm speech; None where nobody is angry, or calm."""
    angry = truth == labels.index(ANGRY)
    calm = np.isin(truth, [labels.index(name) for name in CALM if name in labels])
    if not angry.any() or not calm.any():
        return None
    scores = probs[:, labels.index(ANGRY)]
    an_hour = 3600 * calm.sum() / seconds[calm].sum()  # clips of calm speech
    return {
        "auc": round(area_under_curve(scores, angry), 4),
        "false_alarms_an_hour": {
            f"{share:.0%}": round(an_hour * false_alarms(scores, angry, calm, found=share), 1) for share in FOUND
        },
    }


def _short(piece: Piece) -> str:
    return ", ".join(f"{name} {100 * found['uar']:.1f}" for name, found in piece["conditions"].items())
