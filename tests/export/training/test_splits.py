"""Who is learnt from, who chooses and who is tested: the properties that every figure rests on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.corpora.clips import Clip
from export.corpora.loading import find_corpora, load
from export.errors import ExportError
from export.training.splits import (
    PROTOCOLS,
    TEST_SHARE,
    VALIDATION_SHARE,
    Split,
    assign_folds,
    splits,
)


def clip(corpus: str, speaker: str, number: int) -> Clip:
    digest = f"{corpus}-{speaker}-{number}"
    return Clip(Path(f"{digest}.wav"), corpus, speaker, "sad", "", "", "", digest)


def crowd(corpus: str, speakers: int, each: int = 3) -> list[Clip]:
    return [clip(corpus, f"{speaker:02}", number) for speaker in range(1, speakers + 1) for number in range(each)]


CROWDS = st.builds(
    lambda sizes, each: [item for number, size in enumerate(sizes) for item in crowd("abc"[number], size, each)],
    st.lists(st.integers(1, 12), min_size=2, max_size=3),
    st.integers(1, 4),
)
SEEDS = st.integers(0, 99)


def people(clips: list[Clip], members: np.ndarray) -> set[str]:
    return {clips[index].person for index in members}


def same(one: list[Split], other: list[Split]) -> bool:
    return len(one) == len(other) and all(
        a.name == b.name
        and all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("train", "validation", "test"))
        for a, b in zip(one, other, strict=True)
    )


@settings(deadline=None)
@given(clips=CROWDS, protocol=st.sampled_from(PROTOCOLS), seed=SEEDS)
def test_every_clip_is_on_one_side_and_the_seed_decides_which(clips, protocol, seed):
    found = splits(clips, protocol=protocol, seed=seed)
    for split in found:
        parts = [split.train, split.validation, split.test]
        assert sorted(np.concatenate(parts)) == list(range(len(clips)))
        assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)
        assert len(split.validation)
        assert len(split.test)
    assert same(found, splits(clips, protocol=protocol, seed=seed))
    if protocol != "random":  # every clip is tested once
        assert Counter(np.concatenate([split.test for split in found])) == Counter(range(len(clips)))


@settings(deadline=None)
@given(clips=CROWDS, seed=SEEDS)
def test_nobody_who_is_tested_was_learnt_from(clips, seed):
    for split in splits(clips, protocol="speakers", seed=seed):
        assert not people(clips, split.test) & (people(clips, split.train) | people(clips, split.validation))
        assert not split.leaking


@settings(deadline=None)
@given(clips=CROWDS, seed=SEEDS)
def test_no_corpus_that_is_tested_was_learnt_from(clips, seed):
    found = splits(clips, protocol="corpora", seed=seed)
    assert [split.name for split in found] == sorted({item.corpus for item in clips})
    for split in found:
        assert {clips[index].corpus for index in split.test} == {split.name}
        assert split.name not in {clips[index].corpus for index in (*split.train, *split.validation)}
        assert not split.leaking


@settings(deadline=None)
@given(clips=CROWDS, protocol=st.sampled_from(PROTOCOLS), seed=SEEDS)
def test_the_epoch_is_chosen_by_strangers_where_there_are_enough(clips, protocol, seed):
    for split in splits(clips, protocol=protocol, seed=seed):
        apart = not people(clips, split.validation) & people(clips, split.train)
        others = people(clips, split.train) | people(clips, split.validation)
        assert apart or not split.speaker_independent
        assert split.speaker_independent == (len(others) >= 3 and not others & people(clips, split.test))
        if split.speaker_independent:
            assert len(people(clips, split.validation)) == max(1, round(VALIDATION_SHARE * len(others)))


@settings(deadline=None)
@given(clips=CROWDS, protocol=st.sampled_from(PROTOCOLS), seed=SEEDS)
def test_what_is_called_leaking_leaks(clips, protocol, seed):
    for split in splits(clips, protocol=protocol, seed=seed):
        known = people(clips, split.train) | people(clips, split.validation)
        assert split.leaking == bool(known & people(clips, split.test))


def test_another_seed_deals_otherwise():
    clips = crowd("a", 12)
    for protocol in ("random", "speakers"):
        assert not same(splits(clips, protocol=protocol, seed=1), splits(clips, protocol=protocol, seed=2))


def test_random_is_one_split_of_a_fifth_of_the_clips_and_leaks():
    clips = crowd("a", 4, each=25)
    (split,) = splits(clips, protocol="random", seed=1)
    assert (len(split.test), len(split.validation), len(split.train)) == (round(TEST_SHARE * 100), 8, 72)
    assert split.leaking
    assert not split.speaker_independent


@pytest.mark.parametrize(("speakers", "folds"), [(2, 2), (10, 10), (11, 5), (30, 5)])
def test_few_speakers_are_a_fold_each(speakers, folds):
    clips = crowd("emodb", speakers)
    found = splits(clips, protocol="speakers", seed=1)
    assert len(found) == folds
    if folds == speakers:
        assert [split.name for split in found] == sorted({item.speaker for item in clips})


def test_speakers_of_two_corpora_are_told_apart():
    clips = [*crowd("a", 2), *crowd("b", 2)]
    assert [split.name for split in splits(clips, protocol="speakers", seed=1)] == ["a/01", "a/02", "b/01", "b/02"]


def test_ravdess_is_split_by_actor_number_modulo_six():
    clips = crowd("ravdess", 24)
    found = splits(clips, protocol="speakers", seed=1)
    assert len(found) == 6
    for split in found:
        numbers = {int(clips[index].speaker) for index in split.test}
        assert len(numbers) == 4
        assert {number % 6 for number in numbers} == {int(split.name[-1])}


def test_real_ravdess_has_four_actors_a_fold(data_dir):
    clips = load(data_dir / "ravdess", name="ravdess").clips
    found = splits(clips, protocol="speakers", seed=1)
    assert [len({clips[index].speaker for index in split.test}) for split in found] == [4] * 6
    assert sum(len(split.test) for split in found) == len(clips)


@pytest.mark.parametrize("unnamed", [1, 6])
def test_a_speaker_that_nobody_named_is_refused(unnamed):
    clips = [*crowd("own", 3), *(clip("own", "", number) for number in range(unnamed))]
    message = rf"{unnamed} of {len(clips)} clips have no speaker, own--0.wav for one; name them in a manifest.*random"
    with pytest.raises(ExportError, match=message) as caught:
        splits(clips, protocol="speakers", seed=1)
    assert caught.value.code == "no_speaker"


def test_where_speakers_are_not_known_random_is_taken_for_leaking():
    clips = [clip("own", "", number) for number in range(20)]
    (split,) = splits(clips, protocol="random", seed=1)
    assert split.leaking
    assert not split.speaker_independent


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("speakers", r"only one speaker, 01: nobody is left to test"),
        ("corpora", r"only one corpus, own: nobody is left"),
    ],
)
def test_one_speaker_or_corpus_is_refused(protocol, message):
    with pytest.raises(ExportError, match=message + r".*--protocol random") as caught:
        splits(crowd("own", 1, each=9), protocol=protocol, seed=1)
    assert caught.value.code == "one_group"


FEW_CLIPS = st.lists(
    st.builds(clip, st.sampled_from(["a", "b", "c"]), st.sampled_from("12345"), st.integers(0, 9)), unique=True
)


@given(clips=FEW_CLIPS, folds=st.integers(2, 5), seed=st.integers(0, 99))
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
