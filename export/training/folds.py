"""Folds by speaker: nobody is ever on both sides of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from export.arrays import Ints
from export.corpora.clips import Clip
from export.errors import ExportError


def assign_folds(clips: Sequence[Clip], *, folds: int, seed: int) -> Ints:
    """Deal the speakers of each corpus over the folds.

    Args:
        clips: n of them.
        folds: how many.
        seed: of the order in which a corpus' speakers are dealt.

    Returns:
        int64 (n,), the fold in which each clip is tested. Each corpus goes on where the one before stopped, so that the
        two speakers of a small corpus do not meet in the same fold and no fold is much larger than another.

    Raises:
        ExportError: fewer than two folds, or fewer speakers than folds.
    """
    rng = np.random.default_rng(seed)
    corpora: dict[str, set[str]] = {}
    for clip in clips:
        corpora.setdefault(clip.corpus, set()).add(clip.person)
    dealt = [str(person) for corpus in sorted(corpora) for person in rng.permutation(sorted(corpora[corpus]))]
    if not 2 <= folds <= len(dealt):
        found = f"{folds} folds with {len(dealt)} speakers: expected one speaker or more in each of two or more folds"
        advice = "take fewer --folds" if len(dealt) > 1 else "give clips of others, or take --protocol random"
        raise ExportError(f"{found}; {advice}", code="bad_folds")
    fold_of = {person: index % folds for index, person in enumerate(dealt)}
    return np.array([fold_of[clip.person] for clip in clips], dtype=np.int64)
