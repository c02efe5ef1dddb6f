"""The main decisions of the default model's recipe made anew, once for each corpus, without a clip of that corpus.

Trials of the recipe (`export.search`) have scored speakers of all corpora, and the protocol tests on the same corpora.
Whether its figures come from folds that chose the recipe is answered here: candidates, fixed beforehand, each differ
from the recipe in one decision, and for each corpus that candidate is chosen which is best on the *other* corpora. In
what is looked at for a corpus, none of its clips is learnt from or scored.

A candidate is trained on half the speakers of each corpus and scored on the other half, and on three corpora and scored
on the two that it has not heard, so that each corpus is left out together with two others. Both count the same. Its
merit is the mean UAR, over the conditions too: clean, phone, out of a noisy place, as one clip and in a call.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed

from export.benches import LINES_SEED
from export.candidates import AS_IT_IS, CHANGES, MEMBERS, alone, network_of, settings_of
from export.channel_statistics import Statistics, statistics
from export.clips import Corpus
from export.corpora import relabel
from export.dataset import Dataset, Ints, Preparation, prepare
from export.describe import data_hash
from export.errors import ExportError
from export.fit_phone import Settings, fit_phone
from export.folds import assign_folds
from export.labels import LABELS
from export.metrics import Probs, figures
from export.phone_protocol import code_of_training
from export.phone_questions import CONDITIONS, FIVE
from export.pieces import Piece, do_all, fingerprint, is_there, keep, origin, read_all, slug
from export.predictions import IN_NOISE, predict
from export.report import Report

PAIRS = tuple(zip(FIVE, (*FIVE[1:], FIVE[0]), strict=True))
CONDITIONS_TRIED = (*CONDITIONS.values(), *IN_NOISE)

_RULES = 1  # raised when a piece is measured otherwise
_SEED = 1
_HALVES, _SCORED_HALF = 2, 1
_MOST_SCORED = 1000  # clips of a corpus


@dataclass(frozen=True, slots=True)
class _Training:
    """One training: on whom, and who is scored.

    Attributes:
        candidate: one of `CHANGES`.
        corpora: that it has clips of, learnt from or scored.
        scored: the two that are not learnt from, or the one of whose speakers half are learnt from.
    """

    candidate: str
    corpora: tuple[str, ...]
    scored: tuple[str, ...]

    @property
    def file(self) -> str:
        """Where its piece lies."""
        within = self.corpora == self.scored
        what = f"half of {self.scored[0]}" if within else f"without {' '.join(self.scored)}"
        return f"{slug(self.candidate)}-{slug(what)}.json"


def measure(
    corpora: Mapping[str, Corpus],
    *,
    place: Path,
    cache: Path,
    jobs: int,
    report: Report = lambda what, share: None,
) -> None:
    """Train and score what is not there yet.

    Args:
        corpora: by name, decodable clips with their own labels.
        place: folder of the pieces.
        cache: folder for features.
        jobs: trainings at a time, each on one thread.
        report: of the progress.

    Raises:
        ExportError: a corpus is missing, or features that cannot be kept.
        OutputError: a piece cannot be written.
    """
    if missing := [name for name in FIVE if name not in corpora]:
        message = f"the choice is made on {', '.join(FIVE)}, and there is no {', '.join(missing)}"
        raise ExportError(f"{message}; add --data NAME=DIR", code="no_data")
    work = [
        delayed(_measure_all)(trainings, [corpora[name] for name in trainings[0].corpora], place=place, cache=cache)
        for candidate in CHANGES
        for trainings in _trainings(candidate)
    ]
    do_all(work, jobs=jobs, report=report, what="choice")


def choose(pieces: Sequence[Piece]) -> dict[str, Any]:
    """What each candidate reaches where a corpus is left alone, and which is chosen there.

    Args:
        pieces: all of them; a candidate of which some are missing does not stand.

    Returns:
        `merits`, by candidate and corpus that is left alone, shares from 0 to 1; `chosen`, by that corpus; what it was
        measured with and when. Empty where no candidate stands.
    """
    by_candidate: dict[str, list[Piece]] = {}
    for piece in pieces:
        for candidate in piece["uar"]:
            by_candidate.setdefault(candidate, []).append(piece)
    all_of_them = len(FIVE) + len(PAIRS)
    merits = {
        candidate: {left: round(_merit(by_candidate[candidate], candidate, left=left), 4) for left in FIVE}
        for candidate in (AS_IT_IS, *MEMBERS, *CHANGES)
        if len(by_candidate.get(candidate, [])) == all_of_them
    }
    if not merits:
        return {}
    return {
        "merits": merits,
        "chosen": {left: max(merits, key=lambda name: merits[name][left]) for left in FIVE},
        "codes": sorted({piece["code"] for piece in pieces}),
        "dates": sorted({piece["date"] for piece in pieces}),
        "commits": sorted({piece["commit"] for piece in pieces}),
    }


def read_choice(place: Path) -> dict[str, Any]:
    """See `choose`."""
    return choose(read_all(place))


def _merit(pieces: Sequence[Piece], candidate: str, *, left: str) -> float:
    """Mean over unseen speakers and unseen corpora, where a corpus is left alone."""
    speakers: list[float] = []
    strangers: list[float] = []
    for piece in pieces:
        uar = {corpus: float(np.mean(list(found.values()))) for corpus, found in piece["uar"][candidate].items()}
        others = [merit for name, merit in uar.items() if name != left]
        if len(uar) == 1:
            speakers += others
        elif left in uar:  # else it has been learnt from
            strangers += others
    return float(np.mean(speakers) + np.mean(strangers)) / 2


def _trainings(candidate: str) -> list[list[_Training]]:
    """All of a candidate; those together that share their clips."""
    halves = [[_Training(candidate, (name,), (name,))] for name in FIVE]
    return [*halves, [_Training(candidate, FIVE, pair) for pair in PAIRS]]


def _measure_all(trainings: Sequence[_Training], corpora: Sequence[Corpus], *, place: Path, cache: Path) -> list[str]:
    """Measure what is not there yet; returns what to tell of each."""
    candidate = trainings[0].candidate
    settings = dataclasses.replace(settings_of(candidate), seed=_SEED)
    clips = [clip for corpus in relabel(corpora, onto=LABELS) for clip in corpus.clips]
    code = code_of_training()
    rules = fingerprint([_RULES, candidate, dict(CHANGES[candidate]), code, data_hash(clips)])
    missing = [training for training in trainings if not is_there(place / training.file, rules)]
    if not missing:
        return []
    dataset = prepare(clips, preparation=Preparation(settings.features, seed=LINES_SEED), cache=cache, jobs=1)
    sums = tuple(statistics(version, features=settings.features) for version in dataset.versions)
    told = []
    for training in missing:
        began = time.monotonic()
        found = _try(training, dataset, sums, settings=settings)
        piece = {"training": training.file, "seed": _SEED, "uar": found, "rules": rules, "code": code}
        keep(place / training.file, piece | {"took_s": round(time.monotonic() - began, 1), **origin()})
        told.append(f"{training.file}: {_short(found[candidate])}, in {time.monotonic() - began:.0f} s")
    return told


def _try(
    training: _Training, dataset: Dataset, sums: tuple[Statistics, ...], *, settings: Settings
) -> dict[str, dict[str, dict[str, float]]]:
    """UAR by candidate, scored corpus and condition."""
    learn, scored = _sides(training, dataset)
    with network_of(training.candidate):
        model = fit_phone(dataset, sums, learn, settings=settings).model
    networks = {training.candidate: model}
    if training.candidate == AS_IT_IS:
        networks |= {name: alone(model, name) for name in MEMBERS}
    corpus_of = np.array([clip.corpus for clip in dataset.clips])[scored]
    truth = np.array([settings.labels.index(clip.label) for clip in dataset.clips])[scored]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, network in networks.items():
        answers = predict(
            network,
            dataset,
            sums,
            scored,
            frames=settings.window_frames,
            hop_frames=settings.hop_frames,
            conditions=CONDITIONS_TRIED,
        ).log_probs
        found[name] = {
            corpus: {
                condition: _uar(log_probs[corpus_of == corpus], truth[corpus_of == corpus])
                for condition, log_probs in answers.items()
            }
            for corpus in sorted(set(corpus_of))
        }
    return found


def _sides(training: _Training, dataset: Dataset) -> tuple[Ints, Ints]:
    """Who is learnt from and who is scored, int64, ascending."""
    corpus_of = np.array([clip.corpus for clip in dataset.clips])
    asked = [corpus_of == name for name in training.scored]
    if training.scored == training.corpora:
        asked = [assign_folds(dataset.clips, folds=_HALVES, seed=_SEED) == _SCORED_HALF]
    rng = np.random.default_rng(_SEED)
    scored = [rng.permutation(np.flatnonzero(own))[:_MOST_SCORED] for own in asked]
    return np.flatnonzero(~np.any(asked, axis=0)), np.sort(np.concatenate(scored))


def _uar(log_probs: Probs, truth: Ints) -> float:
    return round(figures(np.exp(log_probs), truth, labels=LABELS).uar, 4)


def _short(found: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(f"{corpus} {100 * np.mean(list(own.values())):.1f}" for corpus, own in found.items())
