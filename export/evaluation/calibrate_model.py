"""Temperature and least confidence of a model file that somebody else trained, from labelled clips."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from export.corpora.clips import Corpus
from export.corpora.labels import mapping
from export.errors import ExportError
from export.evaluation.calibration import ANSWERS_RIGHT, choose_threshold, fit_temperature, scale
from export.features.clip_windows import tagged_windows
from export.progress import Report
from sertag.model.calibration import log_probs
from sertag.model.session import Model
from sertag.spec import ModelSpec

FEWEST_CLIPS = 30


def calibrated(
    model: Model, corpora: Sequence[Corpus], *, report: Report, label_map: Mapping[str, str] = MappingProxyType({})
) -> ModelSpec:
    """Fit a temperature and a least confidence on labelled clips.

    Clips count the same, whatever their number of windows. The temperature is that of the least negative
    log-likelihood (Guo et al. 2017); over the least confidence, 60 % of the answers are right.

    Args:
        model: of any confidences.
        corpora: clips that it was not trained on; labels that it does not have are left out.
        report: hears about progress.
        label_map: label -> label of the model.

    Returns:
        The specification of the model with both.

    Raises:
        ExportError: there are under 30 clips, or all have one label.
    """
    clips = [clip for corpus in corpora for clip in corpus.clips]
    counts_as = mapping({clip.label for clip in clips}, onto=model.spec.labels, label_map=label_map)
    scores, truth, weights = [], [], []
    for number, clip in enumerate(clips, 1):
        label = counts_as[clip.label]
        windows, _ = tagged_windows(clip.path, spec=model.spec) if label is not None else (np.zeros((0, 1, 1)), None)
        if label is not None and len(windows):
            scores.append(log_probs(model.raw(windows)))
            truth += [model.spec.labels.index(label)] * len(windows)
            weights += [1 / len(windows)] * len(windows)
        report("calibrate", number / len(clips))
    if len(scores) < FEWEST_CLIPS or len(set(truth)) < 2:
        found = f"{len(scores)} clips with {len(set(truth))} of the labels {', '.join(model.spec.labels)}"
        message = f"{found}; expected {FEWEST_CLIPS} clips or more, of two labels or more, to calibrate on"
        raise ExportError(message, code="no_data")
    return _fitted(model.spec, np.concatenate(scores), np.array(truth), np.array(weights), clips=len(scores))


def _fitted(spec: ModelSpec, scores: np.ndarray, truth: np.ndarray, weights: np.ndarray, *, clips: int) -> ModelSpec:
    temperature = fit_temperature(scores, truth, weights=weights)
    probs = scale(scores, temperature=temperature)
    right = probs.argmax(axis=1) == truth
    floor = choose_threshold(probs.max(axis=1), right, accuracy=ANSWERS_RIGHT, weights=weights)
    share, chance = np.average(right, weights=weights), 1 / len(set(truth))
    said = f"{clips} clips, on which {share:.0%} of the answers are right (by chance {chance:.0%})"
    training = {**spec.training, "calibrated": True, "calibration": said}
    return dataclasses.replace(
        spec, temperature=temperature, min_confidence=floor, training=MappingProxyType(training), probe=spec.probe
    )
