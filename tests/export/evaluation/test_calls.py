"""Simulated calls: who speaks in them, how long, and that their rows are those of the tagger."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from export.corpora.labels import LABELS
from export.evaluation.calls import SHARES, Call, prevailing, row, simulate
from export.recipes.phone import RECIPE
from sertag.records import Status
from tests.pools import synthetic_pool

SPEC = dataclasses.replace(RECIPE.bare_spec(), temperature=1.5, min_confidence=0.3)
ANGRY, SAD, NEUTRAL = (LABELS.index(name) for name in ("angry", "sad", "neutral"))
POOL = synthetic_pool(sharp=6.0)


def calls(share: float, *, moods: tuple[int, ...] = (ANGRY, SAD), count: int = 40, seed: int = 1) -> list[Call]:
    return simulate(POOL, moods=moods, share=share, calls=count, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("share", SHARES)
def test_a_call_is_ordinary_speech_of_one_source_with_a_stretch_of_one_person_in_one_mood(share):
    for call in calls(share):
        inside = np.zeros(len(call.rows), dtype=bool)
        inside[call.begin : call.end] = True
        assert 40 <= len(call.rows) < 160
        assert inside.sum() == round(share * len(call.rows))
        assert POOL.ordinary[call.rows[~inside]].all()
        assert len(np.unique(POOL.place[call.rows[~inside]])) <= 1
        assert not POOL.ordinary[call.rows[inside]].any()
        assert len(np.unique(POOL.person[call.rows[inside]])) == min(1, inside.sum())
        assert set(POOL.truth[call.rows[inside]]) <= {call.mood}
        assert (call.mood == -1) == (share == 0)


def test_all_moods_and_sources_come_up_and_a_seed_decides():
    found = calls(0.3)
    assert {call.mood for call in found} == {ANGRY, SAD}
    assert len({int(POOL.place[call.rows[0]]) for call in found if call.begin}) == 2
    again, other = calls(0.3), calls(0.3, seed=2)
    assert all((one.rows == two.rows).all() for one, two in zip(found, again, strict=True))
    assert any(
        one.rows.shape != two.rows.shape or (one.rows != two.rows).any() for one, two in zip(found, other, strict=True)
    )


def test_corpora_come_up_equally_often_however_many_people_they_have():
    acted = np.flatnonzero(~POOL.ordinary & (POOL.truth == ANGRY))
    large, small = np.unique(POOL.place[acted])
    person = POOL.person.copy()
    own = acted[POOL.place[acted] == large]
    person[own] = 1000 + np.arange(len(own))  # everybody says one thing
    pool = dataclasses.replace(POOL, person=person)
    found = simulate(pool, moods=(ANGRY,), share=1.0, calls=200, rng=np.random.default_rng(1))
    assert np.mean([pool.place[call.rows[0]] == small for call in found]) == pytest.approx(0.5, abs=0.1)


def test_without_anybody_in_such_a_mood_there_is_no_call():
    assert calls(0.1, moods=()) == []
    assert calls(0.1, moods=(99,)) == []


def test_what_prevails_is_what_most_windows_are():
    assert all(prevailing(POOL, call) == NEUTRAL for call in calls(0.1))
    assert all(prevailing(POOL, call) == call.mood for call in calls(1.0))


def test_a_row_says_what_the_tagger_would():
    call = calls(1.0, moods=(ANGRY,))[0]
    found = row(POOL, call, spec=SPEC)
    assert (found.status, found.emotion) == (Status.OK, "angry")
    assert len(found.segments) == len(call.rows)
    probs = np.exp(POOL.log_probs[call.rows] / SPEC.temperature)
    probs /= probs.sum(axis=1, keepdims=True)
    np.testing.assert_allclose([segment.probs for segment in found.segments], probs, atol=1e-6)
    assert found.segments[1].start_s == pytest.approx(SPEC.hop_s)
    assert found.segments[0].end_s == pytest.approx(SPEC.window_s)
    assert sum(found.probs) == pytest.approx(1.0)


def test_a_stretch_is_found_where_it_is():
    for call in calls(0.3, moods=(ANGRY,), count=8):
        found = row(POOL, call, spec=SPEC)
        begin, end = call.begin * SPEC.hop_s, call.end * SPEC.hop_s + SPEC.window_s
        assert found.peak_start_s is not None
        assert begin - 10 <= found.peak_start_s <= end
