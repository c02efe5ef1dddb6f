"""Names of emotions, and what each label of some clips counts as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.corpora.labels import ALIASES, KNOWN, LABELS, SENTIMENT, SENTIMENTS, canonical, mapping
from export.errors import ExportError

ANY_NAME = st.one_of(st.text(), st.sampled_from([*ALIASES, *KNOWN]).map(str.title))


@given(name=ANY_NAME)
def test_a_canonical_name_stays_as_it_is(name):
    assert canonical(canonical(name)) == canonical(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (" ANGER ", "angry"),
        ("pleasant-surprised", "surprise"),
        ("Pleasant  Surprise", "surprise"),
        ("ps", "surprise"),
        ("Joy", "happy"),
        ("on hold", "on_hold"),
        ("wu\u0308tend", "w\u00fctend"),
        ("", ""),
    ],
)
def test_what_people_call_emotions_gets_one_name(name, expected):
    assert canonical(name) == expected


def test_the_tables_agree():
    assert set(ALIASES.values()) <= set(KNOWN)
    assert set(ALIASES).isdisjoint(KNOWN)
    assert set(KNOWN) <= set(SENTIMENT)
    assert set(SENTIMENT.values()) == set(SENTIMENTS)
    assert all(canonical(label) == label and label.isidentifier() for label in KNOWN)


@given(
    found=st.sets(st.sampled_from(KNOWN)),
    onto=st.one_of(
        st.lists(st.sampled_from(KNOWN), min_size=2, unique=True).map(tuple),
        st.lists(st.sampled_from(SENTIMENTS), min_size=2, unique=True).map(tuple),
    ),
)
def test_every_known_label_counts_as_one_of_the_models_or_as_none(found, onto):
    decided = mapping(found, onto=onto)
    assert list(decided) == sorted(found)
    assert set(decided.values()) <= {*onto, None}
    assert all(decided[label] == label for label in found & set(onto))


@pytest.mark.parametrize(
    ("label", "onto", "expected"),
    [
        ("calm", LABELS, "neutral"),
        ("calm", (*LABELS, "calm"), "calm"),
        ("calm", ("angry", "happy"), None),
        ("boredom", LABELS, None),
        ("boredom", SENTIMENTS, "negative"),
        ("surprise", SENTIMENTS, "neutral"),
        ("surprise", ("negative", "positive"), None),
        ("happy", ("negative", "positive"), "positive"),
        ("disgust", ("angry", "neutral"), None),
    ],
)
def test_what_a_label_counts_as(label, onto, expected):
    assert mapping({label}, onto=onto) == {label: expected}


@pytest.mark.parametrize(("wish", "expected"), [("sad", "sad"), ("", None)])
@pytest.mark.parametrize("label", ["calm", "angry", "billing"])
def test_the_users_wishes_come_first(label, wish, expected):
    assert mapping({label}, onto=LABELS, label_map={label: wish}) == {label: expected}


@pytest.mark.parametrize(
    ("found", "renamed", "message"),
    [
        ({"billing"}, {}, "label 'billing' is none of this model's labels, angry, .*--map FOUND=LABEL"),
        ({"positive"}, {}, "label 'positive' is none of"),
        ({"calm"}, {"calm": "peaceful"}, "--map calm=peaceful: 'peaceful' is none of"),
    ],
)
def test_what_nobody_knows_is_refused(found, renamed, message):
    with pytest.raises(ExportError, match=message) as refused:
        mapping(found, onto=LABELS, label_map=renamed)
    assert refused.value.code == "unknown_label"
