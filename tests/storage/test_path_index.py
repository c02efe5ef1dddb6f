"""What lies below a path is found as a walk would find it, whatever the names are."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from sertag.storage.path_index import PathIndex

NAMES = st.lists(st.binary(min_size=1, max_size=3).filter(lambda name: not set(name) & {0, 47}), min_size=1, max_size=4)
PATHS = st.tuples(st.sampled_from([b"", b"/", b"./"]), NAMES).map(lambda parts: parts[0] + b"/".join(parts[1]))


def walk_order(path: str) -> list[bytes]:
    return os.fsencode(path).split(b"/")


@given(st.lists(PATHS.map(os.fsdecode), max_size=30), st.data())
def test_the_same_is_found_as_by_looking_at_every_path(paths: list[str], data: st.DataObject) -> None:
    index = PathIndex((path, offset) for offset, path in enumerate(paths))
    latest = {path: offset for offset, path in enumerate(paths)}
    folders = [folder for path in paths if (folder := os.path.dirname(path))]
    wanted = data.draw(st.sampled_from([*paths, *folders, *(f"{folder}/" for folder in folders), "other"]))
    below = wanted if wanted.endswith("/") else wanted + "/"
    expected = sorted((path for path in latest if path == wanted or path.startswith(below)), key=walk_order)
    assert index.at_or_below(wanted) == [latest[path] for path in expected]


def test_the_empty_path_is_no_folder() -> None:
    assert PathIndex([("/a", 0), ("a", 1)]).at_or_below("") == []
