"""Files of arrays: whole, or not there; and what is said where a disk does not take them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from export.cache import cache_arrays, cache_bytes, default_cache
from export.errors import ExportError
from tests.limits import largest_file

ARRAYS = {"long": np.arange(9000.0), "text": np.array("some words")}


def test_what_is_written_is_read(tmp_path):
    cache_arrays(tmp_path / "a.npz", ARRAYS)
    with np.load(tmp_path / "a.npz") as stored:
        assert set(stored.files) == set(ARRAYS)
        for name, value in ARRAYS.items():
            np.testing.assert_array_equal(stored[name], value)
    assert [place.name for place in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("size", [0, 1, 100, 30000])
def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path, size):
    place = tmp_path / "a.npz"
    advice = r"a\.npz: cannot keep this .*make room and run the same command again.* --cache"
    with largest_file(size), pytest.raises(ExportError, match=advice) as caught:
        cache_arrays(place, ARRAYS)
    assert caught.value.code == "cannot_cache"
    assert list(tmp_path.iterdir()) == []
    place.write_text("the old one")
    with largest_file(size), pytest.raises(ExportError, match=tmp_path.name):
        cache_arrays(place, ARRAYS)
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("a.npz", "the old one")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_called_so(tmp_path):
    (tmp_path / f"a.npz.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(ExportError, match=r"the disk is full"):
        cache_bytes(tmp_path / "a.npz", b"content")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made(tmp_path):
    cache_bytes(tmp_path / "a" / "b" / "c", b"content")
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"content"
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"Not a directory.*--cache") as caught:
        cache_bytes(tmp_path / "file" / "b" / "c", b"content")
    assert "\n" not in str(caught.value)


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "sertag"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_cache() == Path("/home/somebody/.cache/sertag")
