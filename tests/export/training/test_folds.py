"""Folds by speaker: the property that every figure rests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.corpora.clips import Clip
from export.corpora.loading import find_corpora
from export.errors import ExportError
from export.features.call_frames import group_calls
from export.training.folds import assign_folds


def clip(corpus: str, speaker: str, number: int) -> Clip:
    digest = f"{corpus}{speaker}{number}"
    return Clip(Path(digest), corpus, speaker, "sad", str(number), "", "", digest)


CLIPS = st.lists(
    st.builds(clip, st.sampled_from(["a", "b", "c"]), st.sampled_from("12345"), st.integers(0, 9)), unique=True
)


@given(clips=CLIPS, folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_nobody_is_in_two_folds(clips, folds, seed):
    people = {item.person for item in clips}
    if len(people) < folds:
        with pytest.raises(ExportError, match="speakers: expected"):
            assign_folds(clips, folds=folds, seed=seed)
        return
    found = assign_folds(clips, folds=folds, seed=seed)
    for person in people:
        own = [fold for item, fold in zip(clips, found, strict=True) if item.person == person]
        assert len(set(own)) == 1
    assert set(found) == set(range(folds))


@given(clips=CLIPS, seed=st.integers(0, 99))
def test_nobody_shares_a_call_and_no_clip_is_lost(clips, seed):
    calls = group_calls(clips, seed=seed)
    assert all(len({item.person for item in call}) == 1 for call in calls)
    assert sorted(item.digest for call in calls for item in call) == sorted(item.digest for item in clips)


def test_the_order_of_clips_does_not_matter():
    clips = [clip(corpus, speaker, number) for corpus in "ab" for speaker in "1234" for number in range(3)]
    backwards = assign_folds(clips[::-1], folds=3, seed=1)[::-1]
    np.testing.assert_array_equal(assign_folds(clips, folds=3, seed=1), backwards)


def test_real_corpora_are_spread_over_the_folds(data_dir):
    clips = [item for corpus in find_corpora([str(data_dir)]) for item in corpus.clips]
    folds = assign_folds(clips, folds=4, seed=1)
    by_person = {item.person: int(fold) for item, fold in zip(clips, folds, strict=True)}
    assert by_person["tess/OAF"] != by_person["tess/YAF"]
    for corpus in ("ravdess", "emodb", "emovo", "nemo"):
        assert {fold for person, fold in by_person.items() if person.startswith(corpus)} == {0, 1, 2, 3}
