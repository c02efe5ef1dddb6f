"""Files of arrays: whole, or not there; and what is said where a disk does not take them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from export.errors import ExportError
from export.features.cache import cache_arrays, keep_progress, make_cache
from tests.limits import largest_file

ARRAYS = {"long": np.arange(9000.0), "text": np.array("some words")}
WRITERS = pytest.mark.parametrize(
    ("write", "code", "advice"),
    [
        (keep_progress, "cannot_write", "make room or name another --out; the same command goes on"),
        (cache_arrays, "cannot_cache", "make room and run the same command again, or name another folder with --cache"),
    ],
)


@WRITERS
def test_what_is_written_is_read(tmp_path, write, code, advice):
    write(tmp_path / "a.npz", ARRAYS)
    with np.load(tmp_path / "a.npz") as stored:
        assert set(stored.files) == set(ARRAYS)
        for name, value in ARRAYS.items():
            np.testing.assert_array_equal(stored[name], value)
    assert [place.name for place in tmp_path.iterdir()] == ["a.npz"]


@WRITERS
@pytest.mark.parametrize("size", [0, 1, 100, 30000])
def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path, write, code, advice, size):
    place = tmp_path / "a.npz"
    with largest_file(size), pytest.raises(ExportError, match=advice) as caught:
        write(place, ARRAYS)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []
    place.write_text("the old one")
    with largest_file(size), pytest.raises(ExportError, match=tmp_path.name):
        write(place, ARRAYS)
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("a.npz", "the old one")]


@WRITERS
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_called_so(tmp_path, write, code, advice):
    (tmp_path / f"a.npz.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(ExportError, match=r"the disk is full|No space left on device"):
        write(tmp_path / "a.npz", ARRAYS)
    assert list(tmp_path.iterdir()) == []


@WRITERS
def test_a_folder_that_is_gone_is_one_line(tmp_path, write, code, advice):
    with pytest.raises(ExportError, match="No such file or directory") as caught:
        write(tmp_path / "none" / "a.npz", ARRAYS)
    assert "\n" not in str(caught.value)


def test_a_cache_is_a_folder(tmp_path):
    make_cache(tmp_path / "a" / "b")
    make_cache(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"cannot keep features: Not a directory.*--cache"):
        make_cache(tmp_path / "file" / "b")
