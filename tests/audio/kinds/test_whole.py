"""Whole recordings of every kind, alone, tagged, joined and behind junk: all of them is read, nothing else is said."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.audio.containers.test_tags import ID3V1, ape
from tests.audio.kinds.recordings import (
    ALL,
    NEAR_S,
    SECONDS,
    STREAMS,
    UNPIPED,
    WAVES,
    ffmpeg,
    heard,
    played_s,
    put,
    recording,
    recordings,
)
from tests.audio_files import encoded, id3_tag

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed, it writes the files")
pytest.importorskip("av", reason="PyAV is not installed, the extra `av` brings it")

PIPED = sorted(ALL.keys() - UNPIPED)
SHORT_S = 3.0  # length of recordings of other rates
FIXED_RATE = ("flv mp3", "wma", "mkv opus", "webm opus", "ogg opus", "3gp aac")  # never, or not well, at 8 kHz
FREE_RATE = tuple(sorted(ALL.keys() - STREAMS - set(FIXED_RATE)))


@cache
def read_whole_s(kind: str, folder: Path) -> float:
    return heard(put(folder, recording(kind), f"{kind}.bin"))[0]


@pytest.fixture
def whole_s(kind: str, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds of a recording of this kind, read alone."""
    return read_whole_s(kind, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("kind", ALL)
def test_a_whole_file_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    assert heard(put(tmp_path, recording(kind))) == (pytest.approx(SECONDS, abs=NEAR_S), 2, None)


@pytest.mark.parametrize("kind", PIPED)
def test_what_was_written_to_a_pipe_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    found = heard(put(tmp_path, recording(kind, piped=True)))
    assert found == (pytest.approx(SECONDS, abs=NEAR_S + 0.1), 2, None)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("behind", [ape(header=True), ape(header=False) + ID3V1, bytes(4000)])
def test_tags_and_filler_behind_a_whole_file_are_no_loss(
    tmp_path: Path, kind: str, behind: bytes, whole_s: float
) -> None:
    seconds, _, problem = heard(put(tmp_path, recording(kind) + behind))
    assert problem is None
    assert seconds == pytest.approx(whole_s, abs=0.01 if kind in WAVES else NEAR_S)


@pytest.mark.parametrize("kind", ALL)
def test_a_tag_in_front_is_passed(tmp_path: Path, kind: str, whole_s: float) -> None:
    assert heard(put(tmp_path, id3_tag(3000) + recording(kind))) == (pytest.approx(whole_s, abs=0.01), 2, None)


def test_a_complete_stream_is_not_told_to_be_longer(tmp_path: Path) -> None:
    """FFmpeg guesses the length of a stream from its first packets, which are small where nobody speaks."""
    silence, speech, out = tmp_path / "0.wav", tmp_path / "1.wav", tmp_path / "silent_start.aac"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=20", str(silence))
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=r=8000:d=10:a=0.3", str(speech))
    ffmpeg("-i", str(silence), "-i", str(speech), "-filter_complex", "concat=n=2:v=0:a=1", "-b:a", "32k", str(out))
    assert heard(out) == (pytest.approx(played_s(out), abs=0.01), 1, None)


# Several recordings one behind the other.


@pytest.mark.parametrize("kind", ALL)
def test_joined_recordings_are_all_read(tmp_path: Path, kind: str) -> None:
    second = recording(kind, piped=kind in PIPED)
    seconds, channels, problem = heard(put(tmp_path, recording(kind) + second))
    assert (channels, problem) == (2, None)
    assert seconds == pytest.approx(2 * SECONDS, abs=2 * NEAR_S)


@pytest.mark.parametrize("kind", PIPED)
def test_joined_recordings_that_know_no_length_are_all_read(tmp_path: Path, kind: str) -> None:
    content = recording(kind, piped=True)
    seconds, _, problem = heard(put(tmp_path, content + content))
    assert problem is None
    assert seconds == pytest.approx(2 * SECONDS, abs=2 * NEAR_S)


@pytest.mark.parametrize("kind", [*FREE_RATE, *FIXED_RATE])
def test_joined_recordings_that_differ_are_all_read_as_the_first(tmp_path: Path, kind: str) -> None:
    kinds, rate_hz = (FREE_RATE, 8000) if kind in FREE_RATE else (FIXED_RATE, 16_000)
    other = recordings(kinds, SHORT_S, rate_hz=rate_hz, channels=1)[kind]
    seconds, channels, problem = heard(put(tmp_path, recording(kind) + other))
    assert channels == 2
    assert problem is not None
    assert problem.code == "format_changes"
    assert seconds == pytest.approx(SECONDS + SHORT_S, abs=2 * NEAR_S)


@pytest.mark.parametrize("kind", sorted(STREAMS))
def test_streams_that_change_are_read_to_their_end(tmp_path: Path, kind: str) -> None:
    kinds = tuple(sorted(STREAMS))
    first, second = (
        recordings(kinds, SHORT_S, rate_hz=rate_hz, channels=n)[kind] for rate_hz, n in ((48_000, 2), (32_000, 1))
    )
    seconds, channels, _ = heard(put(tmp_path, first + second))
    assert channels == 2
    assert seconds == pytest.approx(2 * SHORT_S, abs=2 * NEAR_S)


@pytest.mark.parametrize(
    ("first", "second"), [("wav pcm_s16le", "flac"), ("mp3 cbr", "wav pcm_s16le"), ("ogg opus", "mp3 vbr")]
)
def test_recordings_of_different_containers_are_all_read(tmp_path: Path, first: str, second: str) -> None:
    seconds, _, _ = heard(put(tmp_path, recording(first) + ID3V1 + recording(second)))
    assert seconds == pytest.approx(2 * SECONDS, abs=2 * NEAR_S)


@pytest.mark.parametrize("container", ["FLAC", "IRCAM", "NIST"])
def test_joined_recordings_of_equal_length_are_all_read(tmp_path: Path, container: str) -> None:
    """Their heads and the last frame agree, so only what lies between tells that there are two."""
    first, second = (encoded(noise(30, seed), rate_hz=16_000, format=container) for seed in (1, 2))
    seconds, _, problem = heard(put(tmp_path, first + second))
    assert (seconds, problem) == (60, None)


def noise(seconds: float, seed: int) -> np.ndarray:
    """Float32 (n, 1), which no coder makes small, so that the file is long."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * 16_000), 1)).astype(np.float32)


# Something unknown in front.


@pytest.mark.parametrize("kind", ["mp3 cbr", "mp2", "adts aac", "ac3", "eac3", "mpegts aac", "mpegts mp2"])
@pytest.mark.parametrize("count", [1, 50, 5000])
def test_a_stream_is_found_behind_junk(tmp_path: Path, kind: str, count: int, whole_s: float) -> None:
    junk = np.random.default_rng(count).bytes(count)
    seconds, channels, problem = heard(put(tmp_path, junk + recording(kind)))
    assert channels == 2
    assert seconds == pytest.approx(whole_s, abs=0.1)
    assert problem is not None or kind in {"mp3 cbr", "mp2"}
    assert problem is None or f"{count} bytes in front of it are nothing" in problem.message
