"""Windows of invented recordings with what a network says of them: acted ones of two corpora, ordinary ones of two."""

from __future__ import annotations

import numpy as np

from export.corpora.labels import LABELS
from export.evaluation.calls import WindowPool


def synthetic_pool(*, sharp: float = 3.0, tilt: float = 0.0, seed: int = 0) -> WindowPool:
    """A pool of windows, four a clip.

    Args:
        sharp: how far the right label stands out.
        tilt: how much anger is overrated, as by a network that knows acted speech alone.
        seed: of its mistakes.
    """
    rng = np.random.default_rng(seed)
    truth, person, place, ordinary = [], [], [], []
    for number in (0, 1):
        for actor in range(6):
            for label in range(len(LABELS)):
                truth += [label] * 8
                person += [10 * number + actor] * 8
                place += [number] * 8
                ordinary += [False] * 8
    for number in (2, 3):
        for reader in range(10):
            truth += [LABELS.index("neutral")] * 40
            person += [100 * number + reader] * 40
            place += [number] * 40
            ordinary += [True] * 40
    scores = sharp * np.eye(len(LABELS))[truth] + rng.standard_normal((len(truth), len(LABELS)))
    scores[:, LABELS.index("angry")] += tilt
    log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    clip = np.arange(len(truth)) // 4
    columns = (np.array(column) for column in (clip, truth, person, place, ordinary))
    return WindowPool(log_probs, np.full(len(truth), 2.0), *columns)
