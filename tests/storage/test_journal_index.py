"""Offsets by key: what was added is found once, the latest of equal keys, however many there are."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertag.storage import journal_index
from sertag.storage.journal_index import JournalIndex


def filled(keys: list[bytes]) -> JournalIndex:
    index = JournalIndex()
    for offset, key in enumerate(keys):
        index.add(key, offset)
    return index


@given(
    keys=st.lists(st.binary(max_size=2), max_size=30),
    wanted=st.lists(st.binary(max_size=2), max_size=30),
    many=st.sampled_from([0, 1 << 30]),
)
def test_it_is_a_dict_of_which_entries_are_popped(keys: list[bytes], wanted: list[bytes], many: int) -> None:
    """Sorted with numpy or without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_index, "_MANY", many)
        index, expected = filled(keys), {key: offset for offset, key in enumerate(keys)}
        for key in wanted:
            assert len(index) == len(expected)
            assert index.get(key) == expected.get(key)
            assert index.take(key) == expected.pop(key, None)
        assert sorted(index.offsets()) == sorted(expected.values())


def test_keys_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of a million keys have the same 64 bits once in thirty million archives."""
    monkeypatch.setattr(journal_index, "hash", lambda key: 7, raising=False)
    index = filled([b"a", b"b", b"a"])
    assert [index.take(key) for key in (b"b", b"a", b"c")] == [1, 2, None]


def test_a_result_takes_few_bytes() -> None:
    keys = [str(number).encode() for number in range(50_000)]
    tracemalloc.start()
    index = filled(keys)
    assert len(index) == len(keys)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / len(keys) < 45


def test_results_that_are_taken_in_another_order_are_found() -> None:
    keys = [str(number).encode() for number in range(2000)]
    index, mixed = filled(keys), sorted(enumerate(keys), key=lambda entry: entry[1][::-1])
    assert all(index.take(key) == offset for offset, key in mixed)
    assert len(index) == 0
