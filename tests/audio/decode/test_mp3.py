"""MP3 as it is found: behind junk and tags, joined, and damaged in the middle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.audio.decode.reading import put, read, read_with_problem
from tests.audio_files import encoded, id3_tag, tones


@pytest.fixture(scope="module")
def mp3() -> bytes:
    return encoded(tones(3, rate_hz=44100, channels=2), rate_hz=44100, format="MP3")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\0" * 1000, b""),
        (b"junk\xff\xfb\x90" * 300, b""),
        (id3_tag(200_001), b""),
        (id3_tag(100) + id3_tag(50) + bytes(700), b""),
        (b"", b"TAG" + bytes(125)),
        (b"", b"APETAGEX" + bytes(100)),
        (b"", b"\xff" * 100_000),
    ],
)
def test_junk_around_an_mp3(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], mp3: bytes, before: bytes, after: bytes
) -> None:
    clean, dirty = put(tmp_path, mp3, "clean"), put(tmp_path, before + mp3 + after, "dirty")
    assert np.array_equal(read(clean), read(dirty))
    assert read_with_problem(dirty)[1] is None
    assert capfd.readouterr() == ("", "")


def test_junk_inside_an_mp3_is_skipped_and_told(tmp_path: Path, capfd: pytest.CaptureFixture[str], mp3: bytes) -> None:
    middle = len(mp3) // 2
    path = put(tmp_path, mp3[:middle] + np.random.default_rng(0).bytes(5000) + mp3[middle:])
    duration_s, problem = read_with_problem(path)
    assert duration_s == pytest.approx(3, abs=0.1)
    assert problem is not None
    assert "damaged and were skipped" in problem.message
    assert capfd.readouterr() == ("", "")


def test_joined_mp3_files_are_read_to_the_end(tmp_path: Path, mp3: bytes) -> None:
    duration_s, problem = read_with_problem(put(tmp_path, mp3 + mp3))
    assert duration_s == pytest.approx(6, abs=0.1)
    assert problem is None
    assert read_with_problem(put(tmp_path, mp3 + id3_tag(300) + mp3))[1] is None


def test_tags_in_front_of_a_flac_file(tmp_path: Path) -> None:
    samples = tones(1)
    found = read(put(tmp_path, id3_tag(5000) + encoded(samples, format="FLAC")))
    assert np.abs(found - samples.T).max() < 1e-4
